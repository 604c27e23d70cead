//! The vectors of `docs/vectors`: that our own code holds to them, that they are what the generator makes, and that
//! the check of them can fail.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use susurro_conformance::suite::{Reporter, Stop, requirements};
use susurro_conformance::vectors::case::expanded;
use susurro_conformance::vectors::run::{Asked, hold, text};
use susurro_conformance::vectors::{self, Case, Expected, TEXTS, checked_in, make};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors")
}

fn cases() -> Vec<Case> {
    checked_in().unwrap().into_iter().flat_map(|file| file.cases).collect()
}

/// What is told of these cases, and whether nothing failed.
fn told(cases: &[Case], asked: &Asked) -> (bool, Vec<Option<Stop>>) {
    let mut reporter = Reporter::new(Vec::new());
    let clean = hold(cases, asked, &mut reporter).unwrap();
    let told = reporter.findings().iter().map(|finding| finding.outcome.clone().err()).collect();
    (clean, told)
}

#[test]
fn our_own_code_holds_to_every_vector() {
    let cases = cases();
    let (clean, told) = told(&cases, &Asked::Ourselves);
    let failed: Vec<_> =
        cases.iter().zip(told).filter_map(|(case, stop)| Some((&case.id, &case.what, stop?))).collect();
    assert!(clean && failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), cases.len());
}

#[test]
fn the_files_are_what_the_generator_makes_twice_the_same() {
    let names: BTreeSet<_> = TEXTS.iter().map(|(name, _)| format!("{name}.json")).collect();
    let there: BTreeSet<_> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, names);
    let made: Vec<_> = make::FILES.iter().map(|(name, _)| *name).collect();
    assert_eq!(TEXTS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), made);
    for ((name, checked_in), (_, make)) in TEXTS.iter().zip(make::FILES) {
        let once = text(&make().unwrap()).unwrap();
        assert_eq!(once, text(&make().unwrap()).unwrap(), "{name} is another one each time");
        let on_disk = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        assert_eq!(&on_disk, checked_in, "{name} is not the one that was built in");
        // Not `assert_eq!`: the files are long.
        assert!(
            once == on_disk,
            "docs/vectors/{name}.json is not what `cargo xtask vectors` makes: a change of the vectors is a protocol \
             version (docs/conformance.md)"
        );
    }
}

#[test]
fn names_are_used_once_and_requirements_exist() {
    let known: BTreeSet<_> = requirements().into_iter().map(|requirement| requirement.id).collect();
    let mut names = BTreeSet::new();
    for file in checked_in().unwrap() {
        assert_eq!(file.protocol, 1);
        for case in file.cases {
            assert!(case.id.starts_with(&format!("{}/", file.name)), "{}", case.id);
            assert!(!case.covers.is_empty() && !case.what.is_empty(), "{}", case.id);
            for covered in &case.covers {
                assert!(known.contains(covered), "{} covers {covered}, which the document does not have", case.id);
            }
            assert!(names.insert(case.id.clone()), "{} is there twice", case.id);
        }
    }
    let listed: BTreeSet<_> = vectors::covers().unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(listed, names);
}

#[test]
fn there_are_as_many_refusals_and_transcripts_as_promised() {
    let cases = cases();
    let refused = |case: &&Case| matches!(case.expected, Expected::Error(_));
    let malformed = cases.iter().filter(|case| case.id.starts_with("malformed/")).filter(refused).count();
    assert!(malformed >= 200, "{malformed} malformed inputs");
    let transcripts = cases.iter().filter(|case| case.op == "ratchet.run").count();
    assert!(transcripts >= 3, "{transcripts} conversations");
    let runs = cases.iter().filter(|case| case.op == "ratchet.run");
    let steps = runs.flat_map(|case| case.input["steps"].as_array().unwrap().iter());
    let kinds: BTreeSet<_> = steps.map(|step| step["do"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["hear", "lose", "receive", "send", "start", "whisper"].map(str::to_owned).into());
}

/// Another value in the first place where there is one.
fn changed(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Object(members) => {
            let (name, other) = members.iter().find_map(|(name, value)| Some((name, changed(value)?)))?;
            let mut members = members.clone();
            members.insert(name.clone(), other);
            Value::Object(members)
        }
        Value::Array(items) => {
            let (at, other) = items.iter().enumerate().find_map(|(at, value)| Some((at, changed(value)?)))?;
            let mut items = items.clone();
            items[at] = other;
            Value::Array(items)
        }
        Value::String(text) => {
            let first = text.chars().next()?;
            let other = if first == '0' { '1' } else { '0' };
            Value::String(text.replacen(first, &other.to_string(), 1))
        }
        Value::Number(number) => (number.as_u64()? ^ 1).into(),
        Value::Bool(_) | Value::Null => return None,
    })
}

#[test]
fn a_vector_with_one_wrong_digit_fails() {
    let mut wrong = Vec::new();
    for mut case in cases() {
        // Argon2id takes its time, and fails here like any other.
        if case.op == "password.stretch" && !case.id.ends_with("/usual") {
            continue;
        }
        case.expected = match &case.expected {
            Expected::Output(output) => match changed(&expanded(output)) {
                Some(output) => Expected::Output(output),
                None => Expected::Error("refused".into()),
            },
            Expected::Error(_) => Expected::Error("another-error".into()),
        };
        wrong.push(case);
    }
    let (clean, told) = told(&wrong, &Asked::Ourselves);
    assert!(!clean);
    for (case, stop) in wrong.iter().zip(told) {
        assert!(matches!(stop, Some(Stop::Failed { .. })), "{} holds though it is wrong", case.id);
    }
}

#[test]
fn a_vector_with_another_input_fails() {
    let inputs = ["padding/pad-short", "safety-numbers/alice-bob", "handshake/document/transcript", "frames/tag/ack"];
    let wrong: Vec<_> = cases()
        .into_iter()
        .filter(|case| inputs.contains(&case.id.as_str()))
        .map(|case| Case { input: changed(&case.input).unwrap(), ..case })
        .collect();
    assert_eq!(wrong.len(), inputs.len());
    let (_, told) = told(&wrong, &Asked::Ourselves);
    assert!(told.iter().all(Option::is_some), "{told:?}");
}

/// A shim of a few lines of shell, and what is told of two vectors.
fn with_shim(script: &str) -> (bool, Vec<Option<Stop>>) {
    let wanted = ["identifiers/name/shortest", "identifiers/name/longest"];
    let cases: Vec<_> = cases().into_iter().filter(|case| wanted.contains(&case.id.as_str())).collect();
    assert_eq!(cases.len(), 2);
    let command: Vec<OsString> = ["sh", "-c", script].map(OsString::from).into();
    told(&cases, &Asked::Shim { command, deadline: Duration::from_secs(5) })
}

fn seen(stop: Option<&Stop>) -> &str {
    match stop {
        Some(Stop::Failed { seen, .. }) => seen,
        Some(Stop::Skipped(why)) => why,
        None => "passed",
    }
}

#[test]
fn a_shim_that_answers_wrongly_fails() {
    let (clean, told) = with_shim(
        "read line; echo '{\"id\":1,\"ok\":{\"text\":\"bob\"}}'; read line; echo '{\"id\":2,\"ok\":{\"text\":\"bob\"}}'",
    );
    assert!(!clean);
    assert_eq!(seen(told[0].as_ref()), "passed");
    assert_eq!(seen(told[1].as_ref()), "bob");
    let (clean, told) =
        with_shim("n=0; while read line; do n=$((n+1)); echo \"{\\\"id\\\":$n,\\\"error\\\":\\\"x\\\"}\"; done");
    assert!(!clean && told.iter().all(|stop| seen(stop.as_ref()) == "refused with x"), "{told:?}");
}

#[test]
fn a_shim_that_does_not_know_an_operation_is_not_at_fault() {
    let (clean, told) =
        with_shim("n=0; while read line; do n=$((n+1)); echo \"{\\\"id\\\":$n,\\\"unsupported\\\":true}\"; done");
    assert!(clean && told.iter().all(|stop| matches!(stop, Some(Stop::Skipped(_)))), "{told:?}");
}

#[test]
fn a_shim_that_dies_babbles_or_is_silent_fails_and_says_how() {
    for (script, words) in [
        ("exit 3", "ended without an answer"),
        ("read line; exit 0", "ended without an answer"),
        ("while read line; do echo 'hello there'; done", "not JSON"),
        ("while read line; do echo '{\"id\":99,\"ok\":{}}'; done", "not the id"),
        ("read line; printf '{\"id\":1'", "cut off"),
    ] {
        let (clean, told) = with_shim(script);
        assert!(!clean, "{script}");
        assert!(told.iter().all(|stop| seen(stop.as_ref()).contains(words)), "{script}: {told:?}");
    }
    let command = ["sh", "-c", "while read line; do :; done"].map(OsString::from).into();
    let asked = Asked::Shim { command, deadline: Duration::from_millis(200) };
    let five: Vec<_> = cases().into_iter().take(5).collect();
    let (clean, told) = told(&five, &asked);
    assert!(!clean);
    assert!(told[..3].iter().all(|stop| seen(stop.as_ref()).contains("no answer within 0.2 s")), "{told:?}");
    assert!(told[3..].iter().all(|stop| seen(stop.as_ref()).contains("not asked")), "{told:?}");
}

#[test]
fn a_shim_that_is_not_there_fails() {
    let asked = Asked::Shim { command: vec!["no-such-shim-anywhere".into()], deadline: Duration::from_secs(5) };
    let one: Vec<_> = cases().into_iter().take(1).collect();
    let (clean, told) = told(&one, &asked);
    assert!(!clean && seen(told[0].as_ref()).contains("cannot be started"), "{told:?}");
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_susurro-conformance")).arg("vectors").args(arguments).output().unwrap()
}

#[test]
fn the_program_tells_a_line_a_vector_and_its_exit_code() {
    let files = tempfile::tempdir().unwrap();
    let (json, junit) = (files.path().join("findings.json"), files.path().join("findings.xml"));
    let arguments = ["--only", "padding", "--json", json.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let output = program(&arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let padding = checked_in().unwrap().into_iter().find(|file| file.name == "padding").unwrap().cases.len();
    assert_eq!(said.lines().filter(|line| line.starts_with("passed   padding/")).count(), padding);
    assert!(said.ends_with(&format!("{padding} passed, 0 failed, 0 skipped\n")), "{said}");
    let findings: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(findings["summary"]["passed"], padding);
    assert!(fs::read_to_string(junit).unwrap().contains("<testsuite"));

    let failing = program(&["--only", "PAD-1", "--", "sh", "-c", "exit 1"]);
    assert_eq!(failing.status.code(), Some(1));
    let unknown = program(&["--only", "no-such-file"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("no vector is called no-such-file"));
}
