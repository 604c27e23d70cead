//! `cargo xtask corpus`.

use crate::step::{self, Outcome};

/// Writes the seeds under `fuzz/corpus` from what the tests of the crates give as samples.
///
/// # Errors
///
/// A line when they cannot be written.
pub fn run() -> Outcome {
    for (package, test) in
        [("susurro-protocol", "corpus"), ("susurro-server", "hostile"), ("susurro-client-core", "hostile")]
    {
        let mut command = step::cargo(&["test", "--locked", "--package", package, "--test", test]);
        step::run(&format!("write the corpora of {package}"), command.env("UPDATE_CORPUS", "1"))?;
    }
    Ok(())
}
