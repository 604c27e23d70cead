//! Opening a profile: a database of any bytes, a good one of which some bytes were changed, and a
//! good one whose contents were changed by somebody who has its key.
//!
//! Whatever it is, opening ends with what was written or with an error that says so, and an engine
//! that starts from it goes through its first steps.

use std::path::Path;
use std::sync::OnceLock;

use susurro_client_core::crypto::{AccountKey, LocalDevice, PeerSessions, Prekeys};
use susurro_client_core::model::{Cause, Contact, Trust};
use susurro_client_core::store::port::{
    ChatState, Gap, Mutation, OutboxEntry, Relay, SendLogEntry, Snapshot, Tokens, Undecryptable,
};
use susurro_client_core::store::{DatabaseKey, Directory, NewProfile, Store, StoreError};
use susurro_client_core::sync::{Command, Effect, Engine, Input};
use susurro_protocol::codec::encode;
use susurro_protocol::command::{Deposit, ListVersion, Send};
use susurro_protocol::content::{Content, TYPE_TEXT, Text};
use susurro_protocol::{AccountId, ChatId, DeviceId, MessageId};
use zeroize::Zeroizing;

use crate::common::TestRng;
use crate::edits::apply;

const NOW: u64 = 1_800_000_000_000;

/// A profile that has seen some life.
struct Life {
    account_key: Zeroizing<[u8; 32]>,
    lists: [(AccountId, Vec<u8>); 2],
    bob: Contact,
    bobs_device: DeviceId,
    /// The parts that the engine reads: device, prekeys, sessions, both lists, and in the outbox,
    /// the log and the ciphertexts that wait what is inside.
    parts: [Vec<u8>; 9],
    database: Vec<u8>,
}

const DEVICE: usize = 0;
const PREKEYS: usize = 1;
const SESSIONS: usize = 2;
const OWN_LIST: usize = 3;
const BOBS_LIST: usize = 4;
const CONTENT: usize = 5;
const WIRE: usize = 6;
const LOG: usize = 7;
const CIPHERTEXT: usize = 8;

fn key() -> DatabaseKey {
    DatabaseKey::new(Zeroizing::new([0x5a; 32]))
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap())
}

fn life() -> &'static Life {
    static LIFE: OnceLock<Life> = OnceLock::new();
    LIFE.get_or_init(live)
}

fn signed_list(account: &AccountKey, device: &LocalDevice) -> (AccountId, Vec<u8>) {
    let list = account.issue_list(None, NOW / 1000, vec![device.certificate().clone()]);
    (device.account(), encode(list.signed()))
}

fn live() -> Life {
    let mut rng = TestRng::new(1);
    let (alices, bobs) = (AccountKey::generate(&mut rng), AccountKey::generate(&mut rng));
    let device = LocalDevice::generate(&alices, NOW / 1000, &mut rng);
    let bobs_device = LocalDevice::generate(&bobs, NOW / 1000, &mut rng);
    let prekeys = Prekeys::generate(&device, NOW / 1000, &mut rng);
    let bobs_prekeys = Prekeys::generate(&bobs_device, NOW / 1000, &mut rng);
    let publication = bobs_prekeys.publication(&bobs_device);
    let bundle = susurro_protocol::keys::PrekeyBundle {
        device: bobs_device.device(),
        signed_prekey: publication.signed_prekey.read().unwrap(),
        pq_prekey: publication.pq_last_resort.read().unwrap(),
        pq_kind: 3,
        one_time_prekey: publication.one_time.first().cloned(),
    };
    let sessions =
        PeerSessions::new().start(&device, bobs_device.certificate(), &bundle, NOW / 1000, &mut rng).unwrap();
    let chat = ChatId::direct(&device.account(), &bobs_device.account());
    let content = encode(&Content {
        message: message(1),
        chat,
        counter: 1,
        parents: vec![message(2)],
        sent_at: NOW,
        sender_list: susurro_protocol::bytes::Fixed([1; 32]),
        recipient_list: susurro_protocol::bytes::Fixed([2; 32]),
        kind: TYPE_TEXT,
        body: encode(&Text { text: "hello".into() }).into(),
    });
    let (sessions, envelope) = sessions.encrypt(&content, NOW / 1000, &mut rng).unwrap();
    let list = |account| ListVersion { account, version: 1 };
    let wire = encode(&Send {
        message: message(1),
        chat,
        lists: vec![list(device.account()), list(bobs_device.account())],
        deposits: vec![Deposit { device: bobs_device.device(), ciphertext: envelope.clone().into() }],
        time_to_live: 0,
    });
    let lists = [signed_list(&alices, &device), signed_list(&bobs, &bobs_device)];
    let bob = Contact {
        name: "bob".parse().unwrap(),
        account: bobs_device.account(),
        account_key: bobs_device.certificate().body().account_key.0,
        chat,
        trust: Trust::Unverified,
        offered_key: None,
    };
    let parts = [
        device.to_bytes().to_vec(),
        prekeys.to_bytes().to_vec(),
        sessions.to_bytes().to_vec(),
        lists[0].1.clone(),
        lists[1].1.clone(),
        content.clone(),
        wire,
        content,
        envelope,
    ];
    let mut life =
        Life { account_key: alices.to_bytes(), lists, bob, bobs_device: bobs_device.device(), parts, database: vec![] };
    life.database = runtime().block_on(database(&life));
    life
}

fn message(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

/// The bytes of a database that holds all this.
async fn database(life: &Life) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let new = NewProfile {
        name: "alice".parse().unwrap(),
        relay: relay(),
        account_key: life.account_key.clone(),
        device: Zeroizing::new(life.parts[DEVICE].clone()),
        prekeys: Zeroizing::new(life.parts[PREKEYS].clone()),
        device_list: life.lists[0].clone(),
    };
    let store = Store::create(Directory::acquire(folder.path()).unwrap(), &key(), &new).await.unwrap();
    let snapshot = snapshot(life, &life.parts);
    let mut changes = vec![Mutation::Tokens(snapshot.tokens), Mutation::Cursor(3)];
    changes.extend(snapshot.contacts.into_iter().map(Mutation::Contact));
    changes.extend(snapshot.device_lists.into_iter().map(|(account, list)| Mutation::DeviceList(account, list)));
    changes.extend(snapshot.sessions.into_iter().map(|(device, state)| Mutation::Sessions(device, Some(state))));
    changes.extend(snapshot.outbox.into_iter().map(Mutation::Outbox));
    changes.extend(snapshot.chats.into_iter().map(Mutation::Chat));
    changes.extend(snapshot.undecryptable.into_iter().map(Mutation::Undecryptable));
    changes.extend(snapshot.send_log.into_iter().map(Mutation::SendLog));
    changes.push(Mutation::Seen(life.bobs_device, message(4), NOW));
    store.commit(&changes).await.unwrap();
    store.close().await.unwrap();
    std::fs::read(folder.path().join("store.db")).unwrap()
}

fn relay() -> Relay {
    Relay { url: "https://relay.example".to_owned(), key: [7; 32] }
}

/// What the engine starts from, of these parts.
fn snapshot(life: &Life, parts: &[Vec<u8>; 9]) -> Snapshot {
    let secret = |part: usize| Zeroizing::new(parts[part].clone());
    let chat = life.bob.chat;
    Snapshot {
        name: "alice".parse().unwrap(),
        relay: relay(),
        account_key: life.account_key.clone(),
        device: secret(DEVICE),
        prekeys: secret(PREKEYS),
        tokens: Some(Tokens {
            access: Zeroizing::new("access".to_owned()),
            access_expires: NOW + 3_600_000,
            refresh: Zeroizing::new("refresh".to_owned()),
        }),
        cursor: 3,
        contacts: vec![life.bob.clone()],
        device_lists: vec![(life.lists[0].0, parts[OWN_LIST].clone()), (life.lists[1].0, parts[BOBS_LIST].clone())],
        sessions: vec![(life.bobs_device, secret(SESSIONS))],
        outbox: vec![OutboxEntry {
            order: 1,
            message: message(1),
            peer: life.bob.name.clone(),
            chat,
            content: secret(CONTENT),
            shown: true,
            wire: Some(parts[WIRE].clone()),
        }],
        seen: vec![(life.bobs_device, message(4))],
        chats: vec![ChatState {
            chat,
            sent_counter: 1,
            seen_counters: vec![(life.bobs_device, 2)],
            position: 5,
            heads: vec![message(2)],
            gaps: vec![Gap { device: life.bobs_device, first: 1, last: 1, position: 1 }],
        }],
        undecryptable: vec![Undecryptable {
            message: message(5),
            chat,
            sender: life.bob.account,
            sender_device: life.bobs_device,
            cause: Cause::NoSession,
            received_at: NOW,
            ciphertext: parts[CIPHERTEXT].clone(),
        }],
        send_log: vec![SendLogEntry {
            message: message(6),
            peer: life.bob.name.clone(),
            content: secret(LOG),
            sent_at: NOW,
        }],
        sent: vec![],
        typing_notices: true,
        presence: false,
        announcements: vec![],
    }
}

/// Plays an input: what is done in the first byte, then bytes or edits.
///
/// # Panics
///
/// When a damaged profile is taken for a good one.
pub fn run(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    match first % 4 {
        0 => opened(rest),
        1 => {
            let mut database = life().database.clone();
            apply(&mut database, rest);
            opened(&database);
        }
        _ => {
            let mut parts = life().parts.clone();
            for edit in rest.chunks_exact(4) {
                let part = usize::from(edit[0]) % parts.len();
                apply(&mut parts[part], &edit[1..]);
            }
            started(snapshot(life(), &parts));
        }
    }
}

/// Every page of the database is authenticated when it is read: what was written comes out, or
/// nothing. Pages that nothing lies in are not read.
fn opened(database: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("store.db"), database).unwrap();
    match runtime().block_on(open(folder.path())) {
        Ok(snapshot) => {
            assert!(is_whole(&snapshot), "something else comes out than was written");
            started(snapshot);
        }
        Err(StoreError::Damaged(_)) => assert!(database != life().database),
        Err(other) => panic!("neither whole nor damaged: {other:?}"),
    }
}

fn is_whole(found: &Snapshot) -> bool {
    let life = life();
    let written = snapshot(life, &life.parts);
    let by_account = |mut lists: Vec<(AccountId, Vec<u8>)>| {
        lists.sort_unstable();
        lists
    };
    found.name == written.name
        && found.relay == written.relay
        && found.account_key == written.account_key
        && found.device == written.device
        && found.prekeys == written.prekeys
        && found.tokens == written.tokens
        && found.cursor == written.cursor
        && found.contacts == written.contacts
        && by_account(found.device_lists.clone()) == by_account(written.device_lists)
        && found.sessions == written.sessions
        && found.outbox == written.outbox
        && found.seen == written.seen
        && found.chats == written.chats
        && found.undecryptable == written.undecryptable
        && found.send_log == written.send_log
        && found.sent == written.sent
}

async fn open(path: &Path) -> Result<Snapshot, StoreError> {
    let store = Store::open(Directory::acquire(path)?, &key()).await?;
    let snapshot = store.load().await;
    store.close().await?;
    snapshot
}

/// The first steps of an engine, when it takes the snapshot.
fn started(snapshot: Snapshot) {
    let Ok(mut engine) = Engine::new(snapshot, TestRng::new(2), NOW) else { return };
    let compose = Command::Compose { peer: "bob".parse().unwrap(), message: message(9), text: "after all".into() };
    let _ = engine.handle(Input::Command(compose), NOW);
    let step = engine.handle(Input::GoOnline, NOW + 1);
    for effect in step.effects {
        if let Effect::OpenSocket { socket, .. } = effect {
            let _ = engine.handle(Input::SocketOpened(socket), NOW + 2);
            let _ = engine.handle(Input::SocketClosed(socket, None), NOW + 3);
        }
    }
    let _ = engine.handle(Input::Tick, NOW + 8 * 24 * 3_600_000);
    let _ = engine.handle(Input::GoOffline, NOW + 8 * 24 * 3_600_000 + 1);
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = vec![
        ("whole", vec![1]),
        ("empty", vec![0]),
        ("header", [&[0][..], b"SQLite format 3\0"].concat()),
        ("first-page", vec![1, 0, 1, 1]),
        ("last-byte", vec![1, 0xff, 0xff, 1]),
        ("half", vec![1, 0x80, 0, 0]),
        ("parts", vec![2]),
    ];
    let parts = ["device", "prekeys", "sessions", "own-list", "bobs-list", "content", "wire", "log", "ciphertext"];
    for (number, name) in (0u8..).zip(parts) {
        seeds.push((name, vec![2, number, 0x40, 0, 1, number, 0xc0, 0, 0]));
    }
    seeds
}
