//! ML-KEM-768 (FIPS 203) behind a small trait, so that another implementation can take its place
//! and be compared with it.

use ml_kem::kem::{Decapsulate as _, KeyExport as _, KeyInit as _, TryKeyInit as _};
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use susurro_protocol::keys::PQ_PUBLIC_KEY_BYTES;
use zeroize::Zeroize as _;

use super::secret::{Secret, Secret32};

/// Bytes of an ML-KEM-768 ciphertext (FIPS 203, table 3).
pub const KEM_CIPHERTEXT_BYTES: usize = 1088;

/// Bytes of the seed `d | z` from which a decapsulation key is expanded (FIPS 203, section 7.1).
pub const KEM_SEED_BYTES: usize = 64;

/// An encapsulation key that fails the modulus check (FIPS 203, section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ML-KEM-768 key")]
pub struct InvalidKemKey;

/// A key encapsulation mechanism with the sizes of ML-KEM-768.
pub trait Kem {
    /// The encapsulation key that belongs to `seed`.
    fn public_key(seed: &Secret<KEM_SEED_BYTES>) -> [u8; PQ_PUBLIC_KEY_BYTES];

    /// Encapsulates a shared secret to `public`. `randomness` has to be fresh for each call.
    ///
    /// # Errors
    ///
    /// [`InvalidKemKey`] when `public` is no key.
    fn encapsulate(
        public: &[u8; PQ_PUBLIC_KEY_BYTES],
        randomness: &Secret32,
    ) -> Result<([u8; KEM_CIPHERTEXT_BYTES], Secret32), InvalidKemKey>;

    /// The shared secret in `ciphertext`, with the encapsulation key, which comes from the same
    /// expansion. A ciphertext that was not made for this key gives a pseudorandom secret
    /// (implicit rejection, FIPS 203, section 6.3).
    fn decapsulate(
        seed: &Secret<KEM_SEED_BYTES>,
        ciphertext: &[u8; KEM_CIPHERTEXT_BYTES],
    ) -> (Secret32, [u8; PQ_PUBLIC_KEY_BYTES]);
}

/// ML-KEM-768 of the `ml-kem` crate.
#[derive(Debug, Clone, Copy)]
pub struct MlKem768;

impl Kem for MlKem768 {
    fn public_key(seed: &Secret<KEM_SEED_BYTES>) -> [u8; PQ_PUBLIC_KEY_BYTES] {
        DecapsulationKey::new(seed.expose().into()).encapsulation_key().to_bytes().into()
    }

    fn encapsulate(
        public: &[u8; PQ_PUBLIC_KEY_BYTES],
        randomness: &Secret32,
    ) -> Result<([u8; KEM_CIPHERTEXT_BYTES], Secret32), InvalidKemKey> {
        let key = EncapsulationKey::new_from_slice(public).map_err(|_| InvalidKemKey)?;
        let (ciphertext, mut shared) = key.encapsulate_deterministic(randomness.expose().into());
        let secret = Secret::copy_of(shared.as_ref());
        shared.zeroize();
        Ok((ciphertext.into(), secret))
    }

    fn decapsulate(
        seed: &Secret<KEM_SEED_BYTES>,
        ciphertext: &[u8; KEM_CIPHERTEXT_BYTES],
    ) -> (Secret32, [u8; PQ_PUBLIC_KEY_BYTES]) {
        let ciphertext: &Ciphertext = ciphertext.into();
        let key = DecapsulationKey::new(seed.expose().into());
        let mut shared = key.decapsulate(ciphertext);
        let secret = Secret::copy_of(shared.as_ref());
        shared.zeroize();
        (secret, key.encapsulation_key().to_bytes().into())
    }
}
