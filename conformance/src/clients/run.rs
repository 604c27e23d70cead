//! `susurro-conformance client -- CMD…`.

use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::checks;
use super::stage::Lane;
use super::subject::Subject;
use crate::suite::run::{self, Ending, Options, Plan};
use crate::suite::{About, Stop};

/// How many checks at once: stretching passwords takes 64 MiB and a processor each.
const AT_ONCE: usize = 3;

/// How long a check may take: those that try every step run dozens of commands.
const DEADLINE: Duration = Duration::from_secs(240);

/// What is asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// What every suite takes.
    #[command(flatten)]
    pub options: Options,
    /// The client: a program, and arguments that come before those of each command
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Addresses to play at, one for each check that runs.
pub struct Lanes {
    subject: Arc<Subject>,
    free: Mutex<Vec<Lane>>,
}

/// A lane that one check has.
#[must_use]
pub struct Taken<'a> {
    lanes: &'a Lanes,
    lane: Option<Lane>,
}

impl Lanes {
    /// None yet: a lane is opened when it is needed.
    #[must_use]
    pub fn new(command: Vec<OsString>) -> Self {
        Self { subject: Arc::new(Subject::new(command)), free: Mutex::default() }
    }

    /// A lane that nobody else has.
    ///
    /// # Errors
    ///
    /// As [`Lane::open`].
    pub async fn take(&self) -> Result<Taken<'_>, Stop> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lane = match free {
            Some(lane) => lane,
            None => Lane::open(Arc::clone(&self.subject)).await?,
        };
        Ok(Taken { lanes: self, lane: Some(lane) })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.lanes.free.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        }
    }
}

impl Taken<'_> {
    /// The lane.
    ///
    /// # Errors
    ///
    /// Never: it is there until it is dropped.
    pub fn lane(&self) -> Result<&Lane, Stop> {
        self.lane.as_ref().ok_or_else(|| super::fault("a lane that was given back"))
    }
}

/// What every check of a client is about.
#[must_use]
pub fn abouts() -> Vec<About> {
    checks::all().into_iter().map(|check| check.about).collect()
}

/// Plays everything against a client.
///
/// # Errors
///
/// When findings cannot be written.
pub async fn run(arguments: Arguments) -> io::Result<Ending> {
    let chosen = match run::select(checks::all(), &arguments.options.only) {
        Ok(chosen) => chosen,
        Err(ending) => return Ok(ending),
    };
    let lanes = Lanes::new(arguments.command);
    if let Err(why) = lanes.subject.answers().await {
        return Ok(Ending::Nobody(why));
    }
    let plan = Plan { at_once: AT_ONCE, deadline: DEADLINE, waiting: checks::WAITING };
    run::run(Arc::new(lanes), chosen, &plan, &arguments.options).await
}
