//! The suites can fail: programs with one rule switched off are each caught by the check that names the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod build;
mod relays;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use build::Twin;
use susurro_conformance::relay::Relay;
use susurro_conformance::relays::{Ground, all};
use susurro_conformance::suite::run::{Plan, conduct};
use susurro_conformance::suite::{Finding, Reporter, Stop};

const TABLES: &[&[Twin]] = &[relays::TWINS];

/// Relays at once: each is a process that stretches passwords.
const AT_ONCE: usize = 3;

#[test]
fn the_tables_still_fit_the_sources() {
    build::sound(TABLES);
    assert!(TABLES.iter().map(|table| table.len()).sum::<usize>() >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_relay_is_caught_by_the_check_that_names_the_rule() {
    let program = build::program("susurro-server", TABLES);
    // With no rule switched off the same program passes all of them: what fails below fails for its rule.
    let wanted: Vec<_> = relays::TWINS.iter().map(|twin| twin.caught_by).collect();
    let whole = findings(&program, "none", &wanted).await;
    let failed: Vec<_> = whole.iter().filter(|finding| finding.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");

    let mut escaped = Vec::new();
    for some in relays::TWINS.chunks(AT_ONCE) {
        let mut running = tokio::task::JoinSet::new();
        for twin in some {
            let program = program.clone();
            running.spawn(async move { (twin, findings(&program, twin.name, &[twin.caught_by]).await) });
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
async fn findings(program: &Path, twin: &str, wanted: &[&str]) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let environment = [(build::VARIABLE, twin)];
    let relay = Relay::start_program(program, &folder.path().join("data"), "127.0.0.1:0", &[], &environment).unwrap();
    let ground = Ground::find(relay.url(), true).await.unwrap();
    let checks: Vec<_> = all().into_iter().filter(|check| wanted.contains(&check.about.id)).collect();
    let plan = Plan { at_once: 4, deadline: Duration::from_secs(120), waiting: &[] };
    let mut reporter = Reporter::new(Vec::new());
    conduct(Arc::new(ground), checks, &plan, &mut reporter).await.unwrap();
    reporter.findings().to_vec()
}
