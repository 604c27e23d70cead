//! What can go wrong for a person, grouped by whose fault it is.

use susurro_protocol::{AccountName, ErrorCode, ids::IdError};

use crate::crypto::RecoveryWordsError;

/// Whose fault an error is. A face keeps one table from this to its exit codes or dialogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// What was asked for cannot be done by anyone: ask otherwise.
    Usage,
    /// It was understood and did not work.
    Failed,
    /// The relay does not believe that it is this person or device.
    Authentication,
    /// The relay cannot be reached or is none.
    Network,
    /// A key is not the one that it should be.
    Trust,
    /// The local profile cannot be used.
    Store,
}

/// An error of [`Client`](crate::client::Client). Displaying it shows no secret and no message text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name with a wrong length or character.
    #[error("{0}")]
    BadName(IdError),
    /// Nothing to send.
    #[error("the message is empty")]
    EmptyMessage,
    /// More text than one message carries.
    #[error("the message has {bytes} bytes, {max} fit into one: split it")]
    TooLong {
        /// Bytes of UTF-8.
        bytes: usize,
        /// [`TEXT_MAX`](susurro_protocol::limits::TEXT_MAX).
        max: usize,
    },
    /// A conversation with oneself.
    #[error("that is your own name: name somebody else")]
    Yourself,
    /// Not the address of a relay.
    #[error("the address of a relay looks like https://relay.example or http://127.0.0.1:8080")]
    BadRelayUrl,
    /// Tokens would cross a network in the clear.
    #[error(
        "http:// is only for a relay on this machine: use https://, or set SUSURRO_INSECURE_HTTP=1 if the network itself is protected"
    )]
    PlainHttpNotLoopback,
    /// A password below [`PASSWORD_MIN`](susurro_protocol::limits::PASSWORD_MIN) characters.
    #[error("a password has at least {} characters", susurro_protocol::limits::PASSWORD_MIN)]
    WeakPassword,
    /// Words that are no recovery key.
    #[error("{0}")]
    BadRecoveryWords(RecoveryWordsError),
    /// The device that this runs on.
    #[error("that is this device: delete the account, or remove it from another device")]
    ThisDevice,
    /// No passphrase.
    #[error("the passphrase is empty: it is what protects the profile on this disk")]
    EmptyPassphrase,

    /// Somebody has the name.
    #[error("the name is taken: choose another one")]
    NameTaken,
    /// Registration is by invite.
    #[error("this relay takes registrations by invite, and this is none that is still good: ask who runs it for one")]
    InvalidInvite,
    /// The operator has disabled the account.
    #[error("this account was disabled by who runs the relay: ask them")]
    AccountDisabled,
    /// Nobody has it.
    #[error("nobody on this relay is called {0}: check the spelling")]
    UnknownPeer(String),
    /// The relay refused.
    #[error("the relay refused: {0}")]
    Rejected(ErrorCode),
    /// There is nothing at the profile's path.
    #[error(
        "there is no profile here: register first. A lost profile cannot be fetched back by logging in, since its keys were only in it; adding a new device to an account is not possible in this version"
    )]
    NoProfile,
    /// There is one already.
    #[error("there is a profile here already: log in with it, or choose another directory")]
    ProfileExists,
    /// The profile belongs to another name.
    #[error("this profile belongs to {0}: log in under that name, or choose another directory")]
    OtherAccount(AccountName),
    /// Registration was begun and its outcome is not known.
    #[error("registration as {0} was begun here and not finished: register again with the same name and password")]
    Unfinished(AccountName),
    /// The peer has published none.
    #[error("the other person's program has not published its keys yet: try again once they have been online")]
    NoPrekeys,
    /// No message with that identifier.
    #[error("there is no such message")]
    UnknownMessage,
    /// The message is not one that can be sent again.
    #[error("only a message that failed can be sent again")]
    NotFailed,
    /// A file that cannot be sent.
    #[error("{path} cannot be read ({cause})")]
    FileUnreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A file above [`ATTACHMENT_MAX`](susurro_protocol::limits::ATTACHMENT_MAX).
    #[error("the file has {bytes} bytes, an attachment at most {max}")]
    FileTooLarge {
        /// Its bytes.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// Nothing is written over.
    #[error("{0} is there already: nothing is written over, name another file or a directory")]
    FileThere(String),
    /// A file that cannot be written.
    #[error("{path} cannot be written ({cause})")]
    FileUnwritable {
        /// The file.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// The message has no file.
    #[error("the message has no attachment")]
    NoAttachment,
    /// The relay has it no more.
    #[error("the relay does not have the attachment any more: ask for it again")]
    AttachmentGone,
    /// What came is not what the message names.
    #[error("what the relay gave is not what was sent: nothing was written")]
    AttachmentDamaged,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,

    /// Never told apart.
    #[error("wrong name or password")]
    WrongNameOrPassword,
    /// Never told apart.
    #[error("wrong name or recovery key, or the account has none")]
    WrongRecoveryKey,
    /// No such device in the account's list.
    #[error("the account has no device of that identifier")]
    NoSuchDevice,
    /// Tokens are gone or no longer good.
    #[error("this device is logged out: log in again")]
    LoggedOut,
    /// The account has no such device.
    #[error(
        "this device does not belong to the account: a lost profile is a new device, which this version cannot add yet"
    )]
    UnknownDevice,

    /// Nothing answers.
    #[error("no relay answers at {url} ({cause}): check the address and the network")]
    Unreachable {
        /// The relay's address.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// What answers has a certificate that is not trusted here.
    #[error(
        "the certificate of {url} is not trusted here ({cause}): if it is of an authority of your own, name that authority's certificate in SSL_CERT_FILE"
    )]
    Certificate {
        /// The relay's address.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Something else answers.
    #[error("what answers at {url} is not a Susurro relay this program can talk to: check the address")]
    NotARelay {
        /// The relay's address.
        url: String,
    },
    /// It took longer than the caller wanted to wait.
    #[error("the time ran out: what is queued stays queued and is sent when there is a connection")]
    Timeout,
    /// The relay cannot now.
    #[error("the relay has too much to do or cannot store anything now: try again in a while")]
    RelayBusy,
    /// Another program is connected as this device.
    #[error("another program is connected as this device: close one of the two")]
    Superseded,

    /// Not the pinned relay key.
    #[error(
        "the relay shows the key {offered}, pinned is {pinned}: it was set up anew or somebody stands in between. Ask who runs it before you go on"
    )]
    RelayKeyChanged {
        /// Fingerprint of the pinned key.
        pinned: String,
        /// Fingerprint of the one that was shown.
        offered: String,
    },
    /// A verified contact has another key.
    #[error("the key of {0} changed after you verified it: compare the safety number again, or accept the new key")]
    ContactKeyChanged(String),
    /// The relay asks for a password stretching below the floor.
    #[error("the relay asks for a weaker protection of the password than is safe: nothing was sent")]
    UnsafeParameters,

    /// Another process has it.
    #[error("the profile is in use by another program: close that one first")]
    Locked,
    /// The key file is whole, the passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// A file of the profile was changed or cut.
    #[error("{what} is damaged: nothing was changed. Restore the profile from a copy, or move it aside")]
    Damaged {
        /// Which file.
        what: String,
    },
    /// A newer program has written it.
    #[error("the profile was written by a newer version of this program: update it")]
    FromTheFuture,
    /// The system refused, or the disk is full.
    #[error("the profile cannot be read or written ({0}): check free space and permissions")]
    Io(String),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::BadName(_)
            | Self::EmptyMessage
            | Self::TooLong { .. }
            | Self::Yourself
            | Self::FileUnreadable { .. }
            | Self::FileTooLarge { .. }
            | Self::FileThere(_)
            | Self::BadRelayUrl
            | Self::PlainHttpNotLoopback
            | Self::WeakPassword
            | Self::BadRecoveryWords(_)
            | Self::ThisDevice
            | Self::EmptyPassphrase => Fault::Usage,
            Self::NameTaken
            | Self::InvalidInvite
            | Self::UnknownPeer(_)
            | Self::Rejected(_)
            | Self::NoProfile
            | Self::ProfileExists
            | Self::OtherAccount(_)
            | Self::Unfinished(_)
            | Self::NoPrekeys
            | Self::UnknownMessage
            | Self::NotFailed
            | Self::NoSuchDevice
            | Self::FileUnwritable { .. }
            | Self::NoAttachment
            | Self::AttachmentGone
            | Self::Closed => Fault::Failed,
            Self::WrongNameOrPassword
            | Self::WrongRecoveryKey
            | Self::LoggedOut
            | Self::UnknownDevice
            | Self::AccountDisabled => Fault::Authentication,
            Self::Unreachable { .. }
            | Self::Certificate { .. }
            | Self::NotARelay { .. }
            | Self::Timeout
            | Self::RelayBusy
            | Self::Superseded => Fault::Network,
            Self::RelayKeyChanged { .. }
            | Self::ContactKeyChanged(_)
            | Self::UnsafeParameters
            | Self::AttachmentDamaged => Fault::Trust,
            Self::Locked | Self::WrongPassphrase | Self::Damaged { .. } | Self::FromTheFuture | Self::Io(_) => {
                Fault::Store
            }
        }
    }
}

impl From<IdError> for Error {
    fn from(error: IdError) -> Self {
        Self::BadName(error)
    }
}
