//! Several nodes on one PostgreSQL database, and what they do without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, ChatId, DeviceId, ErrorCode, MessageId};
use susurro_server::adapters::outbound::postgres::{OpenError, Options, PostgresStore};
use susurro_server::domain::account::{Account, NewAccount, Role, Verifier};
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::domain::message::{Deposited, NewMessage, Waiting};
use susurro_server::domain::prekey::Item;
use susurro_server::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation};
use susurro_server::ports::{Accounts, Chats, Commits, Mailboxes, Prekeys, Sessions};
use xtask::services::{Database, Postgres, database};
use zeroize::Zeroizing;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// People in these tests: accounts and devices 1 to this.
const PEOPLE: u8 = 6;

#[derive(Default)]
struct Heard(Mutex<Vec<Waiting>>);

impl Commits for Heard {
    fn committed(&self, messages: Vec<Waiting>) {
        self.0.lock().unwrap().extend(messages);
    }
}

fn options(url: &str) -> Options {
    let url = Zeroizing::new(url.to_owned());
    Options {
        url,
        password: None,
        fingerprint: Some([1; 32]),
        connections: 8,
        mailbox: MailboxBounds::of_messages(1_000_000),
    }
}

async fn node(url: &str) -> (Arc<PostgresStore>, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    (Arc::new(PostgresStore::open(&options(url), heard.clone()).await.unwrap()), heard)
}

/// Two nodes, and people who are registered.
async fn two_nodes() -> (Database, [Arc<PostgresStore>; 2], [Arc<Heard>; 2]) {
    let database = database().unwrap();
    let ((one, heard_by_one), (other, heard_by_other)) = (node(&database.url()).await, node(&database.url()).await);
    people(&one).await;
    (database, [one, other], [heard_by_one, heard_by_other])
}

async fn people(store: &PostgresStore) {
    for seed in 1..=PEOPLE {
        store.register(new_account(&format!("person{seed}"), seed)).await.unwrap();
    }
}

async fn connect(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

fn new_account(name: &str, seed: u8) -> NewAccount {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = key.verifying_key().to_bytes();
    let body = CertificateBody {
        suite: SUITE,
        account: AccountId::of_account_key(&public),
        account_key: Fixed(public),
        device: device(seed),
        signing_key: Fixed(public),
        identity_key: Fixed([seed; 32]),
        created: 1,
    };
    let list = DeviceList::issue(&key, None, 1, vec![DeviceCertificate::issue(&key, body)]);
    let (id, name) = (list.body().account, name.parse().unwrap());
    let account = Account { id, name, display_name: None, role: Role::User, created: 7, disabled: None };
    let (scheme, salt) = (AUTH_SCHEME.to_owned(), Fixed([seed; 16]));
    let stretch = StretchParams { scheme, salt, memory_kib: 65_536, passes: 3, lanes: 1 };
    NewAccount { account, stretch, verifier: Verifier { salt: [seed; 16], hash: [seed; 32] }, list, invite: None }
}

fn device(seed: u8) -> DeviceId {
    DeviceId::from_bytes([seed; 16])
}

fn message(from: u8, n: u64, to: &[u8]) -> NewMessage {
    let mut id = [from; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    NewMessage {
        message: MessageId::from_bytes(id),
        chat: ChatId::from_bytes([3; 16]),
        sender: new_account("someone", from).account.id,
        sender_device: device(from),
        content: [1; 32],
        stored_at: 1_000 + n,
        expires_at: None,
        deposits: to.iter().map(|seed| (device(*seed), Bytes::from(id.to_vec()))).collect(),
    }
}

/// Everything in a mailbox, checked for gaps.
async fn mailbox(store: &PostgresStore, seed: u8) -> Vec<Waiting> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = store.read(device(seed), after, 1_000, 1 << 24).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        all.extend(page);
    }
    let positions: Vec<u64> = all.iter().map(|waiting| waiting.seq).collect();
    assert_eq!(positions, (1..=all.len() as u64).collect::<Vec<_>>(), "positions have no gaps");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_write_to_the_same_mailboxes_leave_no_gap_lose_nothing_and_never_wait_for_each_other() {
    const EACH: u64 = 150;
    let (_database, nodes, heard) = two_nodes().await;
    let mut tasks = Vec::new();
    for from in 1..=PEOPLE {
        // Everybody writes to everybody else, the two nodes naming them in opposite orders.
        let store = nodes[usize::from(from % 2)].clone();
        let mut to: Vec<u8> = (1..=PEOPLE).filter(|other| *other != from).collect();
        if from.is_multiple_of(2) {
            to.reverse();
        }
        tasks.push(tokio::spawn(async move {
            let mut receipts = Vec::new();
            for n in 0..EACH {
                receipts.push(store.deposit(message(from, n, &to)).await.unwrap());
                if n % 10 == 0 {
                    store.acknowledge(device(99), n);
                }
            }
            for receipt in receipts {
                assert!(matches!(receipt.await.unwrap(), Deposited::Stored { .. }));
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(PATIENCE, task).await.expect("no deadlock").unwrap();
    }
    let mut delivered = 0;
    for seed in 1..=PEOPLE {
        let found = mailbox(&nodes[0], seed).await;
        let mut of_sender: BTreeMap<DeviceId, Vec<MessageId>> = BTreeMap::new();
        for waiting in &found {
            of_sender.entry(waiting.sender_device).or_default().push(waiting.message);
        }
        for from in (1..=PEOPLE).filter(|from| *from != seed) {
            let expected: Vec<MessageId> = (0..EACH).map(|n| message(from, n, &[]).message).collect();
            assert_eq!(of_sender[&device(from)], expected, "each once, in the order of their sender");
        }
        let state = Mailboxes::state(&*nodes[1], device(seed)).await.unwrap().unwrap();
        assert_eq!((state.head, state.waiting), (found.len() as u64, found.len() as u64));
        delivered += found.len();
    }
    // Each node tells its own connections, in the order of positions.
    let mut told = 0;
    for heard in heard {
        let heard = heard.0.lock().unwrap();
        for seed in 1..=PEOPLE {
            let seqs: Vec<u64> = heard.iter().filter(|w| w.mailbox == device(seed)).map(|w| w.seq).collect();
            assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
            told += seqs.len();
        }
    }
    assert_eq!(told, delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_to_two_nodes_at_once_is_stored_once() {
    let (_database, nodes, _) = two_nodes().await;
    for n in 0..60 {
        let receipts = [&nodes[0], &nodes[1]].map(|node| node.deposit(message(1, n, &[2, 3])));
        let [one, other] = receipts;
        let (one, other) =
            tokio::join!(async { one.await.unwrap().await.unwrap() }, async { other.await.unwrap().await.unwrap() });
        let stored = [one, other].iter().filter(|done| matches!(done, Deposited::Stored { .. })).count();
        assert_eq!(stored, 1, "{one:?} {other:?}");
        assert!([one, other].contains(&Deposited::Repeated { stored_at: 1_000 + n }), "{one:?} {other:?}");
    }
    assert_eq!(mailbox(&nodes[0], 2).await.len(), 60);
    let other = NewMessage { content: [2; 32], ..message(1, 0, &[2]) };
    assert_eq!(nodes[1].deposit(other).await.unwrap().await, Ok(Deposited::IdReused));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_acknowledges_is_gone_on_the_other_and_room_counts_for_both() {
    let database = database().unwrap();
    let heard = || Arc::new(Heard::default());
    let open = async || {
        PostgresStore::open(&Options { mailbox: MailboxBounds::of_messages(3), ..options(&database.url()) }, heard())
            .await
    };
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    people(&one).await;
    for n in 0..3 {
        one.deposit(message(1, n, &[2])).await.unwrap().await.unwrap();
    }
    assert_eq!(other.deposit(message(3, 9, &[2])).await.unwrap().await, Ok(Deposited::MailboxFull));
    other.acknowledge(device(2), 2);
    let deadline = Instant::now() + PATIENCE;
    while one.deposit(message(1, 4, &[2])).await.unwrap().await.unwrap() == Deposited::MailboxFull {
        assert!(Instant::now() < deadline, "there is room again");
    }
    let left: Vec<u64> = other.read(device(2), 0, 10, 1_000).await.unwrap().iter().map(|w| w.seq).collect();
    assert_eq!(left, [3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_tokens_and_names_are_given_once_by_all_nodes_together() {
    let (_database, nodes, _) = two_nodes().await;
    let items = |kind, ids: std::ops::RangeInclusive<u64>| ids.map(move |id| Item { kind, id, content: vec![1; 32] });
    for seed in [2, 3] {
        let upload = items(0, 1..=80).chain(items(1, 1..=1)).chain(items(3, 1..=1)).collect();
        nodes[0].publish(device(seed), upload).await.unwrap();
    }
    let claims: Vec<_> = (0..100)
        .map(|n| {
            let store = nodes[n % 2].clone();
            let wanted = if n % 3 == 0 { vec![device(2), device(3)] } else { vec![device(3), device(2)] };
            tokio::spawn(async move { store.claim(wanted).await.unwrap() })
        })
        .collect();
    let mut given = BTreeSet::new();
    for claim in claims {
        for claimed in claim.await.unwrap() {
            if let Some(key) = claimed.bundle.one_time_prekey {
                assert!(given.insert((claimed.bundle.device, key.id)), "given twice");
            }
        }
    }
    assert_eq!(given.len(), 160);

    let account = new_account("person1", 1).account.id;
    let (family, refresh) = (FamilyId([1; 16]), RefreshHash([1; 32]));
    nodes[0]
        .begin(NewFamily { family, account, device: device(1), proven: None, refresh, expires: 100 })
        .await
        .unwrap();
    let tries: Vec<_> = (10..30)
        .map(|new| {
            let store = nodes[usize::from(new % 2)].clone();
            tokio::spawn(async move { store.rotate(refresh, RefreshHash([new; 32]), 1, 200).await.unwrap() })
        })
        .collect();
    let mut rotated = 0;
    for one in tries {
        rotated += usize::from(matches!(one.await.unwrap(), Rotation::Rotated { .. }));
    }
    assert_eq!(rotated, 1);
    nodes[0].revoke(family, 5).await.unwrap();
    assert_eq!(nodes[1].is_revoked(family).await, Ok(true), "at once");

    let tries: Vec<_> = (0..10)
        .map(|n: u8| {
            let store = nodes[usize::from(n % 2)].clone();
            tokio::spawn(async move { store.register(new_account("wanted", 100 + n)).await.map_err(|e| e.code()) })
        })
        .collect();
    let mut outcomes = Vec::new();
    for one in tries {
        outcomes.push(one.await.unwrap());
    }
    outcomes.sort_by_key(Result::is_err);
    assert_eq!(outcomes[0], Ok(()));
    assert!(outcomes[1..].iter().all(|one| *one == Err(ErrorCode::NameTaken)), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_hears_of_a_changed_list_that_another_one_has_written() {
    let (database, nodes, _) = two_nodes().await;
    let members = [1, 2].map(|seed| new_account("someone", seed).account.id);
    let chat = ChatId::direct(&members[0], &members[1]);
    nodes[0].open_direct(chat, members, 1).await.unwrap();
    let version = async |store: &PostgresStore| {
        let roster = store.roster(chat).await.unwrap().unwrap();
        roster.members.iter().find(|member| member.account == members[1]).unwrap().list_version
    };
    // Asked until it is surely kept.
    for _ in 0..100 {
        assert_eq!(version(&nodes[1]).await, 1);
    }
    let update = sqlx::query("UPDATE accounts SET list_version = 2 WHERE account = $1");
    update.bind(members[1].as_bytes().to_vec()).execute(&mut connect(&database.url()).await).await.unwrap();
    // Long before what is kept is too old to be believed.
    let deadline = Instant::now() + Duration::from_secs(10);
    while version(&nodes[1]).await != 2 {
        assert!(Instant::now() < deadline, "the change is heard of");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_other_secrets_is_refused() {
    let (database, _nodes, _) = two_nodes().await;
    let other = Options { fingerprint: Some([2; 32]), ..options(&database.url()) };
    let refused = PostgresStore::open(&other, Arc::new(Heard::default())).await.err().unwrap();
    assert!(matches!(refused, OpenError::OtherSecrets { .. }), "{refused}");
}

/// Sends until it is stored, as a client does.
async fn insist(store: &PostgresStore, message: NewMessage, refused: &mut u32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = match store.deposit(message.clone()).await {
            Ok(receipt) => receipt.await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(done) => {
                assert!(matches!(done, Deposited::Stored { .. } | Deposited::Repeated { .. }), "{done:?}");
                return;
            }
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::StorageUnavailable, "{error}");
                *refused += 1;
            }
        }
        assert!(Instant::now() < deadline, "storing again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_loses_nothing_that_was_acknowledged() {
    const MESSAGES: u64 = 400;
    let postgres = xtask::services::Options { durable: true, ..Default::default() };
    let mut postgres = Postgres::start(&postgres).unwrap();
    let database = postgres.database().unwrap();
    let (store, heard) = node(&database.url()).await;
    people(&store).await;
    let progress = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let sender = {
        let (store, progress) = (store.clone(), progress.clone());
        tokio::spawn(async move {
            let mut refused = 0;
            for n in 0..MESSAGES {
                insist(&store, message(1, n, &[2]), &mut refused).await;
                progress.store(n, std::sync::atomic::Ordering::Relaxed);
            }
            refused
        })
    };
    for (at, way) in [(60, "kill"), (160, "stop"), (260, "kill")] {
        let deadline = Instant::now() + PATIENCE;
        while progress.load(std::sync::atomic::Ordering::Relaxed) < at {
            assert!(Instant::now() < deadline, "messages go through");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // While it is gone, requests are refused in a way that clients come back from.
        tokio::task::block_in_place(|| if way == "kill" { postgres.kill() } else { postgres.stop() }).unwrap();
        let refused = store.by_id(new_account("someone", 1).account.id).await.err().unwrap();
        assert_eq!(refused.code(), ErrorCode::StorageUnavailable, "{refused}");
        assert!(store.ready().await.is_err());
        tokio::task::block_in_place(|| postgres.restart()).unwrap();
    }
    let refused = sender.await.unwrap();
    assert!(refused > 0, "the server was missed");
    let found = mailbox(&store, 2).await;
    let expected: Vec<MessageId> = (0..MESSAGES).map(|n| message(1, n, &[]).message).collect();
    assert_eq!(found.iter().map(|waiting| waiting.message).collect::<Vec<_>>(), expected, "each once, in order");
    // Connections heard of every one, also of those whose commit was not answered.
    let heard: BTreeSet<u64> = heard.0.lock().unwrap().iter().map(|waiting| waiting.seq).collect();
    assert_eq!(heard, (1..=MESSAGES).collect());
    let deadline = Instant::now() + PATIENCE;
    while store.ready().await.is_err() {
        assert!(Instant::now() < deadline, "ready again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_work_finds_out_by_itself_that_the_server_is_back() {
    let mut postgres = Postgres::start(&xtask::services::Options::default()).unwrap();
    let database = postgres.database().unwrap();
    let (store, _) = node(&database.url()).await;
    people(&store).await;
    postgres.stop().unwrap();
    let refused = store.deposit(message(1, 1, &[2])).await.unwrap().await;
    assert_eq!(refused.map_err(|error| error.code()), Err(ErrorCode::StorageUnavailable));
    assert!(store.ready().await.is_err());
    postgres.restart().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while store.ready().await.is_err() {
        assert!(Instant::now() < deadline, "ready again, although nobody sends anything");
    }
}
