//! Time, randomness, tokens and password hashes.

use super::Answer;
use crate::domain::Error;
use crate::domain::token::Claims;

/// What time it is.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now(&self) -> u64;
}

/// Randomness that nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the system has none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// Access tokens.
pub trait Tokens: Send + Sync {
    /// The text of a token that says this.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`].
    fn issue(&self, claims: &Claims) -> Result<String, Error>;

    /// What a token says, after its signature was checked. Whether it expired or was revoked is
    /// the caller's question.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` for anything that this relay did not make.
    fn read(&self, token: &str) -> Result<Claims, Error>;
}

/// Slow hashes of what clients made of their passwords.
pub trait Passwords: Send + Sync {
    /// The hash of 32 stretched bytes with this salt and the relay's pepper. Takes turns: only a
    /// few are computed at once.
    fn hash(&self, stretched: [u8; 32], salt: [u8; 16]) -> Answer<'_, [u8; 32]>;
}
