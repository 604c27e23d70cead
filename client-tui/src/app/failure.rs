//! Errors, as people are told them: what failed and what to do next.

use susurro_client_core::Error;
use susurro_client_core::crypto::RecoveryWordsError;
use susurro_protocol::ids::IdError;
use susurro_protocol::{ErrorCode, limits};

use super::model::Step;
use crate::i18n::{Key, Texts};
use crate::key;
use crate::{sanitize, size};

/// Something that did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed and why, and the next step.
    pub text: String,
    /// The page of the first start that can mend it.
    pub step: Option<Step>,
}

impl Failure {
    /// A failure with a text of its own.
    #[must_use]
    pub fn of(texts: &Texts, key: Key) -> Self {
        Self { text: texts.get(key), step: None }
    }

    /// What to say of an error of the client.
    #[must_use]
    pub fn explain(texts: &Texts, error: &Error) -> Self {
        Self { text: explain(texts, error), step: step(error) }
    }
}

fn step(error: &Error) -> Option<Step> {
    match error {
        Error::BadRelayUrl
        | Error::PlainHttpNotLoopback
        | Error::Unreachable { .. }
        | Error::Certificate { .. }
        | Error::NotARelay { .. }
        | Error::RelayBusy
        | Error::UnsafeParameters
        | Error::RelayKeyChanged { .. } => Some(Step::Relay),
        Error::InvalidInvite => Some(Step::Invite),
        Error::BadName(_) | Error::NameTaken => Some(Step::Name),
        Error::WeakPassword | Error::WrongNameOrPassword => Some(Step::Password),
        Error::EmptyPassphrase | Error::WrongPassphrase => Some(Step::Passphrase),
        _ => None,
    }
}

fn explain(texts: &Texts, error: &Error) -> String {
    let clean = |text: &String| sanitize::line(text);
    match error {
        Error::BadName(IdError::NameLength) => texts.with(
            key!("error-name-length"),
            &[("min", (limits::NAME_MIN as u64).into()), ("max", (limits::NAME_MAX as u64).into())],
        ),
        Error::BadName(_) => texts.get(key!("error-name-characters")),
        Error::EmptyMessage => texts.get(key!("error-empty-message")),
        Error::TooLong { bytes, max } => {
            texts.with(key!("error-too-long"), &[("bytes", (*bytes as u64).into()), ("max", (*max as u64).into())])
        }
        Error::Yourself => texts.get(key!("error-yourself")),
        Error::BadRelayUrl => texts.get(key!("error-relay-url")),
        Error::PlainHttpNotLoopback => texts.get(key!("error-plain-http")),
        Error::InvalidInvite => texts.get(key!("error-invalid-invite")),
        Error::AccountDisabled => texts.get(key!("error-account-disabled")),
        Error::WeakPassword => {
            texts.with(key!("error-weak-password"), &[("min", (limits::PASSWORD_MIN as u64).into())])
        }
        Error::BadRecoveryWords(RecoveryWordsError::Count(count)) => {
            texts.with(key!("error-recovery-count"), &[("count", (*count as u64).into())])
        }
        Error::BadRecoveryWords(RecoveryWordsError::Unknown(place)) => {
            texts.with(key!("error-recovery-unknown"), &[("place", (*place as u64).into())])
        }
        Error::BadRecoveryWords(RecoveryWordsError::Checksum) => texts.get(key!("error-recovery-checksum")),
        Error::WrongRecoveryKey => texts.get(key!("error-recovery-wrong")),
        Error::ThisDevice => texts.get(key!("error-this-device")),
        Error::NoSuchDevice => texts.get(key!("error-no-such-device")),
        Error::EmptyPassphrase => texts.get(key!("error-empty-passphrase")),
        Error::NameTaken => texts.get(key!("error-name-taken")),
        Error::UnknownPeer(name) => texts.with(key!("error-unknown-peer"), &[("name", clean(name).into())]),
        Error::Rejected(code) => texts.with(key!("error-rejected"), &[("reason", reason(texts, *code).into())]),
        Error::NoProfile => texts.get(key!("error-no-profile")),
        Error::ProfileExists => texts.get(key!("error-profile-exists")),
        Error::OtherAccount(name) => texts.with(key!("error-other-account"), &[("name", name.as_str().into())]),
        Error::Unfinished(name) => texts.with(key!("error-unfinished"), &[("name", name.as_str().into())]),
        Error::NoPrekeys => texts.get(key!("error-no-prekeys")),
        Error::UnknownMessage => texts.get(key!("error-unknown-message")),
        Error::NotFailed => texts.get(key!("error-not-failed")),
        Error::FileUnreadable { path, cause } => {
            texts.with(key!("error-file-unreadable"), &[("path", clean(path).into()), ("cause", clean(cause).into())])
        }
        Error::FileTooLarge { bytes, max } => texts.with(
            key!("error-file-too-large"),
            &[("size", size::shown(*bytes).into()), ("max", size::shown(*max).into())],
        ),
        Error::FileThere(path) => texts.with(key!("error-file-there"), &[("path", clean(path).into())]),
        Error::FileUnwritable { path, cause } => {
            texts.with(key!("error-file-unwritable"), &[("path", clean(path).into()), ("cause", clean(cause).into())])
        }
        Error::NoAttachment => texts.get(key!("error-no-attachment")),
        Error::AttachmentGone => texts.get(key!("error-attachment-gone")),
        Error::AttachmentDamaged => texts.get(key!("error-attachment-damaged")),
        Error::Closed => texts.get(key!("error-closed")),
        Error::WrongNameOrPassword => texts.get(key!("error-wrong-password")),
        Error::LoggedOut => texts.get(key!("error-logged-out")),
        Error::UnknownDevice => texts.get(key!("error-unknown-device")),
        Error::Unreachable { url, cause } => {
            texts.with(key!("error-unreachable"), &[("relay", clean(url).into()), ("cause", clean(cause).into())])
        }
        Error::Certificate { url, cause } => {
            texts.with(key!("error-certificate"), &[("relay", clean(url).into()), ("cause", clean(cause).into())])
        }
        Error::NotARelay { url } => texts.with(key!("error-not-a-relay"), &[("relay", clean(url).into())]),
        Error::Timeout => texts.get(key!("error-timeout")),
        Error::RelayBusy => texts.get(key!("error-relay-busy")),
        Error::Superseded => texts.get(key!("error-superseded")),
        Error::RelayKeyChanged { pinned, offered } => {
            texts.with(key!("error-relay-key"), &[("pinned", clean(pinned).into()), ("offered", clean(offered).into())])
        }
        Error::ContactKeyChanged(name) => texts.with(key!("error-contact-key"), &[("name", clean(name).into())]),
        Error::UnsafeParameters => texts.get(key!("error-unsafe-parameters")),
        Error::Locked => texts.get(key!("error-locked")),
        Error::WrongPassphrase => texts.get(key!("error-wrong-passphrase")),
        Error::Damaged { what } => texts.with(key!("error-damaged"), &[("what", clean(what).into())]),
        Error::FromTheFuture => texts.get(key!("error-newer")),
        Error::Io(cause) => texts.with(key!("error-io"), &[("cause", clean(cause).into())]),
        other => sanitize::line(&other.to_string()),
    }
}

/// Why a message was not taken, and what to do.
#[must_use]
pub fn reason(texts: &Texts, code: ErrorCode) -> String {
    match code {
        ErrorCode::TooLarge => texts.get(key!("reason-too-large")),
        ErrorCode::MailboxFull => texts.get(key!("reason-mailbox-full")),
        ErrorCode::BlobQuota => texts.get(key!("reason-blob-quota")),
        ErrorCode::UnknownChat => texts.get(key!("reason-unknown-chat")),
        ErrorCode::NotFound => texts.get(key!("reason-not-found")),
        ErrorCode::NoPrekeys => texts.get(key!("reason-no-prekeys")),
        ErrorCode::StaleDeviceList => texts.get(key!("reason-stale-devices")),
        ErrorCode::RateLimited | ErrorCode::Overloaded | ErrorCode::StorageUnavailable | ErrorCode::Internal => {
            texts.get(key!("reason-relay-busy"))
        }
        ErrorCode::RegistrationClosed => texts.get(key!("reason-registration-closed")),
        ErrorCode::Forbidden => texts.get(key!("reason-forbidden")),
        other => other.to_string(),
    }
}
