//! The one error of rules, ports and use cases.

use susurro_protocol::keys::KeyError;
use susurro_protocol::{AccountId, DeviceId, ErrorCode};

/// What kept a use case from being done. [`code`](Self::code) is what crosses the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client's fault, told by its code alone.
    #[error("{0}")]
    Refused(ErrorCode),
    /// The client's fault, with a sentence that says what to change.
    #[error("{0}: {1}")]
    Explained(ErrorCode, String),
    /// A message encrypted for other devices than the present ones.
    #[error("the device list is not the present one")]
    StaleDeviceList(Box<Mismatch>),
    /// The client asks too often; seconds until it may again.
    #[error("too many requests, again in {0} s")]
    RateLimited(u64),
    /// The store cannot write or read now. Nothing was accepted. The reason is for the log only.
    #[error("the store is not available: {0}")]
    Storage(String),
    /// A fault of the relay. The reason is for the log only.
    #[error("the relay failed: {0}")]
    Internal(String),
}

/// How a message's devices differ from the present ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Accounts whose list has another version than the sender thinks.
    pub stale: Vec<AccountId>,
    /// Devices without a ciphertext.
    pub missing: Vec<DeviceId>,
    /// Devices with one too many.
    pub extra: Vec<DeviceId>,
}

impl Error {
    /// A refusal with a sentence that says what to change.
    pub fn explained(code: ErrorCode, why: impl Into<String>) -> Self {
        Self::Explained(code, why.into())
    }

    /// A request that does not have its documented shape.
    pub fn invalid(why: impl Into<String>) -> Self {
        Self::explained(ErrorCode::InvalidRequest, why)
    }

    /// A device list that is not believed.
    #[must_use]
    pub fn device_list(why: KeyError) -> Self {
        Self::explained(ErrorCode::InvalidDeviceList, why.to_string())
    }

    /// The stable number of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) | Self::Explained(code, _) => *code,
            Self::StaleDeviceList(_) => ErrorCode::StaleDeviceList,
            Self::RateLimited(_) => ErrorCode::RateLimited,
            Self::Storage(_) => ErrorCode::StorageUnavailable,
            Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// What a client may read beside the code: never the relay's own troubles.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Explained(_, why) => Some(why),
            _ => None,
        }
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}
