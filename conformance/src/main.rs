//! `susurro-conformance`: what a relay or a client gets wrong.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use susurro_conformance::list;

/// Checks any relay or client against docs/protocol.md.
#[derive(Parser)]
#[command(name = "susurro-conformance", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every requirement of the document, its level, and what covers it
    List,
}

fn main() -> ExitCode {
    let told = match Arguments::parse().command {
        Command::List => list::run(&mut std::io::stdout().lock()),
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}
