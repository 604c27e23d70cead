//! `susurro-conformance`: what a relay or a client gets wrong.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use susurro_conformance::clients::run as clients;
use susurro_conformance::suite::Ending;
use susurro_conformance::{list, relays, vectors};

/// Checks any relay or client against docs/protocol.md.
#[derive(Parser)]
#[command(name = "susurro-conformance", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays relays, honest and malicious, against a client with the documented command line
    Client(clients::Arguments),
    /// Every requirement of the document, its level, and what covers it
    List,
    /// Checks a relay, with throwaway accounts of random names
    Relay(relays::Arguments),
    /// Holds our own code, or a shim around any other implementation, to the vectors of docs/vectors
    Vectors(vectors::run::Arguments),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Client(arguments) => runtime().and_then(|runtime| runtime.block_on(clients::run(arguments))),
        Command::List => list::run(&mut io::stdout().lock()).map(|()| Ending::Clean),
        Command::Relay(arguments) => runtime().and_then(|runtime| runtime.block_on(relays::run(&arguments))),
        Command::Vectors(arguments) => vectors::run::run(arguments),
    };
    match ended {
        Ok(ending) => {
            if let Some(words) = ending.words() {
                let _ = writeln!(io::stderr(), "susurro-conformance: {words}");
            }
            ExitCode::from(&ending)
        }
        // Whoever reads has seen enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "susurro-conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
