//! Registration and login.
//!
//! A new profile is durable, under a mark, before the relay hears of it. The mark says how far it
//! came: `Made`, `Sent` (the relay may have taken it), `Done`. After a crash or a lost answer the
//! same call goes on: it sends the same identity again, and where the relay says that the name is
//! taken, it logs in, which succeeds only if it was this device that took it.

use std::path::Path;
use std::sync::Arc;

use susurro_protocol::bytes::Fixed;
use susurro_protocol::limits::{ACCESS_SECONDS, PASSWORD_MIN};
use susurro_protocol::rest::{LoginRequest, RegisterRequest, RelayInfo, SignedText, TokenResponse, login_proof};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{AccountName, ErrorCode};
use zeroize::Zeroizing;

use super::failures::at;
use super::{Client, blocking, open_store, unlock};
use crate::crypto::{
    AccountKey, LocalDevice, Prekeys, StretchCost, StretchedPassword, new_database_key, new_params, stretch_password,
    wrap_database_key,
};
use crate::driver::{now, rng};
use crate::error::Error;
use crate::profile::{RegistrationPolicy, fingerprint};
use crate::secret::Secret;
use crate::store::port::{Mutation, Relay, Snapshot, Tokens};
use crate::store::{DatabaseKey, Directory, NewProfile, Registration, Store, StoreError};
use crate::sync::{Request, Token};
use crate::transport::{Http, RelayUrl, TransportError};

pub(super) async fn register(
    profile: &Path,
    relay: &str,
    name: &str,
    invite: Option<Secret>,
    password: Secret,
    passphrase: Secret,
) -> Result<Client, Error> {
    let name: AccountName = name.parse()?;
    let http = connect(relay)?;
    if password.expose().chars().count() < PASSWORD_MIN {
        return Err(Error::WeakPassword);
    }
    if passphrase.is_empty() {
        return Err(Error::EmptyPassphrase);
    }
    // A relay that is not there leaves no directory behind; a profile that is there needs no relay
    // to be refused.
    let early = if Directory::has_profile(profile) { None } else { Some(info(&http).await?) };
    let directory = Directory::acquire(profile)?;
    let passphrase = Arc::new(passphrase);
    let key = database_key(&directory, passphrase.clone()).await?;
    let existing = Store::open_or_return(directory, &key).await?;
    if let Ok(store) = &existing
        && store.registration().await? == Registration::Done
    {
        return Err(Error::ProfileExists);
    }
    let relay = match early {
        Some(relay) => relay,
        None => info(&http).await?,
    };
    let store = match existing {
        Err(directory) => create(directory, &key, &name, &http, &relay).await?,
        Ok(store) => {
            let snapshot = store.load().await?;
            if snapshot.name == name && snapshot.relay.key == relay.relay_key.0 {
                store.set_relay_url(http.url().as_str()).await?;
                store
            } else {
                // Another name or another relay: the identity that was made for the first one is
                // given up, and with it a name that the relay may have taken for it.
                store.close_and_remove().await?;
                let directory = Directory::acquire(profile)?;
                let key = database_key(&directory, passphrase).await?;
                create(directory, &key, &name, &http, &relay).await?
            }
        }
    };
    submit(store, &http, invite, password).await
}

pub(super) async fn login(
    profile: &Path,
    relay: &str,
    name: &str,
    password: Secret,
    passphrase: Secret,
) -> Result<Client, Error> {
    let name: AccountName = name.parse()?;
    let http = connect(relay)?;
    let directory = Directory::acquire_existing(profile)?;
    let store = open_store(directory, passphrase).await?;
    let snapshot = store.load().await?;
    if snapshot.name != name {
        return Err(Error::OtherAccount(snapshot.name));
    }
    check_relay(&snapshot, &http).await?;
    let tokens = log_in(&snapshot, &http, Arc::new(password)).await.map_err(|failure| failure.at(http.url()))?;
    store.set_relay_url(http.url().as_str()).await?;
    finish(store, &http, &snapshot, tokens).await
}

pub(super) async fn policy(relay: &str) -> Result<RegistrationPolicy, Error> {
    let info = info(&connect(relay)?).await?;
    Ok(match info.registration.as_str() {
        "closed" => RegistrationPolicy::Closed,
        "invite" => RegistrationPolicy::Invite,
        // A rule of a later version: the relay will say what it lacks.
        _ => RegistrationPolicy::Open,
    })
}

/// Whether it is the relay whose key is pinned: no other sees a proof or a password.
pub(super) async fn check_relay(snapshot: &Snapshot, http: &Http) -> Result<(), Error> {
    let offered = info(http).await?.relay_key.0;
    if offered == snapshot.relay.key {
        return Ok(());
    }
    Err(Error::RelayKeyChanged { pinned: fingerprint(&snapshot.relay.key), offered: fingerprint(&offered) })
}

pub(super) fn connect(relay: &str) -> Result<Http, Error> {
    let url = RelayUrl::parse(relay)?;
    Http::new(url).map_err(|error| Error::Io(error.to_string()))
}

async fn info(http: &Http) -> Result<RelayInfo, Error> {
    http.info().await.map_err(|error| at(error, http.url()))
}

/// The key of the directory's database; a new one where there is none yet. An existing key file
/// is never replaced: it may belong to a database that was moved away.
async fn database_key(directory: &Directory, passphrase: Arc<Secret>) -> Result<DatabaseKey, Error> {
    match directory.read_key() {
        Err(StoreError::NoProfile) => {}
        _ => return unlock(directory, passphrase).await,
    }
    let (key, wrapped) = blocking(move || {
        let key = new_database_key(&mut rng());
        let wrapped = wrap_database_key(passphrase.expose(), &key, StretchCost::PRODUCTION, &mut rng());
        wrapped.map(|wrapped| (key, wrapped))
    })
    .await??;
    directory.write_key(&wrapped)?;
    Ok(DatabaseKey::new(key))
}

/// A new identity, durable.
async fn create(
    directory: Directory,
    key: &DatabaseKey,
    name: &AccountName,
    http: &Http,
    info: &RelayInfo,
) -> Result<Store, Error> {
    let (name, url, relay_key) = (name.clone(), http.url().as_str().to_owned(), info.relay_key.0);
    let new = blocking(move || {
        let (mut rng, seconds) = (rng(), now() / 1000);
        let account = AccountKey::generate(&mut rng);
        let device = LocalDevice::generate(&account, seconds, &mut rng);
        let prekeys = Prekeys::generate(&device, seconds, &mut rng);
        let list = account.issue_list(None, seconds, vec![device.certificate().clone()]);
        NewProfile {
            name,
            relay: Relay { url, key: relay_key },
            account_key: account.to_bytes(),
            device: device.to_bytes(),
            prekeys: prekeys.to_bytes(),
            device_list: (account.account(), SignedText::of(list.signed()).0.as_slice().to_vec()),
        }
    })
    .await?;
    Ok(Store::create(directory, key, &new).await?)
}

/// Sends what is pending to the relay.
async fn submit(store: Store, http: &Http, invite: Option<Secret>, password: Secret) -> Result<Client, Error> {
    let snapshot = store.load().await?;
    let was_sent = store.registration().await? == Registration::Sent;
    let password = Arc::new(password);
    let stretch = new_params(&mut rng());
    let stretched = stretched(password.clone(), stretch.clone()).await?;
    let own = AccountKey::from_bytes(&snapshot.account_key).account();
    let list = snapshot.device_lists.iter().find(|(account, _)| *account == own);
    let (_, list) = list.ok_or(StoreError::damaged())?;
    let request = RegisterRequest {
        username: snapshot.name.as_str().to_owned(),
        stretch,
        auth: Fixed(*stretched.auth),
        device_list: SignedText(list.clone().into()),
        invite: invite.map(|invite| invite.expose().trim().to_owned()),
    };
    store.set_registration(Registration::Sent).await?;
    let error = match http.register(&request).await {
        Ok(answer) => {
            let tokens = tokens(&answer, &snapshot).map_err(|failure| failure.at(http.url()))?;
            return finish(store, http, &snapshot, tokens).await;
        }
        Err(error) => error,
    };
    let TransportError::Refused { code, .. } = error else { return Err(at(error, http.url())) };
    // An invite may have been used up by the first try, whose answer was lost.
    if was_sent && matches!(code, ErrorCode::NameTaken | ErrorCode::AccountExists | ErrorCode::InvalidInvite) {
        let taken = if code == ErrorCode::InvalidInvite { Error::InvalidInvite } else { Error::NameTaken };
        return match log_in(&snapshot, http, password).await {
            Ok(tokens) => finish(store, http, &snapshot, tokens).await,
            // The password is right for the name and this device is not its own: it is somebody else's.
            Err(Failure::Transport(TransportError::Refused { code: ErrorCode::UnknownDevice, .. })) => {
                store.close_and_remove().await?;
                Err(taken)
            }
            // Somebody else's name, or ours and another password than the first time: kept.
            Err(Failure::Transport(TransportError::Refused { code: ErrorCode::InvalidCredentials, .. })) => Err(taken),
            Err(failure) => Err(failure.at(http.url())),
        };
    }
    // A refusal means that nothing was taken, save for a fault in the middle of it.
    if !was_sent && code != ErrorCode::Internal {
        store.close_and_remove().await?;
    }
    Err(at(error, http.url()))
}

/// Keeps the tokens, publishes the prekeys so that others can write before this client connects
/// for the first time, and starts the client.
async fn finish(store: Store, http: &Http, snapshot: &Snapshot, tokens: Tokens) -> Result<Client, Error> {
    store.finish_registration(&tokens).await?;
    let damaged = |_| Error::from(StoreError::damaged());
    let device = LocalDevice::from_bytes(&snapshot.device).map_err(damaged)?;
    let prekeys = Prekeys::from_bytes(&snapshot.prekeys).map_err(damaged)?;
    if prekeys.has_unpublished() {
        let request = Request::PublishKeys(Box::new(prekeys.publication(&device)));
        match http.perform(request, Some(&Token(tokens.access))).await {
            Ok(_) => store.commit(&vec![Mutation::Prekeys(prekeys.mark_published().to_bytes())]).await?,
            // The account stands all the same; the engine publishes them at its first connection.
            Err(error) => tracing::warn!(%error, "prekeys are not published yet"),
        }
    }
    Client::start(store).await
}

/// Why there are no tokens.
pub(super) enum Failure {
    Transport(TransportError),
    Error(Error),
}

impl Failure {
    pub(super) fn at(self, url: &RelayUrl) -> Error {
        match self {
            Self::Transport(error) => at(error, url),
            Self::Error(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

pub(super) async fn log_in(snapshot: &Snapshot, http: &Http, password: Arc<Secret>) -> Result<Tokens, Failure> {
    let params = http.auth_params(&snapshot.name).await?;
    let stretched = stretched(password, params.stretch).await?;
    let device = LocalDevice::from_bytes(&snapshot.device).map_err(|_| Error::from(StoreError::damaged()))?;
    let nonce = params.nonce;
    let proof = login_proof(&snapshot.relay.key, &device.account(), &device.device(), nonce.as_slice());
    let request = LoginRequest {
        username: snapshot.name.as_str().to_owned(),
        auth: Fixed(*stretched.auth),
        device: device.device(),
        nonce,
        proof: Fixed(signed::sign(device.signing_key(), Label::Login, &proof)),
    };
    tokens(&http.login(&request).await?, snapshot)
}

/// Argon2id takes its time on a thread of its own.
pub(super) async fn stretched(
    password: Arc<Secret>,
    params: susurro_protocol::rest::StretchParams,
) -> Result<StretchedPassword, Error> {
    Ok(blocking(move || stretch_password(password.expose(), &params)).await??)
}

/// Tokens for this account and device; for any other the answer is no relay's.
pub(super) fn tokens(answer: &TokenResponse, snapshot: &Snapshot) -> Result<Tokens, Failure> {
    let device = LocalDevice::from_bytes(&snapshot.device).map_err(|_| Error::from(StoreError::damaged()))?;
    if (answer.account, answer.device) != (device.account(), device.device()) {
        return Err(TransportError::NotARelay.into());
    }
    Ok(Tokens {
        access: Zeroizing::new(answer.access_token.clone()),
        access_expires: now() + answer.access_expires_in.min(ACCESS_SECONDS) * 1000,
        refresh: Zeroizing::new(answer.refresh_token.clone()),
    })
}
