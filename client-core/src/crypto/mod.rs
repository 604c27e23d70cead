//! Identity, key agreement, ratchet, padding, safety numbers and passwords (`docs/crypto.md`).
//!
//! Sans-I/O: everything takes the time, randomness and bytes, and gives bytes and the state that
//! follows. Nothing is changed in place, so an error, a crash or a full disk leaves the state as
//! it was.

pub mod attachment;
mod database_key;
pub mod dh;
mod error;
mod handshake;
mod identity;
mod kdf;
pub mod kem;
pub mod padding;
mod password;
mod peer_sessions;
mod prekey;
mod ratchet;
mod recovery;
mod safety_number;
mod secret;
mod state;
pub mod steps;
mod transcript;

pub use database_key::{UnwrapError, new_database_key, unwrap_database_key, wrap_database_key};
pub use error::{CryptoError, DecryptError};
pub use handshake::{Agreed, INITIAL_HEADER_BYTES, VerifiedBundle, agree_as_initiator, agree_as_responder};
pub use identity::{AccountKey, LocalDevice};
pub use password::{PasswordError, StretchCost, StretchedPassword, new_params, stretch_password};
pub use peer_sessions::{
    ARCHIVED_MAX, Envelope, GENERATION_CLAIM_MAX, GENERATION_STEP_MAX, INITIAL_OVERHEAD_BYTES, OVERHEAD_BYTES,
    PeerSessions, Received, WHISPER_BYTES,
};
pub use prekey::{PrekeySecrets, Prekeys, RETIRED_SECONDS, ROTATE_SECONDS};
pub use ratchet::{CHAINS_MAX, KEPT_MAX, KEPT_SECONDS, SKIP_MAX};
pub use recovery::{RecoveryKey, RecoveryWordsError};
pub use safety_number::{SafetyNumber, safety_number};
pub use secret::{Secret, Secret32};
pub use state::BadState;
