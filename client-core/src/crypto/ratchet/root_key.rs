//! The root chain (Double Ratchet, section 2.3).

use super::{ChainKey, HeaderKey, WhisperKey};
use crate::crypto::dh::{self, DhSecret, WeakKey};
use crate::crypto::kdf::four_keys;
use crate::crypto::secret::Secret32;

const INFO: &[u8] = b"susurro/v1/ratchet-root\0";

/// What a step of the root chain gives.
pub(crate) struct RootStep {
    pub(crate) root: RootKey,
    pub(crate) chain: ChainKey,
    pub(crate) next_header: HeaderKey,
    pub(crate) whisper: WhisperKey,
}

/// A key of the root chain.
pub(crate) struct RootKey(pub(crate) Secret32);

impl RootKey {
    /// `KDF_RK_HE` (section 4.2): the next root key, a chain key and the header key that follows,
    /// and the key of the chain's whispers, which is ours.
    pub(crate) fn step(&self, own: &DhSecret, remote: &[u8; 32]) -> Result<RootStep, WeakKey> {
        let shared = dh::agree(own, remote)?;
        let [root, chain, header, whisper] = four_keys(Some(self.0.expose()), shared.expose(), &[INFO]);
        Ok(RootStep {
            root: Self(root),
            chain: ChainKey(chain),
            next_header: HeaderKey(header),
            whisper: WhisperKey(whisper),
        })
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}
