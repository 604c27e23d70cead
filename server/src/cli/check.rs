//! `susurro-server check`.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::flags::AllFlags;
use super::output::Output;
use crate::check::{self, Asked, Outcome};

#[derive(clap::Args)]
pub(super) struct Check {
    /// The relay as clients reach it, through whatever stands in front of it.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Certificates of a private authority as PEM, besides those that this machine trusts.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A time server to compare the clock with [default: the relay at --url]
    #[arg(long, value_name = "HOST[:PORT]")]
    time_server: Option<String>,
    #[command(flatten)]
    flags: AllFlags,
}

pub(super) fn run(command: Check, output: Output) -> Result<(), Failure> {
    let config = command.flags.resolve()?.config;
    let asked = Asked { url: command.url, ca: command.ca, time_server: command.time_server };
    let findings = super::block_on(async { Ok(check::all(&config, &asked).await) })?;
    for finding in &findings {
        let word = match finding.outcome {
            Outcome::Ok => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "FAIL",
            Outcome::Skip => "-",
        };
        let todo = finding.todo.as_ref().map(|todo| format!("\n{:18} -> {todo}", "")).unwrap_or_default();
        output.say(finding, format_args!("{word:5}{:12} {}{todo}", finding.check, finding.found))?;
    }
    let failed = findings.iter().filter(|finding| finding.outcome == Outcome::Fail).count();
    match failed {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Failed, "one check failed")),
        more => Err(Failure::new(Exit::Failed, format!("{more} checks failed"))),
    }
}
