//! `susurro-server`: the relay as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    susurro_server::cli::main()
}
