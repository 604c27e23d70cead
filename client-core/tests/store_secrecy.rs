//! What is on the disk is ciphertext, old keys go, and no log tells a secret.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, KeyInit as _};
use support::{KEY, contains, create, every_byte, incoming, messages, name, outgoing};
use susurro_client_core::Secret;
use susurro_client_core::store::port::{Mutation, OutboxEntry, SendLogEntry, Tokens, Undecryptable};
use susurro_protocol::{AccountId, ChatId, DeviceId, MessageId};
use zeroize::Zeroizing;

const MARKER: &str = "plaintext-marker-7f3a";

fn marked() -> Vec<Mutation> {
    let id = MessageId::from_bytes([9; 16]);
    let secret = || Zeroizing::new(format!("{MARKER}-{}", "s".repeat(300)).into_bytes());
    let mut changes = messages([incoming(1, 1, MARKER), outgoing(2, 2, MARKER)]);
    changes.extend([
        Mutation::Prekeys(secret()),
        Mutation::Sessions(DeviceId::from_bytes([1; 16]), Some(secret())),
        Mutation::Tokens(Some(Tokens {
            access: Zeroizing::new(MARKER.to_owned()),
            access_expires: 1,
            refresh: Zeroizing::new(MARKER.to_owned()),
        })),
        Mutation::Outbox(OutboxEntry {
            order: 1,
            message: id,
            peer: name("plaintext-marker-7f3a"),
            chat: ChatId::from_bytes([1; 16]),
            content: secret(),
            shown: true,
            wire: Some(MARKER.as_bytes().to_vec()),
        }),
        Mutation::SendLog(SendLogEntry { message: id, peer: name("bob"), content: secret(), sent_at: 1 }),
        Mutation::Undecryptable(Undecryptable {
            message: id,
            chat: ChatId::from_bytes([1; 16]),
            sender: AccountId::from_bytes([1; 16]),
            sender_device: DeviceId::from_bytes([1; 16]),
            cause: susurro_client_core::model::Cause::NoSession,
            received_at: 1,
            ciphertext: MARKER.as_bytes().to_vec(),
        }),
    ]);
    changes
}

fn find(path: &std::path::Path, needle: &[u8]) -> Vec<String> {
    every_byte(path).into_iter().filter(|(_, bytes)| contains(bytes, needle)).map(|(file, _)| file).collect()
}

#[tokio::test]
async fn no_file_of_a_profile_holds_plaintext_while_it_is_open_or_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let nothing = Vec::<String>::new();
    for _ in 0..20 {
        store.commit(&marked()).await.unwrap();
        store.set_draft(&name("bob"), MARKER).await.unwrap();
        assert_eq!(find(directory.path(), MARKER.as_bytes()), nothing);
    }
    // Not even that it is a database, or what its tables are called.
    for words in [&b"SQLite format 3"[..], b"messages", b"CREATE TABLE", b"alice", b"relay.example", &KEY] {
        assert_eq!(find(directory.path(), words), nothing, "{}", String::from_utf8_lossy(words));
    }
    assert!(every_byte(directory.path()).iter().any(|(file, bytes)| file.ends_with("-wal") && !bytes.is_empty()));
    store.close().await.unwrap();
    assert_eq!(find(directory.path(), MARKER.as_bytes()), nothing);
    let left: Vec<_> = every_byte(directory.path()).into_iter().map(|(file, _)| file).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// The pages of the database as somebody with the key can see them, free space included.
///
/// SQLCipher 4: AES-256 in CBC mode a page of 4096 bytes, of which the last 80 are the
/// initialisation vector and the authentication code; the first 16 of the file are the salt.
fn decrypted_pages(path: &std::path::Path) -> Vec<u8> {
    let cipher = Aes256::new(&KEY.into());
    let file = std::fs::read(path.join("store.db")).unwrap();
    let mut plain = Vec::new();
    for (number, page) in file.chunks(4096).enumerate() {
        let (content, rest) = page.split_at(4096 - 80);
        let mut previous: [u8; 16] = rest[..16].try_into().unwrap();
        for block in content[if number == 0 { 16 } else { 0 }..].chunks(16) {
            let block: [u8; 16] = block.try_into().unwrap();
            let mut open = block.into();
            cipher.decrypt_block(&mut open);
            plain.extend(open.iter().zip(previous).map(|(byte, mask)| byte ^ mask));
            previous = block;
        }
    }
    plain
}

#[tokio::test]
async fn attack_23_overwritten_and_deleted_keys_are_gone_from_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let device = DeviceId::from_bytes([1; 16]);
    let old = |size| Zeroizing::new(b"old-ratchet-key-bytes-0123456789".repeat(size));
    // Small enough for a page, and large enough for overflow pages.
    for size in [3, 100, 600] {
        store.commit(&vec![Mutation::Sessions(device, Some(old(size))), Mutation::Prekeys(old(size))]).await.unwrap();
    }
    store.commit(&vec![Mutation::Sessions(DeviceId::from_bytes([2; 16]), Some(old(50)))]).await.unwrap();
    store.close().await.unwrap();
    assert!(contains(&decrypted_pages(directory.path()), b"old-ratchet-key-bytes"), "the test sees nothing");

    let store = support::open(directory.path()).await.unwrap();
    let new = || Zeroizing::new(vec![7; 100]);
    store
        .commit(&vec![
            Mutation::Sessions(device, Some(new())),
            Mutation::Prekeys(new()),
            Mutation::Sessions(DeviceId::from_bytes([2; 16]), None),
        ])
        .await
        .unwrap();
    store.close().await.unwrap();
    assert!(!contains(&decrypted_pages(directory.path()), b"old-ratchet-key"), "old key bytes are left");
    // The log, which held them too, is empty.
    assert!(!directory.path().join("store.db-wal").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_look_into_a_profile() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("profile");
    let store = create(&path).await;
    store.commit(&marked()).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for (file, _) in every_byte(&path) {
        assert_eq!(mode(file.as_ref()), 0o600, "{file}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn attack_24_no_log_holds_the_database_key_or_a_text() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // For the whole program: the database works on threads of its own.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::trace!("the log is written");
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    store.commit(&marked()).await.unwrap();
    store.timeline(&name("bob"), None, 10).await.unwrap();
    store.close().await.unwrap();
    // A copy: a test that fails must not stop the threads that still log.
    let log = log.0.lock().unwrap().clone();
    assert!(contains(&log, b"the log is written"));
    let hex = KEY.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(!contains(&log, hex.as_bytes()));
    assert!(!contains(&log, MARKER.as_bytes()));
}

#[test]
fn attack_24_nothing_with_a_secret_shows_it_in_debug() {
    // A peer's name is no secret; it is the one thing that carries the marker on purpose.
    for change in marked().iter().filter(|change| !matches!(change, Mutation::Outbox(_))) {
        let shown = format!("{change:?}");
        assert!(!shown.contains(MARKER), "{shown}");
    }
    let shown = format!("{:?} {:?}", support::key(), Secret::new(MARKER.to_owned()));
    assert_eq!(shown, "DatabaseKey(redacted) Secret(redacted)");
}
