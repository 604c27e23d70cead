//! `cargo xtask model`: the formal models of `docs/model`, and their broken variants.
//!
//! Each model is explored to its end and has to hold; each variant, which leaves one rule out, has
//! to be found violated, so that a model which cannot fail is noticed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::step::{self, Failure, Outcome, Scratch};
use crate::system;

/// A model, and the switches of its broken variants.
pub struct Model {
    /// Its file in `docs/model`, without the extension.
    pub name: &'static str,
    /// One rule left out by each.
    pub broken: &'static [&'static str],
}

/// All models.
pub const MODELS: &[Model] = &[
    Model {
        name: "handshake",
        broken: &[
            "NO_TRANSCRIPT",
            "NO_PIN",
            "EPHEMERAL_REUSED",
            "CLIENT_EPHEMERAL_LEAKS",
            "NO_HELLO_SIGNATURE",
            "ACTIVATE_ON_HELLO",
            "KEYS_NOT_BOUND",
            "NO_TAG",
            "LATE_FIRST_FRAME",
        ],
    },
    Model {
        name: "devices",
        broken: &[
            "NO_VERSION_CHECK",
            "NO_FORK_CHECK",
            "ACCEPT_CHANGED_KEY",
            "NO_SIGNATURE",
            "TRUST_MISSING",
            "FORGETS_LIST",
            "GAP",
        ],
    },
    Model {
        name: "sessions",
        broken: &["LAST_ONE_WINS", "NO_GENERATION", "FORGETS_LARGEST", "CLAIM_IGNORED", "STAYS"],
    },
];

/// For one program: many times what the longest takes on a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs them all.
///
/// # Errors
///
/// A line that names what does not hold, or which variant was not found out.
pub fn run() -> Outcome {
    system::prepare_models()?;
    let scratch = Scratch::new("model")?;
    let began = Instant::now();
    let mut failed = Vec::new();
    for model in MODELS {
        let whole = verify(model.name, None, scratch.path())?;
        println!("model {}: {}", model.name, whole.says());
        if whole.errors != 0 {
            failed.push(format!("{} does not hold", model.name));
        }
        for variant in model.broken {
            let found = verify(model.name, Some(variant), scratch.path())?;
            println!("model {} with {variant}: {}", model.name, found.says());
            if found.errors == 0 {
                failed.push(format!("{} holds although {variant} breaks it", model.name));
            }
        }
    }
    println!("models: {} s in all", began.elapsed().as_secs());
    if failed.is_empty() { Ok(()) } else { Err(Failure(failed.join("; "))) }
}

/// What a verifier found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    errors: u64,
    states: u64,
    because: Option<String>,
}

impl Found {
    fn says(&self) -> String {
        match &self.because {
            Some(because) => format!("violated: {because}"),
            None => format!("holds in all of {} states", self.states),
        }
    }
}

fn verify(name: &str, switch: Option<&str>, scratch: &Path) -> Outcome<Found> {
    let what = format!("model {name} {}", switch.unwrap_or_default());
    let folder = scratch.join(format!("{name}-{}", switch.unwrap_or("whole")));
    let io = |error: std::io::Error| Failure(format!("{what}: {error}"));
    fs::create_dir_all(&folder).map_err(io)?;
    fs::copy(step::root().join(format!("docs/model/{name}.pml")), folder.join("model.pml")).map_err(io)?;
    let define = switch.map(|switch| format!("-D{switch}"));
    let mut spin = Command::new("spin");
    spin.args(define.iter()).args(["-a", "model.pml"]);
    bounded(&what, spin.current_dir(&folder))?;
    let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    // What is violated is found among the first states: there compiling takes longer than running.
    let speed = if switch.is_some() { "-O0" } else { "-O1" };
    // Spin's own C code warns a lot; safety properties need no cycles.
    compiler.args([speed, "-w", "-DSAFETY", "-DMEMLIM=2048", "-o", "verifier", "pan.c"]);
    bounded(&what, compiler.current_dir(&folder))?;
    let mut verifier = Command::new(folder.join("verifier"));
    let report = bounded(&what, verifier.arg("-m1000000").current_dir(&folder))?;
    read(&report).ok_or_else(|| Failure(format!("{what}: the verifier did not come to its end:\n{report}")))
}

/// Runs a program to its end, or ends it when that does not come. Gives what it wrote.
fn bounded(what: &str, command: &mut Command) -> Outcome<String> {
    let failed = |error: std::io::Error| Failure(format!("{what}: {error}"));
    // A file and not a pipe: nobody reads while it runs.
    let log = command.get_current_dir().unwrap_or(Path::new(".")).join("log");
    let file = fs::File::create(&log).map_err(failed)?;
    let mut child =
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(failed)?).stderr(file).spawn().map_err(failed)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            let text = fs::read_to_string(&log).map_err(failed)?;
            return if status.success() { Ok(text) } else { Err(Failure(format!("{what}: {status}\n{text}"))) };
        }
        if Instant::now() > deadline {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            return Err(Failure(format!("{what}: no end after {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The verifier's report; `None` when it stopped before it had seen everything.
fn read(report: &str) -> Option<Found> {
    let number_before = |mark: &str| {
        let line = report.lines().find(|line| line.contains(mark))?;
        line.split(mark).next()?.split_whitespace().next_back()?.parse().ok()
    };
    let errors = report.lines().find_map(|line| line.split("errors: ").nth(1)?.trim().parse().ok())?;
    let because = report.lines().find_map(|line| line.strip_prefix("pan:1: ")).map(str::to_owned);
    if errors == 0 && (report.contains("Search not completed") || report.contains("max search depth too small")) {
        return None;
    }
    Some(Found { errors, states: number_before(" states, stored")?, because })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const HEAD: &str = "State-vector 72 byte, depth reached 42, errors: ";

    #[test]
    fn a_report_is_read_and_one_that_was_cut_short_is_none() {
        let holds = format!("{HEAD}0\n     3572 states, stored\n");
        assert_eq!(read(&holds), Some(Found { errors: 0, states: 3572, because: None }));
        let broken = format!("pan:1: assertion violated x (at depth 3)\n{HEAD}1\n       50 states, stored\n");
        let because = Some("assertion violated x (at depth 3)".to_owned());
        assert_eq!(read(&broken), Some(Found { errors: 1, states: 50, because }));
        assert_eq!(read(&format!("Warning: Search not completed\n{holds}")), None);
        assert_eq!(read("error: max search depth too small"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn every_switch_stands_in_its_model_and_every_model_in_the_list() {
        let folder = step::root().join("docs/model");
        let mut files = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            files += usize::from(entry.unwrap().path().extension().is_some_and(|extension| extension == "pml"));
        }
        assert_eq!(files, MODELS.len());
        for model in MODELS {
            let text = fs::read_to_string(folder.join(format!("{}.pml", model.name))).unwrap();
            for switch in model.broken {
                assert!(text.contains(&format!("def {switch}")), "{} has no {switch}", model.name);
            }
        }
    }
}
