//! Double Ratchet with header encryption (Signal, "The Double Ratchet Algorithm", revision 1, sections 2
//! to 4; the sections cited in this module are its own).

mod chain_key;
mod header;
mod message_key;
mod root_key;
mod session;
mod skipped;
mod whisper_key;

pub(crate) use chain_key::ChainKey;
pub(crate) use header::{Header, HeaderKey, SEALED_HEADER_BYTES};
pub(crate) use message_key::MessageKey;
pub(crate) use root_key::{RootKey, RootStep};
pub(crate) use session::{
    Binding, FirstKeys, HEADER_AD_BYTES, Opened, Parts, Session, WHISPER_PREAMBLE, WhisperParts, body_ad, pad_signal,
    unpad_signal,
};
pub(crate) use whisper_key::{WHISPER_AD_BYTES, WhisperKey};

/// Bytes of the random value of each message.
pub(crate) const NONCE_BYTES: usize = 24;

/// Bytes of each tag; they are never shortened.
pub(crate) const TAG_BYTES: usize = 16;

/// Messages that one step may skip: bounds the work and the memory that one message can ask for.
pub const SKIP_MAX: u32 = 1000;

/// Skipped message keys kept in a session.
pub const KEPT_MAX: usize = 1000;

/// Seconds that a skipped message key is kept: as long as a relay keeps a message.
pub const KEPT_SECONDS: u64 = 30 * 24 * 3600;

/// Receiving chains whose messages can still be read: the present one and four before.
pub const CHAINS_MAX: usize = 5;
