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

#[cfg(test)]
mod tests {
    use super::*;

    fn wiped_on_drop<T: ZeroizeOnDrop>() {}
    fn can_be_wiped<T: Zeroize>() {}

    #[test]
    fn the_primitives_are_built_with_their_zeroize_features() {
        // Does not compile without them.
        wiped_on_drop::<Secret<32>>();
        wiped_on_drop::<x25519_dalek::StaticSecret>();
        wiped_on_drop::<x25519_dalek::SharedSecret>();
        wiped_on_drop::<ed25519_dalek::SigningKey>();
        wiped_on_drop::<chacha20poly1305::ChaCha20Poly1305>();
        wiped_on_drop::<chacha20poly1305::XChaCha20Poly1305>();
        wiped_on_drop::<ml_kem::ml_kem_768::DecapsulationKey>();
        wiped_on_drop::<sha2::Sha256>();
        wiped_on_drop::<sha2::Sha512>();
        // HMAC and HKDF have nothing of their own: they hold two of these.
        wiped_on_drop::<sha2::block_api::Sha256VarCore>();
        can_be_wiped::<argon2::Block>();
    }

    #[test]
    fn a_secret_is_wiped_and_its_copy_is_not() {
        let mut secret = Secret::<4>::copy_of(&[1, 2, 3, 4]);
        let copy = secret.duplicate();
        secret.zeroize();
        assert_eq!((secret.expose(), copy.expose()), (&[0; 4], &[1, 2, 3, 4]));
    }

    #[test]
    fn attack_24_debug_shows_no_bytes() {
        assert_eq!(format!("{:?}", Secret::<2>::copy_of(&[7, 7])), "Secret(redacted)");
    }
}
