//! The symmetric chain (Double Ratchet, section 2.2).

use hmac::Mac as _;

use super::MessageKey;
use crate::crypto::kdf::{finish, keyed};
use crate::crypto::secret::Secret32;

/// A key of a sending or receiving chain.
pub(crate) struct ChainKey(pub(crate) Secret32);

impl ChainKey {
    /// `KDF_CK` (section 5.2): HMAC-SHA256 of 0x01 gives the message key, of 0x02 the next chain key.
    pub(crate) fn step(&self) -> (Self, MessageKey) {
        // The keyed state serves both outputs: six compressions instead of eight.
        let keyed = keyed(&self.0);
        let message = MessageKey(finish(keyed.clone().chain_update([1])));
        (Self(finish(keyed.chain_update([2]))), message)
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}
