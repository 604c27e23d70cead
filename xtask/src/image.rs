//! `cargo xtask image-check`: the steps of the Dockerfile, one by one, on this machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::step::{self, Failure, Outcome, Scratch};
use crate::system;

/// Builds the relay as the image does, starts it as the image does, and asks it how it is.
///
/// # Errors
///
/// A line that names the step that failed.
pub fn run() -> Outcome {
    system::prepare()?;
    step::run(
        "build as in the image (release; takes some minutes)",
        &mut step::cargo(&["build", "--locked", "--release", "--package", "susurro-server"]),
    )?;
    let program = step::root().join("target/release/susurro-server");
    let scratch = Scratch::new("image")?;
    let mut serve = Command::new(&program);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(scratch.path()).stdout(Stdio::piped());
    step::announce("start with an empty data folder", &serve);
    let started = serve.spawn().map_err(|error| Failure(format!("the relay cannot be started: {error}")))?;
    let mut relay = Running(started);
    let mut line = String::new();
    if let Some(output) = relay.0.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut line);
    }
    let Some(url) = line.trim().strip_prefix("listening on ") else {
        return Err(Failure(format!("the relay said {line:?} instead of where it listens")));
    };
    step::run("health check as in the image", Command::new(&program).args(["healthcheck", "--url", url]))
}

/// A child that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
