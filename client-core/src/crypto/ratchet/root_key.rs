//! The root chain (Double Ratchet, section 2.3).

use super::{ChainKey, HeaderKey};
use crate::crypto::dh::{self, DhSecret, WeakKey};
use crate::crypto::kdf::three_keys;
use crate::crypto::secret::Secret32;

const INFO: &[u8] = b"susurro/v1/ratchet-root\0";

/// A key of the root chain.
pub(crate) struct RootKey(pub(crate) Secret32);

impl RootKey {
    /// `KDF_RK_HE` (section 4.2): the next root key, a chain key and the header key that follows.
    pub(crate) fn step(&self, own: &DhSecret, remote: &[u8; 32]) -> Result<(Self, ChainKey, HeaderKey), WeakKey> {
        let shared = dh::agree(own, remote)?;
        let [root, chain, header] = three_keys(Some(self.0.expose()), shared.expose(), &[INFO]);
        Ok((Self(root), ChainKey(chain), HeaderKey(header)))
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}
