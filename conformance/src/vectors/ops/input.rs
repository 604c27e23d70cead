//! Reading the input of an operation, and refusing.

use serde_json::Value;
use susurro_client_core::crypto::dh::WeakKey;
use susurro_client_core::crypto::padding::BadPadding;
use susurro_client_core::crypto::{BadState, CryptoError, DecryptError, Secret32};
use susurro_protocol::codec::{self, Malformed};
use susurro_protocol::keys::{DeviceCertificate, DeviceList, KeyError};
use susurro_protocol::signed::SignedBytes;
use susurro_protocol::{AccountId, ChatId, DeviceId, ErrorCode};

/// Why an operation gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Refused, as the document asks for, with this short name.
    Error(String),
    /// Not an operation of this program.
    Unsupported,
    /// The input is not one of this operation: a fault of the vector.
    Input(String),
}

impl Refusal {
    /// A refusal by short name.
    pub(crate) fn named(name: &str) -> Self {
        Self::Error(name.to_owned())
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::named(code.slug())
    }
}

impl From<WeakKey> for Refusal {
    fn from(_: WeakKey) -> Self {
        Self::named("weak-key")
    }
}

impl From<BadPadding> for Refusal {
    fn from(_: BadPadding) -> Self {
        Self::named("malformed-message")
    }
}

impl From<BadState> for Refusal {
    fn from(_: BadState) -> Self {
        Self::Input("private keys and certificate do not belong together".into())
    }
}

impl From<CryptoError> for Refusal {
    fn from(error: CryptoError) -> Self {
        Self::named(match error {
            CryptoError::Bundle(_) | CryptoError::InvalidKemKey | CryptoError::WrongRecipient => "invalid-prekeys",
            CryptoError::WeakKey => "weak-key",
            CryptoError::NoSession => "no-session",
            CryptoError::SameDevice => "same-device",
            CryptoError::TooLarge => "too-large",
            CryptoError::Exhausted => "exhausted",
        })
    }
}

impl From<DecryptError> for Refusal {
    fn from(error: DecryptError) -> Self {
        Self::named(match error {
            DecryptError::NoSession => "no-session",
            DecryptError::Duplicate => "duplicate",
            DecryptError::OldKey => "old-key",
            DecryptError::TooFarAhead => "too-far-ahead",
            DecryptError::Tampered => "tampered",
            DecryptError::UnknownPrekey => "unknown-prekey",
            DecryptError::WeakKey => "weak-key",
            DecryptError::UnknownVersion => "unknown-version",
            DecryptError::WrongSender => "wrong-sender",
            DecryptError::WrongRecipient => "wrong-recipient",
            DecryptError::Malformed => "malformed-message",
        })
    }
}

/// What a device list that does not hold is refused with.
pub(crate) fn invalid_list(error: KeyError) -> Refusal {
    Refusal::named(match error {
        KeyError::RolledBack { .. } => "rolled-back",
        KeyError::Forked => "forked",
        KeyError::Malformed | KeyError::Signature | KeyError::Suite(_) | KeyError::Mismatch => "invalid-device-list",
    })
}

/// What prekeys that do not hold are refused with.
pub(crate) fn invalid_prekeys<E>(_: E) -> Refusal {
    Refusal::named("invalid-prekeys")
}

/// The input of an operation, or a part of it.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a Value);

type Read<T> = Result<T, Refusal>;

impl<'a> Input<'a> {
    /// The input `value`.
    #[must_use]
    pub fn of(value: &'a Value) -> Self {
        Self(value)
    }

    pub(crate) fn value(&self, name: &str) -> Read<&'a Value> {
        self.0.get(name).ok_or_else(|| Refusal::Input(format!("{name} is missing")))
    }

    pub(crate) fn part(&self, name: &str) -> Read<Self> {
        self.value(name).map(Self)
    }

    pub(crate) fn parts(&self, name: &str) -> Read<impl Iterator<Item = Self> + use<'a>> {
        let items = self.value(name)?.as_array().ok_or_else(|| Refusal::Input(format!("{name} is no list")))?;
        Ok(items.iter().map(Self))
    }

    pub(crate) fn members(&self, name: &str) -> Read<impl Iterator<Item = (&'a String, Self)> + use<'a>> {
        let members = self.value(name)?.as_object().ok_or_else(|| Refusal::Input(format!("{name} is no object")))?;
        Ok(members.iter().map(|(name, value)| (name, Self(value))))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Read<&'a str> {
        self.value(name)?.as_str().ok_or_else(|| Refusal::Input(format!("{name} is no text")))
    }

    pub(crate) fn number<T: TryFrom<u64>>(&self, name: &str) -> Read<T> {
        let number = self.value(name)?.as_u64().and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| Refusal::Input(format!("{name} is no number of its size")))
    }

    pub(crate) fn bytes(&self, name: &str) -> Read<Vec<u8>> {
        hex::decode(self.text(name)?).map_err(|_| Refusal::Input(format!("{name} is not hexadecimal")))
    }

    /// As [`bytes`](Self::bytes) of the value itself.
    pub(crate) fn own_bytes(&self) -> Read<Vec<u8>> {
        let bytes = self.0.as_str().and_then(|text| hex::decode(text).ok());
        bytes.ok_or_else(|| Refusal::Input("not hexadecimal".into()))
    }

    pub(crate) fn array<const N: usize>(&self, name: &str) -> Read<[u8; N]> {
        self.bytes(name)?.try_into().map_err(|_| Refusal::Input(format!("{name} is not {N} bytes")))
    }

    pub(crate) fn secret(&self, name: &str) -> Read<Secret32> {
        self.array(name).map(|bytes| Secret32::copy_of(&bytes))
    }

    pub(crate) fn account(&self, name: &str) -> Read<AccountId> {
        self.array(name).map(AccountId::from_bytes)
    }

    pub(crate) fn device(&self, name: &str) -> Read<DeviceId> {
        self.array(name).map(DeviceId::from_bytes)
    }

    pub(crate) fn chat(&self, name: &str) -> Read<ChatId> {
        self.array(name).map(ChatId::from_bytes)
    }

    pub(crate) fn chat_of(&self, one: &str, other: &str) -> Read<ChatId> {
        Ok(ChatId::direct(&self.account(one)?, &self.account(other)?))
    }

    /// A signed object, the bytes of which are no structure at all in some cases.
    pub(crate) fn signed(&self, name: &str) -> Read<Result<SignedBytes, Malformed>> {
        self.bytes(name).map(|bytes| codec::decode(&bytes))
    }

    /// A certificate that holds.
    pub(crate) fn certificate(&self, name: &str) -> Read<DeviceCertificate> {
        let signed = self.signed(name)?.map_err(|_| invalid_list(KeyError::Malformed))?;
        DeviceCertificate::verify(signed).map_err(invalid_list)
    }

    /// A list that holds.
    pub(crate) fn list(&self, name: &str) -> Read<DeviceList> {
        let signed = self.signed(name)?.map_err(|_| invalid_list(KeyError::Malformed))?;
        DeviceList::verify(signed).map_err(invalid_list)
    }
}
