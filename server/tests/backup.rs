//! Backups of both databases, made beside writers and taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::handshake::RESTORATION;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, BlobId, ChatId, DeviceId, MessageId};
use susurro_server::adapters::outbound::directory::BlobDirectory;
use susurro_server::adapters::outbound::postgres::{self, PostgresStore};
use susurro_server::adapters::outbound::secrets::Secrets;
use susurro_server::adapters::outbound::sqlite::{self, SqliteStore};
use susurro_server::compose::backup::{BackupError, KeptBlobs, Wanted, backup, restore};
use susurro_server::config::Config;
use susurro_server::domain::account::{Account, NewAccount, Role, Verifier};
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::domain::message::{Deposited, NewMessage, Waiting};
use susurro_server::domain::prekey::Item;
use susurro_server::ports::{Accounts, Blobs as _, Commits, Mailboxes, Prekeys};
use xtask::services::Database;
use zeroize::Zeroizing;

const WHOLE: Wanted = Wanted { secrets: true, blobs: true };

struct Deaf;
impl Commits for Deaf {
    fn committed(&self, _: Vec<Waiting>) {}
}

trait Store: Accounts + Mailboxes + Prekeys {}
impl<T: Accounts + Mailboxes + Prekeys> Store for T {}

/// A database of either kind, and how to open and close it.
struct Bench {
    dir: tempfile::TempDir,
    database: Option<Database>,
    config: Config,
}

enum Open {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Open {
    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Postgres(store) => store.clone(),
        }
    }

    async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

impl Bench {
    fn new(on_server: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = on_server.then(|| xtask::services::database().unwrap());
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let config = Config { database: database.as_ref().map(Database::url), ..Config::new(data) };
        Self { dir, database, config }
    }

    async fn open(&self) -> Open {
        let secrets = Secrets::open(&self.config.data_dir).unwrap();
        match &self.database {
            None => {
                let path = self.config.data_dir.join("relay.db");
                let options = sqlite::Options { path, mailbox: MailboxBounds::default(), size_max: None };
                Open::Sqlite(Arc::new(SqliteStore::open(&options, Arc::new(Deaf)).await.unwrap()))
            }
            Some(database) => {
                let options = postgres::Options {
                    url: Zeroizing::new(database.url()),
                    password: None,
                    fingerprint: Some(secrets.fingerprint),
                    connections: 4,
                    mailbox: MailboxBounds::default(),
                };
                Open::Postgres(Arc::new(PostgresStore::open(&options, Arc::new(Deaf)).await.unwrap()))
            }
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

fn device(seed: u8) -> DeviceId {
    DeviceId::from_bytes([seed; 16])
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

fn message(n: u64) -> NewMessage {
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
        deposits: vec![(device(2), Bytes::from(vec![9; 300]))],
    }
}

async fn deposit(store: &dyn Store, n: u64) -> Deposited {
    store.deposit(message(n)).await.unwrap().await.unwrap()
}

async fn mailbox(store: &dyn Store) -> Vec<Waiting> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = store.read(device(2), after, 1_000, 1 << 24).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.seq;
        all.extend(page);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_sqlite_made_beside_a_writer_is_of_one_moment_and_goes_on_with_new_positions() {
    beside_a_writer(Bench::new(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_postgres_made_beside_a_writer_is_of_one_moment_and_goes_on_with_new_positions() {
    beside_a_writer(Bench::new(true)).await;
}

async fn beside_a_writer(bench: Bench) {
    let open = bench.open().await;
    let store = open.store();
    store.register(new_account("alice", 1)).await.unwrap();
    store.register(new_account("bob", 2)).await.unwrap();
    let items = |kind, ids: std::ops::RangeInclusive<u64>| ids.map(move |id| Item { kind, id, content: vec![7; 32] });
    let upload = items(0, 1..=5).chain(items(1, 1..=1)).chain(items(2, 1..=5)).chain(items(3, 1..=1)).collect();
    store.publish(device(2), upload).await.unwrap();
    for n in 0..50 {
        deposit(&*store, n).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, stop) = (open.store(), stop.clone());
        tokio::spawn(async move {
            let mut n = 50;
            while !stop.load(Ordering::Relaxed) {
                deposit(&*store, n).await;
                n += 1;
            }
            n
        })
    };
    let (kept, blobs) = (BlobId::from_bytes([0xab; 16]), bench.config.data_dir.join("blobs"));
    BlobDirectory::open(&blobs).unwrap().put(kept, 1, Bytes::from_static(b"encrypted")).await.unwrap();
    fs::write(blobs.join(format!("ab/{kept}/2.77-1")), "half of a chunk").unwrap();
    let to = bench.path("backup");
    let manifest = backup(&bench.config, &to, WHOLE).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    assert!(manifest.schema >= 2 && manifest.files.len() >= 4, "{manifest:?}");
    assert_eq!(mailbox(&*store).await.len() as u64, written, "the writer was not disturbed");
    let refused = backup(&bench.config, &to, WHOLE).await.err().unwrap();
    assert!(matches!(refused, BackupError::There { .. }), "{refused}");
    drop(store);

    // Not while the relay is running, and not over what is there, unless that is wanted. The lock of a
    // database in a file belongs to the relay as a whole: `conformance/tests/restored.rs` has one.
    if bench.database.is_some() {
        let refused = restore(&bench.config, &to, true).await.err().unwrap();
        assert!(refused.to_string().contains("relays are running"), "{refused}");
    }
    open.close().await;
    let refused = restore(&bench.config, &to, false).await.err().unwrap();
    assert!(refused.to_string().contains("--replace"), "{refused}");
    restore(&bench.config, &to, true).await.unwrap();

    let open = bench.open().await;
    let store = open.store();
    let found = mailbox(&*store).await;
    assert!(found.len() >= 50 && found.len() as u64 <= written);
    let state = Mailboxes::state(&*store, device(2)).await.unwrap().unwrap();
    assert_eq!((state.head, state.waiting), (RESTORATION + found.len() as u64, found.len() as u64), "of one moment");
    for (n, waiting) in found.iter().enumerate() {
        assert_eq!(waiting.seq, RESTORATION + n as u64 + 1);
        assert_eq!(waiting.message, message(n as u64).message);
    }
    assert!(matches!(deposit(&*store, 0).await, Deposited::Repeated { .. }), "ids are remembered");
    assert!(matches!(deposit(&*store, 1_000_000).await, Deposited::Stored { .. }));
    let last = mailbox(&*store).await.pop().unwrap();
    assert_eq!(last.seq, state.head + 1);
    let held = store.count(device(2)).await.unwrap();
    assert_eq!((held.one_time, held.pq_one_time), (0, 0), "they may have been given out since");
    let bundle = store.claim(vec![device(2)]).await.unwrap().remove(0).bundle;
    assert_eq!((bundle.one_time_prekey, bundle.pq_kind), (None, 3), "what is not given out once stays");
    store.register(new_account("carol", 3)).await.unwrap();
    assert!(Mailboxes::state(&*store, device(3)).await.unwrap().is_some(), "numbers go on behind those that are there");
    drop(store);
    open.close().await;

    // Onto an empty place, as after the loss of a machine; the secrets come with it.
    let other = Bench::new(bench.database.is_some());
    restore(&other.config, &to, false).await.unwrap();
    let open = other.open().await;
    assert_eq!(mailbox(&*open.store()).await.len(), found.len());
    open.close().await;
    let blobs = BlobDirectory::open(other.config.data_dir.join("blobs")).unwrap();
    assert_eq!(manifest.blobs, KeptBlobs::Included);
    assert_eq!(blobs.get(kept, 1).await.unwrap(), "encrypted");
    assert!(!manifest.files.iter().any(|file| file.name.contains("2.77")), "nothing that is being written");
    let key = |bench: &Bench| fs::read(bench.config.data_dir.join("relay.key")).unwrap();
    assert_eq!(key(&other), key(&bench));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_has_changed_lost_a_file_or_is_of_the_other_kind_is_refused() {
    let (one, other) = (Bench::new(false), Bench::new(true));
    for bench in [&one, &other] {
        bench.open().await.close().await;
        let manifest =
            backup(&bench.config, &bench.path("backup"), Wanted { secrets: false, blobs: false }).await.unwrap();
        assert!(
            !manifest.files.iter().any(|file| file.name.starts_with("secrets")),
            "secrets only when they are wanted"
        );
    }
    let refused = restore(&one.config, &other.path("backup"), true).await.err().unwrap();
    assert!(matches!(refused, BackupError::OtherKind(_)), "{refused}");
    let copy = |name: &str| {
        let to = one.path(name);
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(one.path("backup")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        to
    };
    let (changed, lost, more, none) = (copy("changed"), copy("lost"), copy("more"), copy("none"));
    let mut bytes = fs::read(changed.join("relay.db")).unwrap();
    bytes[5_000] ^= 1;
    fs::write(changed.join("relay.db"), bytes).unwrap();
    fs::remove_file(lost.join("relay.db")).unwrap();
    fs::write(more.join("more"), b"x").unwrap();
    fs::remove_file(none.join("manifest.json")).unwrap();
    let before = fs::read(one.config.data_dir.join("relay.db")).unwrap();
    for damaged in [changed, lost, more, none, Path::new("/nonexistent").to_owned()] {
        let refused = restore(&one.config, &damaged, true).await.err().unwrap();
        assert!(matches!(refused, BackupError::Damaged { .. }), "{refused}");
    }
    assert_eq!(fs::read(one.config.data_dir.join("relay.db")).unwrap(), before);
}
