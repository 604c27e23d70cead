//! What a person does with the account itself. Each of these works on a profile that nobody has open, and logs
//! in first: whoever can do that knows the password and has the device.

use std::path::Path;
use std::sync::Arc;

use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::limits::PASSWORD_MIN;
use susurro_protocol::rest::{ChangePassword, DeleteMe, RecoverRequest, SetRecovery, login_proof};
use susurro_protocol::signed::{self, Label};
use zeroize::Zeroizing;

use super::failures::at;
use super::open_store;
use super::registration::{check_relay, connect, log_in, stretched, tokens};
use crate::crypto::{LocalDevice, RecoveryKey, new_params};
use crate::driver::rng;
use crate::error::Error;
use crate::secret::Secret;
use crate::store::port::{Snapshot, Tokens};
use crate::store::{Directory, Store, StoreError};
use crate::sync::Token;
use crate::transport::{Http, TransportError};

/// A profile, and tokens of a login that was made for this.
struct Proven {
    store: Store,
    http: Http,
    snapshot: Snapshot,
    tokens: Tokens,
}

async fn prove(profile: &Path, password: Arc<Secret>, passphrase: Secret) -> Result<Proven, Error> {
    let store = open_store(Directory::acquire_existing(profile)?, passphrase).await?;
    let snapshot = store.load().await?;
    let http = connect(&snapshot.relay.url)?;
    check_relay(&snapshot, &http).await?;
    let tokens = log_in(&snapshot, &http, password).await.map_err(|failure| failure.at(http.url()))?;
    Ok(Proven { store, http, snapshot, tokens })
}

/// The password as the relay wants to see it.
async fn auth(proven: &Proven, password: Arc<Secret>) -> Result<[u8; 32], Error> {
    let params = proven.http.auth_params(&proven.snapshot.name).await.map_err(|error| at(error, proven.http.url()))?;
    Ok(*stretched(password, params.stretch).await?.auth)
}

pub(super) async fn change_password(
    profile: &Path,
    password: Secret,
    new: Secret,
    passphrase: Secret,
) -> Result<(), Error> {
    if new.expose().chars().count() < PASSWORD_MIN {
        return Err(Error::WeakPassword);
    }
    let password = Arc::new(password);
    let proven = prove(profile, password.clone(), passphrase).await?;
    let stretch = new_params(&mut rng());
    let new_auth = stretched(Arc::new(new), stretch.clone()).await?;
    let auth = auth(&proven, password).await?;
    let request = ChangePassword { auth: Fixed(auth), stretch, new_auth: Fixed(*new_auth.auth) };
    let Proven { store, http, tokens, .. } = proven;
    // Kept before the relay ends every login but theirs: a crash in between costs nothing.
    store.finish_registration(&tokens).await?;
    let token = Token(Zeroizing::new(tokens.access.as_str().to_owned()));
    http.change_password(&request, &token).await.map_err(|error| at(error, http.url()))?;
    Ok(store.close().await?)
}

/// Sets a new recovery key, or takes the present one away; the words of the new one.
pub(super) async fn set_recovery(
    profile: &Path,
    password: Secret,
    passphrase: Secret,
    wanted: bool,
) -> Result<Option<Secret>, Error> {
    let password = Arc::new(password);
    let proven = prove(profile, password.clone(), passphrase).await?;
    let key = wanted.then(|| RecoveryKey::generate(&mut rng()));
    let auth = Fixed(auth(&proven, password).await?);
    let request = SetRecovery { auth, recovery_auth: key.as_ref().map(|key| Fixed(*key.auth())) };
    let Proven { store, http, tokens, .. } = proven;
    store.finish_registration(&tokens).await?;
    http.set_recovery(&request, &Token(tokens.access)).await.map_err(|error| at(error, http.url()))?;
    store.close().await?;
    Ok(key.map(|key| Secret::new(key.words().as_str().to_owned())))
}

/// Sets another password with the recovery key, and logs this device in.
pub(super) async fn recover(profile: &Path, words: &Secret, new: Secret, passphrase: Secret) -> Result<(), Error> {
    let key = RecoveryKey::from_words(words.expose()).map_err(Error::BadRecoveryWords)?;
    if new.expose().chars().count() < PASSWORD_MIN {
        return Err(Error::WeakPassword);
    }
    let store = open_store(Directory::acquire_existing(profile)?, passphrase).await?;
    let snapshot = store.load().await?;
    let http = connect(&snapshot.relay.url)?;
    check_relay(&snapshot, &http).await?;
    let stretch = new_params(&mut rng());
    let stretched = stretched(Arc::new(new), stretch.clone()).await?;
    let nonce = http.auth_params(&snapshot.name).await.map_err(|error| at(error, http.url()))?.nonce;
    let device = LocalDevice::from_bytes(&snapshot.device).map_err(|_| StoreError::damaged())?;
    let proof = login_proof(&snapshot.relay.key, &device.account(), &device.device(), nonce.as_slice());
    let request = RecoverRequest {
        username: snapshot.name.as_str().to_owned(),
        recovery_auth: Fixed(*key.auth()),
        stretch,
        new_auth: Fixed(*stretched.auth),
        device: device.device(),
        nonce,
        proof: Fixed(signed::sign(device.signing_key(), Label::Login, &proof)),
        // A profile that has the account key has a device as well: it needs no other one.
        device_list: None,
    };
    let answer = http.recover(&request).await.map_err(|error| match error {
        TransportError::Refused { code: ErrorCode::InvalidCredentials, .. } => Error::WrongRecoveryKey,
        error => at(error, http.url()),
    })?;
    let tokens = tokens(&answer, &snapshot).map_err(|failure| failure.at(http.url()))?;
    store.finish_registration(&tokens).await?;
    Ok(store.close().await?)
}

pub(super) async fn delete_account(
    profile: &Path,
    password: Secret,
    passphrase: Secret,
    remove_profile: bool,
) -> Result<(), Error> {
    let password = Arc::new(password);
    let proven = prove(profile, password.clone(), passphrase).await?;
    let request = DeleteMe { auth: Fixed(auth(&proven, password).await?) };
    let Proven { store, http, tokens, .. } = proven;
    http.delete_me(&request, &Token(tokens.access)).await.map_err(|error| at(error, http.url()))?;
    if remove_profile {
        store.close_and_remove().await?
    } else {
        store.close().await?
    }
    Ok(())
}
