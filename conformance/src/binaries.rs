//! Where the programs under test are.

use std::path::PathBuf;

/// A program that was not built.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not built: run `cargo build --workspace --bins`, or `cargo xtask test`, which does it first")]
pub struct NotBuilt(pub PathBuf);

/// The relay.
///
/// # Errors
///
/// [`NotBuilt`] when there is no such file.
pub fn relay() -> Result<PathBuf, NotBuilt> {
    beside_the_tests("susurro-server")
}

/// The client.
///
/// # Errors
///
/// [`NotBuilt`] when there is no such file.
pub fn client() -> Result<PathBuf, NotBuilt> {
    beside_the_tests("susurro")
}

/// Test programs lie in `target/PROFILE/deps`, the others one folder above.
fn beside_the_tests(name: &str) -> Result<PathBuf, NotBuilt> {
    let here = std::env::current_exe().unwrap_or_default();
    let folder = here.ancestors().find(|folder| !folder.ends_with("deps") && folder.is_dir());
    let path = folder.unwrap_or(&here).join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() { Ok(path) } else { Err(NotBuilt(path)) }
}
