//! Accounts for a measurement, written by the relay's own store before it starts: registering ten
//! thousand over HTTP would measure how slow its password hashes are, which is their purpose.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, ChatId, DeviceId};
use susurro_server::adapters::outbound::jwt::JwtTokens;
use susurro_server::adapters::outbound::postgres::{self, PostgresStore};
use susurro_server::adapters::outbound::secrets::Secrets;
use susurro_server::adapters::outbound::sqlite::{Options, SqliteStore};
use susurro_server::domain::account::{Account, NewAccount, Role, Verifier, parse_name};
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::domain::message::Waiting;
use susurro_server::domain::token::{Claims, FamilyId, NewFamily, RefreshHash};
use susurro_server::ports::{Accounts, Chats, Commits, Sessions, Tokens};
use zeroize::Zeroizing;

use crate::chance::Chance;
use crate::failed::Outcome;

/// Registrations at once: as many as the store's writer takes into one transaction.
const AT_ONCE: usize = 256;

/// How long tokens hold, in milliseconds: longer than any measurement.
const HOLDS: u64 = 3600 * 1000;

/// Somebody with one device and a token.
#[derive(Clone)]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
    /// What the device signs with.
    pub signing_key: SigningKey,
    /// An access token.
    pub token: String,
}

/// The people of a relay that has not started yet.
pub struct People {
    /// The key that they have pinned.
    pub relay_key: [u8; 32],
    /// Each with a chat with the neighbour: 0 with 1, 2 with 3.
    pub all: Vec<Person>,
}

/// Where the database of a relay in this directory is.
pub enum Storage {
    /// The file that the relay makes by itself.
    Sqlite,
    /// An empty PostgreSQL database.
    Postgres {
        /// Where it is, with its password.
        url: String,
    },
}

struct Nobody;

impl Commits for Nobody {
    fn committed(&self, _: Vec<Waiting>) {}
}

/// Makes the directory of a relay with that many people in it.
///
/// # Errors
///
/// When the store refuses.
pub async fn settle(directory: &Path, storage: &Storage, count: usize) -> Outcome<People> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700).create(directory)?;
    let secrets = Secrets::open(directory)?;
    let relay_key = SigningKey::from_bytes(&secrets.relay).verifying_key().to_bytes();
    let tokens = JwtTokens::new(&relay_key, &secrets.tokens)?;
    match storage {
        Storage::Sqlite => {
            let options = Options {
                path: directory.join("relay.db"),
                mailbox: MailboxBounds::of_messages(u64::MAX),
                size_max: None,
            };
            let store = SqliteStore::open(&options, Arc::new(Nobody)).await?;
            let all = fill(&store, &tokens, count).await;
            store.close().await;
            Ok(People { relay_key, all: all? })
        }
        Storage::Postgres { url } => {
            let url = Zeroizing::new(url.clone());
            let fingerprint = Some(secrets.fingerprint);
            let options = postgres::Options {
                url,
                password: None,
                fingerprint,
                connections: 8,
                mailbox: MailboxBounds::of_messages(u64::MAX),
            };
            let store = PostgresStore::open(&options, Arc::new(Nobody)).await?;
            let all = fill(&store, &tokens, count).await;
            store.close().await;
            Ok(People { relay_key, all: all? })
        }
    }
}

async fn fill<S: Accounts + Sessions + Chats>(store: &S, tokens: &JwtTokens, count: usize) -> Outcome<Vec<Person>> {
    let run = Chance::new().number();
    let people = stream::iter(0..count).map(|number| register(store, tokens, run, number)).buffered(AT_ONCE);
    let people: Vec<Person> = people.try_collect().await?;
    let chats = stream::iter(people.as_chunks::<2>().0).map(|[one, other]| async {
        let chat = ChatId::direct(&one.account, &other.account);
        store.open_direct(chat, [one.account, other.account], now()).await.map(|_| ())
    });
    chats.buffered(AT_ONCE).try_collect::<()>().await?;
    Ok(people)
}

async fn register<S: Accounts + Sessions>(store: &S, tokens: &JwtTokens, run: u64, number: usize) -> Outcome<Person> {
    let mut chance = Chance::new();
    let mut secret = || {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&chance.id());
        key[16..].copy_from_slice(&chance.id());
        key
    };
    let (account_key, signing_key) = (SigningKey::from_bytes(&secret()), SigningKey::from_bytes(&secret()));
    let public = account_key.verifying_key().to_bytes();
    let account = AccountId::of_account_key(&public);
    let device = DeviceId::from_bytes(Chance::new().id());
    let body = CertificateBody {
        suite: SUITE,
        account,
        account_key: Fixed(public),
        device,
        signing_key: Fixed(signing_key.verifying_key().to_bytes()),
        identity_key: Fixed(secret()),
        created: now() / 1000,
    };
    let certificate = DeviceCertificate::issue(&account_key, body);
    let list = DeviceList::issue(&account_key, None, now() / 1000, vec![certificate]);
    let new = NewAccount {
        account: Account {
            id: account,
            name: parse_name(&format!("bench-{run:x}-{number}"))?,
            display_name: None,
            role: Role::User,
            created: now(),
            disabled: None,
        },
        stretch: StretchParams {
            scheme: AUTH_SCHEME.to_owned(),
            salt: Fixed([1; 16]),
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        },
        // Nobody logs in with a password here.
        verifier: Verifier { salt: [2; 16], hash: [3; 32] },
        list,
        invite: None,
    };
    store.register(new).await?;
    let family = FamilyId(Chance::new().id());
    let refresh = RefreshHash(secret());
    store.begin(NewFamily { family, account, device, proven: None, refresh, expires: now() + HOLDS }).await?;
    let (issued, expires) = (now() / 1000, (now() + HOLDS) / 1000);
    let token = tokens.issue(&Claims { account, device, role: Role::User, family, issued, expires })?;
    Ok(Person { account, device, signing_key, token })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
