//! The description of the interface: what it says, and whether the relay keeps to it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use susurro_protocol::ChatId;
use susurro_protocol::limits::{DISPLAY_NAME_MAX, ONE_TIME_PREKEYS_MAX};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Person, Relay, pair, relay};

/// From the folder of the workspace.
const REQUIREMENTS: &str = "server/tests/openapi/requirements.txt";

/// How long the validator may take, and one run of the prober: several times what they take.
const VALIDATING: Duration = Duration::from_secs(60);
const PROBING: Duration = Duration::from_secs(480);

/// Set to write the copy anew.
const UPDATE: &str = "UPDATE_OPENAPI";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

async fn served(relay: &Relay) -> String {
    let answer = reqwest::get(format!("{}/openapi.json", relay.running.url())).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    answer.text().await.unwrap()
}

async fn description(relay: &Relay) -> Value {
    serde_json::from_str(&served(relay).await).unwrap()
}

/// A program of the environment with the validators, in a folder of its own.
async fn python(arguments: &[&str], patience: Duration) -> (bool, String) {
    let interpreter = tokio::task::spawn_blocking(|| xtask::python::ensure_venv(&[REQUIREMENTS])).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(interpreter.unwrap());
    command.args(arguments).current_dir(folder.path());
    // What it says is shown by the test when it fails, and not in colours.
    command.env("NO_COLOR", "1").env("PYTHONHASHSEED", "0").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(patience, command.output()).await.expect("it ends in time").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_in_the_documents_is_what_the_relay_serves() {
    let relay = relay().await;
    let (text, copy) = (served(&relay).await, workspace().join("docs/openapi.json"));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&copy, &text).unwrap();
    }
    let copied = std::fs::read_to_string(&copy).unwrap_or_default();
    assert!(copied == text, "docs/openapi.json is not what the relay serves: run `cargo xtask openapi` and look at it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_valid_openapi_3_1() {
    let relay = relay().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    let validate = async |text: String| {
        std::fs::write(&file, text).unwrap();
        let arguments = ["-m", "openapi_spec_validator", "--schema", "3.1", file.to_str().unwrap()];
        python(&arguments, VALIDATING).await
    };
    let text = served(&relay).await;
    let (valid, said) = validate(text.clone()).await;
    assert!(valid, "{said}");
    let (valid, _) = validate(text.replacen("\"responses\"", "\"answers\"", 1)).await;
    assert!(!valid, "the validator finds mistakes");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_protocol_document_is_described() {
    let relay = relay().await;
    let described = description(&relay).await;
    let document = std::fs::read_to_string(workspace().join("docs/protocol.md")).unwrap();
    let mut requests = 0;
    for line in document.lines() {
        // `GET /users/search?q=&after=&limit=` in the first column of a table.
        let Some(request) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) else { continue };
        let Some((method, path)) = request.split_once(" /") else { continue };
        let path = format!(
            "/{}",
            path.split('?').next().unwrap_or_default().replace("blobs/{id}", "blobs/{blob}").replace("{id}", "{chat}")
        );
        let operation = &described["paths"][&path][method.to_lowercase()];
        assert!(operation.is_object(), "{request} is not described");
        for parameter in request.split_once('?').map_or("", |(_, query)| query).split('&') {
            let name = parameter.split('=').next().unwrap_or_default();
            let named = operation["parameters"].as_array().into_iter().flatten().any(|known| known["name"] == name);
            assert!(named || name.is_empty(), "{request} has no {name}");
        }
        requests += 1;
    }
    assert!(requests > 40, "only {requests} requests in the document");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_the_protocol_stand_in_the_description() {
    let relay = relay().await;
    let schemas = description(&relay).await["components"]["schemas"].take();
    for list in ["one_time", "pq_one_time"] {
        let most = &schemas["PublishKeys"]["properties"][list]["maxItems"];
        assert_eq!(most.as_u64(), Some(ONE_TIME_PREKEYS_MAX as u64));
    }
    let name = schemas["DisplayName"].to_string();
    assert!(name.contains(&format!("{{1,{DISPLAY_NAME_MAX}}}")), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_needs_nothing_from_elsewhere_and_lets_nothing_else_in() {
    let relay = relay().await;
    let get = async |path: &str| reqwest::get(format!("{}{path}", relay.running.url())).await.unwrap();
    let page = get("/docs").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let text = page.text().await.unwrap();
    let references: Vec<_> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|mark| text.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()))
        .collect();
    assert!(references.len() > 2 && !text.contains("<script>") && !text.contains("style="));
    for reference in references {
        assert!(reference.starts_with('/') && !reference.starts_with("//"), "{reference}");
        assert_eq!(get(reference).await.status(), StatusCode::OK, "{reference}");
    }
}

/// Probes a relay with thousands of requests, made from its description, good ones and bad ones.
async fn probe(person: &Person, chat: ChatId, token: &str, which: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("schemathesis.toml");
    let values = [("TOKEN", token), ("CHAT", &chat.to_string()), ("ACCOUNT", &person.account.to_string())];
    let text = std::fs::read_to_string(workspace().join("server/tests/openapi/schemathesis.toml")).unwrap();
    let text = values.iter().fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
    std::fs::write(&config, text).unwrap();
    let description = format!("{}/openapi.json", person.url);
    let mut arguments = vec!["-m", "schemathesis.cli", "--config-file", config.to_str().unwrap(), "run", &description];
    arguments.extend(["--checks", "all"]);
    arguments.extend(which);
    let (kept, said) = python(&arguments, PROBING).await;
    assert!(kept, "{said}");
    // The last lines have the numbers.
    println!("{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_a_stranger_is_answered_otherwise_than_described() {
    let relay = relay().await;
    let (alice, _bob, chat) = pair(&relay).await;
    probe(&alice, chat, "nobody", &["--max-examples", "10"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_an_account_is_answered_otherwise_than_described() {
    let relay = relay().await;
    let (alice, _bob, chat) = pair(&relay).await;
    let token = alice.tokens.access_token.clone();
    // Logging out would end the rest.
    probe(&alice, chat, &token, &["--exclude-path", "/auth/logout"]).await;
    probe(&alice, chat, &token, &["--include-path", "/auth/logout"]).await;
}
