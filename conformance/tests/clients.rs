//! `susurro` before relays that lie: every check of the client suite passes, and there are enough of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

use std::process::Command;

use susurro_conformance::binaries;

#[test]
fn the_suite_finds_nothing_in_susurro() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let client = binaries::client().unwrap();
    let suite = client.with_file_name(format!("susurro-conformance{}", std::env::consts::EXE_SUFFIX));
    let run = Command::new(&suite).arg("client").arg("--json").arg(&report).arg("--").arg(&client).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let failed: Vec<_> = said.lines().filter(|line| !line.starts_with("passed")).collect();
    assert!(run.status.success(), "{}\n{}", failed.join("\n"), String::from_utf8_lossy(&run.stderr));
    let passed = said.lines().filter(|line| line.starts_with("passed")).count();
    assert!(passed >= 40, "{passed} passed");
    assert!(said.trim_end().ends_with(&format!("{passed} passed, 0 failed, 0 skipped")), "{:?}", said.lines().last());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report.is_object());
}

#[test]
fn a_program_that_is_no_client_is_not_checked() {
    let client = binaries::client().unwrap();
    let suite = client.with_file_name(format!("susurro-conformance{}", std::env::consts::EXE_SUFFIX));
    let run = Command::new(suite).args(["client", "--", "/nonexistent/client"]).output().unwrap();
    assert_eq!(run.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&run.stderr).contains("cannot be started"));
}
