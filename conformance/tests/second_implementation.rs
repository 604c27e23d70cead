//! The second implementation of the protocol (`conformance/python`), written from the document alone, against ours.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use xtask::{python, step};

const REQUIREMENTS: &str = "conformance/python/requirements.txt";

fn folder() -> PathBuf {
    step::root().join("conformance/python")
}

/// The interpreter with the packages of the second implementation.
fn interpreter() -> Command {
    let python = python::ensure_venv(&[REQUIREMENTS]).unwrap_or_else(|why| panic!("{why}"));
    let mut command = Command::new(python);
    command.current_dir(folder()).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

fn ok(output: &Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
}

#[test]
fn it_computes_what_the_document_says() {
    let output = interpreter().args(["-m", "unittest", "discover", "-t", ".", "-s", "tests"]).output().unwrap();
    ok(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn it_holds_conversations_of_100_messages_with_susurro() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("relay"), "127.0.0.1:0", &[]).unwrap();
    let output = interpreter()
        .args(["converse.py", "--messages", "100", "--relay", relay.url(), "--susurro"])
        .arg(binaries::client().unwrap())
        .output()
        .unwrap();
    ok(&output);
    let said = String::from_utf8_lossy(&output.stdout);
    for who in ["begun by python: 100 texts", "begun by susurro: 100 texts", "begun by both: 20 texts"] {
        assert!(said.contains(who), "{said}");
    }
}

#[test]
fn it_reproduces_every_vector() {
    let python = interpreter();
    let output = Command::new(env!("CARGO_BIN_EXE_susurro-conformance"))
        .args(["vectors", "--"])
        .arg(python.get_program())
        .arg(folder().join("shim.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    ok(&output);
    let said = String::from_utf8_lossy(&output.stdout);
    let verdict = said.lines().last().unwrap_or_default();
    assert!(verdict.contains(" 0 failed, 0 skipped"), "every operation is answered: {verdict}");
}
