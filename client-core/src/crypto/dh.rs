//! X25519 (RFC 7748): every agreement of this crate goes through [`agree`].

use std::fmt;

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

use super::secret::{Secret, Secret32};

/// A public key with which no shared secret can be agreed: a point of small order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an X25519 key of small order")]
pub struct WeakKey;

/// An X25519 secret with its public key, which is computed once.
pub struct DhSecret {
    secret: StaticSecret,
    public: [u8; 32],
}

impl DhSecret {
    /// A fresh key pair.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_secret(&Secret::random(rng))
    }

    /// The key pair of 32 secret bytes; clamping happens at use (RFC 7748, section 5).
    #[must_use]
    pub fn from_secret(secret: &Secret32) -> Self {
        let secret = StaticSecret::from(*secret.expose());
        let public = PublicKey::from(&secret).to_bytes();
        Self { secret, public }
    }

    /// A key pair as it was stored: saves the multiplication that gives the public key.
    pub(crate) fn from_stored(secret: &[u8; 32], public: [u8; 32]) -> Self {
        Self { secret: StaticSecret::from(*secret), public }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The secret bytes.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// A second copy, wiped on its own.
    pub(crate) fn duplicate(&self) -> Self {
        Self { secret: self.secret.clone(), public: self.public }
    }
}

impl fmt::Debug for DhSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DhSecret(redacted)")
    }
}

/// The shared secret of `own` and `remote`.
///
/// # Errors
///
/// [`WeakKey`] when the result is all zeros, that is, when the remote key alone decided it
/// (RFC 7748, section 6.1). The check takes the same time either way.
pub fn agree(own: &DhSecret, remote: &[u8; 32]) -> Result<Secret32, WeakKey> {
    let shared = own.secret.diffie_hellman(&PublicKey::from(*remote));
    if shared.was_contributory() { Ok(Secret::copy_of(shared.as_bytes())) } else { Err(WeakKey) }
}
