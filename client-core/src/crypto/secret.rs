//! Secret bytes: wiped when dropped, never printed, copied only by name.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes. There is no `Clone`, `Display` or serialisation: a copy is asked for with
/// [`duplicate`](Self::duplicate) and the bytes with [`expose`](Self::expose), so that both can
/// be searched for.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// A copy of `bytes`, which the caller still has to wipe.
    #[must_use]
    pub fn copy_of(bytes: &[u8; N]) -> Self {
        Self(*bytes)
    }

    /// Fresh random bytes.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Self([0; N]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// Zeros, to be overwritten.
    pub(crate) const fn zeros() -> Self {
        Self([0; N])
    }

    /// Replaces the bytes.
    pub(crate) fn overwrite(&mut self, bytes: &[u8; N]) {
        self.0 = *bytes;
    }

    /// A secret that `fill` writes in place, so that no copy stays on the stack.
    pub(crate) fn filled_by<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self([0; N]);
        fill(&mut secret.0).map(|()| secret)
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// A second copy, wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// The usual size of a key.
pub type Secret32 = Secret<32>;
