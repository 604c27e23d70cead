//! The symmetric chain (Double Ratchet, section 2.4).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use super::MessageKey;
use crate::crypto::secret::{Secret, Secret32};

/// A key of a sending or receiving chain.
pub(crate) struct ChainKey(pub(crate) Secret32);

impl ChainKey {
    /// `KDF_CK` (section 5.2): HMAC-SHA256 of 0x01 gives the message key, of 0x02 the next chain key.
    pub(crate) fn step(&self) -> (Self, MessageKey) {
        // A key of a whole block is used as it is (RFC 2104, section 2), and the keyed state
        // serves both outputs: six compressions instead of eight.
        let mut block = [0; 64];
        block[..32].copy_from_slice(self.0.expose());
        let keyed = Hmac::<Sha256>::new((&block).into());
        block.zeroize();
        let output = |mac: Hmac<Sha256>, constant: u8| {
            let mut bytes: [u8; 32] = mac.chain_update([constant]).finalize().into_bytes().into();
            let secret = Secret::copy_of(&bytes);
            bytes.zeroize();
            secret
        };
        let message = MessageKey(output(keyed.clone(), 1));
        (Self(output(keyed, 2)), message)
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}
