//! The use cases. Both doors, HTTP and WebSocket, come in here; no rule lives in a door.

mod admin_token;
mod administration;
mod announcements;
mod authenticate;
mod blobs;
mod chats;
mod cluster;
mod connect;
mod devices;
mod fanout;
mod keys;
mod login;
mod mailbox;
mod own_account;
mod pace;
mod presence;
mod profile;
mod rates;
mod recovery;
mod refresh;
mod register;
mod send;
mod status;
mod upkeep;
mod whisper;

use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use susurro_protocol::DeviceId;
use susurro_protocol::limits::{CIPHERTEXT_MAX, WHISPERS_A_MINUTE};
use susurro_protocol::rest::RelayInfo;
use susurro_protocol::version::{MIN_VERSION, VERSION};

pub use administration::Office;
pub use cluster::Cluster;
pub use connect::{Opened, Resume};
pub use fanout::Fanout;
pub use presence::Presences;
pub use rates::SharedRates;
pub use status::Passed;

use self::pace::Paces;
use crate::domain::Error;
use crate::domain::blob::BLOB_QUOTA;
use crate::domain::invite::Registration;
use crate::domain::login::LoginKeys;
use crate::domain::rate::{Buckets, Pace, PerMinute};
use crate::ports::{
    Accounts, Administration, Announcements, BlobRecords, Blobs, Bus, Chats, Clock, Devices, Entropy, Invites,
    Mailboxes, Passwords, Prekeys, Reach, Sessions, Tokens,
};

/// The adapters that the use cases run on.
#[derive(Clone)]
pub struct Ports {
    /// Who has registered.
    pub accounts: Arc<dyn Accounts>,
    /// What those who run the relay do with them.
    pub administration: Arc<dyn Administration>,
    /// Who may register.
    pub invites: Arc<dyn Invites>,
    /// What the relay says to everybody.
    pub announcements: Arc<dyn Announcements>,
    /// Their devices.
    pub devices: Arc<dyn Devices>,
    /// Their prekeys.
    pub prekeys: Arc<dyn Prekeys>,
    /// Their chats.
    pub chats: Arc<dyn Chats>,
    /// What is known of their attachments.
    pub blob_records: Arc<dyn BlobRecords>,
    /// The bytes of those.
    pub blobs: Arc<dyn Blobs>,
    /// Their mailboxes.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// Their logins.
    pub sessions: Arc<dyn Sessions>,
    /// Their connections.
    pub bus: Arc<dyn Bus>,
    /// Access tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Password hashes.
    pub passwords: Arc<dyn Passwords>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What only this relay has.
pub struct RelayKeys {
    /// The long-term key that clients pin.
    pub signing: SigningKey,
    /// Login nonces and made-up salts.
    pub login: LoginKeys,
}

/// The relay: use cases over ports.
pub struct Relay {
    ports: Ports,
    keys: RelayKeys,
    turns: connect::Turns,
    blob_quota: u64,
    /// How often each device may whisper.
    whispers: Mutex<Buckets<DeviceId>>,
    registration: Registration,
    /// When this node was started.
    started: u64,
    /// How much each device may bring.
    paces: Paces,
    in_force: announcements::InForce,
    presences: Arc<Presences>,
}

/// Devices whose whispers are counted at a time.
const WHISPERERS_MAX: usize = 100_000;

impl Relay {
    /// The relay with these adapters and keys.
    #[must_use]
    pub fn new(ports: Ports, keys: RelayKeys) -> Self {
        let whispers = Mutex::new(Buckets::new(PerMinute(WHISPERS_A_MINUTE), WHISPERERS_MAX));
        let most = PerMinute(u32::MAX);
        let paces = Paces::new(Pace { messages: most, kib: most });
        let (turns, started) = (connect::Turns::default(), ports.clock.now());
        let (registration, blob_quota) = (Registration::Open, BLOB_QUOTA);
        Self {
            ports,
            keys,
            turns,
            whispers,
            registration,
            started,
            paces,
            blob_quota,
            in_force: announcements::InForce::default(),
            presences: Arc::new(Presences::alone()),
        }
    }

    /// The same relay with another rule for who may register.
    #[must_use]
    pub fn with_registration(self, registration: Registration) -> Self {
        Self { registration, ..self }
    }

    /// The same with a bound on what one device may bring.
    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { paces: Paces::new(pace), ..self }
    }

    /// Lets the attachments of an account take so many bytes at once.
    #[must_use]
    pub fn with_blob_quota(mut self, bytes: u64) -> Self {
        self.blob_quota = bytes;
        self
    }

    /// The same as one node of several.
    #[must_use]
    pub fn with_presences(self, presences: Arc<Presences>) -> Self {
        Self { presences, ..self }
    }

    /// What `GET /.well-known/susurro` says.
    #[must_use]
    pub fn info(&self) -> RelayInfo {
        RelayInfo {
            service: "susurro".to_owned(),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            min_version: MIN_VERSION,
            max_version: VERSION,
            relay_key: susurro_protocol::bytes::Fixed(self.keys.signing.verifying_key().to_bytes()),
            registration: self.registration.as_str().to_owned(),
            time: self.now(),
            ciphertext_max: u32::try_from(CIPHERTEXT_MAX).unwrap_or(u32::MAX),
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.ports.clock.now()
    }

    /// Whether the relay can do its work.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] while the store takes nothing.
    pub async fn ready(&self) -> Result<(), Error> {
        self.ports.mailboxes.ready().await
    }

    /// How this node and the others of the relay reach each other.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.ports.bus.reach()
    }

    /// How large the database is, in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] when the store does not say.
    pub async fn store_bytes(&self) -> Result<u64, Error> {
        self.ports.mailboxes.bytes().await
    }

    /// A number below `bound`, for spreading things out.
    #[must_use]
    pub fn spread(&self, bound: u32) -> u32 {
        let mut bytes = [0; 4];
        // Without randomness everybody gets the same number, which is worse but no danger.
        let _ = self.ports.entropy.fill(&mut bytes);
        u32::from_be_bytes(bytes) % bound.max(1)
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.ports.bus.connections()
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.ports.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
}
