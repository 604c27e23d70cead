//! Tokens: begun at login, rotated by refresh, ended by logout.

use susurro_protocol::limits::{ACCESS_SECONDS, REFRESH_SECONDS};
use susurro_protocol::rest::{RefreshRequest, TokenResponse};
use susurro_protocol::{AccountId, DeviceId, ErrorCode};

use super::Relay;
use crate::domain::Error;
use crate::domain::account::Role;
use crate::domain::token::{Claims, FamilyId, NewFamily, RefreshHash, Rotation};

impl Relay {
    /// Exchanges a refresh token. One that was exchanged before ends its whole family, unless the
    /// answer to that may have been lost.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, `TokenExpired`, `TokenRevoked`.
    pub async fn refresh(&self, request: RefreshRequest) -> Result<TokenResponse, Error> {
        let now = self.now();
        let token = self.refresh_token()?;
        let shown = RefreshHash::of(&request.refresh_token);
        let expires = now + REFRESH_SECONDS * 1000;
        match self.ports.sessions.rotate(shown, RefreshHash::of(&token), now, expires).await? {
            Rotation::Rotated { account, device, family } | Rotation::Repeated { account, device, family } => {
                let role = self.ports.accounts.by_id(account).await?.ok_or(ErrorCode::Unauthenticated)?.role;
                self.tokens(account, device, role, family, token)
            }
            Rotation::Unknown => Err(ErrorCode::Unauthenticated.into()),
            Rotation::Expired => Err(ErrorCode::TokenExpired.into()),
            Rotation::Revoked => Err(ErrorCode::TokenRevoked.into()),
            Rotation::Reused(family) => {
                self.ports.bus.revoke(family);
                tracing::warn!("a refresh token was shown again: its login was ended");
                Err(ErrorCode::TokenRevoked.into())
            }
        }
    }

    /// Ends the login that a token descends from, with its open connections.
    ///
    /// # Errors
    ///
    /// Only those of the store; then nothing was ended.
    pub async fn logout(&self, claims: &Claims) -> Result<(), Error> {
        self.ports.sessions.revoke(claims.family, self.now()).await?;
        self.ports.bus.revoke(claims.family);
        Ok(())
    }

    /// Begins a new family for a device.
    pub(super) async fn begin_session(
        &self,
        account: AccountId,
        device: DeviceId,
        role: Role,
        proven: Option<[u8; 16]>,
    ) -> Result<TokenResponse, Error> {
        let family = FamilyId(self.random()?);
        let token = self.refresh_token()?;
        let expires = self.now() + REFRESH_SECONDS * 1000;
        let new = NewFamily { family, account, device, proven, refresh: RefreshHash::of(&token), expires };
        self.ports.sessions.begin(new).await?;
        self.tokens(account, device, role, family, token)
    }

    fn tokens(
        &self,
        account: AccountId,
        device: DeviceId,
        role: Role,
        family: FamilyId,
        refresh_token: String,
    ) -> Result<TokenResponse, Error> {
        let issued = self.now() / 1000;
        let claims = Claims { account, device, role, family, issued, expires: issued + ACCESS_SECONDS };
        Ok(TokenResponse {
            account,
            device,
            access_token: self.ports.tokens.issue(&claims)?,
            access_expires_in: ACCESS_SECONDS,
            refresh_token,
            refresh_expires_in: REFRESH_SECONDS,
        })
    }

    fn refresh_token(&self) -> Result<String, Error> {
        Ok(susurro_protocol::bytes::to_base64(&self.random::<32>()?))
    }
}
