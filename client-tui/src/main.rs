//! The program `susurro`: the full screen, the command line and the demonstration.

mod cli;
mod demo;
mod exit;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
