//! `susurro-conformance relay`: what a relay gets wrong.
//!
//! A client of its own, which can do everything wrong on purpose, over the structures of
//! `susurro-protocol`. Session keys and tags are computed here once more, from the document.

mod answer;
mod checks;
mod ground;
mod line;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use checks::all;
pub use ground::Ground;

use crate::suite::Ending;
use crate::suite::run::{Options, Plan, run as run_checks, select};

/// `susurro-conformance relay`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The relay, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// An administrator's token; no check of this version needs one
    #[arg(long, value_name = "TOKEN", env = "SUSURRO_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// Leaves out what takes longer than a minute
    #[arg(long)]
    pub quick: bool,
    /// How many checks at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub at_once: usize,
    /// What every suite takes
    #[command(flatten)]
    pub options: Options,
}

/// Checks that mostly wait, and how much longer they may take.
const WAITING: &[(&str, Duration)] = &[
    ("SES-4/idle", Duration::from_secs(120)),
    ("SES-4/sign-of-life", Duration::from_secs(120)),
    ("DLV-2/expired", Duration::from_secs(150)),
    ("HS-1/silence", Duration::from_secs(30)),
    ("HS-1/half-hello", Duration::from_secs(30)),
    ("HS-1/pings-only", Duration::from_secs(30)),
    ("CONN-4/no-ack", Duration::from_secs(30)),
    ("ERR-3/time", Duration::from_secs(120)),
];

/// Runs the checks.
///
/// # Errors
///
/// When the findings cannot be written.
pub async fn run(arguments: &Arguments) -> io::Result<Ending> {
    let checks = match select(all(), &arguments.options.only) {
        Ok(checks) => checks,
        Err(usage) => return Ok(usage),
    };
    let ground = match Ground::find(&arguments.url, arguments.quick).await {
        Ok(ground) => ground,
        Err(words) => return Ok(Ending::Nobody(words)),
    };
    let plan = Plan { at_once: arguments.at_once, deadline: Duration::from_secs(120), waiting: WAITING };
    run_checks(Arc::new(ground), checks, &plan, &arguments.options).await
}
