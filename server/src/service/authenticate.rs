//! Who is asking.

use susurro_protocol::ErrorCode;

use super::Relay;
use crate::domain::Error;
use crate::domain::token::Claims;

impl Relay {
    /// Checks an access token: made here, not over, not taken back.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, `TokenExpired`, `TokenRevoked`.
    pub async fn authenticate(&self, token: &str) -> Result<Claims, Error> {
        let claims = self.ports.tokens.read(token)?;
        if claims.expires <= self.now() / 1000 {
            return Err(ErrorCode::TokenExpired.into());
        }
        self.check_not_revoked(&claims).await?;
        Ok(claims)
    }

    /// Looks again whether a token was taken back.
    ///
    /// # Errors
    ///
    /// `TokenRevoked`.
    pub async fn check_not_revoked(&self, claims: &Claims) -> Result<(), Error> {
        if self.ports.sessions.is_revoked(claims.family).await? {
            return Err(ErrorCode::TokenRevoked.into());
        }
        Ok(())
    }
}
