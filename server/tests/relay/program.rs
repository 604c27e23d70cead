//! The program itself: its line, its exit codes, its signals.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn serve(dir: &Path, more: &[&str]) -> Command {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir).args(more);
    command
}

/// Starts a relay and reads its one line.
fn start(mut command: Command) -> (Child, String) {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).trim_end().to_owned();
    (child, url)
}

fn failed(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "stdout is for the line alone");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.unwrap().success());
}

#[cfg(unix)]
#[test]
fn it_prints_one_line_serves_and_ends_well_on_both_signals() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["TERM", "INT"] {
        let (mut child, url) = start(serve(dir.path(), &[]));
        assert!(url.starts_with("http://127.0.0.1:"));
        let asked = program().args(["healthcheck", "--url", &url]).status().unwrap();
        assert!(asked.success());
        signal(&child, name);
        let mut rest = String::new();
        child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line only");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(program().args(["healthcheck", "--url", &url]).status().unwrap().code(), Some(1));
    }
    assert!(dir.path().join("relay.db").exists());
}

#[test]
fn a_second_relay_on_the_same_data_ends_with_one_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _) = start(serve(dir.path(), &[]));
    let (code, talk) = failed(serve(dir.path(), &["--log", "off"]));
    assert_eq!(code, Some(1));
    assert!(talk.contains("another relay is running"), "{talk}");
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock of a killed relay is no obstacle.
    let (mut child, _) = start(serve(dir.path(), &[]));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_asked_for_ends_with_two() {
    let dir = tempfile::tempdir().unwrap();
    for more in [
        &["--listen", "0.0.0.0:0"][..],
        &["--database", "mysql://localhost/x"],
        &["--log", "a=b=c"],
        &["--tls-cert", "x.pem"],
        &["--listen", "nonsense"],
    ] {
        let mut command = program();
        command.args(["serve", "--data-dir"]).arg(dir.path()).args(more);
        let (code, talk) = failed(command);
        assert_eq!(code, Some(2), "{more:?}: {talk}");
    }
    let (code, talk) = failed(serve(dir.path(), &["--tls-cert", "/missing.pem", "--tls-key", "/missing.key"]));
    assert_eq!(code, Some(1), "{talk}");
    assert!(talk.contains("/missing.pem"), "{talk}");
}

#[test]
fn a_damaged_database_ends_with_one_and_a_message() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("relay.db"), b"not a database").unwrap();
    let (code, talk) = failed(serve(dir.path(), &["--log", "off"]));
    assert_eq!(code, Some(1));
    assert!(talk.contains("damaged") && talk.contains("nothing was changed"), "{talk}");
}

#[test]
fn variables_stand_for_flags() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.arg("serve").env("SUSURRO_DATA_DIR", dir.path()).env("SUSURRO_LISTEN", "127.0.0.1:0");
    command.env("SUSURRO_BEHIND_PROXY", "1").env("SUSURRO_LOG_FORMAT", "json");
    let (mut child, url) = start(command);
    assert!(url.starts_with("http://"));
    child.kill().unwrap();
    child.wait().unwrap();
}
