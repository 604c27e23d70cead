//! `susurro-conformance relay` against the real relay.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::process::{Command, Output};

use susurro_conformance::relay::Relay;

fn suite(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_susurro-conformance")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_relay_passes_every_check() {
    passes_every_check(&[]);
}

#[test]
fn the_relay_passes_every_check_on_postgresql() {
    let (folder, database) = (tempfile::tempdir().unwrap(), xtask::services::database().unwrap());
    let url = folder.path().join("url");
    std::fs::write(&url, database.url()).unwrap();
    passes_every_check(&["--database-file", url.to_str().unwrap()]);
}

fn passes_every_check(more: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    // 100 requests a minute are what an account usually has: its limit is one of the things that are checked.
    let arguments = [&["--log", "info", "--rest-rate", "100"], more].concat();
    let relay = Relay::start(&folder.path().join("data"), "127.0.0.1:0", &arguments).unwrap();
    let (json, junit) = (folder.path().join("found.json"), folder.path().join("found.xml"));
    let output =
        suite(&["relay", "--url", relay.url(), "--json", json.to_str().unwrap(), "--junit", junit.to_str().unwrap()]);
    let (code, stdout, stderr) = said(&output);
    let told: Vec<_> = stdout.lines().filter(|line| !line.starts_with("passed")).collect();
    assert_eq!(code, Some(0), "{told:#?}\n{stderr}");
    assert!(stderr.is_empty(), "no progress where there is no terminal: {stderr}");
    assert!(!stdout.contains('\x1b'), "no colours where there is no terminal");

    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let passed = found["summary"]["passed"].as_u64().unwrap();
    assert!(passed >= 300, "{passed} passed: {told:#?}");
    let skipped = found["summary"]["skipped"].as_u64().unwrap();
    assert!(skipped <= 5, "{skipped} skipped: {told:#?}");
    let summary = format!("{passed} passed, 0 failed, {skipped} skipped");
    assert_eq!(stdout.lines().last(), Some(summary.as_str()));
    let cases = std::fs::read_to_string(junit).unwrap().matches("<testcase ").count();
    assert_eq!(cases as u64, passed + skipped);
}

#[test]
fn a_choice_of_checks_runs_and_an_unknown_one_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("data"), "127.0.0.1:0", &[]).unwrap();
    let (code, stdout, _) = said(&suite(&["relay", "--url", relay.url(), "--only", "VER,HS-5,SES-1/no-tag"]));
    assert_eq!(code, Some(0), "{stdout}");
    assert!(
        stdout.contains("passed   SES-1/no-tag") && stdout.contains("HS-5/zero") && !stdout.contains("HS-2/"),
        "{stdout}"
    );

    let (code, stdout, stderr) = said(&suite(&["relay", "--url", relay.url(), "--only", "VER,NOTHING"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("NOTHING"), "{stderr}");
}

#[test]
fn where_no_relay_is_that_is_said() {
    // Port 9 (discard) is nobody's on a machine of today.
    let (code, stdout, stderr) = said(&suite(&["relay", "--url", "http://127.0.0.1:9", "--only", "VER"]));
    assert_eq!((code, stdout.as_str()), (Some(4), ""));
    assert!(stderr.contains("does not answer"), "{stderr}");
}
