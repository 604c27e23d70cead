//! The one table of errors that cross the wire (`docs/protocol.md`, section 14).
//!
//! Numbers are stable: a code is never given another meaning, a new one gets a new number.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $slug:literal, $text:literal;)+) => {
        /// What went wrong, with a stable number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
            /// A code of a later version.
            Other(u16),
        }

        impl ErrorCode {
            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable number.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)+
                    Self::Other(number) => number,
                }
            }

            /// The code with this number.
            #[must_use]
            pub const fn of_number(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)+
                    number => Self::Other(number),
                }
            }

            /// A short name in kebab case, the last part of a problem's `type`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)+
                    Self::Other(_) => "other",
                }
            }

            /// One sentence in English, without anything about the case at hand.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Other(_) => "an error of a later protocol version",
                }
            }
        }
    };
}

error_codes! {
    /// Bytes that are no frame.
    MalformedFrame = 1001, "malformed-frame", "the frame is malformed";
    /// No common version.
    UnsupportedVersion = 1002, "unsupported-version", "no common protocol version";
    /// A handshake signature that does not hold.
    BadSignature = 1003, "bad-signature", "a signature does not hold";
    /// A session frame whose tag does not hold.
    BadTag = 1004, "bad-tag", "the tag of a frame does not hold";
    /// A sequence number that is not the next one.
    BadSequence = 1005, "bad-sequence", "the sequence number is not the next one";
    /// More bytes than a frame may have.
    FrameTooLarge = 1006, "frame-too-large", "the frame is too large";
    /// A kind that this side does not know. The connection survives.
    UnknownKind = 1007, "unknown-kind", "the kind of frame is not known";
    /// A body that is not the structure of its kind.
    MalformedBody = 1008, "malformed-body", "the body of a frame is malformed";
    /// No `Hello` in time.
    HandshakeTimeout = 1009, "handshake-timeout", "the handshake took too long";
    /// A frame that does not belong here.
    UnexpectedFrame = 1010, "unexpected-frame", "the frame is not allowed at this point";
    /// The client pinned another relay key.
    RelayKeyMismatch = 1011, "relay-key-mismatch", "the relay has another key than the one expected";
    /// Nothing heard for too long.
    IdleTimeout = 1012, "idle-timeout", "nothing was heard for too long";

    /// No token, or none that this relay made.
    Unauthenticated = 2001, "unauthenticated", "authentication is required";
    /// A token past its time.
    TokenExpired = 2002, "token-expired", "the token has expired";
    /// A token taken back by logout, password change or removal.
    TokenRevoked = 2003, "token-revoked", "the token was revoked";
    /// Wrong name or wrong password: never told apart.
    InvalidCredentials = 2004, "invalid-credentials", "wrong name or password";
    /// The account has no such device.
    UnknownDevice = 2005, "unknown-device", "this device does not belong to the account";
    /// Known, but not allowed.
    Forbidden = 2006, "forbidden", "not allowed";
    /// A newer connection of the same device took over.
    Superseded = 2007, "superseded", "another connection of this device took over";
    /// A login nonce that is too old or not of this relay.
    StaleNonce = 2008, "stale-nonce", "the login nonce is too old";
    /// The operator has disabled the account. Told only after the right password.
    AccountDisabled = 2009, "account-disabled", "this account was disabled by the relay's operator";

    /// A request that does not have its documented shape.
    InvalidRequest = 3001, "invalid-request", "the request is malformed";
    /// A name with a wrong length or character.
    InvalidName = 3002, "invalid-name", "a name has 3 to 50 characters of a-z, 0-9, _ and -";
    /// The name belongs to somebody.
    NameTaken = 3003, "name-taken", "the name is taken";
    /// No such account, chat or route.
    NotFound = 3004, "not-found", "there is no such thing";
    /// A ciphertext or request body over the limit.
    TooLarge = 3005, "too-large", "it is larger than allowed";
    /// A certificate or device list that does not hold.
    InvalidDeviceList = 3006, "invalid-device-list", "the device list does not hold";
    /// Prekeys that do not hold, or too many of them.
    InvalidPrekeys = 3007, "invalid-prekeys", "the prekeys do not hold";
    /// The account key is registered already.
    AccountExists = 3008, "account-exists", "this account key is registered already";
    /// The method does not exist on this path.
    MethodNotAllowed = 3009, "method-not-allowed", "the method is not allowed here";
    /// Registration is closed.
    RegistrationClosed = 3010, "registration-closed", "this relay takes no registrations";
    /// Registration is by invite, and this one is none, used up, over, or taken back.
    InvalidInvite = 3011, "invalid-invite", "registration here needs an invite, and this is none that is still good";

    /// The message was encrypted for another set of devices than the present one.
    StaleDeviceList = 4001, "stale-device-list", "the device list is not the present one";
    /// The sender is not a member of the chat, or there is none.
    UnknownChat = 4002, "unknown-chat", "there is no such chat";
    /// The recipient's mailbox is full.
    MailboxFull = 4003, "mailbox-full", "the mailbox of a recipient is full";
    /// The device has published no prekeys yet.
    NoPrekeys = 4004, "no-prekeys", "the device has published no prekeys";
    /// The same message id with other contents.
    MessageIdReused = 4005, "message-id-reused", "the message id was used for another message";
    /// The configuration has another version than the one that the change is based on.
    ConfigConflict = 4006, "config-conflict", "the configuration was changed meanwhile";
    /// The identifier stands for another blob, or the chunk is not the next one.
    BlobConflict = 4007, "blob-conflict", "the blob is another one, or at another place";
    /// The account's blobs would take more room than it has.
    BlobQuota = 4008, "blob-quota", "there is no room for more attachments of this account";
    /// A range that begins behind the end.
    RangeNotSatisfiable = 4009, "range-not-satisfiable", "the range lies beyond the end";

    /// A fault of the relay.
    Internal = 5001, "internal", "the relay failed";
    /// The relay cannot write now; nothing was accepted.
    StorageUnavailable = 5002, "storage-unavailable", "the relay cannot store anything now";
    /// The relay has too much to do.
    Overloaded = 5003, "overloaded", "the relay has too much to do";
    /// The relay is going down and will be back.
    GoingAway = 5004, "going-away", "the relay is going away for a moment";
    /// Too many requests.
    RateLimited = 5005, "rate-limited", "too many requests";
}

impl ErrorCode {
    /// The WebSocket close code (RFC 6455, section 7.4.2, private range): 4000 plus a
    /// two-digit class and case, so that a close without a reason still says what it was.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::FrameTooLarge => 1009,
            Self::Internal | Self::StorageUnavailable => 1011,
            Self::Overloaded => 1013,
            Self::Other(_) => 4999,
            other => 4000 + other.number() % 1000 + (other.number() / 1000) * 100,
        }
    }

    /// Whether the same request may succeed later without any change.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::HandshakeTimeout
                | Self::IdleTimeout
                | Self::MailboxFull
                | Self::NoPrekeys
                | Self::Internal
                | Self::StorageUnavailable
                | Self::Overloaded
                | Self::GoingAway
                | Self::RateLimited
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.number())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(Self::of_number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_slugs_and_private_close_codes_are_unique() {
        let numbers: HashSet<_> = ErrorCode::ALL.iter().map(|c| c.number()).collect();
        let slugs: HashSet<_> = ErrorCode::ALL.iter().map(|c| c.slug()).collect();
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
        assert_eq!(slugs.len(), ErrorCode::ALL.len());
        let close: Vec<_> = ErrorCode::ALL.iter().map(|c| c.close_code()).filter(|c| *c >= 4000).collect();
        assert_eq!(close.iter().collect::<HashSet<_>>().len(), close.len());
        assert!(close.iter().all(|code| *code < 5000));
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::of_number(code.number()), *code);
        }
        assert_eq!(ErrorCode::of_number(9), ErrorCode::Other(9));
    }
}
