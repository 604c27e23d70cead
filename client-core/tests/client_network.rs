//! What is not a relay, or a broken one: each is told as what it is, and what is queued stays.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/fake.rs"]
mod fake;

use std::time::Duration;

use fake::{FakeRelay, Reply, info, json, problem, reply, serve};
use susurro_client_core::model::{ClientEvent, Connection, Delivery};
use susurro_client_core::transport::{Http, RelayUrl, TransportError};
use susurro_client_core::{Client, Error, Secret};
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::RelayInfo;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn info_from(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Result<RelayInfo, TransportError> {
    let url = serve(move |_| answer()).await;
    Http::new(RelayUrl::parse(&url).unwrap()).unwrap().info().await
}

#[tokio::test]
async fn what_answers_and_is_no_relay_is_told_so() {
    let page = || reply(200, "text/html", "<html>hello</html>");
    let other_service = || json(&RelayInfo { service: "other".to_owned(), ..info([1; 32]) });
    let future = || json(&RelayInfo { min_version: 2, max_version: 9, ..info([1; 32]) });
    let short_key = || reply(200, "application/json", r#"{"service":"susurro","relay_key":"AAAA"}"#);
    let moved = || b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let huge = || reply(200, "application/json", vec![b' '; 2 * 1024 * 1024]);
    let missing = || reply(404, "text/plain", "no");
    let refuses = || problem(404, ErrorCode::NotFound);
    let deep = || reply(200, "application/json", "[".repeat(100_000));
    type Answer = fn() -> Reply;
    let answers: [(&str, Answer); 9] = [
        ("a web page", page),
        ("another service", other_service),
        ("no common version", future),
        ("a short key", short_key),
        ("a redirect", moved),
        ("more than a relay sends", huge),
        ("not found", missing),
        ("a problem", refuses),
        ("deep nesting", deep),
    ];
    for (what, answer) in answers {
        assert_eq!(info_from(answer).await.err(), Some(TransportError::NotARelay), "{what}");
    }
    assert!(info_from(|| json(&info([1; 32]))).await.is_ok());
}

#[tokio::test]
async fn what_does_not_answer_is_unreachable() {
    let is_unreachable = |result: Result<RelayInfo, TransportError>, what: &str| {
        assert!(matches!(result, Err(TransportError::Unreachable(_))), "{what}: {result:?}");
    };
    is_unreachable(info_from(Vec::new).await, "hangs up");
    is_unreachable(info_from(|| b"\x00\xff garbage \x01\r\n\r\n".to_vec()).await, "no HTTP");
    is_unreachable(info_from(|| b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_vec()).await, "cut");
    is_unreachable(info_from(|| reply(502, "text/html", "<h1>Bad Gateway</h1>")).await, "a proxy without its relay");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Http::new(RelayUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap()).unwrap();
    is_unreachable(nobody.info().await, "nobody");
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_its_wait() {
    let mut answer = problem(503, ErrorCode::Overloaded);
    let at = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    answer.splice(at..at, *b"\r\nretry-after: 7");
    let result = info_from(move || answer.clone()).await;
    assert_eq!(result.err(), Some(TransportError::Refused { code: ErrorCode::Overloaded, retry_after: Some(7000) }));
}

#[tokio::test]
async fn registering_with_what_is_no_relay_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("new");
    for (url, expected) in
        [(serve(|_| reply(200, "text/html", "hello")).await, "NotARelay"), (serve(|_| Vec::new()).await, "Unreachable")]
    {
        let error = Client::register(&profile, &url, "alice", secret("long password"), secret("p")).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert!(error.to_string().contains(&url), "{error}");
        assert!(!profile.exists());
    }
}

/// A profile that is registered at a relay which has no WebSocket.
async fn client() -> (tempfile::TempDir, Client) {
    let (_relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let client = Client::register(directory.path(), &url, "alice", secret("long password"), secret("p")).await.unwrap();
    (directory, client)
}

#[tokio::test]
async fn what_is_queued_without_a_connection_stays_queued_through_a_restart() {
    let (directory, client) = client().await;
    let mut events = client.events();
    let id = client.queue("bob", "keep this").await.unwrap();
    assert!(matches!(events.recv().await.unwrap(), ClientEvent::Message(view) if view.id == id));
    client.go_online();
    let waited = client.wait_for(id, Delivery::Accepted, Duration::from_millis(100)).await;
    assert!(waited.is_err(), "{waited:?}");
    client.close().await;
    let client = Client::open(directory.path(), secret("p")).await.unwrap();
    let view = client.message(id).await.unwrap().unwrap();
    assert_eq!((view.delivery, client.queued().await.unwrap()), (Delivery::Queued, 1));
}

#[tokio::test]
async fn a_connection_that_cannot_be_is_shown_and_tried_again_when_asked() {
    let (_directory, client) = client().await;
    let mut connection = client.connection();
    assert_eq!(*connection.borrow(), Connection::Offline);
    for _ in 0..2 {
        client.go_online();
        let tried = |state: &Connection| matches!(state, Connection::Waiting { .. } | Connection::Blocked(_));
        connection.wait_for(tried).await.unwrap();
    }
    client.go_offline();
    connection.wait_for(|state| *state == Connection::Offline).await.unwrap();
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_kept() {
    let (_directory, client) = client().await;
    assert_eq!(client.queue("bob", "").await.unwrap_err(), Error::EmptyMessage);
    assert_eq!(client.queue("alice", "me").await.unwrap_err(), Error::Yourself);
    assert!(matches!(client.queue("Bob Smith", "x").await.unwrap_err(), Error::BadName(_)));
    let long = "x".repeat(32 * 1024 + 1);
    assert_eq!(client.queue("bob", &long).await.unwrap_err(), Error::TooLong { bytes: long.len(), max: 32 * 1024 });
    assert_eq!(client.queued().await.unwrap(), 0);
    assert!(client.timeline("bob", None, 10).await.unwrap().is_empty());
    assert_eq!(client.safety_number("bob").await.unwrap_err(), Error::UnknownPeer("bob".to_owned()));
    assert_eq!(client.set_verified("bob").await.unwrap_err(), Error::UnknownPeer("bob".to_owned()));
    let unknown = susurro_protocol::MessageId::from_bytes([1; 16]);
    assert_eq!(client.retry(unknown).await.unwrap_err(), Error::UnknownMessage);
    let queued = client.queue("bob", "waits").await.unwrap();
    assert_eq!(client.retry(queued).await.unwrap_err(), Error::NotFailed);
}

#[tokio::test]
async fn a_closed_client_says_so_through_every_clone() {
    let (directory, client) = client().await;
    let clone = client.clone();
    client.close().await;
    assert_eq!(clone.queue("bob", "x").await.unwrap_err(), Error::Closed);
    assert_eq!(clone.chats().await.unwrap_err(), Error::Closed);
    // The lock is free although a clone is left.
    Client::open(directory.path(), secret("p")).await.unwrap();
}

#[tokio::test]
async fn a_dropped_client_frees_its_profile() {
    let (directory, client) = client().await;
    drop(client);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match Client::open(directory.path(), secret("p")).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error, Error::Locked),
        }
        assert!(tokio::time::Instant::now() < deadline, "still locked");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn doctor_names_what_is_wrong_and_what_to_do() {
    let (directory, client) = client().await;
    let find = |checks: &[susurro_client_core::doctor::Check], name: &str| {
        checks.iter().find(|check| check.name == name).map(|check| check.is_ok())
    };
    let checks = Client::doctor(directory.path(), Some(secret("p"))).await;
    assert_eq!(find(&checks, "profile"), Some(false), "in use: {checks:?}");
    client.close().await;
    let checks = Client::doctor(directory.path(), Some(secret("wrong"))).await;
    assert_eq!((find(&checks, "profile"), find(&checks, "passphrase")), (Some(true), Some(false)));
    let checks = Client::doctor(directory.path(), Some(secret("p"))).await;
    for name in ["profile", "passphrase", "store", "relay", "relay key", "outbox"] {
        assert_eq!(find(&checks, name), Some(true), "{name}: {checks:?}");
    }
    // The fake relay's clock stands at the year 1970.
    assert_eq!(find(&checks, "clock"), Some(false));
    let bytes = std::fs::read(directory.path().join("store.db")).unwrap();
    std::fs::write(directory.path().join("store.db"), &bytes[..bytes.len() - 4096]).unwrap();
    let checks = Client::doctor(directory.path(), Some(secret("p"))).await;
    assert_eq!(find(&checks, "store"), Some(false));
    assert_eq!(find(&Client::doctor(&directory.path().join("none"), None).await, "profile"), Some(false));
}
