//! Identifiers: each its own type, so that one can never stand for another
//! (`docs/protocol.md`, section 4).

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::limits::{NAME_MAX, NAME_MIN};

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 32 lowercase hexadecimal digits.
    #[error("an identifier is 32 lowercase hexadecimal digits")]
    Hex,
    /// An account name of the wrong length.
    #[error("a name has {NAME_MIN} to {NAME_MAX} characters")]
    NameLength,
    /// An account name with a character that is not allowed.
    #[error("a name has only the characters a-z, 0-9, _ and -")]
    NameCharacter,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The identifier of these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                write_hex(&self.0, f)?;
                f.write_str(")")
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;
            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::Hex)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(HexVisitor).map(Self)
                } else {
                    deserializer.deserialize_any(BytesVisitor).map(Self)
                }
            }
        }
    };
}

identifier! {
    /// An account: the first 16 bytes of SHA-256 over a label and the account key, so that no
    /// relay can give one account's identifier to another key.
    AccountId
}
identifier! {
    /// A device: 16 random bytes chosen by the client.
    DeviceId
}
identifier! {
    /// An encrypted attachment: 16 random bytes chosen by whoever uploads it. Whoever knows them may read it.
    BlobId
}
identifier! {
    /// A message: 16 random bytes chosen by the sender; makes `Send` idempotent.
    MessageId
}
identifier! {
    /// A chat. For two people it follows from their accounts, whoever asks first.
    ChatId
}

identifier! {
    /// An announcement of a relay: 16 random bytes.
    AnnouncementId
}

impl AccountId {
    /// The identifier of the account with this Ed25519 account key.
    #[must_use]
    pub fn of_account_key(account_key: &[u8; 32]) -> Self {
        Self(truncated_hash(b"susurro/v1/account-id\0", &[account_key]))
    }
}

impl ChatId {
    /// The chat of two accounts; the order of the arguments does not matter.
    #[must_use]
    pub fn direct(one: &AccountId, other: &AccountId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        Self(truncated_hash(b"susurro/v1/direct-chat\0", &[low.as_bytes(), high.as_bytes()]))
    }
}

/// A position in a device's mailbox, from 1 upwards; 0 stands for "before the first".
pub type MailboxSeq = u64;

/// A prekey of one device: counts upwards from 1 and is never used again, even after a restart.
pub type PrekeyId = u64;

/// An account's name on its relay: 3 to 50 of `a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(String);

impl AccountName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')) {
            return Err(IdError::NameCharacter);
        }
        if !(NAME_MIN..=NAME_MAX).contains(&text.len()) {
            return Err(IdError::NameLength);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AccountName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountName({})", self.0)
    }
}

impl Serialize for AccountName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AccountName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn truncated_hash(label: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(label);
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex(text: &str) -> Result<[u8; 16], IdError> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(IdError::Hex),
    };
    let text: &[u8; 32] = text.as_bytes().try_into().map_err(|_| IdError::Hex)?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

struct HexVisitor;
impl Visitor<'_> for HexVisitor {
    type Value = [u8; 16];
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 lowercase hexadecimal digits")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; 16], E> {
        parse_hex(text).map_err(E::custom)
    }
}

struct BytesVisitor;
impl Visitor<'_> for BytesVisitor {
    type Value = [u8; 16];
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string of 16 bytes")
    }
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; 16], E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_for_length_and_characters() {
        for good in ["bob", "a-b_9", &"x".repeat(50)] {
            assert_eq!(good.parse::<AccountName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "bo", &"x".repeat(51)] {
            assert_eq!(bad.parse::<AccountName>(), Err(IdError::NameLength));
        }
        for bad in ["Bob", "b b", "böb", "bob@host", "bob\n"] {
            assert_eq!(bad.parse::<AccountName>(), Err(IdError::NameCharacter));
        }
    }

    #[test]
    fn identifiers_read_back_from_text_and_from_msgpack_and_refuse_anything_else() {
        let id = MessageId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<MessageId>().is_err());
        assert_eq!("00".parse::<MessageId>(), Err(IdError::Hex));
        let packed = rmp_serde::to_vec(&id).ok();
        assert_eq!(packed.as_deref().map(|p| p[..2].to_vec()), Some(vec![0xc4, 16]));
        assert_eq!(packed.and_then(|p| rmp_serde::from_slice(&p).ok()), Some(id));
        let as_text = rmp_serde::to_vec("0123456789abcdef").ok();
        assert!(as_text.is_some_and(|p| rmp_serde::from_slice::<MessageId>(&p).is_err()));
    }

    #[test]
    fn a_direct_chat_does_not_depend_on_who_asks() {
        let (a, b) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        assert_eq!(ChatId::direct(&a, &b), ChatId::direct(&b, &a));
        assert_ne!(ChatId::direct(&a, &b), ChatId::direct(&a, &a));
    }
}
