//! The recovery key: set with the password, and in its place when that was forgotten.

use subtle::ConstantTimeEq as _;
use susurro_protocol::keys::{DeviceCertificate, DeviceList};
use susurro_protocol::rest::{RecoverRequest, RecoveryState, SetRecovery, TokenResponse, login_proof};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{AccountId, AccountName, ErrorCode};

use super::Relay;
use crate::domain::Error;
use crate::domain::account::{self, NewPassword, Proof, Verifier};
use crate::domain::token::Claims;

impl Relay {
    /// Sets what the recovery key of the caller's account proves itself by, or takes it away.
    ///
    /// # Errors
    ///
    /// `InvalidCredentials`.
    pub async fn set_recovery(&self, claims: &Claims, request: SetRecovery) -> Result<(), Error> {
        let proven = self.check_password(claims, request.auth.0).await?;
        let verifier = match request.recovery_auth {
            Some(secret) => Some(self.verifier(secret.0).await?),
            None => None,
        };
        let has = verifier.is_some();
        self.ports.administration.set_recovery(claims.account, proven, verifier, self.now()).await?;
        tracing::info!(has, "a recovery key was set or taken away");
        Ok(())
    }

    /// Since when the caller's account has the recovery key that it has.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn recovery_state(&self, claims: &Claims) -> Result<RecoveryState, Error> {
        Ok(RecoveryState { set: self.ports.administration.recovery_set(claims.account).await? })
    }

    /// Sets another password for whoever has the recovery key and a device of the account, ends every login of it
    /// and begins one on that device. A device that is not in the account's list comes with the next list, which
    /// the account key has signed: the recovery key alone gives nobody an identity. An unknown name, an account
    /// without a recovery key and a wrong one are the same error after the same work.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a bad cost of stretching, `StaleNonce`, `InvalidCredentials`; and only after the right
    /// recovery key `InvalidDeviceList`, `UnknownDevice`, `BadSignature` and `AccountDisabled`.
    pub async fn recover(&self, request: RecoverRequest) -> Result<TokenResponse, Error> {
        account::check_stretch(&request.stretch)?;
        self.keys.login.check_nonce(request.nonce.as_slice(), &request.username, self.now())?;
        let (id, proven) = self.check_recovery(&request).await?;

        let (certificate, list) = self.recovering_device(id, &request).await?;
        let relay_key = self.keys.signing.verifying_key().to_bytes();
        let shown = login_proof(&relay_key, &id, &request.device, request.nonce.as_slice());
        signed::verify(&certificate.body().signing_key.0, Label::Login, &shown, &request.proof.0)
            .map_err(|_| ErrorCode::BadSignature)?;
        let role = self.ports.accounts.by_id(id).await?.ok_or(ErrorCode::InvalidCredentials)?.role;

        let verifier = self.verifier(request.new_auth.0).await?;
        let new_salt = verifier.salt;
        let proof = Proof::Recovery(proven);
        let new = NewPassword { account: id, stretch: request.stretch, verifier, proof, kept: None };
        let ended = self.ports.administration.set_password(new, self.now()).await?;
        self.close_connections(&ended);
        tracing::info!(logins = ended.len(), "an account was recovered");
        if let Some(list) = list {
            self.replace_list(list).await?;
        }
        self.begin_session(id, request.device, role, Some(new_salt)).await
    }

    /// Whose recovery key it is, and the salt that it was checked with.
    async fn check_recovery(&self, request: &RecoverRequest) -> Result<(AccountId, [u8; 16]), Error> {
        let known = match request.username.parse::<AccountName>() {
            Ok(name) => self.ports.accounts.recovery(&name).await?,
            Err(_) => None,
        };
        let nobody = Verifier { salt: [0; 16], hash: [0; 32] };
        let verifier = known.as_ref().map_or(&nobody, |(_, verifier)| verifier);
        let hash = self.ports.passwords.hash(request.recovery_auth.0, verifier.salt).await?;
        let right = bool::from(hash.ct_eq(&verifier.hash));
        let proven = known.filter(|_| right).map(|(account, verifier)| (account, verifier.salt));
        proven.ok_or_else(|| ErrorCode::InvalidCredentials.into())
    }

    /// The certificate of the device that is to log in, and the list that it comes with.
    async fn recovering_device(
        &self,
        account: AccountId,
        request: &RecoverRequest,
    ) -> Result<(DeviceCertificate, Option<DeviceList>), Error> {
        let Some(text) = &request.device_list else {
            let device = self.ports.devices.device(request.device).await?;
            let device = device.filter(|device| device.account == account).ok_or(ErrorCode::UnknownDevice)?;
            return Ok((device.certificate, None));
        };
        let list = self.next_list(account, text).await?;
        let certificate = list.certificate(&request.device).ok_or(ErrorCode::UnknownDevice)?.clone();
        Ok((certificate, Some(list)))
    }
}
