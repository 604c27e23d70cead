//! What the store's tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of it")]

use std::path::Path;

use susurro_client_core::model::{Delivery, Direction, MessageContent, MessageView};
use susurro_client_core::store::port::{Mutation, Relay, Transaction};
use susurro_client_core::store::{DatabaseKey, Directory, NewProfile, Store, StoreError};
use susurro_protocol::{AccountId, AccountName, ChatId, MessageId};
use zeroize::Zeroizing;

pub const KEY: [u8; 32] = [0x5a; 32];

pub fn key() -> DatabaseKey {
    DatabaseKey::new(Zeroizing::new(KEY))
}

pub fn profile() -> NewProfile {
    NewProfile {
        name: name("alice"),
        relay: Relay { url: "https://relay.example".to_owned(), key: [7; 32] },
        account_key: Zeroizing::new([8; 32]),
        device: Zeroizing::new(vec![9; 100]),
        prekeys: Zeroizing::new(vec![10; 5000]),
        device_list: (AccountId::from_bytes([1; 16]), vec![11; 200]),
    }
}

pub async fn create(path: &Path) -> Store {
    Store::create(Directory::acquire(path).unwrap(), &key(), &profile()).await.unwrap()
}

pub async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(Directory::acquire(path)?, &key()).await
}

pub fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

pub fn incoming(number: u8, position: i64, text: &str) -> MessageView {
    MessageView {
        id: MessageId::from_bytes([number; 16]),
        chat: ChatId::from_bytes([3; 16]),
        peer: name("bob"),
        direction: Direction::Incoming,
        position,
        content: MessageContent::Text(text.to_owned()),
        sent_at: 1_000,
        accepted_at: Some(1_001),
        stored_at: Some(1_002),
        read_at: None,
        delivery: Delivery::Stored,
    }
}

pub fn outgoing(number: u8, position: i64, text: &str) -> MessageView {
    MessageView {
        direction: Direction::Outgoing,
        accepted_at: None,
        stored_at: None,
        delivery: Delivery::Queued,
        ..incoming(number, position, text)
    }
}

pub fn messages(views: impl IntoIterator<Item = MessageView>) -> Transaction {
    views.into_iter().map(Mutation::Message).collect()
}

/// The bytes of every file below a directory.
pub fn every_byte(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(every_byte(&path));
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
