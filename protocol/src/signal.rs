//! What is inside a whisper (`docs/protocol.md`, section 13.1). The relay never sees any of it.

use serde::{Deserialize, Serialize};

use crate::bytes::Bin;
use crate::codec::{self, Malformed, structures};

/// The type number of a typing notice.
pub const SIGNAL_TYPING: u16 = 1;

/// Somebody types.
pub const TYPING_STARTED: u8 = 1;
/// Somebody types no more.
pub const TYPING_STOPPED: u8 = 2;

/// Bytes of a signal before it is padded to [`crate::limits::WHISPER_PADDED`].
pub const SIGNAL_MAX: usize = crate::limits::WHISPER_PADDED - 1;

/// What is encrypted in a whisper, before padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Higher than that of every signal which the sender has encrypted under the same key before.
    pub counter: u64,
    /// [`SIGNAL_TYPING`] or one of a later version.
    pub kind: u16,
    /// The structure of that type.
    pub body: Bin,
}

/// The body of [`SIGNAL_TYPING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// [`TYPING_STARTED`] or [`TYPING_STOPPED`].
    pub state: u8,
    /// For how many seconds from its receipt a start holds unless another comes.
    pub seconds: u8,
}

structures!(Signal, Typing);

/// A signal's body by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalBody {
    /// A typing notice.
    Typing(Typing),
    /// A type of a later version: ignored.
    Unknown(u16),
}

impl Signal {
    /// Reads the body by its type.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when a known type has another structure.
    pub fn body(&self) -> Result<SignalBody, Malformed> {
        match self.kind {
            SIGNAL_TYPING => codec::decode(self.body.as_slice()).map(SignalBody::Typing),
            other => Ok(SignalBody::Unknown(other)),
        }
    }
}
