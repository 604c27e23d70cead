//! Failures of the layers below, in the words for a person.

use std::sync::PoisonError;

use susurro_protocol::ErrorCode;

use super::Inner;
use crate::crypto::PasswordError;
use crate::driver::{NotDone, StartFailure};
use crate::error::Error;
use crate::model::Trouble;
use crate::profile::fingerprint;
use crate::sync::{Refused, RequestFailure};
use crate::transport::{BadUrl, RelayUrl, TransportError};

impl From<BadUrl> for Error {
    fn from(error: BadUrl) -> Self {
        match error {
            BadUrl::Malformed => Self::BadRelayUrl,
            BadUrl::PlainHttp => Self::PlainHttpNotLoopback,
        }
    }
}

impl From<NotDone> for Error {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Store(error) => error.into(),
            NotDone::Refused(refused) => match refused {
                Refused::EmptyText => Self::EmptyMessage,
                Refused::TooLong { bytes, max } => Self::TooLong { bytes, max },
                Refused::Yourself => Self::Yourself,
                Refused::KeyChanged(name) => Self::ContactKeyChanged(name.as_str().to_owned()),
                Refused::UnknownContact(name) => Self::UnknownPeer(name.as_str().to_owned()),
                Refused::Offline => Self::Timeout,
            },
        }
    }
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::UnknownScheme => Self::Rejected(ErrorCode::UnsupportedVersion),
            PasswordError::TooWeak | PasswordError::TooCostly => Self::UnsafeParameters,
        }
    }
}

/// A transport's error, for a person.
pub(crate) fn at(error: TransportError, url: &RelayUrl) -> Error {
    match error {
        TransportError::Unreachable(cause) => Error::Unreachable { url: url.as_str().to_owned(), cause },
        TransportError::Certificate(cause) => Error::Certificate { url: url.as_str().to_owned(), cause },
        TransportError::NotARelay => Error::NotARelay { url: url.as_str().to_owned() },
        TransportError::Refused { code, .. } => refused(code, url),
    }
}

fn refused(code: ErrorCode, url: &RelayUrl) -> Error {
    match code {
        ErrorCode::NameTaken => Error::NameTaken,
        ErrorCode::InvalidInvite => Error::InvalidInvite,
        ErrorCode::AccountDisabled => Error::AccountDisabled,
        ErrorCode::InvalidCredentials => Error::WrongNameOrPassword,
        ErrorCode::UnknownDevice => Error::UnknownDevice,
        ErrorCode::Unauthenticated | ErrorCode::TokenExpired | ErrorCode::TokenRevoked => Error::LoggedOut,
        ErrorCode::NoPrekeys => Error::NoPrekeys,
        ErrorCode::UnsupportedVersion => Error::NotARelay { url: url.as_str().to_owned() },
        ErrorCode::Internal
        | ErrorCode::StorageUnavailable
        | ErrorCode::Overloaded
        | ErrorCode::GoingAway
        | ErrorCode::RateLimited => Error::RelayBusy,
        code => Error::Rejected(code),
    }
}

impl Inner {
    pub(super) fn at(&self, error: TransportError) -> Error {
        at(error, self.http.url())
    }

    fn unreachable(&self, otherwise: &str) -> Error {
        let cause = self.shown.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.at(cause.unwrap_or_else(|| TransportError::Unreachable(otherwise.to_owned())))
    }

    /// Why a chat could not be started with a name.
    pub(super) fn start_failure(&self, failure: StartFailure, peer: &str) -> Error {
        match failure {
            StartFailure::NotDone(error) => error.into(),
            StartFailure::Request(RequestFailure::Unreachable) => self.unreachable("no answer"),
            StartFailure::Request(RequestFailure::NotARelay) => Error::NotARelay { url: self.me.relay_url.clone() },
            StartFailure::Request(RequestFailure::Refused { code: ErrorCode::NotFound, .. }) => {
                Error::UnknownPeer(peer.to_owned())
            }
            StartFailure::Request(RequestFailure::Refused { code, .. }) => refused(code, self.http.url()),
        }
    }

    /// Why a message failed.
    pub(super) fn delivery_failure(&self, code: ErrorCode, peer: &str) -> Error {
        match code {
            ErrorCode::NotFound | ErrorCode::InvalidName => Error::UnknownPeer(peer.to_owned()),
            // It is about the message: the relay does answer.
            ErrorCode::NoPrekeys => Error::NoPrekeys,
            code => Error::Rejected(code),
        }
    }

    /// What is in the way of the connection.
    pub(super) async fn trouble(&self, trouble: &Trouble) -> Error {
        match trouble {
            Trouble::Unreachable => self.unreachable("no connection"),
            Trouble::Lost => self.unreachable("the connection was lost"),
            Trouble::NotARelay => Error::NotARelay { url: self.me.relay_url.clone() },
            Trouble::GoingAway | Trouble::Overloaded => Error::RelayBusy,
            Trouble::Superseded => Error::Superseded,
            // Another relay at this address does not know this device either: then its key says more.
            // Another relay at this address does not know this device either: then its key says more.
            Trouble::LoggedOut => match self.http.info().await.map(|info| fingerprint(&info.relay_key.0)) {
                Ok(offered) if offered != self.me.relay_fingerprint => self.relay_key_changed(offered),
                _ => Error::LoggedOut,
            },
            Trouble::RelayKeyChanged => {
                // The handshake does not say which key it was; the relay tells everybody.
                let offered = self.http.info().await.map(|info| fingerprint(&info.relay_key.0));
                self.relay_key_changed(offered.unwrap_or_else(|_| "unknown".to_owned()))
            }
        }
    }

    fn relay_key_changed(&self, offered: String) -> Error {
        Error::RelayKeyChanged { pinned: self.me.relay_fingerprint.clone(), offered }
    }
}
