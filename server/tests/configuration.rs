//! Settings: where they come from, what is refused, and whether the documents are what the table says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use susurro_server::config::reference;
use susurro_server::config::table::all;

/// Set to write the documents anew.
const UPDATE: &str = "UPDATE_CONFIGURATION";

fn program(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap()
}

/// Value and origin of a setting, as `config print` shows it.
fn printed(mut command: Command, key: &str) -> (Value, String) {
    let output = command.args(["config", "print", "--json", "--data-dir", "data"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut settings = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let setting = settings.find(|setting| setting["key"] == key).unwrap();
    (setting["value"].clone(), setting["origin"].as_str().unwrap().to_owned())
}

/// What is said when settings are refused.
fn refused(mut command: Command) -> String {
    let output = command.args(["config", "print", "--data-dir", "data"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_documents_are_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files: [(PathBuf, String); 3] = [
        (root.join("docs/configuration.md"), reference::page()),
        (root.join(".env.example"), reference::variables()),
        (root.join("susurro.example.toml"), reference::keys()),
    ];
    for (path, text) in files {
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{}: run `cargo xtask configuration` and look at it", path.display());
    }
}

#[test]
fn the_examples_are_read_when_their_comments_are_taken_away() {
    let uncommented = |text: String| {
        let lines = text.lines().filter(|line| line.starts_with('#') && !line.starts_with("# "));
        // Files of secrets are not there.
        lines.filter(|line| !line.contains("/run/secrets/")).map(|line| format!("{}\n", &line[1..])).collect::<String>()
    };
    for (file, text, arguments) in [
        ("a.env", uncommented(reference::variables()), ["--env-file", "a.env"]),
        ("a.toml", uncommented(reference::keys()), ["--config", "a.toml"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), &text).unwrap();
        let mut command = program(dir.path(), &["config", "print", "--json"]);
        let output = command.args(arguments).output().unwrap();
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        let from_file = printed.lines().filter(|line| line.contains(file)).count();
        // Not all of them fit together; each was read.
        assert_eq!(from_file, text.lines().count(), "{}", said(&output));
        assert_eq!(printed.lines().count(), all().count());
    }
}

#[test]
fn flags_come_before_variables_before_the_variable_file_before_the_configuration_file() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| program(dir.path(), arguments);
    let rate = |command| printed(command, "rest-rate");
    assert_eq!(rate(run(&[])), ("100".into(), "default".into()));
    std::fs::write(dir.path().join("s.toml"), "# mine\nrest-rate = 1_000\n").unwrap();
    let mut with_file = run(&[]);
    with_file.env("SUSURRO_CONFIG", "s.toml");
    assert_eq!(rate(with_file), ("1000".into(), "s.toml, line 2".into()));
    std::fs::write(dir.path().join(".env"), "OTHER=1\n\nexport SUSURRO_REST_RATE='2000' # more\n").unwrap();
    let with_files = || {
        let mut command = run(&[]);
        command.env("SUSURRO_CONFIG", "s.toml");
        command
    };
    assert_eq!(rate(with_files()), ("2000".into(), ".env, line 3".into()));
    let mut with_variable = with_files();
    with_variable.env("SUSURRO_REST_RATE", "3000");
    assert_eq!(rate(with_variable), ("3000".into(), "environment SUSURRO_REST_RATE".into()));
    let mut with_empty = with_files();
    with_empty.env("SUSURRO_REST_RATE", "");
    assert_eq!(rate(with_empty).0, "2000");
    let mut command = run(&["config", "print", "--json", "--data-dir", "data", "--rest-rate", "4000"]);
    let output = command.env("SUSURRO_REST_RATE", "3000").output().unwrap();
    assert!(said(&output).contains(r#"{"key":"rest-rate","origin":"--rest-rate","value":"4000"}"#), "{output:?}");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place_and_what_to_do() {
    for (toml, said) in [
        ("listn = \"x\"", &["s.toml, line 1", "listn", "perhaps listen is meant"][..]),
        ("\nlisten = \"here\"", &["s.toml, line 2", "listen", "ADDRESS:PORT"]),
        ("rest-rate = \"10\"", &["s.toml, line 1", "rest-rate", "a whole number, without quotes"]),
        ("rest-rate = 0", &["rest-rate", "at least 1"]),
        ("behind-proxy = 1", &["behind-proxy", "true or false"]),
        ("[limits]\nrest-rate = 1", &["s.toml, line 1", "limits"]),
        ("database = \"a\"\ndatabase-file = \"b\"", &["database is set twice", "line 1", "line 2"]),
        ("database-password = \"hunter2\nx", &["s.toml, line 2"]),
        ("log = \"a=b=c\"", &["log", "directives"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s.toml"), toml).unwrap();
        let mut command = program(dir.path(), &[]);
        command.env("SUSURRO_CONFIG", "s.toml");
        let talk = refused(command);
        assert!(said.iter().all(|part| talk.contains(part)), "{toml:?}: {talk}");
        assert!(!talk.contains("hunter2"), "{talk}");
    }
    for (text, said) in [
        ("SUSURRO_LISTN=x", &[".env, line 1", "SUSURRO_LISTEN"][..]),
        ("SUSURRO_BEHIND_PROXY=maybe", &[".env, line 1", "SUSURRO_BEHIND_PROXY", "true or false"]),
        ("SUSURRO_DATABASE_PASSWORD=\"hunter2", &[".env, line 1", "quote"]),
        ("hunter2", &[".env, line 1", "NAME=VALUE"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".env"), text).unwrap();
        let talk = refused(program(dir.path(), &[]));
        assert!(said.iter().all(|part| talk.contains(part)), "{text:?}: {talk}");
        assert!(!talk.contains("hunter2"), "{talk}");
    }
    let dir = tempfile::tempdir().unwrap();
    let output = program(dir.path(), &["config", "print", "--json", "--config", "missing.toml"]).output().unwrap();
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["exit"], 2);
    assert!(error["error"]["message"].as_str().unwrap().contains("missing.toml"), "{error}");
}

#[test]
fn an_unknown_variable_of_the_environment_is_a_warning_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(dir.path(), &[]);
    command.env("SUSURRO_PORT", "tcp://10.0.0.1:80");
    assert_eq!(printed(command, "data-dir").0, "data");
}

#[test]
fn secrets_come_from_files_and_are_shown_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("password"), "hunter2\n").unwrap();
    let mut command = program(dir.path(), &["config", "print"]);
    command.args(["--data-dir", "data"]).env("SUSURRO_DATABASE_PASSWORD_FILE", "password");
    let output = command.output().unwrap();
    let text = said(&output);
    let line = text.lines().find(|line| line.starts_with("database-password")).unwrap();
    assert!(
        line.contains("(hidden)") && line.contains("password (environment SUSURRO_DATABASE_PASSWORD_FILE)"),
        "{line}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    // In an argument everybody sees it.
    let output = program(dir.path(), &["config", "print", "--database", "postgres://susurro:hunter2@db/susurro"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("SUSURRO_DATABASE_FILE") && !said(&output).contains("hunter2"), "{output:?}");

    // A variable and a file for the same thing contradict each other.
    let mut command = program(dir.path(), &[]);
    command.env("SUSURRO_DATABASE_PASSWORD", "hunter3").env("SUSURRO_DATABASE_PASSWORD_FILE", "password");
    let talk = refused(command);
    assert!(talk.contains("set twice") && !talk.contains("hunter"), "{talk}");

    let mut command = program(dir.path(), &[]);
    std::fs::write(dir.path().join("empty"), "\n").unwrap();
    command.env("SUSURRO_DATABASE_PASSWORD_FILE", "empty");
    assert!(refused(command).contains("is empty"));
}

#[test]
fn a_switch_of_a_file_can_be_switched_off_by_a_flag() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".env"), "SUSURRO_BEHIND_PROXY=yes").unwrap();
    assert_eq!(printed(program(dir.path(), &[]), "behind-proxy").0, "yes");
    let output = program(dir.path(), &["config", "print", "--data-dir", "x", "--behind-proxy=false"]).output().unwrap();
    assert!(said(&output).contains("--behind-proxy"), "{output:?}");
}

#[test]
fn the_description_of_the_interface_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let output = program(dir.path(), &["openapi"]).output().unwrap();
    let copy = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json")).unwrap();
    assert!(output.status.success() && output.stdout == copy);
}
