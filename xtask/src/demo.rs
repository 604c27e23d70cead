//! `cargo xtask demo`.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{self, Failure, Outcome, Scratch};
use crate::system;

/// All programs of the workspace, and one small test: cargo then chooses the same features of every
/// dependency as for `cargo xtask test`, and neither command ever builds again what the other has built.
const BUILD: [&str; 6] = ["build", "--locked", "--workspace", "--bins", "--test", "layering"];

/// Builds relay and client and hands this terminal to the demonstration.
///
/// # Errors
///
/// A line when an argument is not known, something does not build, or the demonstration failed.
pub fn run(arguments: &[&str]) -> Outcome {
    if arguments.iter().any(|argument| *argument != "--script") {
        return Err(Failure(format!("demo knows only --script, not {}", arguments.join(" "))));
    }
    system::prepare()?;
    step::run("build the relay and the client (the first time takes some minutes)", &mut step::cargo(&BUILD))?;
    play(arguments)
}

/// Runs the demonstration with programs that are built already.
///
/// # Errors
///
/// A line when it failed.
pub fn play(arguments: &[&str]) -> Outcome {
    let scratch = Scratch::new("demo")?;
    let mut demo = Command::new(program("susurro")?);
    // Relay files and profiles go where they disappear even when the demonstration is killed.
    demo.arg("demo").arg("--server").arg(program("susurro-server")?).args(arguments).env("TMPDIR", scratch.path());
    step::run("the demonstration", &mut demo)
}

/// A program of this workspace: built into the folder that this one runs from.
fn program(name: &str) -> Outcome<PathBuf> {
    let own = std::env::current_exe().map_err(|error| Failure(format!("cannot find the build folder: {error}")))?;
    let path = own.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if path.exists() { Ok(path) } else { Err(Failure(format!("{} was not built", path.display()))) }
}
