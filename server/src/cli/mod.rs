//! The command line: one file a command. A command takes what it needs from `flags`, does its work,
//! and says what became of it through `output`.

mod admin;
mod backup;
mod check;
mod config;
mod exit;
mod flags;
mod healthcheck;
mod keys;
mod migrate;
mod openapi;
mod output;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::exit::{Exit, Failure};
use self::output::Output;

/// The blind relay of Susurro: stores ciphertext, forwards it, and can read none of it.
#[derive(Parser)]
#[command(name = "susurro-server", version, max_term_width = 100)]
struct Arguments {
    /// Answer with JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the relay until ctrl-c or SIGTERM.
    Serve(serve::Serve),
    /// Accounts and invites, on the database itself, also while the relay is running.
    Admin(admin::Admin),
    /// Look whether everything around a relay is as it should be: keys, disk, certificate, database, Redis, clock, and
    /// the relay as clients reach it. Ends with 1 when something does not work.
    Check(check::Check),
    /// Ask a relay on this machine whether it is ready; ends with 0 if so. For containers and timers.
    Healthcheck(healthcheck::Healthcheck),
    /// Copy the database of a relay, which may go on working, into a new directory.
    Backup(backup::Backup),
    /// Take a backup back, in place of the database. Stop every relay on it first.
    Restore(backup::Restore),
    /// The database's schema: its steps, forward and back.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// The settings that count.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The keys of access tokens.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Print the description of the REST interface (OpenAPI 3.1).
    Openapi,
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { json, command } = Arguments::parse();
    let output = Output { json };
    let outcome = match command {
        Command::Serve(command) => serve::run(command, output),
        Command::Admin(command) => admin::run(command, output),
        Command::Check(command) => check::run(command, output),
        Command::Healthcheck(command) => healthcheck::run(&command),
        Command::Backup(command) => backup::run(command, output),
        Command::Restore(command) => backup::run_restore(command, output),
        Command::Migrate(command) => migrate::run(command, output),
        Command::Config(command) => config::run(command, output),
        Command::Keys(command) => keys::run(command, output),
        Command::Openapi => openapi::run(),
    };
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => output.complain(&failure),
    }
}

/// Carries out what needs a runtime.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(Exit::Failed, error))?.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_fit_together() {
        super::Arguments::command().debug_assert();
    }
}
