//! `susurro-server migrate …`.

use serde_json::json;

use super::exit::Failure;
use super::flags::OfflineFlags;
use super::output::Output;
use crate::compose;
use crate::domain::schema::{Move, Step};

#[derive(clap::Subcommand)]
pub(super) enum Migrate {
    /// Take every step that is missing. A relay does so by itself when it starts.
    Up(Steps),
    /// Take the last step back, or all behind --to. What only its tables held is lost; stop the relay first.
    Down(Steps),
    /// Show every step and whether the database has taken it; changes nothing.
    Status(Status),
}

#[derive(clap::Args)]
pub(super) struct Steps {
    /// Version of the schema to end at; 0 for an empty database.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(0..))]
    to: Option<i64>,
    #[command(flatten)]
    flags: OfflineFlags,
}

#[derive(clap::Args)]
pub(super) struct Status {
    #[command(flatten)]
    flags: OfflineFlags,
}

pub(super) fn run(command: Migrate, output: Output) -> Result<(), Failure> {
    let (flags, to) = match command {
        Migrate::Up(Steps { to, flags }) => (flags, Move::Up(to)),
        Migrate::Down(Steps { to, flags }) => (flags, Move::Down(to)),
        Migrate::Status(Status { flags }) => (flags, Move::Stay),
    };
    let config = flags.start()?;
    let (before, after) = super::block_on(async { Ok(compose::migrate(&config, to).await?) })?;
    if to == Move::Stay {
        for step in &after {
            say(output, step, if step.taken { "taken" } else { "missing" })?;
        }
        return Ok(());
    }
    let mut moved: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one.taken != other.taken).collect();
    if matches!(to, Move::Down(_)) {
        moved.reverse();
    }
    for (_, step) in &moved {
        say(output, step, if step.taken { "up" } else { "down" })?;
    }
    if moved.is_empty() && !output.json {
        output.say(&json!({}), "nothing to do")?;
    }
    Ok(())
}

fn say(output: Output, step: &Step, what: &str) -> Result<(), Failure> {
    let Step { version, name, taken } = step;
    let line = json!({ "version": version, "name": name, "taken": taken, "step": what });
    output.say(&line, format_args!("{what:8} {name}"))
}
