//! Why something was not encrypted or not decrypted. No message holds a secret or a plaintext.

use susurro_protocol::keys::KeyError;

use super::dh::WeakKey;
use super::kem::InvalidKemKey;

/// Why a session could not be started or a message not be encrypted. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// A prekey of the bundle is not what the device's certificate vouches for.
    #[error("the relay gave out prekeys that do not belong to the device ({0}); ask again later or by another way")]
    Bundle(#[from] KeyError),
    /// An X25519 key that decides the shared secret alone.
    #[error("the contact's device has published an unusable key; ask them to update")]
    WeakKey,
    /// A KEM key that is none.
    #[error("the contact's device has published an unusable post-quantum key; ask them to update")]
    InvalidKemKey,
    /// There is no session to encrypt with.
    #[error("no session with this device yet; claim a prekey bundle first")]
    NoSession,
    /// Bundle, certificate and sessions are not all of one remote device.
    #[error("the keys are of another device than the one to encrypt for")]
    WrongRecipient,
    /// A device does not talk to itself.
    #[error("a device does not encrypt for itself")]
    SameDevice,
    /// The ciphertext would be over the protocol's limit.
    #[error("the message is too large; send it as an attachment")]
    TooLarge,
    /// A chain has come to its end; a new session is needed.
    #[error("this session is used up; start a new one")]
    Exhausted,
}

impl From<WeakKey> for CryptoError {
    fn from(_: WeakKey) -> Self {
        Self::WeakKey
    }
}

impl From<InvalidKemKey> for CryptoError {
    fn from(_: InvalidKemKey) -> Self {
        Self::InvalidKemKey
    }
}

/// Why a message could not be decrypted: the cause that a placeholder shows. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecryptError {
    /// No session opens it: state was lost on one side.
    #[error("no session opens this message; ask the sender to send it again")]
    NoSession,
    /// It was decrypted before. To be dropped silently.
    #[error("this message was received before")]
    Duplicate,
    /// Its key was deleted: it came more than 30 days or 1,000 messages late.
    #[error("this message came too late, its key is deleted; ask the sender to send it again")]
    OldKey,
    /// It would skip more than 1,000 messages.
    #[error("too many messages before this one are missing; ask the sender to send it again")]
    TooFarAhead,
    /// The session is right, the contents were changed on the way.
    #[error("this message was changed on its way; ask the sender to send it again")]
    Tampered,
    /// It starts a session with a prekey that this device no longer has, or never had.
    #[error("this message uses a key that is no longer there; ask the sender to send it again")]
    UnknownPrekey,
    /// It starts a session with a key that decides the shared secret alone.
    #[error("this message offers an unusable key; ask the sender to update")]
    WeakKey,
    /// Of a version, kind or flag that this program does not know.
    #[error("this message needs a newer version of the program; update to read it")]
    UnknownVersion,
    /// It claims another sender than the device it came from.
    #[error("this message is not from the device that it claims")]
    WrongSender,
    /// The sessions are of another device of ours.
    #[error("this message is for another device")]
    WrongRecipient,
    /// No message at all, or one that breaks the protocol though its sender is genuine.
    #[error("this is not a well-formed message; the sender's program may be faulty")]
    Malformed,
}

impl From<WeakKey> for DecryptError {
    fn from(_: WeakKey) -> Self {
        Self::WeakKey
    }
}
