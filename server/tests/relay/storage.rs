//! What survives, and what a relay does with files that did not.

use std::fs;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use susurro_protocol::ErrorCode;
use susurro_server::compose::{self, StartError};
use susurro_server::config::Config;

use crate::support::{Person, config, embedded, embedded_with, pair, random, register, relay_with};

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_database_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let relay = embedded().await;
    for name in ["relay.key", "pepper.key", "token-0001.key", "relay.db", "relay.db-wal"] {
        let mode = fs::metadata(relay.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(relay.running.shutdown().await);
    let key = relay.dir.path().join("relay.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = compose::start(config(relay.dir.path())).await.err().unwrap();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_keeps_its_key_and_a_second_one_on_the_same_data_is_refused() {
    let relay = embedded().await;
    let error = compose::start(config(relay.dir.path())).await.err().unwrap();
    assert!(matches!(error, StartError::Locked(_)), "{error}");
    // The same database from another directory is no way around.
    let other = tempfile::tempdir().unwrap();
    let shared = format!("sqlite:{}", other.path().join("shared.db").display());
    let elsewhere = |dir: &std::path::Path| Config { database: Some(shared.clone()), ..config(dir) };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = compose::start(elsewhere(one.path())).await.unwrap();
    let error = compose::start(elsewhere(two.path())).await.err().unwrap();
    assert!(matches!(error, StartError::Locked(_)), "{error}");
    assert!(first.shutdown().await);

    let key = relay.running.relay_key();
    assert_eq!(relay.restart().await.running.relay_key(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_clearly_loses_nothing_and_recovers() {
    const LIMIT: u64 = 600 * 1024;
    let relay = embedded_with(|config| Config { database_max: Some(LIMIT), ..config }).await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut from, mut stored) = (alice.connect(0).await, Vec::new());
    let refused = loop {
        let send = alice.message(chat, &bob, &[7; 8_000]);
        match from.deposit(&send).await {
            Ok(_) => stored.push(send.message),
            Err(rejected) => break (send, rejected),
        }
        assert!(stored.len() < 100, "the limit is reached");
    };
    assert_eq!(refused.1.code, ErrorCode::StorageUnavailable);
    assert!(refused.1.retry_after > 0);
    let ready = reqwest::get(format!("{}/readyz", alice.url)).await.unwrap();
    assert_eq!(ready.status().as_u16(), 503);

    // Everything that was answered is delivered, and fetching it makes room again.
    let mut to = bob.connect(0).await;
    for message in &stored {
        let got = to.delivery().await;
        assert_eq!(got.message, *message);
        to.ack(got.seq).await;
    }
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while let Err(rejected) = from.deposit(&refused.0).await {
        assert_eq!(rejected.code, ErrorCode::StorageUnavailable);
        assert!(std::time::Instant::now() < deadline, "there is room again");
    }
    assert_eq!(to.delivery().await.message, refused.0.message);
    assert_eq!(reqwest::get(format!("{}/readyz", alice.url)).await.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_truncated_empty_or_foreign_database_is_named_and_left_alone() {
    let relay = embedded().await;
    let (alice, bob, chat) = pair(&relay).await;
    for _ in 0..20 {
        alice.connect(0).await.deposit(&alice.message(chat, &bob, &[7; 2_000])).await.unwrap();
    }
    assert!(relay.running.shutdown().await);
    let path = relay.dir.path().join("relay.db");
    let whole = fs::read(&path).unwrap();
    let mut scribbled = whole.clone();
    let middle = whole.len() / 2;
    scribbled[middle..middle + 4096].fill(0xa5);
    for (what, bytes) in [
        ("truncated", whole[..middle].to_vec()),
        ("truncated inside a page", whole[..middle + 100].to_vec()),
        ("empty", Vec::new()),
        ("foreign", b"this is a text, not a database".repeat(200)),
        ("scribbled", scribbled),
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = compose::start(config(relay.dir.path())).await.err().unwrap_or_else(|| panic!("{what}"));
        assert!(error.to_string().contains("damaged"), "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}: nothing was written");
    }
    fs::write(&path, &whole).unwrap();
    let running = compose::start(config(relay.dir.path())).await.unwrap();
    let bob = Person { url: running.url(), ..bob };
    assert_eq!(bob.connect(0).await.delivery().await.seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_dropped_when_its_time_is_over_and_its_position_stays_taken() {
    let relay = relay_with(|config| Config { tidy_every: Duration::from_millis(50), ..config }).await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    let mut short = alice.message(chat, &bob, b"brief");
    short.time_to_live = 1;
    from.deposit(&short).await.unwrap();
    let kept = alice.message(chat, &bob, b"kept");
    from.deposit(&kept).await.unwrap();
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    let first = loop {
        let first = bob.connect(0).await.delivery().await;
        if first.message == kept.message {
            break first;
        }
        assert!(std::time::Instant::now() < deadline, "it is dropped");
    };
    assert_eq!(first.seq, 2);
    let again = from.deposit(&short).await;
    assert!(again.is_ok(), "the id is remembered longer than the message");
    let mut to = bob.connect(2).await;
    assert!(to.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proves_a_password_is_not_stored_as_such() {
    let relay = embedded().await;
    let alice = register(&relay, "alice").await;
    let recovery = random();
    assert_eq!(crate::recovery::set(&alice, alice.auth, Some(recovery)).await, 204);
    assert!(relay.running.shutdown().await);
    let quick = |shown: [u8; 32]| -> [u8; 32] { Sha256::digest(shown).into() };
    let mut searched = 0;
    let files =
        fs::read_dir(relay.dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    for path in files {
        let bytes = fs::read(path).unwrap();
        searched += bytes.len();
        for proof in [alice.auth, quick(alice.auth), recovery, quick(recovery)] {
            assert!(!bytes.windows(32).any(|window| window == proof), "what the client shows, or a quick hash of it");
        }
    }
    assert!(searched > 4096, "the database was among it");
}
