//! One contract for every store: what the use cases may rely on, whatever keeps the data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::limits::{ACCESS_SECONDS, REFRESH_GRACE_SECONDS};
use susurro_protocol::rest::{AUTH_SCHEME, ChatConfig, StretchParams};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, AnnouncementId, BlobId, ChatId, DeviceId, ErrorCode, MessageId};
use susurro_server::adapters::outbound::memory::MemoryStore;
use susurro_server::adapters::outbound::postgres::{self, PostgresStore};
use susurro_server::adapters::outbound::sqlite::{Options, SqliteStore};
use susurro_server::domain::Error;
use susurro_server::domain::account::{Account, NewAccount, NewPassword, Proof, Role, Verifier};
use susurro_server::domain::announcement::Announced;
use susurro_server::domain::blob::{Begun, BlobRecord};
use susurro_server::domain::invite::{Invite, InviteHash};
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::domain::message::{Deposited, MESSAGE_ID_MEMORY_MS, NewMessage, Waiting};
use susurro_server::domain::prekey::Item;
use susurro_server::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation};
use susurro_server::ports::{
    Accounts, Administration, Announcements, BlobRecords, Chats, Commits, Devices, Invites, MailboxState, Mailboxes,
    Prekeys, Sessions,
};
use zeroize::Zeroizing;

/// Messages that one mailbox takes in these tests, and their bytes: five times the usual, and less than five of the
/// largest.
const MAILBOX_MAX: u64 = 5;
const BOUNDS: MailboxBounds = MailboxBounds { messages: MAILBOX_MAX, bytes: 450 };

/// Everything that was said to be committed.
#[derive(Default)]
struct Heard(Mutex<Vec<Waiting>>);

impl Commits for Heard {
    fn committed(&self, messages: Vec<Waiting>) {
        self.0.lock().unwrap().extend(messages);
    }
}

trait Store:
    Accounts + Administration + Announcements + Devices + Invites + Prekeys + Chats + Mailboxes + Sessions + BlobRecords
{
}
impl<
    T: Accounts
        + Administration
        + Announcements
        + Devices
        + Invites
        + Prekeys
        + Chats
        + Mailboxes
        + Sessions
        + BlobRecords,
> Store for T
{
}

struct Bench {
    store: Arc<dyn Store>,
    heard: Arc<Heard>,
    _keeps: Keeps,
}

/// What has to be there for as long as a store.
enum Keeps {
    Nothing,
    Directory { _dir: tempfile::TempDir },
    Database { _database: xtask::services::Database },
}

async fn memory() -> Bench {
    let heard = Arc::new(Heard::default());
    let store = Arc::new(MemoryStore::new(BOUNDS, heard.clone()));
    Bench { store, heard, _keeps: Keeps::Nothing }
}

async fn sqlite() -> Bench {
    let (heard, dir) = (Arc::new(Heard::default()), tempfile::tempdir().unwrap());
    let options = Options { path: dir.path().join("relay.db"), mailbox: BOUNDS, size_max: None };
    let store = Arc::new(SqliteStore::open(&options, heard.clone()).await.unwrap());
    Bench { store, heard, _keeps: Keeps::Directory { _dir: dir } }
}

async fn postgres() -> Bench {
    let (heard, database) = (Arc::new(Heard::default()), xtask::services::database().unwrap());
    let store = Arc::new(node(&database, heard.clone()).await);
    Bench { store, heard, _keeps: Keeps::Database { _database: database } }
}

/// One relay of several on this database.
async fn node(database: &xtask::services::Database, heard: Arc<Heard>) -> PostgresStore {
    let options = postgres::Options {
        url: Zeroizing::new(database.url()),
        password: None,
        fingerprint: Some([1; 32]),
        connections: 8,
        mailbox: BOUNDS,
    };
    PostgresStore::open(&options, heard).await.unwrap()
}

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::memory().await).await;
            })+
        }
        mod in_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::sqlite().await).await;
            })+
        }
        mod in_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::postgres().await).await;
            })+
        }
    };
}

contract!(
    an_account_is_registered_once_under_one_name_with_its_device,
    accounts_are_found_by_their_prefix_in_order,
    a_direct_chat_is_opened_once_and_has_a_roster,
    a_configuration_is_replaced_from_its_version_alone,
    who_has_left_a_chat_has_none_until_it_is_opened_again,
    chats_come_in_order_while_others_are_opened,
    blobs_are_begun_within_their_quota_and_grow_in_one_order,
    blobs_that_are_over_are_found_and_forgotten,
    positions_rise_by_one_and_never_come_back,
    a_chat_is_acknowledged_alone_and_up_to_a_position,
    a_message_id_stands_for_one_content,
    a_mailbox_takes_all_of_a_message_or_nothing,
    a_mailbox_takes_so_many_bytes_and_knows_what_has_gone,
    reading_is_bounded_in_number_and_bytes,
    commits_are_heard_in_the_order_of_positions,
    what_is_past_its_time_goes_in_small_batches,
    prekeys_are_published_counted_and_given_out_once,
    many_claims_at_once_share_nothing,
    refresh_tokens_rotate_and_reuse_ends_the_family,
    a_refresh_token_whose_answer_was_lost_is_taken_again,
    of_many_rotations_of_one_token_at_once_one_token_is_good,
    families_are_forgotten_when_they_are_over,
    disabling_ends_every_family_and_begins_none,
    announcements_are_told_until_they_expire_the_newest_alone,
    an_invite_counts_registrations_that_succeed,
    invites_are_listed_in_pages_and_taken_back,
    another_password_ends_every_login_but_one,
    a_recovery_key_is_replaced_taken_away_and_proves_what_it_is,
    an_erased_account_leaves_nothing,
    a_list_is_followed_by_its_successor_and_a_removed_device_loses_all,
);

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
    let account = Account {
        id: list.body().account,
        name: name.parse().unwrap(),
        display_name: None,
        role: Role::User,
        created: 7,
        disabled: None,
    };
    let (scheme, salt) = (AUTH_SCHEME.to_owned(), Fixed([seed; 16]));
    let stretch = StretchParams { scheme, salt, memory_kib: 65_536, passes: 3, lanes: 1 };
    NewAccount { account, stretch, verifier: Verifier { salt: [seed; 16], hash: [seed; 32] }, list, invite: None }
}

fn device(seed: u8) -> DeviceId {
    DeviceId::from_bytes([seed; 16])
}

async fn add(bench: &Bench, name: &str, seed: u8) -> Account {
    let new = new_account(name, seed);
    let account = new.account.clone();
    bench.store.register(new).await.unwrap();
    account
}

/// Two accounts with the devices 1 and 2, and their chat.
async fn talkers(bench: &Bench) -> (AccountId, AccountId, ChatId) {
    let (alice, bob) = (add(bench, "alice", 1).await.id, add(bench, "bob", 2).await.id);
    let chat = ChatId::direct(&alice, &bob);
    bench.store.open_direct(chat, [alice, bob], 9).await.unwrap();
    (alice, bob, chat)
}

fn message(n: u64, to: &[u8]) -> NewMessage {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    NewMessage {
        message: MessageId::from_bytes(id),
        chat: ChatId::from_bytes([3; 16]),
        sender: new_account("alice", 1).account.id,
        sender_device: device(1),
        content: [1; 32],
        stored_at: 1_000 + n,
        expires_at: None,
        deposits: to.iter().map(|seed| (device(*seed), Bytes::from(n.to_be_bytes().to_vec()))).collect(),
    }
}

async fn deposit(bench: &Bench, message: NewMessage) -> Deposited {
    bench.store.deposit(message).await.unwrap().await.unwrap()
}

async fn read(bench: &Bench, after: u64) -> Vec<u64> {
    bench.store.read(device(2), after, 1_000, 1 << 20).await.unwrap().iter().map(|waiting| waiting.seq).collect()
}

/// Acknowledges, and waits until it has happened: a message of a stranger comes behind it.
async fn acknowledge(bench: &Bench, cursor: u64) {
    bench.store.acknowledge(device(2), cursor);
    let stranger = NewMessage { sender_device: device(99), ..message(0, &[]) };
    assert_eq!(deposit(bench, stranger).await, Deposited::NoMailbox);
}

async fn an_account_is_registered_once_under_one_name_with_its_device(bench: Bench) {
    let alice = add(&bench, "alice", 1).await;
    let register = async |name: &str, seed| bench.store.register(new_account(name, seed)).await.map_err(|e| e.code());
    assert_eq!(register("alice", 2).await, Err(ErrorCode::NameTaken));
    assert_eq!(register("alicia", 1).await, Err(ErrorCode::AccountExists));
    let mut stolen = new_account("carol", 3);
    let key = SigningKey::from_bytes(&[3; 32]);
    let mut body = stolen.list.certificates()[0].body().clone();
    body.device = device(1);
    stolen.list = DeviceList::issue(&key, None, 1, vec![DeviceCertificate::issue(&key, body)]);
    let refused = bench.store.register(stolen).await.map_err(|e| e.code());
    assert_eq!(refused, Err(ErrorCode::InvalidDeviceList));
    assert_eq!(bench.store.by_name(&"carol".parse().unwrap()).await, Ok(None), "nothing of it stays");

    assert_eq!(bench.store.by_id(alice.id).await, Ok(Some(alice.clone())));
    assert_eq!(bench.store.by_name(&alice.name).await, Ok(Some(alice.clone())));
    let expected = new_account("alice", 1);
    let credentials = bench.store.credentials(&alice.name).await.unwrap().unwrap();
    assert_eq!((credentials.stretch, credentials.verifier), (expected.stretch, expected.verifier));
    let found = bench.store.device(device(1)).await.unwrap().unwrap();
    assert_eq!((found.account, &found.certificate), (alice.id, &expected.list.certificates()[0]));
    let list = bench.store.list(alice.id).await.unwrap().unwrap();
    assert_eq!((list.name, list.list.read().unwrap()), (alice.name.clone(), expected.list.signed().clone()));
    assert_eq!(bench.store.device(device(9)).await, Ok(None));
    assert_eq!(Mailboxes::state(&*bench.store, device(1)).await, Ok(Some(MailboxState::default())));
    assert_eq!(Mailboxes::state(&*bench.store, device(9)).await, Ok(None));

    bench.store.set_display_name(alice.id, Some("A".to_owned())).await.unwrap();
    assert_eq!(bench.store.by_id(alice.id).await.unwrap().unwrap().display_name.as_deref(), Some("A"));
}

async fn accounts_are_found_by_their_prefix_in_order(bench: Bench) {
    for (seed, name) in ["bob", "ann", "anna", "a_n", "ann-b", "zoe"].into_iter().enumerate() {
        add(&bench, name, u8::try_from(seed).unwrap() + 1).await;
    }
    let search = async |prefix: &str, after: &str, limit| -> Vec<String> {
        let found = bench.store.search(prefix, after, limit).await.unwrap();
        found.into_iter().map(|account| account.name.to_string()).collect()
    };
    assert_eq!(search("ann", "", 10).await, ["ann", "ann-b", "anna"]);
    assert_eq!(search("ann", "ann", 1).await, ["ann-b"]);
    assert_eq!(search("a_", "", 10).await, ["a_n"]);
    assert_eq!(search("", "bob", 10).await, ["zoe"]);
}

async fn a_direct_chat_is_opened_once_and_has_a_roster(bench: Bench) {
    let (alice, bob, chat) = talkers(&bench).await;
    let (again, made) = bench.store.open_direct(chat, [bob, alice], 99).await.unwrap();
    assert_eq!((again.created, again.members.len(), made), (9, 2, false));
    assert_eq!(bench.store.chat(chat).await, Ok(Some(again.clone())));
    assert_eq!(bench.store.of_account(alice, None, 10).await, Ok(vec![again.clone()]));
    assert_eq!(bench.store.of_account(bob, Some(chat), 10).await, Ok(vec![]));
    let roster = bench.store.roster(chat).await.unwrap().unwrap();
    let devices: Vec<_> = roster.members.iter().flat_map(|m| m.devices.clone()).collect();
    assert_eq!(devices.len(), 2);
    assert!(roster.members.iter().all(|m| m.list_version == 1 && [alice, bob].contains(&m.account)));
    let nowhere = ChatId::from_bytes([0; 16]);
    assert_eq!(bench.store.chat(nowhere).await, Ok(None));
    assert_eq!(bench.store.roster(nowhere).await, Ok(None));
}

async fn a_configuration_is_replaced_from_its_version_alone(bench: Bench) {
    let (alice, bob, chat) = talkers(&bench).await;
    let config = async || bench.store.chat(chat).await.unwrap().unwrap().config;
    assert_eq!(config().await, ChatConfig::INITIAL);
    assert_eq!(bench.store.roster(chat).await.unwrap().unwrap().disappear_after, 0);
    let next = ChatConfig { version: 2, suite: 1, disappear_after: 60, changed_by: Some(bob), changed: Some(12) };
    assert_eq!(bench.store.configure(chat, 2, next).await, Ok(false));
    assert_eq!(bench.store.configure(chat, 1, next).await, Ok(true));
    assert_eq!(bench.store.configure(chat, 1, ChatConfig { disappear_after: 5, ..next }).await, Ok(false));
    assert_eq!(config().await, next);
    assert_eq!(bench.store.of_account(alice, None, 1).await.unwrap()[0].config, next);
    assert_eq!(bench.store.roster(chat).await.unwrap().unwrap().disappear_after, 60, "also what was kept in memory");
    assert_eq!(bench.store.configure(ChatId::from_bytes([0; 16]), 1, next).await, Ok(false));

    // Of many at once one is made.
    let changes: Vec<_> = (0..20)
        .map(|seconds| {
            let store = bench.store.clone();
            let config = ChatConfig { version: 3, disappear_after: seconds, ..next };
            tokio::spawn(async move { store.configure(chat, 2, config).await.unwrap() })
        })
        .collect();
    let mut made = Vec::new();
    for (seconds, change) in (0..20).zip(changes) {
        if change.await.unwrap() {
            made.push(seconds);
        }
    }
    assert_eq!(made, [config().await.disappear_after]);
}

async fn who_has_left_a_chat_has_none_until_it_is_opened_again(bench: Bench) {
    let (alice, bob, chat) = talkers(&bench).await;
    assert!(bench.store.roster(chat).await.unwrap().is_some());
    bench.store.leave(chat, bob, 20).await.unwrap();
    assert_eq!(bench.store.roster(chat).await, Ok(None));
    assert_eq!(bench.store.of_account(bob, None, 10).await, Ok(vec![]));
    let seen = bench.store.of_account(alice, None, 10).await.unwrap();
    assert_eq!((seen.len(), seen[0].members.len(), seen[0].left.clone()), (1, 2, vec![bob]));
    let record = bench.store.chat(chat).await.unwrap().unwrap();
    assert!(record.is_of(&alice) && !record.is_of(&bob));
    let (again, made) = bench.store.open_direct(chat, [alice, bob], 30).await.unwrap();
    assert_eq!((again.left, again.created, made), (vec![], 9, false));
    assert!(bench.store.roster(chat).await.unwrap().is_some());
    assert_eq!(bench.store.of_account(bob, None, 10).await.unwrap().len(), 1);
}

async fn chats_come_in_order_while_others_are_opened(bench: Bench) {
    let me = add(&bench, "myself", 200).await.id;
    let mut there = Vec::new();
    let open = async |seed: u8| {
        let other = add(&bench, &format!("other-{seed}"), seed).await.id;
        let chat = ChatId::direct(&me, &other);
        bench.store.open_direct(chat, [me, other], 1).await.unwrap();
        chat
    };
    for seed in 1..=12 {
        there.push(open(seed).await);
    }
    let (mut seen, mut after, mut seed) = (Vec::new(), None, 20);
    loop {
        let page = bench.store.of_account(me, after, 3).await.unwrap();
        seen.extend(page.iter().map(|record| record.chat));
        let Some(last) = page.last() else { break };
        after = Some(last.chat);
        if seed < 40 {
            bench.store.leave(last.chat, me, 5).await.unwrap();
            open(seed).await;
            seed += 1;
        }
    }
    assert!(seen.is_sorted_by(|one, other| one < other), "each once, in order");
    assert!(there.iter().all(|chat| seen.contains(chat)), "none that was there is left out");
}

fn blob(n: u8, owner: AccountId, size: u64) -> BlobRecord {
    BlobRecord { blob: BlobId::from_bytes([n; 16]), owner, size, uploaded: 0, expires: 100, keep_until: 1_000 }
}

async fn blobs_are_begun_within_their_quota_and_grow_in_one_order(bench: Bench) {
    let (alice, bob) = (add(&bench, "alice", 1).await.id, add(&bench, "bob", 2).await.id);
    let begin = async |blob: BlobRecord, now| bench.store.begin_blob(blob, 100, now).await.unwrap();
    let first = blob(1, alice, 60);
    assert_eq!(begin(first, 1).await, Begun::Made);
    assert_eq!(begin(BlobRecord { owner: bob, ..first }, 1).await, Begun::Known(first));
    assert_eq!(begin(blob(2, alice, 41), 1).await, Begun::NoRoom);
    assert_eq!(bench.store.blob(blob(2, alice, 41).blob).await, Ok(None), "nothing of it stays");
    assert_eq!(begin(blob(2, bob, 41), 1).await, Begun::Made, "everybody has their own room");
    assert_eq!(begin(blob(3, alice, 100), 100).await, Begun::Made, "what is over takes none");
    assert_eq!(bench.store.blob(first.blob).await, Ok(Some(first)));

    let advance = async |from, to, now| bench.store.advance_blob(first.blob, from, to, now).await.unwrap();
    assert!(!advance(10, 20, 1).await);
    assert!(advance(0, 20, 1).await);
    assert!(!advance(0, 20, 1).await, "once");
    assert_eq!(bench.store.blob(first.blob).await.unwrap().unwrap(), BlobRecord { uploaded: 20, ..first });
    assert!(!advance(20, 60, 100).await, "not when it is over");
    assert!(advance(20, 60, 99).await);
    let whole = BlobRecord { uploaded: 60, expires: 1_000, ..first };
    assert_eq!(bench.store.blob(first.blob).await, Ok(Some(whole)), "a whole one stays for longer");
}

async fn blobs_that_are_over_are_found_and_forgotten(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    for (n, expires) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let begun = bench.store.begin_blob(BlobRecord { expires, ..blob(n, alice, 5) }, 100, 1).await;
        assert_eq!(begun, Ok(Begun::Made));
    }
    let over = async |before, batch| -> Vec<u8> {
        let over = bench.store.over_blobs(before, batch).await.unwrap();
        assert!(over.iter().all(|(_, size)| *size == 5));
        over.iter().map(|(blob, _)| blob.as_bytes()[0]).collect()
    };
    assert_eq!(over(9, 10).await, [0; 0]);
    assert_eq!(over(30, 10).await, [2, 3, 1]);
    assert_eq!(over(30, 2).await, [2, 3]);
    bench.store.end_blob(blob(4, alice, 5).blob, 15).await.unwrap();
    bench.store.end_blob(blob(2, alice, 5).blob, 15).await.unwrap();
    assert_eq!(over(15, 10).await, [2, 4], "an end comes earlier, never later");
    let gone = vec![blob(2, alice, 5).blob, blob(4, alice, 5).blob, blob(9, alice, 5).blob];
    assert_eq!(bench.store.forget_blobs(gone).await, Ok(2));
    assert_eq!(over(99, 10).await, [3, 1]);
    assert_eq!(bench.store.blob(blob(2, alice, 5).blob).await, Ok(None));
}

async fn positions_rise_by_one_and_never_come_back(bench: Bench) {
    talkers(&bench).await;
    for n in 1..=3 {
        assert_eq!(deposit(&bench, message(n, &[2])).await, Deposited::Stored { stored_at: 1_000 + n });
    }
    assert_eq!(read(&bench, 0).await, [1, 2, 3]);
    assert_eq!(read(&bench, 2).await, [3]);
    acknowledge(&bench, 2).await;
    assert_eq!(read(&bench, 0).await, [3]);
    acknowledge(&bench, 3).await;
    deposit(&bench, message(4, &[2])).await;
    assert_eq!(read(&bench, 0).await, [4]);
    let state = Mailboxes::state(&*bench.store, device(2)).await;
    assert_eq!(state, Ok(Some(MailboxState { head: 4, waiting: 1 })));
    let waiting = bench.store.read(device(2), 0, 10, 1_000).await.unwrap().remove(0);
    let sent = message(4, &[2]);
    assert_eq!((waiting.message, waiting.chat, waiting.stored_at), (sent.message, sent.chat, sent.stored_at));
    assert_eq!((waiting.sender, waiting.sender_device), (sent.sender, sent.sender_device));
    assert_eq!(waiting.ciphertext, sent.deposits[0].1);
}

async fn a_chat_is_acknowledged_alone_and_up_to_a_position(bench: Bench) {
    talkers(&bench).await;
    let (this, other) = (ChatId::from_bytes([3; 16]), ChatId::from_bytes([4; 16]));
    for n in 1..=4 {
        let chat = if n == 2 { other } else { this };
        deposit(&bench, NewMessage { chat, ..message(n, &[2]) }).await;
    }
    bench.store.acknowledge_chat(device(2), this, 3).await.unwrap();
    assert_eq!(read(&bench, 0).await, [2, 4]);
    bench.store.acknowledge_chat(device(2), this, 1).await.unwrap();
    bench.store.acknowledge_chat(device(1), other, 4).await.unwrap();
    bench.store.acknowledge_chat(device(99), other, 4).await.unwrap();
    let state = Mailboxes::state(&*bench.store, device(2)).await;
    assert_eq!(state, Ok(Some(MailboxState { head: 4, waiting: 2 })));
    // What is counted is what is there: three more fit, a fourth does not.
    for n in 5..=7 {
        assert!(matches!(deposit(&bench, message(n, &[2])).await, Deposited::Stored { .. }), "{n}");
    }
    assert_eq!(deposit(&bench, message(8, &[2])).await, Deposited::MailboxFull);
    bench.store.acknowledge_chat(device(2), other, 1_000).await.unwrap();
    assert_eq!(read(&bench, 0).await, [4, 5, 6, 7]);
    assert!(matches!(deposit(&bench, message(8, &[2])).await, Deposited::Stored { .. }));
}

async fn a_message_id_stands_for_one_content(bench: Bench) {
    talkers(&bench).await;
    let first = message(1, &[2]);
    deposit(&bench, first.clone()).await;
    let again = NewMessage { stored_at: 5_000, ..first.clone() };
    assert_eq!(deposit(&bench, again.clone()).await, Deposited::Repeated { stored_at: 1_001 });
    assert_eq!(deposit(&bench, NewMessage { content: [2; 32], ..again }).await, Deposited::IdReused);
    assert_eq!(read(&bench, 0).await, [1]);
    assert_eq!(bench.store.recall(device(1), first.message).await, Ok(Some(([1; 32], 1_001))));
    assert_eq!(bench.store.recall(device(2), first.message).await, Ok(None));

    // Many at once are one as well.
    let mut receipts = Vec::new();
    for _ in 0..20 {
        receipts.push(bench.store.deposit(message(2, &[2])).await.unwrap());
    }
    let mut stored = 0;
    for receipt in receipts {
        stored += usize::from(matches!(receipt.await.unwrap(), Deposited::Stored { .. }));
    }
    assert_eq!((stored, read(&bench, 1).await), (1, vec![2]));
    acknowledge(&bench, 2).await;
    assert_eq!(
        deposit(&bench, message(2, &[2])).await,
        Deposited::Repeated { stored_at: 1_002 },
        "also when it is gone"
    );
}

async fn a_mailbox_takes_all_of_a_message_or_nothing(bench: Bench) {
    talkers(&bench).await;
    add(&bench, "carol", 3).await;
    assert_eq!(deposit(&bench, message(90, &[2, 77])).await, Deposited::NoMailbox);
    for n in 1..=MAILBOX_MAX {
        deposit(&bench, message(n, &[2])).await;
    }
    assert_eq!(deposit(&bench, message(91, &[3, 2])).await, Deposited::MailboxFull);
    let empty = Mailboxes::state(&*bench.store, device(3)).await.unwrap().unwrap();
    assert_eq!(empty, MailboxState::default(), "the other mailbox got nothing either");
    assert_eq!(deposit(&bench, message(1, &[2])).await, Deposited::Repeated { stored_at: 1_001 }, "even when full");
    acknowledge(&bench, 1).await;
    assert_eq!(deposit(&bench, message(91, &[3, 2])).await, Deposited::Stored { stored_at: 1_091 });
    assert_eq!(read(&bench, 4).await, [5, 6]);
}

async fn a_mailbox_takes_so_many_bytes_and_knows_what_has_gone(bench: Bench) {
    let (_, _, chat) = talkers(&bench).await;
    add(&bench, "carol", 3).await;
    let of_size = |n, size| {
        let mut sized = message(n, &[2]);
        sized.deposits[0].1 = Bytes::from(vec![1; size]);
        sized
    };
    let stored = |n: u64| Deposited::Stored { stored_at: 1_000 + n };
    let put = async |n, size| deposit(&bench, of_size(n, size)).await;
    assert_eq!(put(1, 451).await, Deposited::MailboxFull, "more than any mailbox takes");
    assert_eq!((put(2, 300).await, put(3, 150).await), (stored(2), stored(3)), "to the last byte");
    assert_eq!(put(4, 1).await, Deposited::MailboxFull);
    let mut both = message(5, &[3, 2]);
    both.deposits[1].1 = Bytes::from_static(&[1]);
    assert_eq!(deposit(&bench, both).await, Deposited::MailboxFull);
    let empty = Mailboxes::state(&*bench.store, device(3)).await.unwrap().unwrap();
    assert_eq!(empty, MailboxState::default(), "the other mailbox got nothing either");
    assert_eq!(put(3, 150).await, Deposited::Repeated { stored_at: 1_003 }, "even when full");

    // What was acknowledged makes as much room as it took: all up to a position, one chat, what is past its time.
    acknowledge(&bench, 1).await;
    assert_eq!((put(6, 301).await, put(7, 100).await), (Deposited::MailboxFull, stored(7)));
    assert_eq!((put(8, 201).await, put(9, 150).await), (Deposited::MailboxFull, stored(9)));
    assert_eq!(deposit(&bench, NewMessage { chat, ..of_size(10, 40) }).await, stored(10));
    bench.store.acknowledge_chat(device(2), chat, 100).await.unwrap();
    assert_eq!((put(11, 51).await, put(12, 10).await), (Deposited::MailboxFull, stored(12)));
    acknowledge(&bench, 4).await;
    assert_eq!(read(&bench, 0).await, [6]);
    assert_eq!(deposit(&bench, NewMessage { expires_at: Some(2_000), ..of_size(13, 400) }).await, stored(13));
    assert_eq!((put(14, 41).await, Mailboxes::expire(&*bench.store, 2_000, 9).await), (Deposited::MailboxFull, Ok(1)));
    assert_eq!((put(15, 441).await, put(16, 440).await), (Deposited::MailboxFull, stored(16)));
    acknowledge(&bench, 100).await;
    assert_eq!((put(17, 450).await, put(18, 1).await), (stored(17), Deposited::MailboxFull));
    acknowledge(&bench, 100).await;

    // What somebody has sent goes with them.
    assert_eq!(deposit(&bench, NewMessage { sender_device: device(3), ..of_size(19, 430) }).await, stored(19));
    assert_eq!((put(20, 10).await, put(21, 11).await), (stored(20), Deposited::MailboxFull));
    let carol = new_account("carol", 3).account.id;
    Administration::erase(&*bench.store, carol, None, 50).await.unwrap();
    assert_eq!((put(22, 441).await, put(23, 440).await), (Deposited::MailboxFull, stored(23)));
}

async fn reading_is_bounded_in_number_and_bytes(bench: Bench) {
    talkers(&bench).await;
    for n in 1..=4 {
        let mut large = message(n, &[2]);
        large.deposits[0].1 = Bytes::from(vec![1; 100]);
        deposit(&bench, large).await;
    }
    let read = async |limit, bytes| bench.store.read(device(2), 0, limit, bytes).await.unwrap().len();
    assert_eq!(read(2, 1_000).await, 2);
    assert_eq!(read(10, 350).await, 3);
    assert_eq!(read(10, 1).await, 1, "a single one always comes");
    assert_eq!(bench.store.read(device(8), 0, 10, 10).await, Ok(vec![]));
    assert!(bench.store.bytes().await.unwrap() >= 400, "what is stored takes room");
}

async fn commits_are_heard_in_the_order_of_positions(bench: Bench) {
    talkers(&bench).await;
    let mut receipts = Vec::new();
    for n in 1..=MAILBOX_MAX {
        receipts.push(bench.store.deposit(message(n, &[2])).await.unwrap());
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    deposit(&bench, message(1, &[2])).await;
    let heard: Vec<_> = bench.heard.0.lock().unwrap().iter().map(|waiting| (waiting.seq, waiting.message)).collect();
    let expected: Vec<_> = (1..=MAILBOX_MAX).map(|n| (n, message(n, &[]).message)).collect();
    assert_eq!(heard, expected, "each once, in the order of the calls");
}

async fn what_is_past_its_time_goes_in_small_batches(bench: Bench) {
    talkers(&bench).await;
    for n in 1..=3 {
        deposit(&bench, message(n, &[2])).await;
    }
    deposit(&bench, NewMessage { expires_at: Some(2_000), ..message(4, &[2]) }).await;
    assert_eq!(Mailboxes::expire(&*bench.store, 1_999, 100).await, Ok(0));
    assert_eq!(Mailboxes::expire(&*bench.store, 2_000, 100).await, Ok(1));
    assert_eq!(read(&bench, 0).await, [1, 2, 3]);
    let late = 1_002 + MESSAGE_ID_MEMORY_MS;
    let mut gone = 0;
    loop {
        match Mailboxes::expire(&*bench.store, late, 1).await.unwrap() {
            0 => break,
            some => gone += some,
        }
    }
    assert_eq!((gone, read(&bench, 0).await), (4, vec![3]), "two messages and their ids");
    let state = Mailboxes::state(&*bench.store, device(2)).await.unwrap().unwrap();
    assert_eq!(state, MailboxState { head: 4, waiting: 1 });
    assert!(matches!(deposit(&bench, message(5, &[2])).await, Deposited::Stored { .. }));
    assert_eq!(read(&bench, 3).await, [5]);
}

fn items(kind: u8, ids: std::ops::RangeInclusive<u64>) -> Vec<Item> {
    ids.map(|id| Item { kind, id, content: vec![u8::try_from(id).unwrap(); 32] }).collect()
}

async fn prekeys_are_published_counted_and_given_out_once(bench: Bench) {
    add(&bench, "bob", 2).await;
    assert!(bench.store.claim(vec![device(2)]).await.unwrap().is_empty());
    let upload = [items(0, 1..=2), items(1, 1..=1), items(2, 1..=1), items(3, 1..=1)].concat();
    let count = bench.store.publish(device(2), upload.clone()).await.unwrap();
    assert_eq!((count.one_time, count.pq_one_time), (2, 1));
    let first = bench.store.claim(vec![device(2)]).await.unwrap().remove(0);
    assert_eq!((first.bundle.one_time_prekey.map(|key| key.id), first.bundle.pq_kind), (Some(1), 2));
    assert_eq!((first.left.one_time, first.left.pq_one_time), (1, 0));
    let second = bench.store.claim(vec![device(2)]).await.unwrap().remove(0);
    assert_eq!((second.bundle.one_time_prekey.map(|key| key.id), second.bundle.pq_kind), (Some(2), 3));
    let third = bench.store.claim(vec![device(2)]).await.unwrap().remove(0);
    assert_eq!((third.bundle.one_time_prekey, third.bundle.pq_kind), (None, 3));

    assert_eq!(bench.store.publish(device(2), upload).await, bench.store.count(device(2)).await);
    let other = vec![Item { kind: 0, id: 1, content: vec![9; 32] }];
    let refused = bench.store.publish(device(2), [items(2, 5..=5), other].concat()).await.map_err(|e| e.code());
    assert_eq!(refused, Err(ErrorCode::InvalidPrekeys));
    assert_eq!(bench.store.count(device(2)).await.unwrap().pq_one_time, 0, "all or nothing");
    let replaced = bench.store.publish(device(2), items(1, 2..=2)).await;
    assert!(replaced.is_ok());
    let content = bench.store.claim(vec![device(2)]).await.unwrap().remove(0).bundle.signed_prekey;
    assert_eq!(content.0.as_slice(), [2; 32]);
    let nobody = bench.store.publish(device(9), items(0, 1..=1)).await;
    assert_eq!(nobody, Err(Error::Refused(ErrorCode::UnknownDevice)));
}

async fn many_claims_at_once_share_nothing(bench: Bench) {
    add(&bench, "bob", 2).await;
    let upload = [items(0, 1..=100), items(1, 1..=1), items(3, 1..=1)].concat();
    bench.store.publish(device(2), upload).await.unwrap();
    let claims: Vec<_> = (0..120)
        .map(|_| {
            let store = bench.store.clone();
            tokio::spawn(async move { store.claim(vec![device(2)]).await.unwrap().remove(0) })
        })
        .collect();
    let mut ids = Vec::new();
    for claim in claims {
        ids.extend(claim.await.unwrap().bundle.one_time_prekey.map(|key| key.id));
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
}

fn family(account: AccountId, id: u8, refresh: u8, expires: u64) -> NewFamily {
    let (family, refresh) = (FamilyId([id; 16]), RefreshHash([refresh; 32]));
    NewFamily { family, account, device: device(1), proven: None, refresh, expires }
}

async fn refresh_tokens_rotate_and_reuse_ends_the_family(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    let id = FamilyId([1; 16]);
    bench.store.begin(family(alice, 1, 1, 100)).await.unwrap();
    let rotate = async |shown, new, now, expires| {
        bench.store.rotate(RefreshHash([shown; 32]), RefreshHash([new; 32]), now, expires).await.unwrap()
    };
    assert_eq!(rotate(9, 8, 1, 200).await, Rotation::Unknown);
    let rotated = |family| Rotation::Rotated { account: alice, device: device(1), family };
    assert_eq!(rotate(1, 2, 1, 200).await, rotated(id));
    assert_eq!(rotate(2, 3, 1, 200).await, rotated(id));
    assert_eq!(bench.store.is_revoked(id).await, Ok(false));
    assert_eq!(rotate(1, 4, 2, 200).await, Rotation::Reused(id), "its successor was used");
    assert_eq!(bench.store.is_revoked(id).await, Ok(true));
    assert_eq!(rotate(3, 5, 2, 200).await, Rotation::Revoked);

    bench.store.begin(family(alice, 2, 21, 100)).await.unwrap();
    assert_eq!(rotate(21, 22, 100, 300).await, Rotation::Expired);
    bench.store.revoke(FamilyId([2; 16]), 1).await.unwrap();
    assert_eq!(bench.store.is_revoked(FamilyId([2; 16])).await, Ok(true));
    assert_eq!(rotate(21, 22, 1, 300).await, Rotation::Revoked);
}

async fn a_refresh_token_whose_answer_was_lost_is_taken_again(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    let rotate = async |shown, new, now| {
        bench.store.rotate(RefreshHash([shown; 32]), RefreshHash([new; 32]), now, 1_000_000).await.unwrap()
    };
    let repeated = |id| Rotation::Repeated { account: alice, device: device(1), family: FamilyId([id; 16]) };
    let grace = REFRESH_GRACE_SECONDS * 1000;

    // The new token of the last answer is the good one, and the chain goes on from there.
    bench.store.begin(family(alice, 1, 1, 100)).await.unwrap();
    assert!(matches!(rotate(1, 2, 10).await, Rotation::Rotated { .. }));
    assert_eq!(rotate(1, 3, 20).await, repeated(1));
    assert_eq!(rotate(1, 4, 10 + grace - 1).await, repeated(1));
    assert!(matches!(rotate(4, 5, grace).await, Rotation::Rotated { .. }));
    assert_eq!(rotate(4, 6, grace + 1).await, repeated(1));
    assert!(matches!(rotate(6, 7, grace + 2).await, Rotation::Rotated { .. }));
    assert_eq!(rotate(4, 8, grace + 3).await, Rotation::Reused(FamilyId([1; 16])), "its successor was used");

    // The token of an answer that was replaced counts as exchanged.
    bench.store.begin(family(alice, 2, 21, 100)).await.unwrap();
    rotate(21, 22, 10).await;
    assert_eq!(rotate(21, 23, 20).await, repeated(2));
    assert_eq!(rotate(22, 24, 30).await, Rotation::Reused(FamilyId([2; 16])));
    assert_eq!(rotate(23, 25, 30).await, Rotation::Revoked);

    // The time runs from the first exchange, whatever was shown since.
    bench.store.begin(family(alice, 3, 31, 100)).await.unwrap();
    rotate(31, 32, 10).await;
    assert_eq!(rotate(31, 33, 9 + grace).await, repeated(3));
    assert_eq!(rotate(31, 34, 10 + grace).await, Rotation::Reused(FamilyId([3; 16])));
    assert_eq!(bench.store.is_revoked(FamilyId([3; 16])).await, Ok(true));
}

async fn of_many_rotations_of_one_token_at_once_one_token_is_good(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    bench.store.begin(family(alice, 1, 1, 100)).await.unwrap();
    let tries: Vec<_> = (10..30)
        .map(|new| {
            let store = bench.store.clone();
            tokio::spawn(
                async move { store.rotate(RefreshHash([1; 32]), RefreshHash([new; 32]), 1, 200).await.unwrap() },
            )
        })
        .collect();
    let mut rotated = 0;
    for one in tries {
        match one.await.unwrap() {
            Rotation::Rotated { .. } => rotated += 1,
            other => assert!(matches!(other, Rotation::Repeated { .. }), "{other:?}"),
        }
    }
    assert_eq!(rotated, 1);
    // All but the last are dead: whoever shows one of those ends the family.
    let mut good = 0;
    for new in 10..30 {
        let shown = bench.store.rotate(RefreshHash([new; 32]), RefreshHash([new + 100; 32]), 2, 200).await.unwrap();
        good += usize::from(matches!(shown, Rotation::Rotated { .. }));
    }
    assert!(good <= 1);
    assert_eq!(bench.store.is_revoked(FamilyId([1; 16])).await, Ok(true));
}

async fn families_are_forgotten_when_they_are_over(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    bench.store.begin(family(alice, 1, 1, 100)).await.unwrap();
    bench.store.begin(family(alice, 2, 2, 300)).await.unwrap();
    bench.store.revoke(FamilyId([1; 16]), 1).await.unwrap();
    assert_eq!(Sessions::expire(&*bench.store, 99, 10).await, Ok(0));
    assert_eq!(Sessions::expire(&*bench.store, 100, 10).await, Ok(1));
    let shown = bench.store.rotate(RefreshHash([1; 32]), RefreshHash([8; 32]), 1, 200).await;
    assert_eq!(shown, Ok(Rotation::Unknown));
    let other = bench.store.rotate(RefreshHash([2; 32]), RefreshHash([9; 32]), 1, 200).await;
    assert!(matches!(other, Ok(Rotation::Rotated { .. })));
    // That it was ended is known for as long as an access token of it could be shown.
    Sessions::expire(&*bench.store, 1 + (ACCESS_SECONDS + 1) * 1000, 10).await.unwrap();
    assert_eq!(bench.store.is_revoked(FamilyId([1; 16])).await, Ok(false));
}

#[tokio::test]
async fn a_full_database_still_forgets_in_the_same_commit_that_it_refuses() {
    let (heard, dir) = (Arc::new(Heard::default()), tempfile::tempdir().unwrap());
    let options = Options {
        path: dir.path().join("relay.db"),
        mailbox: MailboxBounds::of_messages(1_000),
        size_max: Some(300 * 1024),
    };
    let store = Arc::new(SqliteStore::open(&options, heard.clone()).await.unwrap());
    let bench = Bench { store, heard, _keeps: Keeps::Directory { _dir: dir } };
    talkers(&bench).await;
    let large = |n| {
        let mut large = message(n, &[2]);
        large.deposits[0].1 = Bytes::from(vec![1; 20_000]);
        large
    };
    let mut n = 0;
    loop {
        n += 1;
        match bench.store.deposit(large(n)).await.unwrap().await {
            Ok(_) => assert!(n < 100, "the limit is reached"),
            Err(error) => break assert_eq!(error.code(), ErrorCode::StorageUnavailable),
        }
    }
    // While the writer is at work on one that is too much for any commit, a word to forget and another such
    // one come into the queue behind it.
    let huge = |n| {
        let mut huge = message(n, &[2]);
        huge.deposits[0].1 = Bytes::from(vec![1; 400 * 1024]);
        huge
    };
    let first = bench.store.deposit(huge(n)).await.unwrap();
    bench.store.acknowledge(device(2), 1_000);
    let second = bench.store.deposit(huge(n + 1)).await.unwrap();
    for receipt in [first, second] {
        assert_eq!(receipt.await.map_err(|error| error.code()), Err(ErrorCode::StorageUnavailable));
    }
    assert_eq!(read(&bench, 0).await, [0; 0], "what was acknowledged is gone all the same");
    assert!(matches!(deposit(&bench, large(n)).await, Deposited::Stored { .. }));
    assert_eq!(read(&bench, 0).await, [n], "the position of what was refused was not spent");
}

/// Something that happens to a store.
#[derive(Debug, Clone)]
enum Step {
    /// Message number, contents, recipients.
    Deposit(u64, u8, Vec<u8>),
    /// One with a large ciphertext: message number, bytes.
    Large(u64, usize),
    /// Several at once, so that they may share a commit.
    Burst(Vec<(u64, u8)>),
    Acknowledge(u64),
    Expire(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let recipients = proptest::sample::select(vec![vec![2], vec![3], vec![2, 3], vec![2, 9]]);
    prop_oneof![
        4 => (0..12_u64, 0..2_u8, recipients).prop_map(|(n, content, to)| Step::Deposit(n, content, to)),
        3 => (12..40_u64, 60..300_usize).prop_map(|(n, size)| Step::Large(n, size)),
        2 => proptest::collection::vec((0..12_u64, 0..2_u8), 1..6).prop_map(Step::Burst),
        3 => (0..10_u64).prop_map(Step::Acknowledge),
        1 => (0..3_000_u64).prop_map(Step::Expire),
    ]
}

fn of_content(n: u64, content: u8, to: &[u8]) -> NewMessage {
    let expires_at = n.is_multiple_of(3).then_some(2_000 + n);
    NewMessage { content: [content; 32], expires_at, ..message(n, to) }
}

/// What can be seen of a store after a step.
async fn take(bench: &Bench, step: &Step) -> (Vec<Deposited>, Vec<Waiting>, Option<MailboxState>) {
    let mut outcomes = Vec::new();
    match step {
        Step::Deposit(n, content, to) => outcomes.push(deposit(bench, of_content(*n, *content, to)).await),
        Step::Large(n, size) => {
            let mut large = of_content(*n, 2, &[2]);
            large.deposits[0].1 = Bytes::from(vec![1; *size]);
            outcomes.push(deposit(bench, large).await);
        }
        Step::Burst(burst) => {
            let mut receipts = Vec::new();
            for (n, content) in burst {
                receipts.push(bench.store.deposit(of_content(*n, *content, &[2])).await.unwrap());
            }
            for receipt in receipts {
                outcomes.push(receipt.await.unwrap());
            }
        }
        Step::Acknowledge(cursor) => acknowledge(bench, *cursor).await,
        Step::Expire(now) => {
            Mailboxes::expire(&*bench.store, *now, 100).await.unwrap();
        }
    }
    let waiting = bench.store.read(device(2), 0, 1_000, 1 << 20).await.unwrap();
    (outcomes, waiting, Mailboxes::state(&*bench.store, device(2)).await.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_stores_do_the_same_whatever_happens(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (one, others) = (memory().await, [sqlite().await, postgres().await]);
            for bench in others.iter().chain([&one]) {
                talkers(bench).await;
                add(bench, "carol", 3).await;
            }
            for step in &steps {
                let expected = take(&one, step).await;
                for other in &others {
                    assert_eq!(expected, take(other, step).await, "{step:?}");
                }
            }
            for other in &others {
                assert_eq!(*one.heard.0.lock().unwrap(), *other.heard.0.lock().unwrap());
            }
        });
    }
}

async fn disabling_ends_every_family_and_begins_none(bench: Bench) {
    let (alice, bob) = (add(&bench, "alice", 1).await.id, add(&bench, "bob", 2).await.id);
    for (account, id) in [(alice, 1), (alice, 2), (bob, 3)] {
        bench.store.begin(family(account, id, id, 1_000_000)).await.unwrap();
    }
    bench.store.revoke(FamilyId([2; 16]), 5).await.unwrap();
    assert_eq!(bench.store.disable(alice, 10).await.unwrap(), [FamilyId([1; 16])], "those that were not ended before");
    assert_eq!(bench.store.by_id(alice).await.unwrap().unwrap().disabled, Some(10));
    assert!(bench.store.disable(alice, 20).await.unwrap().is_empty());
    assert_eq!(bench.store.by_id(alice).await.unwrap().unwrap().disabled, Some(10), "since the first time");
    for (id, ended) in [(1, true), (2, true), (3, false)] {
        assert_eq!(bench.store.is_revoked(FamilyId([id; 16])).await.unwrap(), ended);
    }
    let refused = bench.store.begin(family(alice, 4, 4, 1_000_000)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::AccountDisabled);
    let nobody = new_account("nobody", 9).account.id;
    let refused = bench.store.begin(family(nobody, 4, 4, 1_000_000)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unauthenticated);
    bench.store.enable(alice).await.unwrap();
    assert_eq!(bench.store.by_id(alice).await.unwrap().unwrap().disabled, None);
    bench.store.begin(family(alice, 4, 4, 1_000_000)).await.unwrap();
    assert!(bench.store.is_revoked(FamilyId([1; 16])).await.unwrap(), "what ended stays ended");
    bench.store.set_role(alice, Role::Admin).await.unwrap();
    assert_eq!(bench.store.by_id(alice).await.unwrap().unwrap().role, Role::Admin);
    assert_eq!(bench.store.by_id(bob).await.unwrap().unwrap().role, Role::User);
    assert!(!bench.store.ended_elsewhere().await.unwrap().contains(&FamilyId([3; 16])), "nobody ended it");
    let figures = bench.store.figures().await.unwrap();
    assert_eq!((figures.accounts, figures.disabled), (2, 0));
    bench.store.disable(bob, 500).await.unwrap();
    assert_eq!(bench.store.figures().await.unwrap().disabled, 1);
}

fn announced(seed: u8, issued: u64, expires: u64) -> Announced {
    let key = SigningKey::from_bytes(&[1; 32]);
    let (id, text) = (AnnouncementId::from_bytes([seed; 16]), format!("{seed}"));
    let notice = Notice::sign(&key, &Announcement { id, issued, expires, text });
    Announced { id, issued, expires, notice }
}

async fn announcements_are_told_until_they_expire_the_newest_alone(bench: Bench) {
    let ids = async |now: u64, limit: u32| {
        let found = bench.store.announcements(now, limit).await.unwrap();
        found.into_iter().map(|one| one.issued).collect::<Vec<_>>()
    };
    assert!(ids(0, 8).await.is_empty());
    for (seed, issued, expires) in [(3, 30, 300), (1, 10, 100), (2, 20, 200)] {
        bench.store.announce(announced(seed, issued, expires)).await.unwrap();
    }
    assert_eq!(bench.store.announcements(0, 8).await.unwrap()[0], announced(1, 10, 100), "as it was signed");
    assert_eq!(ids(99, 8).await, [10, 20, 30]);
    assert_eq!(ids(99, 2).await, [20, 30]);
    assert_eq!(ids(100, 8).await, [20, 30]);
    assert_eq!(bench.store.forget_announcements(200).await.unwrap(), 2);
    assert_eq!(bench.store.forget_announcements(200).await.unwrap(), 0);
    assert_eq!(ids(0, 8).await, [30]);
}

fn invite(seed: u8, uses: u32) -> Invite {
    Invite { hash: InviteHash([seed; 32]), uses, used: 0, note: None, created: 1, expires: Some(100), revoked: None }
}

async fn an_invite_counts_registrations_that_succeed(bench: Bench) {
    bench.store.create_invite(invite(1, 2)).await.unwrap();
    let with =
        |name: &str, seed: u8, hash: u8| NewAccount { invite: Some(InviteHash([hash; 32])), ..new_account(name, seed) };
    let used = async || bench.store.invite(InviteHash([1; 32])).await.unwrap().unwrap().used;
    let refused = bench.store.register(with("alice", 1, 9)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidInvite);
    assert!(bench.store.by_name(&"alice".parse().unwrap()).await.unwrap().is_none());
    bench.store.register(with("alice", 1, 1)).await.unwrap();
    assert_eq!(used().await, 1);
    assert_eq!(bench.store.register(with("alice", 2, 1)).await.unwrap_err().code(), ErrorCode::NameTaken);
    assert_eq!(used().await, 1, "a refusal counts for nothing");
    bench.store.register(with("bob", 2, 1)).await.unwrap();
    assert_eq!(bench.store.register(with("carol", 3, 1)).await.unwrap_err().code(), ErrorCode::InvalidInvite);
    assert_eq!(used().await, 2);
}

async fn invites_are_listed_in_pages_and_taken_back(bench: Bench) {
    for seed in [3, 1, 2] {
        bench.store.create_invite(Invite { note: Some(format!("{seed}")), ..invite(seed, 1) }).await.unwrap();
    }
    let page = bench.store.invites(None, 2).await.unwrap();
    assert_eq!(page.iter().map(|invite| invite.hash.0[0]).collect::<Vec<_>>(), [1, 2]);
    let rest = bench.store.invites(Some(page[1].hash.id()), 2).await.unwrap();
    assert_eq!(rest, [Invite { note: Some("3".to_owned()), ..invite(3, 1) }]);
    assert!(bench.store.revoke_invite(rest[0].hash.id(), 7).await.unwrap());
    assert!(bench.store.revoke_invite(rest[0].hash.id(), 8).await.unwrap());
    let known = bench.store.invite(rest[0].hash).await.unwrap().unwrap();
    assert_eq!(known.revoked, Some(7), "since the first time");
    assert_eq!(bench.store.invite(InviteHash([2; 32])).await.unwrap().unwrap().revoked, None);
    assert!(!bench.store.revoke_invite(InviteHash([8; 32]).id(), 7).await.unwrap());
}

async fn another_password_ends_every_login_but_one(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    for id in 1..=3 {
        bench.store.begin(family(alice, id, id, 1_000_000)).await.unwrap();
    }
    let stretch =
        StretchParams { scheme: AUTH_SCHEME.to_owned(), salt: Fixed([9; 16]), memory_kib: 70_000, passes: 4, lanes: 2 };
    let verifier = Verifier { salt: [8; 16], hash: [7; 32] };
    let change =
        |proof, kept| NewPassword { account: alice, stretch: stretch.clone(), verifier: verifier.clone(), proof, kept };
    let stale = bench.store.set_password(change(Proof::Password([99; 16]), None), 5).await.unwrap_err();
    assert_eq!(stale.code(), ErrorCode::InvalidCredentials, "of two changes by the same password one is made");
    let right = bench.store.credentials(&"alice".parse().unwrap()).await.unwrap().unwrap().verifier.salt;
    let mut ended = bench.store.set_password(change(Proof::Password(right), Some(FamilyId([2; 16]))), 5).await.unwrap();
    ended.sort_unstable();
    assert_eq!(ended, [FamilyId([1; 16]), FamilyId([3; 16])]);
    assert_eq!(bench.store.is_revoked(FamilyId([2; 16])).await, Ok(false));
    let known = bench.store.credentials(&"alice".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((known.stretch, known.verifier.salt, known.verifier.hash), (stretch, [8; 16], [7; 32]));
    // A login that was checked against the old one a moment before does not slip through.
    let late = NewFamily { proven: Some([1; 16]), ..family(alice, 4, 4, 1_000_000) };
    assert_eq!(bench.store.begin(late).await.unwrap_err().code(), ErrorCode::InvalidCredentials);
    bench.store.begin(NewFamily { proven: Some([8; 16]), ..family(alice, 4, 4, 1_000_000) }).await.unwrap();
}

async fn a_recovery_key_is_replaced_taken_away_and_proves_what_it_is(bench: Bench) {
    let alice = add(&bench, "alice", 1).await.id;
    let name = "alice".parse().unwrap();
    let right = bench.store.credentials(&name).await.unwrap().unwrap().verifier.salt;
    let key = |n| Verifier { salt: [n; 16], hash: [n; 32] };
    let set = async |proven, verifier, now| bench.store.set_recovery(alice, proven, verifier, now).await;
    assert_eq!(bench.store.recovery(&name).await.unwrap(), None);
    assert_eq!(set([99; 16], Some(key(1)), 5).await.unwrap_err().code(), ErrorCode::InvalidCredentials);
    for n in 1..=2 {
        set(right, Some(key(n)), u64::from(n)).await.unwrap();
        assert_eq!(bench.store.recovery(&name).await.unwrap(), Some((alice, key(n))));
        assert_eq!(bench.store.recovery_set(alice).await.unwrap(), Some(u64::from(n)));
    }
    let change = |salt, by| NewPassword {
        account: alice,
        stretch: new_account("alice", 1).stretch,
        verifier: key(by),
        proof: Proof::Recovery([salt; 16]),
        kept: None,
    };
    bench.store.begin(family(alice, 1, 1, 1_000_000)).await.unwrap();
    let former = bench.store.set_password(change(1, 7), 5).await.unwrap_err();
    assert_eq!(former.code(), ErrorCode::InvalidCredentials, "a key that was replaced a moment ago");
    bench.store.disable(alice, 5).await.unwrap();
    let disabled = bench.store.set_password(change(2, 7), 5).await.unwrap_err();
    assert_eq!(disabled.code(), ErrorCode::AccountDisabled);
    assert_eq!(bench.store.credentials(&name).await.unwrap().unwrap().verifier.salt, right, "nothing has changed");
    bench.store.enable(alice).await.unwrap();
    bench.store.begin(family(alice, 2, 2, 1_000_000)).await.unwrap();
    assert_eq!(bench.store.set_password(change(2, 7), 6).await.unwrap(), [FamilyId([2; 16])]);
    assert_eq!(bench.store.credentials(&name).await.unwrap().unwrap().verifier.salt, [7; 16]);
    assert_eq!(bench.store.recovery_set(alice).await.unwrap(), Some(2), "it stays good");
    set([7; 16], None, 8).await.unwrap();
    assert_eq!((bench.store.recovery(&name).await.unwrap(), bench.store.recovery_set(alice).await), (None, Ok(None)));
    // It goes with the account.
    set([7; 16], Some(key(3)), 9).await.unwrap();
    bench.store.erase(alice, None, 10).await.unwrap();
    assert_eq!(bench.store.recovery_set(alice).await.unwrap(), None);
}

async fn an_erased_account_leaves_nothing(bench: Bench) {
    let (alice, bob, chat) = talkers(&bench).await;
    bench.store.begin(family(alice, 1, 1, 1_000_000)).await.unwrap();
    let store = async |message: NewMessage| bench.store.deposit(message).await.unwrap().await.unwrap();
    let back = |n: u64| NewMessage { sender: bob, sender_device: device(2), ..message(n, &[1]) };
    for n in 1..=2 {
        assert!(matches!(store(message(n, &[2])).await, Deposited::Stored { .. }));
        assert!(matches!(store(back(n)).await, Deposited::Stored { .. }));
    }
    assert_eq!(bench.store.to_erase().await.unwrap(), []);
    assert_eq!(bench.store.ask_to_erase(alice, 3).await.unwrap(), [FamilyId([1; 16])]);
    assert_eq!(bench.store.to_erase().await.unwrap(), [alice]);
    assert!(bench.store.by_id(alice).await.unwrap().unwrap().disabled.is_some());
    // A password that was replaced between the look at it and this opens nothing.
    let right = bench.store.credentials(&"alice".parse().unwrap()).await.unwrap().unwrap().verifier.salt;
    for proof in [Proof::Password([99; 16]), Proof::Recovery(right)] {
        let stale = bench.store.erase(alice, Some(proof), 4).await.unwrap_err();
        assert_eq!(stale.code(), ErrorCode::InvalidCredentials);
    }
    assert!(bench.store.by_id(alice).await.unwrap().is_some());
    assert!(bench.store.roster(chat).await.unwrap().is_some());
    bench.store.erase(alice, Some(Proof::Password(right)), 4).await.unwrap();
    assert_eq!(bench.store.to_erase().await.unwrap(), []);
    assert!(bench.store.is_revoked(FamilyId([1; 16])).await.unwrap(), "its tokens are still about");
    assert!(bench.store.by_id(alice).await.unwrap().is_none());
    assert!(bench.store.device(device(1)).await.unwrap().is_none());
    assert!(bench.store.list(alice).await.unwrap().is_none());
    assert_eq!(Mailboxes::state(&*bench.store, device(1)).await.unwrap(), None);
    assert!(bench.store.chat(chat).await.unwrap().is_none());
    assert!(bench.store.of_account(bob, None, 9).await.unwrap().is_empty());
    assert!(bench.store.read(device(2), 0, 9, 9_999).await.unwrap().is_empty(), "also what it has sent");
    assert_eq!(Mailboxes::state(&*bench.store, device(2)).await.unwrap(), Some(MailboxState { head: 2, waiting: 0 }));
    assert!(!matches!(store(back(3)).await, Deposited::Stored { .. }), "nor does anybody deposit for it");
    assert!(bench.store.erase(alice, None, 5).await.unwrap().is_empty(), "twice is once");
    let nobody = bench.store.erase(alice, Some(Proof::Password(right)), 5).await.unwrap_err();
    assert_eq!(nobody.code(), ErrorCode::Unauthenticated);
    // The same name, device and account again, as if for the first time.
    let again = add(&bench, "alice", 1).await.id;
    bench.store.open_direct(chat, [again, bob], 9).await.unwrap();
    assert!(matches!(store(message(5, &[2])).await, Deposited::Stored { .. }));
    assert_eq!(Mailboxes::state(&*bench.store, device(2)).await.unwrap(), Some(MailboxState { head: 3, waiting: 1 }));
}

/// The list of `account` behind `known`, with the devices of these seeds.
fn later(account: u8, known: &DeviceList, devices: &[u8]) -> DeviceList {
    let key = SigningKey::from_bytes(&[account; 32]);
    let certificates = devices.iter().map(|seed| {
        let body = CertificateBody {
            device: device(*seed),
            ..new_account("alice", account).list.certificates()[0].body().clone()
        };
        DeviceCertificate::issue(&key, body)
    });
    DeviceList::issue(&key, Some(known), 2, certificates.collect())
}

async fn a_list_is_followed_by_its_successor_and_a_removed_device_loses_all(bench: Bench) {
    let (alice, bob, chat) = talkers(&bench).await;
    let first = new_account("alice", 1).list;
    let two = later(1, &first, &[1, 11]);
    let (fork, three) = (later(1, &first, &[1, 12]), later(1, &two, &[11]));
    let invalid = async |list: DeviceList| bench.store.change_list(list, 9).await.unwrap_err().code();
    assert_eq!(invalid(three.clone()).await, ErrorCode::InvalidDeviceList);
    assert_eq!(bench.store.change_list(two.clone(), 9).await.unwrap(), []);
    assert_eq!(invalid(fork).await, ErrorCode::InvalidDeviceList);
    assert_eq!(invalid(later(1, &two, &[1, 11, 2])).await, ErrorCode::InvalidDeviceList, "a device of somebody else");
    let roster = bench.store.roster(chat).await.unwrap().unwrap();
    let of_alice = roster.members.iter().find(|member| member.account == alice).unwrap();
    assert_eq!((of_alice.list_version, of_alice.devices.len()), (2, 2));
    let mut audience = bench.store.audience(bob).await.unwrap();
    audience.sort_unstable();
    assert_eq!(audience, [device(1), device(2), device(11)]);

    bench.store.begin(family(alice, 1, 1, 1_000_000)).await.unwrap();
    bench.store.begin(NewFamily { device: device(11), ..family(alice, 2, 2, 1_000_000) }).await.unwrap();
    let store = async |message: NewMessage| bench.store.deposit(message).await.unwrap().await.unwrap();
    assert!(matches!(store(message(1, &[2])).await, Deposited::Stored { .. }));
    assert_eq!(bench.store.change_list(three.clone(), 9).await.unwrap(), [FamilyId([1; 16])]);
    assert!(bench.store.is_revoked(FamilyId([1; 16])).await.unwrap());
    assert!(!bench.store.is_revoked(FamilyId([2; 16])).await.unwrap());
    assert_eq!(bench.store.begin(family(alice, 3, 3, 9)).await.unwrap_err().code(), ErrorCode::UnknownDevice);
    assert!(bench.store.device(device(1)).await.unwrap().is_none());
    assert_eq!(Mailboxes::state(&*bench.store, device(1)).await.unwrap(), None);
    let shown = bench.store.list(alice).await.unwrap().unwrap().list;
    assert_eq!(shown, susurro_protocol::rest::SignedText::of(three.signed()));
    assert_eq!(bench.store.read(device(2), 0, 9, 9_999).await.unwrap().len(), 1, "what it has sent still comes");
    assert_eq!(invalid(later(1, &three, &[1, 11])).await, ErrorCode::InvalidDeviceList, "and it does not come back");
}
