//! What people do with their own account: another password, or no account any longer.

use subtle::ConstantTimeEq as _;
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::{ChangePassword, DeleteMe};

use super::Relay;
use crate::domain::Error;
use crate::domain::account::{self, NewPassword, Proof, Verifier};
use crate::domain::token::Claims;

impl Relay {
    /// Changes the password. Every other login of the account ends, with its connections.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a bad cost of stretching, `InvalidCredentials`.
    pub async fn change_password(&self, claims: &Claims, request: ChangePassword) -> Result<(), Error> {
        account::check_stretch(&request.stretch)?;
        let proof = Proof::Password(self.check_password(claims, request.auth.0).await?);
        let verifier = self.verifier(request.new_auth.0).await?;
        let kept = Some(claims.family);
        let new = NewPassword { account: claims.account, stretch: request.stretch, verifier, proof, kept };
        let ended = self.ports.administration.set_password(new, self.now()).await?;
        self.close_connections(&ended);
        tracing::info!(logins = ended.len(), "a password was changed");
        Ok(())
    }

    /// Forgets the account and everything of it.
    ///
    /// # Errors
    ///
    /// `InvalidCredentials`.
    pub async fn delete_me(&self, claims: &Claims, request: DeleteMe) -> Result<(), Error> {
        let proof = Proof::Password(self.check_password(claims, request.auth.0).await?);
        let ended = self.ports.administration.erase(claims.account, Some(proof), self.now()).await?;
        self.close_connections(&ended);
        tracing::info!("an account was deleted by its owner");
        Ok(())
    }

    /// What is remembered of a secret that was stretched or is long by itself.
    pub(super) async fn verifier(&self, secret: [u8; 32]) -> Result<Verifier, Error> {
        let salt = self.random()?;
        let hash = self.ports.passwords.hash(secret, salt).await?;
        Ok(Verifier { salt, hash })
    }

    /// Whether who has the token knows the password as well; the salt that this was checked with.
    pub(super) async fn check_password(&self, claims: &Claims, stretched: [u8; 32]) -> Result<[u8; 16], Error> {
        let name = self.account_of(claims).await?.name;
        let known = self.ports.accounts.credentials(&name).await?.ok_or(ErrorCode::InvalidCredentials)?;
        let hash = self.ports.passwords.hash(stretched, known.verifier.salt).await?;
        let right = known.account == claims.account && bool::from(hash.ct_eq(&known.verifier.hash));
        if right { Ok(known.verifier.salt) } else { Err(ErrorCode::InvalidCredentials.into()) }
    }
}
