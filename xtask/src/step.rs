//! Running other programs, one announced step at a time.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command of xtask failed, as one line for a person.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// The outcome of a step.
pub type Outcome<T = ()> = Result<T, Failure>;

/// The folder of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// `cargo` with these arguments, in the workspace.
#[must_use]
pub fn cargo<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    // The cargo that runs us, so that `cargo +toolchain xtask` stays on its toolchain.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Whether `program` can be started with `arguments` and succeeds, without a word.
#[must_use]
pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Says what comes, runs it with this terminal, and fails when it fails.
///
/// # Errors
///
/// A line that names the step when it cannot start or does not succeed.
pub fn run(what: &str, command: &mut Command) -> Outcome {
    announce(what, command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure(format!("{what}: failed ({status})"))),
        Err(error) => Err(Failure(format!("{what}: {} cannot be started: {error}", name(command)))),
    }
}

/// Prints the step and its command line.
pub fn announce(what: &str, command: &Command) {
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
    say(what);
    eprintln!("    {} {}", name(command), arguments.join(" "));
}

/// Prints a step that is no command.
pub fn say(what: &str) {
    eprintln!("\n==> {what}");
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// A folder for the temporary files of one run; it disappears with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder inside the system's temporary one.
    ///
    /// # Errors
    ///
    /// A line when it cannot be made.
    pub fn new(purpose: &str) -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("susurro-{purpose}-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|error| Failure(format!("cannot make the folder {}: {error}", path.display())))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system: nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_failing_program_fails_the_step_and_names_it() {
        let failed = run("the step", Command::new("false").current_dir(root()));
        assert!(failed.unwrap_err().to_string().starts_with("the step: failed"));
        let absent = run("the step", &mut Command::new("no-such-program-of-susurro"));
        assert!(absent.unwrap_err().to_string().contains("cannot be started"));
        assert!(run("the step", &mut Command::new("true")).is_ok());
    }

    #[test]
    fn the_scratch_folder_disappears_with_its_contents() {
        let scratch = Scratch::new("scratch-test").unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
