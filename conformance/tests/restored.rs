//! A relay that is restored from a backup made before: what was lost with it comes again, and nothing comes twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use susurro_client_core::model::{Delivery, MessageContent, MessageView};
use susurro_client_core::{Client, Secret};
use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use susurro_protocol::MessageId;
use tokio::time::timeout;

/// The whole run takes some seconds on a quiet machine; a hang has to end as well.
const DEADLINE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_sqlite_nothing_is_lost_or_repeated() {
    timeout(DEADLINE, run(None)).await.expect("all messages arrive in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_postgresql_nothing_is_lost_or_repeated() {
    let database = xtask::services::database().unwrap();
    timeout(DEADLINE, run(Some(database.url()))).await.expect("all messages arrive in time");
}

async fn run(database: Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("relay"), folder.path().join("backup"));
    let file = folder.path().join("url");
    let mut more = Vec::new();
    if let Some(url) = database {
        std::fs::write(&file, url).unwrap();
        more.extend(["--database-file", file.to_str().unwrap()]);
    }
    let relay = Relay::start(&data, "127.0.0.1:0", &more).unwrap();
    let (url, address) = (relay.url().to_owned(), relay.address().to_owned());
    let (alice, bob) = (register(folder.path(), &url, "alice").await, register(folder.path(), &url, "bob").await);
    alice.go_online();
    bob.go_online();
    let one = say(&alice, "bob", "one", Delivery::Stored).await;
    let hello = say(&bob, "alice", "hello", Delivery::Stored).await;

    operate(&["backup", backup.to_str().unwrap()], &data, &more);
    // What came after the backup and arrived must not come twice; what did not arrive must come all the same.
    let two = say(&alice, "bob", "two", Delivery::Stored).await;
    let again = say(&bob, "alice", "hello again", Delivery::Stored).await;
    bob.close().await;
    let three = say(&alice, "bob", "three", Delivery::Accepted).await;
    let four = say(&alice, "bob", "four", Delivery::Accepted).await;
    assert_eq!(relay.terminate().unwrap(), Some(0));
    operate(&["restore", backup.to_str().unwrap(), "--replace"], &data, &more);
    let relay = Relay::start(&data, &address, &more).unwrap();

    // New messages take positions before Bob comes back with his old cursor.
    let five = say(&alice, "bob", "five", Delivery::Accepted).await;
    let bob = Client::open(&folder.path().join("bob"), Secret::new("passphrase of bob".to_owned())).await.unwrap();
    bob.go_online();
    for message in [three, four, five] {
        arrived(&alice, message, Delivery::Stored).await;
    }
    let six = say(&alice, "bob", "six", Delivery::Stored).await;
    let back = say(&bob, "alice", "back", Delivery::Stored).await;
    for client in [&alice, &bob] {
        client.synced(DEADLINE).await.unwrap();
    }
    assert_eq!(texts(&bob, "alice").await, sorted(&["one", "two", "three", "four", "five", "six"]));
    assert_eq!(texts(&alice, "bob").await, sorted(&["hello", "hello again", "back"]));
    for (client, ids) in [(&alice, vec![one, two, three, four, five, six]), (&bob, vec![hello, again, back])] {
        for id in ids {
            arrived(client, id, Delivery::Stored).await;
        }
    }
    alice.close().await;
    bob.close().await;
    drop(relay);
}

fn sorted(texts: &[&str]) -> Vec<String> {
    let mut texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    texts.sort_unstable();
    texts
}

/// The texts of a conversation that came in.
async fn texts(client: &Client, peer: &str) -> Vec<String> {
    let timeline: Vec<MessageView> = client.timeline(peer, None, 100).await.unwrap();
    let incoming = timeline.iter().filter(|m| m.direction == susurro_client_core::model::Direction::Incoming);
    let mut texts: Vec<String> = incoming
        .map(|message| match &message.content {
            MessageContent::Text(text) => text.clone(),
            other => panic!("{other:?} in place of a text"),
        })
        .collect();
    texts.sort_unstable();
    texts
}

async fn register(folder: &Path, url: &str, name: &str) -> Client {
    let secret = |what: &str| Secret::new(format!("{what} of {name}"));
    Client::register(&folder.join(name), url, name, secret("password"), secret("passphrase")).await.unwrap()
}

async fn say(from: &Client, to: &str, text: &str, until: Delivery) -> MessageId {
    let message = from.queue(to, text).await.unwrap();
    arrived(from, message, until).await;
    message
}

/// Waits also while the relay is not there; the run as a whole has a deadline.
async fn arrived(client: &Client, message: MessageId, until: Delivery) {
    while client.wait_for(message, until, DEADLINE).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A command of the relay's operator on its data.
fn operate(arguments: &[&str], data: &Path, more: &[&str]) {
    let mut command = Command::new(binaries::relay().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).arg("--data-dir").arg(data).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
