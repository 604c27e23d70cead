//! Login with a stretched password and a device's signature.

use subtle::ConstantTimeEq as _;
use susurro_protocol::rest::{AuthParams, LoginRequest, TokenResponse, login_proof};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{AccountName, ErrorCode};

use super::Relay;
use crate::domain::Error;
use crate::domain::account::Credentials;

impl Relay {
    /// How to stretch the password of a name, known or not, and a nonce to sign.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn auth_params(&self, username: &str) -> Result<AuthParams, Error> {
        let known = self.credentials(username).await?;
        let stretch = match known {
            Some(credentials) => credentials.stretch,
            None => self.keys.login.invented_params(username),
        };
        Ok(AuthParams { stretch, nonce: self.keys.login.nonce(username, self.now()).into() })
    }

    /// Logs a device in. An unknown name and a wrong password are the same error after the same work.
    ///
    /// # Errors
    ///
    /// `StaleNonce`, `InvalidCredentials`; and only after the right password `UnknownDevice`,
    /// `BadSignature` and `AccountDisabled`.
    pub async fn login(&self, request: LoginRequest) -> Result<TokenResponse, Error> {
        self.keys.login.check_nonce(request.nonce.as_slice(), &request.username, self.now())?;
        let known = self.credentials(&request.username).await?;
        let salt = known.as_ref().map_or([0; 16], |c| c.verifier.salt);
        let hash = self.ports.passwords.hash(request.auth.0, salt).await?;
        let expected = known.as_ref().map_or([0; 32], |c| c.verifier.hash);
        let right = bool::from(hash.ct_eq(&expected));
        let Some(credentials) = known.filter(|_| right) else {
            return Err(ErrorCode::InvalidCredentials.into());
        };

        let device = self.ports.devices.device(request.device).await?;
        let device = device.filter(|d| d.account == credentials.account).ok_or(ErrorCode::UnknownDevice)?;
        let relay_key = self.keys.signing.verifying_key().to_bytes();
        let proof = login_proof(&relay_key, &device.account, &device.device, request.nonce.as_slice());
        signed::verify(&device.certificate.body().signing_key.0, Label::Login, &proof, &request.proof.0)
            .map_err(|_| ErrorCode::BadSignature)?;
        let account = self.ports.accounts.by_id(device.account).await?.ok_or(ErrorCode::InvalidCredentials)?;
        self.begin_session(account.id, device.device, account.role, Some(credentials.verifier.salt)).await
    }

    async fn credentials(&self, username: &str) -> Result<Option<Credentials>, Error> {
        match username.parse::<AccountName>() {
            Ok(name) => self.ports.accounts.credentials(&name).await,
            Err(_) => Ok(None),
        }
    }
}
