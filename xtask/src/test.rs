//! `cargo xtask test`: one build, every test, the scripted demonstration, one verdict.

use std::time::Instant;

use crate::services::{self, Postgres};
use crate::step::{self, Failure, Outcome, Scratch};
use crate::summary::{self, Tally};
use crate::{demo, model, python, system};

/// Runs everything; does not stop at the first failing test.
///
/// # Errors
///
/// A line that says which steps failed.
pub fn run() -> Outcome {
    let began = Instant::now();
    eprintln!(
        "This builds the workspace once with all its tests and benchmarks, runs every unit, property, integration \
         and documentation test, explores the formal models, and then plays the scripted demonstration. PostgreSQL and \
         Redis servers of their own run for the tests and end with them. Temporary files go to a folder that is removed \
         at the end."
    );
    system::prepare()?;
    python::prepare()?;
    system::prepare_models()?;
    system::prepare_pebble()?;
    system::prepare_browser()?;
    system::prepare_faketime()?;
    services::prepare()?;
    step::run("build everything", &mut step::cargo(&["build", "--workspace", "--all-targets", "--locked"]))?;

    let scratch = Scratch::new("test")?;
    let cluster = Postgres::start(&services::Options::default())?;
    let mut failed = Vec::new();
    let mut total = Tally::default();
    for suite in suites() {
        let mut command = step::cargo(&suite.arguments);
        command.env("TMPDIR", scratch.path()).env(services::CLUSTER, cluster.url()).envs(suite.environment);
        step::announce(suite.name, &command);
        let (tally, succeeded) = summary::run(&mut command, suite.verdict_on_stderr)?;
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.ignored += tally.ignored;
        if !succeeded {
            failed.push(suite.name.to_owned());
        } else if tally.passed == 0 && suite.must_run_some {
            // A runner that found nothing to run must not look like a success.
            failed.push(format!("{} (no test ran)", suite.name));
        }
    }
    if let Err(failure) = model::run() {
        failed.push(failure.to_string());
    }
    if let Err(failure) = demo::play(&["--script"]) {
        failed.push(failure.to_string());
    }

    let Tally { passed, failed: tests_failed, ignored } = total;
    let seconds = began.elapsed().as_secs();
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {tests_failed} failed; {ignored} ignored; \
         demonstration {}; {} min {:02} s in all",
        if failed.iter().any(|what| what.starts_with("the demonstration")) { "failed" } else { "passed" },
        seconds / 60,
        seconds % 60
    );
    if failed.is_empty() { Ok(()) } else { Err(Failure(format!("failed: {}", failed.join("; ")))) }
}

struct Suite {
    name: &'static str,
    arguments: Vec<&'static str>,
    environment: Option<(&'static str, &'static str)>,
    verdict_on_stderr: bool,
    must_run_some: bool,
}

fn suites() -> Vec<Suite> {
    let documentation = Suite {
        name: "documentation tests",
        arguments: vec!["test", "--workspace", "--doc", "--locked", "--no-fail-fast"],
        environment: None,
        verdict_on_stderr: false,
        must_run_some: false,
    };
    if step::succeeds("cargo", &["nextest", "--version"]) {
        let arguments = vec!["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        let tests = tests("tests (nextest)", arguments, true);
        let arguments = vec!["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--test", "relay"];
        vec![tests, on_postgres(arguments, true), documentation]
    } else {
        // `--tests`: units and integration. Benchmarks measure; they belong to `cargo bench`.
        let arguments = vec!["test", "--workspace", "--tests", "--locked", "--no-fail-fast"];
        let tests = tests("tests", arguments, false);
        let arguments = vec!["test", "--workspace", "--locked", "--no-fail-fast", "--test", "relay"];
        vec![tests, on_postgres(arguments, false), documentation]
    }
}

fn tests(name: &'static str, arguments: Vec<&'static str>, verdict_on_stderr: bool) -> Suite {
    Suite { name, arguments, environment: None, verdict_on_stderr, must_run_some: true }
}

/// The relay's tests once more: each makes its relays on the database that this variable names.
fn on_postgres(arguments: Vec<&'static str>, verdict_on_stderr: bool) -> Suite {
    let name = "tests of the relay on PostgreSQL";
    Suite { environment: Some(("XTASK_STORAGE", "postgres")), ..tests(name, arguments, verdict_on_stderr) }
}
