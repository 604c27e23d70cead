//! The suites can fail: programs with one rule switched off are each caught by the check that names the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod build;
mod clients;
mod relays;

use std::collections::HashSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use build::Twin;
use susurro_conformance::clients::run::Lanes;
use susurro_conformance::relay::Relay;
use susurro_conformance::relays::Ground;
use susurro_conformance::suite::run::{Plan, conduct};
use susurro_conformance::suite::{Check, Finding, Reporter, Stop};

const TABLES: &[&[Twin]] = &[relays::TWINS, clients::TWINS];

/// Twins at once: each is a process that stretches passwords.
const AT_ONCE: usize = 3;

#[test]
fn the_tables_still_fit_the_sources() {
    build::sound(TABLES);
    assert!(TABLES.iter().map(|table| table.len()).sum::<usize>() >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_relay_is_caught_by_the_check_that_names_the_rule() {
    let program = build::program("susurro-server", TABLES);
    caught(relays::TWINS, program, |program, twin, wanted| Box::pin(of_relay(program, twin, wanted))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_client_is_caught_by_the_check_that_names_the_rule() {
    let program = build::program("susurro", TABLES);
    caught(clients::TWINS, program, |program, twin, wanted| Box::pin(of_client(program, twin, wanted))).await;
}

type Findings = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;

/// Runs each twin of a table against the check that has to catch it, and the whole program against all of these.
async fn caught(
    table: &'static [Twin],
    program: PathBuf,
    findings: fn(PathBuf, &'static str, Vec<&'static str>) -> Findings,
) {
    // With no rule switched off the same program passes all of them: what fails below fails for its rule.
    let wanted: Vec<_> = table.iter().map(|twin| twin.caught_by).collect();
    let whole = findings(program.clone(), "none", wanted.clone()).await;
    let failed: Vec<_> = whole.iter().filter(|finding| finding.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let ran: HashSet<_> = whole.iter().map(|finding| finding.about.id).collect();
    assert_eq!(ran, wanted.into_iter().collect(), "every check that a table names exists");

    let mut escaped = Vec::new();
    for some in table.chunks(AT_ONCE) {
        let mut running = tokio::task::JoinSet::new();
        for twin in some {
            let found = findings(program.clone(), twin.name, vec![twin.caught_by]);
            running.spawn(async move { (twin, found.await) });
        }
        while let Some(done) = running.join_next().await {
            let (twin, findings) = done.unwrap();
            let caught = matches!(&findings[..], [finding] if matches!(finding.outcome, Err(Stop::Failed { .. })));
            if !caught {
                escaped.push(format!("{} escapes {}: {findings:?}", twin.name, twin.caught_by));
            }
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
}

/// What these checks find at a relay of its own that runs as this twin.
async fn of_relay(program: PathBuf, twin: &'static str, wanted: Vec<&'static str>) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let environment = [(build::VARIABLE, twin)];
    let relay = Relay::start_program(&program, &folder.path().join("data"), "127.0.0.1:0", &[], &environment).unwrap();
    let ground = Ground::find(relay.url(), true).await.unwrap();
    found(ground, susurro_conformance::relays::all(), &wanted).await
}

/// What these checks find at a client that runs as this twin.
async fn of_client(program: PathBuf, twin: &'static str, wanted: Vec<&'static str>) -> Vec<Finding> {
    let environment = format!("{}={twin}", build::VARIABLE);
    let lanes = Lanes::new(vec!["env".into(), environment.into(), program.into()]);
    found(lanes, susurro_conformance::clients::checks::all(), &wanted).await
}

async fn found<C: Send + Sync + 'static>(target: C, all: Vec<Check<C>>, wanted: &[&str]) -> Vec<Finding> {
    let chosen = all.into_iter().filter(|check| wanted.contains(&check.about.id)).collect();
    let plan = Plan { at_once: AT_ONCE, deadline: Duration::from_secs(240), waiting: &[] };
    let mut reporter = Reporter::new(Vec::new());
    conduct(Arc::new(target), chosen, &plan, &mut reporter).await.unwrap();
    reporter.findings().to_vec()
}
