//! The program `susurro`: the full screen, the command line and the demonstration.

mod cli;
mod demo;
mod exit;

fn main() {
    exit::leave(cli::run())
}
