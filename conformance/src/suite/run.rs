//! Running checks: several at once, each to an end of its own.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::check::{Check, Outcome, Stop};
use super::report::{Finding, Reporter};
use super::{files, report};

/// What every suite takes on its command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Only these checks: groups (FRAME), requirements (FRAME-3) or whole names, separated by commas
    #[arg(long, value_name = "CHECKS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Writes the findings to this file as one JSON document
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the findings to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// How checks are run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many at once.
    pub at_once: usize,
    /// How long each may take before it counts as hanging, pauses that it was asked for left out.
    pub deadline: Duration,
    /// Checks that mostly wait: started first, beside the others, with this much more time.
    pub waiting: &'static [(&'static str, Duration)],
}

/// How a run ended, as its exit code says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// 0: nothing failed.
    Clean,
    /// 1: something failed.
    Failed,
    /// 2: it was not asked for as documented.
    Usage(String),
    /// 4: there is no program of the kind to be checked.
    Nobody(String),
}

impl Ending {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Usage(_) => 2,
            Self::Nobody(_) => 4,
        }
    }

    /// What to say to the person, if anything.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Clean | Self::Failed => None,
            Self::Usage(words) | Self::Nobody(words) => Some(words),
        }
    }
}

impl From<&Ending> for ExitCode {
    fn from(ending: &Ending) -> Self {
        ending.code().into()
    }
}

/// The checks that `only` names: all when it names none.
///
/// # Errors
///
/// [`Ending::Usage`] for a word that names no check.
pub fn select<C>(checks: Vec<Check<C>>, only: &[String]) -> Result<Vec<Check<C>>, Ending> {
    if only.is_empty() {
        return Ok(checks);
    }
    let names = |check: &Check<C>, word: &str| {
        let requirement = check.about.id.split('/').next().unwrap_or_default();
        [check.about.group(), requirement, check.about.id].contains(&word)
    };
    let only: Vec<_> = only.iter().map(|word| word.trim()).collect();
    if let Some(unknown) = only.iter().find(|word| !checks.iter().any(|check| names(check, word))) {
        return Err(Ending::Usage(format!("no check is called {unknown}; `susurro-conformance list` names all")));
    }
    Ok(checks.into_iter().filter(|check| only.iter().any(|word| names(check, word))).collect())
}

/// Runs checks, tells each finding, and writes the files that were asked for.
///
/// A check that panics or goes on behind its deadline has failed; the others go on.
///
/// # Errors
///
/// When something cannot be written.
pub async fn run<C: Send + Sync + 'static>(
    target: Arc<C>,
    checks: Vec<Check<C>>,
    plan: &Plan,
    options: &Options,
) -> io::Result<Ending> {
    let mut reporter = report::usual();
    let clean = conduct(target, checks, plan, &mut reporter).await?;
    if let Some(file) = &options.json {
        std::fs::write(file, files::json(reporter.findings()))?;
    }
    if let Some(file) = &options.junit {
        std::fs::write(file, files::junit(reporter.findings()))?;
    }
    Ok(if clean { Ending::Clean } else { Ending::Failed })
}

/// Runs checks and tells each finding to `reporter`; whether nothing failed.
///
/// # Errors
///
/// When something cannot be written.
pub async fn conduct<C: Send + Sync + 'static, W: Write>(
    target: Arc<C>,
    checks: Vec<Check<C>>,
    plan: &Plan,
    reporter: &mut Reporter<W>,
) -> io::Result<bool> {
    let all = checks.len();
    let extra = |check: &Check<C>| plan.waiting.iter().find(|(id, _)| *id == check.about.id).map(|(_, more)| *more);
    let (waiting, others): (Vec<_>, Vec<_>) = checks.into_iter().partition(|check| extra(check).is_some());
    let mut others = VecDeque::from(others);
    let mut running = JoinSet::new();
    let mut busy = 0;
    for check in waiting {
        let deadline = plan.deadline + extra(&check).unwrap_or_default();
        running.spawn(one(target.clone(), check, deadline, true));
    }
    loop {
        while busy < plan.at_once.max(1)
            && let Some(check) = others.pop_front()
        {
            reporter.stands(reporter.findings().len(), all, check.about.id)?;
            running.spawn(one(target.clone(), check, plan.deadline, false));
            busy += 1;
        }
        let Some(done) = running.join_next().await else { break };
        // `one` catches what a check does: only a runtime that ends could bring an error.
        let Ok((finding, waits)) = done else { continue };
        busy -= usize::from(!waits);
        reporter.tell(finding)?;
        reporter.stands(reporter.findings().len(), all, "")?;
    }
    reporter.summary()
}

tokio::task_local! {
    /// Milliseconds that the running check has waited because it was asked to.
    static PAUSED: Arc<AtomicU64>;
}

/// Waits because the program under test has asked for it (`Retry-After`): not counted as hanging.
pub async fn pause(time: Duration) {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // Told before the wait: the deadline must not fall into it.
    let _ = PAUSED.try_with(|paused| paused.fetch_add(milliseconds, Ordering::Relaxed));
    tokio::time::sleep(time).await;
}

async fn one<C: Send + Sync + 'static>(
    target: Arc<C>,
    check: Check<C>,
    deadline: Duration,
    waits: bool,
) -> (Finding, bool) {
    let began = Instant::now();
    let paused = Arc::new(AtomicU64::new(0));
    let (about, run) = (check.about, check.run);
    let counted = paused.clone();
    // A task of its own, so that a panic is a value here.
    let mut task = tokio::spawn(PAUSED.scope(counted, async move { run(&target).await }));
    let mut allowed = deadline;
    let outcome: Outcome = loop {
        match tokio::time::timeout_at((began + allowed).into(), &mut task).await {
            Ok(Ok(outcome)) => break outcome,
            Ok(Err(error)) => break Err(Stop::failed("a check that comes to an end", format!("it broke: {error}"))),
            Err(_) => {
                let now_allowed = deadline + Duration::from_millis(paused.load(Ordering::Relaxed));
                if now_allowed <= allowed {
                    task.abort();
                    break Err(Stop::failed(format!("an end within {} s", deadline.as_secs()), "it hangs"));
                }
                allowed = now_allowed;
            }
        }
    };
    (Finding { about, outcome, took: began.elapsed() }, waits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a check that panics is what is tested")]

    use super::*;
    use crate::suite::About;

    fn about(id: &'static str) -> About {
        About { id, covers: &[], tried: "it" }
    }

    fn checks() -> Vec<Check<()>> {
        vec![
            Check { about: about("HS-1/good"), run: |()| Box::pin(async { Ok(()) }) },
            Check { about: about("HS-2/panics"), run: |()| Box::pin(async { panic!("a check is wrong") }) },
            Check { about: about("SES-1/hangs"), run: |()| Box::pin(std::future::pending()) },
            Check {
                about: about("SES-2/paused"),
                run: |()| {
                    Box::pin(async {
                        pause(Duration::from_millis(900)).await;
                        Ok(())
                    })
                },
            },
        ]
    }

    #[tokio::test]
    async fn panics_and_hangs_are_failures_and_the_rest_goes_on() {
        let plan = Plan { at_once: 2, deadline: Duration::from_millis(300), waiting: &[] };
        let mut reporter = Reporter::new(Vec::new());
        let clean = conduct(Arc::new(()), checks(), &plan, &mut reporter).await;
        assert_eq!(clean.ok(), Some(false));
        let mut failed: Vec<_> =
            reporter.findings().iter().filter(|finding| finding.outcome.is_err()).map(|f| f.about.id).collect();
        failed.sort_unstable();
        assert_eq!(failed, ["HS-2/panics", "SES-1/hangs"]);
        assert_eq!(reporter.findings().len(), 4);
    }

    #[test]
    fn checks_are_chosen_by_group_requirement_or_name_and_nothing_else() {
        let chosen = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            select(checks(), &words).map(|chosen| chosen.iter().map(|c| c.about.id).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&[]).map(|all| all.len()), Ok(4));
        assert_eq!(chosen(&["SES"]), Ok(vec!["SES-1/hangs", "SES-2/paused"]));
        assert_eq!(chosen(&["SES-2", "HS-1/good"]), Ok(vec!["HS-1/good", "SES-2/paused"]));
        assert_eq!(chosen(&["SES", "NONE"]).map_err(|ending| ending.code()), Err(2));
    }
}
