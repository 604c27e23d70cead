//! The facade: one handle for a face, whatever it is.

mod account;
mod attachments;
mod devices;
pub(crate) mod failures;
mod filenames;
mod reading;
mod registration;
mod waiting;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rand_core::Rng as _;
use susurro_protocol::{AccountId, AccountName, ErrorCode, MessageId};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::crypto::{AccountKey, UnwrapError, safety_number, unwrap_database_key};
use crate::driver::{self, Driver, Job, Shown};
use crate::error::Error;
use crate::model::{ClientEvent, Connection, Delivery, MessageContent};
use crate::profile::{Me, RegistrationPolicy, SafetyInfo, fingerprint};
use crate::secret::Secret;
use crate::store::spool::Spool;
use crate::store::{DatabaseKey, Directory, Registration, Store};
use crate::sync::{Command, Token};
use crate::transport::{Http, RelayUrl, TransportError};

/// Commands that wait for the driver; a face that is faster waits.
const JOBS: usize = 256;

/// A client of one account. Clones share it.
///
/// Everything that a method reports is durable. Nothing goes over the network before
/// [`go_online`](Self::go_online), registration, login and logout aside.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    http: Http,
    me: Me,
    account_key: [u8; 32],
    jobs: mpsc::Sender<Job>,
    online: watch::Sender<bool>,
    shown: Shown,
    /// One download at a time.
    saving: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.inner.me.name)
    }
}

impl Client {
    /// Makes an account with a new identity, and a profile that holds it.
    ///
    /// The profile is durable before the relay hears of it, so a crash or a lost answer loses
    /// nothing: registering again with the same name, password and passphrase goes on where it stopped.
    ///
    /// # Errors
    ///
    /// [`Error`]. Where the relay refused for sure, nothing is left behind.
    pub async fn register(
        profile: &Path,
        relay: &str,
        name: &str,
        password: Secret,
        passphrase: Secret,
    ) -> Result<Self, Error> {
        registration::register(profile, relay, name, None, password, passphrase).await
    }

    /// As [`register`](Self::register), on a relay whose registration is by invite.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInvite`] when it is none that is still good, and the others.
    pub async fn register_with_invite(
        profile: &Path,
        relay: &str,
        name: &str,
        invite: Secret,
        password: Secret,
        passphrase: Secret,
    ) -> Result<Self, Error> {
        registration::register(profile, relay, name, Some(invite), password, passphrase).await
    }

    /// Changes the password of the account, on a profile that is not open. Every other login of the account ends.
    ///
    /// # Errors
    ///
    /// [`Error::WeakPassword`], [`Error::WrongNameOrPassword`], and as [`login`](Self::login).
    pub async fn change_password(
        profile: &Path,
        password: Secret,
        new: Secret,
        passphrase: Secret,
    ) -> Result<(), Error> {
        account::change_password(profile, password, new, passphrase).await
    }

    /// Makes a recovery key, on a profile that is not open; the relay gets what it proves itself by, in the place of
    /// that of an earlier key. The words of it, to be shown once: nothing here or there holds them.
    ///
    /// # Errors
    ///
    /// [`Error::WrongNameOrPassword`], and as [`login`](Self::login). When no answer came it is not known whether
    /// an earlier key is still good.
    pub async fn make_recovery_key(profile: &Path, password: Secret, passphrase: Secret) -> Result<Secret, Error> {
        account::set_recovery(profile, password, passphrase, true).await?.ok_or(Error::Closed)
    }

    /// Takes the recovery key of the account away, on a profile that is not open.
    ///
    /// # Errors
    ///
    /// As [`make_recovery_key`](Self::make_recovery_key).
    pub async fn remove_recovery_key(profile: &Path, password: Secret, passphrase: Secret) -> Result<(), Error> {
        account::set_recovery(profile, password, passphrase, false).await.map(drop)
    }

    /// Sets another password with the words of the recovery key, on a profile that is not open, and logs this device
    /// in. Every other login of the account ends. Gives no profile back that is lost: the keys of the account are only there.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecoveryWords`], [`Error::WeakPassword`], [`Error::WrongRecoveryKey`], [`Error::NoProfile`],
    /// and as [`login`](Self::login).
    pub async fn recover(profile: &Path, words: Secret, new: Secret, passphrase: Secret) -> Result<(), Error> {
        account::recover(profile, &words, new, passphrase).await
    }

    /// Deletes the account at the relay, with everything that the relay has of it, on a profile that is not open. What
    /// is in the profile can still be read, unless it is removed as well.
    ///
    /// # Errors
    ///
    /// [`Error::WrongNameOrPassword`], and as [`login`](Self::login); then nothing was deleted.
    pub async fn delete_account(
        profile: &Path,
        password: Secret,
        passphrase: Secret,
        remove_profile: bool,
    ) -> Result<(), Error> {
        account::delete_account(profile, password, passphrase, remove_profile).await
    }

    /// Who may register on a relay.
    ///
    /// # Errors
    ///
    /// [`Error::BadRelayUrl`], [`Error::Unreachable`] and the like.
    pub async fn registration_policy(relay: &str) -> Result<RegistrationPolicy, Error> {
        registration::policy(relay).await
    }

    /// Logs a profile in again after logout.
    ///
    /// # Errors
    ///
    /// [`Error::NoProfile`] without a profile: a lost profile is a new device, which this version
    /// cannot add yet. [`Error::WrongNameOrPassword`], [`Error::UnknownDevice`],
    /// [`Error::RelayKeyChanged`] and the others.
    pub async fn login(
        profile: &Path,
        relay: &str,
        name: &str,
        password: Secret,
        passphrase: Secret,
    ) -> Result<Self, Error> {
        registration::login(profile, relay, name, password, passphrase).await
    }

    /// Opens a profile, offline, and takes its lock.
    ///
    /// # Errors
    ///
    /// [`Error::NoProfile`], [`Error::Unfinished`], [`Error::Locked`], [`Error::WrongPassphrase`],
    /// [`Error::Damaged`], [`Error::FromTheFuture`], [`Error::Io`].
    pub async fn open(profile: &Path, passphrase: Secret) -> Result<Self, Error> {
        let directory = Directory::acquire_existing(profile)?;
        let store = open_store(directory, passphrase).await?;
        if store.registration().await? != Registration::Done {
            let name = store.load().await?.name;
            return Err(Error::Unfinished(name));
        }
        Self::start(store).await
    }

    /// Whether there is a profile, finished or not.
    pub async fn exists(profile: &Path) -> bool {
        Directory::has_profile(profile)
    }

    /// Goes offline, stops, closes the store and frees the lock, for all clones.
    pub async fn close(self) {
        let (done, finished) = oneshot::channel();
        if self.inner.jobs.send(Job::Close(done)).await.is_ok() {
            // An error means that the driver has ended by itself.
            let _ = finished.await;
        }
        if let Err(error) = self.inner.store.close().await {
            tracing::error!(%error, "the store did not close well");
        }
    }

    /// Takes this device's tokens back at the relay and forgets them. Identity, contacts and
    /// messages stay: [`login`](Self::login) goes on with them.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] and the like: then nothing changed.
    pub async fn logout(&self) -> Result<(), Error> {
        if let Some(token) = self.token().await? {
            match self.inner.http.logout(&token).await {
                // Tokens that are not good any more are as good as taken back.
                Ok(())
                | Err(TransportError::Refused {
                    code: ErrorCode::Unauthenticated | ErrorCode::TokenExpired | ErrorCode::TokenRevoked,
                    ..
                }) => {}
                Err(error) => return Err(self.inner.at(error)),
            }
        }
        self.inner.online.send_replace(false);
        self.command(Command::LogOut).await
    }

    /// Who this is.
    #[must_use]
    pub fn me(&self) -> Me {
        self.inner.me.clone()
    }

    /// Connects and stays connected; when it waits for another try or was blocked, tries at once.
    pub fn go_online(&self) {
        // What an earlier try ended in says nothing of this one; the driver says what comes of it.
        self.inner.shown.connection.send_if_modified(|shown| {
            let stale = !matches!(shown, Connection::Connected | Connection::Connecting);
            if stale {
                *shown = Connection::Connecting;
            }
            stale
        });
        self.inner.online.send_replace(true);
    }

    /// Disconnects and stays so.
    pub fn go_offline(&self) {
        self.inner.online.send_replace(false);
    }

    /// Everything that happens from now on. A receiver that falls behind misses some
    /// (`Lagged`) and reads again what it shows.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<ClientEvent> {
        self.inner.shown.events.subscribe()
    }

    /// How things stand with the relay.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.inner.shown.connection.subscribe()
    }

    /// The contacts that are there, as the relay says; none while presence is off or there is no connection.
    #[must_use]
    pub fn present(&self) -> watch::Receiver<BTreeSet<AccountName>> {
        self.inner.shown.present.subscribe()
    }

    /// Queues a text; returns once it is durable in the outbox. The name need not be known yet.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`], [`Error::EmptyMessage`], [`Error::TooLong`], [`Error::Yourself`],
    /// [`Error::ContactKeyChanged`], and those of the store.
    pub async fn queue(&self, peer: &str, text: &str) -> Result<MessageId, Error> {
        let peer = peer.parse()?;
        let mut id = [0; 16];
        driver::rng().fill_bytes(&mut id);
        let message = MessageId::from_bytes(id);
        self.command(Command::Compose { peer, message, text: text.to_owned() }).await?;
        Ok(message)
    }

    /// Queues a message that failed once more.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMessage`], [`Error::NotFailed`], and as [`queue`](Self::queue).
    pub async fn retry(&self, message: MessageId) -> Result<(), Error> {
        let view = self.inner.store.message(message).await?.ok_or(Error::UnknownMessage)?;
        match (view.delivery, view.content) {
            (Delivery::Failed(_), MessageContent::Text(text)) => {
                self.command(Command::Retry { peer: view.peer, message, text }).await
            }
            (Delivery::Failed(_), MessageContent::Attachment(attachment)) => {
                self.command(Command::Attach { peer: view.peer, message, attachment: *attachment, again: true }).await
            }
            _ => Err(Error::NotFailed),
        }
    }

    /// Marks incoming messages up to a position as read and tells the sender.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] and those of the store.
    pub async fn mark_read(&self, peer: &str, up_to: i64) -> Result<(), Error> {
        let peer: AccountName = peer.parse()?;
        let messages = self.inner.store.unread(&peer, up_to).await?;
        if messages.is_empty() { Ok(()) } else { self.command(Command::MarkRead { peer, messages }).await }
    }

    /// The number that two people compare. While a changed key waits for a decision it is that of
    /// the offered key, the one to decide about.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPeer`] for nobody that this profile knows, and those of the store.
    pub async fn safety_number(&self, peer: &str) -> Result<SafetyInfo, Error> {
        let theirs: AccountName = peer.parse()?;
        let contact = self.inner.store.contact(&theirs).await?.ok_or_else(|| Error::UnknownPeer(peer.to_owned()))?;
        let key = contact.offered_key.unwrap_or(contact.account_key);
        let number =
            safety_number((self.inner.me.account, self.inner.account_key), (AccountId::of_account_key(&key), key));
        Ok(SafetyInfo {
            ours: self.inner.me.name.clone(),
            theirs,
            groups: number.groups().map(str::to_owned).collect(),
            qr: number.qr_payload(),
            trust: contact.trust,
        })
    }

    /// The safety number was compared and is right.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPeer`], [`Error::ContactKeyChanged`] while a changed key waits to be
    /// accepted, and those of the store.
    pub async fn set_verified(&self, peer: &str) -> Result<(), Error> {
        self.command(Command::SetVerified(peer.parse()?)).await
    }

    /// Goes on with the changed key of a contact, unverified.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPeer`] and those of the store.
    pub async fn accept_key(&self, peer: &str) -> Result<(), Error> {
        self.command(Command::AcceptKey(peer.parse()?)).await
    }

    /// Somebody types for this person, or has taken away what was typed. A face may say so at
    /// every key: it is told at most every few seconds, to a connected contact whose key is
    /// believed, and not at all where it is switched off.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] and [`Error::Closed`].
    pub async fn typing(&self, peer: &str, typing: bool) -> Result<(), Error> {
        self.command(Command::Typing { peer: peer.parse()?, typing }).await
    }

    /// Whether typing is told to others, and theirs shown. On unless it was switched off.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn typing_notices(&self) -> Result<bool, Error> {
        Ok(self.inner.store.typing_notices().await?)
    }

    /// Switches telling and showing of typing on or off, both together.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn set_typing_notices(&self, enabled: bool) -> Result<(), Error> {
        self.command(Command::SetTypingNotices(enabled)).await
    }

    /// Whether contacts are shown when this account is connected, and it when they are. Off unless it was switched on.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn presence(&self) -> Result<bool, Error> {
        Ok(self.inner.store.presence().await?)
    }

    /// Switches both on or off. The relay is told at once when there is a connection, and with each that comes.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn set_presence(&self, enabled: bool) -> Result<(), Error> {
        self.command(Command::SetPresence(enabled)).await
    }

    async fn command(&self, command: Command) -> Result<(), Error> {
        let (reply, outcome) = oneshot::channel();
        self.inner.jobs.send(Job::Command(command, reply)).await.map_err(|_| Error::Closed)?;
        Ok(outcome.await.map_err(|_| Error::Closed)??)
    }

    /// An access token that is still good, refreshed through the engine where there is need.
    async fn fresh_token(&self) -> Result<Token, Error> {
        const MARGIN: u64 = 10_000;
        let tokens = self.inner.store.tokens().await?.ok_or(Error::LoggedOut)?;
        if tokens.access_expires > driver::now() + MARGIN {
            return Ok(Token(tokens.access));
        }
        self.wait_until_connected().await?;
        self.token().await?.ok_or(Error::LoggedOut)
    }

    async fn token(&self) -> Result<Option<Token>, Error> {
        Ok(self.inner.store.tokens().await?.map(|tokens| Token(tokens.access)))
    }

    /// Starts the driver of an open, registered store.
    async fn start(store: Store) -> Result<Self, Error> {
        let snapshot = store.load().await?;
        let account_key = AccountKey::from_bytes(&snapshot.account_key).public();
        // The address was checked when it was stored; the environment may say otherwise now.
        let url = RelayUrl::parse(&snapshot.relay.url)?;
        let http = Http::new(url).map_err(|error| Error::Io(error.to_string()))?;
        let me = Me {
            name: snapshot.name,
            account: AccountId::of_account_key(&account_key),
            relay_url: snapshot.relay.url,
            relay_fingerprint: fingerprint(&snapshot.relay.key),
        };
        let store = Arc::new(store);
        if let Err(error) = Spool::of(store.path()).tidy(&store).await {
            tracing::warn!(%error, "what attachments left behind was not looked through");
        }
        let shown = Shown::new();
        let (jobs, queue) = mpsc::channel(JOBS);
        let (online, wanted) = watch::channel(false);
        let driver = Driver::new(store.clone(), http.clone(), shown.clone(), queue, wanted).await?;
        tokio::spawn(driver.run());
        let saving = tokio::sync::Mutex::default();
        let inner = Inner { store, http, me, account_key, jobs, online, shown, saving };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// Opens the store of a locked directory.
pub(crate) async fn open_store(directory: Directory, passphrase: Secret) -> Result<Store, Error> {
    let key = unlock(&directory, Arc::new(passphrase)).await?;
    Ok(Store::open(directory, &key).await?)
}

/// Unwraps the database key, which takes Argon2id's time on a thread of its own.
pub(crate) async fn unlock(directory: &Directory, passphrase: Arc<Secret>) -> Result<DatabaseKey, Error> {
    let wrapped = directory.read_key()?;
    let unwrap = move || unwrap_database_key(passphrase.expose(), &wrapped);
    match blocking(unwrap).await? {
        Ok(key) => Ok(DatabaseKey::new(key)),
        Err(UnwrapError::WrongPassphrase) => Err(Error::WrongPassphrase),
        Err(UnwrapError::Damaged) => Err(Error::Damaged { what: crate::store::KEY_FILE.to_owned() }),
    }
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    // It is neither aborted nor does it panic; at the end of the runtime it may be left aside.
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{LocalDevice, Prekeys};
    use crate::store::NewProfile;
    use crate::store::port::Relay;

    async fn client(path: &Path) -> Client {
        let mut rng = driver::rng();
        let account = AccountKey::generate(&mut rng);
        let device = LocalDevice::generate(&account, 1, &mut rng);
        let list = account.issue_list(None, 1, vec![device.certificate().clone()]);
        let new = NewProfile {
            name: "alice".parse().unwrap(),
            relay: Relay { url: "http://127.0.0.1:9".to_owned(), key: [7; 32] },
            account_key: account.to_bytes(),
            device: device.to_bytes(),
            prekeys: Prekeys::generate(&device, 1, &mut rng).to_bytes(),
            device_list: (account.account(), susurro_protocol::codec::encode(list.signed())),
        };
        let key = DatabaseKey::new(Zeroizing::new([1; 32]));
        let store = Store::create(Directory::acquire(path).unwrap(), &key, &new).await.unwrap();
        Client::start(store).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_told_loses_nothing_and_goes_on_when_there_is_room_again() {
        let directory = tempfile::tempdir().unwrap();
        let client = client(directory.path()).await;
        let kept = client.queue("bob", "kept").await.unwrap();
        let mut events = client.events();
        client.inner.store.limit_pages(Some(0)).await;
        let text = "x".repeat(30_000);
        let full = loop {
            // Free pages take the first ones.
            match client.queue("bob", &text).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(full, Error::Io("the disk is full".to_owned()));
        let before = client.timeline("bob", None, 1000).await.unwrap();
        let failed = loop {
            if let ClientEvent::StoreFailed(text) = events.recv().await.unwrap() {
                break text;
            }
        };
        assert!(failed.contains("free space"), "{failed}");
        client.queue("bob", &text).await.unwrap_err();
        assert_eq!(client.timeline("bob", None, 1000).await.unwrap(), before);
        assert_eq!(client.queued().await.unwrap(), before.len() as u64);
        assert_eq!(before[0].id, kept);

        client.inner.store.limit_pages(None).await;
        let after = client.queue("bob", &text).await.unwrap();
        let timeline = client.timeline("bob", None, 1000).await.unwrap();
        assert_eq!(timeline.last().map(|view| view.id), Some(after));
        assert_eq!(timeline.len(), before.len() + 1);
        assert!(timeline.windows(2).all(|pair| pair[0].position < pair[1].position));
    }

    #[tokio::test]
    async fn attack_24_a_client_and_its_store_show_no_key_in_debug() {
        let directory = tempfile::tempdir().unwrap();
        let client = client(directory.path()).await;
        assert_eq!(format!("{client:?}"), "Client(alice)");
        assert!(format!("{:?}", client.inner.store).starts_with("Store("));
    }
}
