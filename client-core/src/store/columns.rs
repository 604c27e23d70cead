//! How values become columns and back. Numbers here are in every store: none is ever reused.

use std::borrow::Cow;

use susurro_protocol::{AccountName, ErrorCode};

use super::error::DATABASE;
use super::{Registration, StoreError};
use crate::model::{Cause, Delivery, Direction, MessageContent, Trust};

const DAMAGED: StoreError = StoreError::Damaged(DATABASE);

/// The 64 bits of a number that the wire allows to be any.
pub(crate) const fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// The number of [`bits`].
pub(crate) const fn number(bits: i64) -> u64 {
    bits.cast_unsigned()
}

pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| DAMAGED)
}

/// An identifier of 16 bytes.
pub(crate) fn id<'a, T: TryFrom<&'a [u8]>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    T::try_from(bytes).map_err(|_| DAMAGED)
}

pub(crate) fn name(text: &str) -> Result<AccountName, StoreError> {
    text.parse().map_err(|_| DAMAGED)
}

pub(crate) fn registration(number: i64) -> Result<Registration, StoreError> {
    match number {
        0 => Ok(Registration::Made),
        1 => Ok(Registration::Sent),
        2 => Ok(Registration::Done),
        _ => Err(DAMAGED),
    }
}

pub(crate) const fn registration_number(registration: Registration) -> i64 {
    match registration {
        Registration::Made => 0,
        Registration::Sent => 1,
        Registration::Done => 2,
    }
}

pub(crate) const fn trust_number(trust: Trust) -> i64 {
    match trust {
        Trust::Unverified => 0,
        Trust::Verified => 1,
        Trust::Changed => 2,
        Trust::ChangedAfterVerification => 3,
    }
}

pub(crate) fn trust(number: i64) -> Result<Trust, StoreError> {
    match number {
        0 => Ok(Trust::Unverified),
        1 => Ok(Trust::Verified),
        2 => Ok(Trust::Changed),
        3 => Ok(Trust::ChangedAfterVerification),
        _ => Err(DAMAGED),
    }
}

pub(crate) const fn direction_number(direction: Direction) -> i64 {
    match direction {
        Direction::Incoming => 0,
        Direction::Outgoing => 1,
    }
}

pub(crate) fn direction(number: i64) -> Result<Direction, StoreError> {
    match number {
        0 => Ok(Direction::Incoming),
        1 => Ok(Direction::Outgoing),
        _ => Err(DAMAGED),
    }
}

/// State and failure.
pub(crate) const fn delivery_numbers(delivery: Delivery) -> (i64, Option<i64>) {
    match delivery {
        Delivery::Queued => (0, None),
        Delivery::Accepted => (1, None),
        Delivery::Stored => (2, None),
        Delivery::Read => (3, None),
        Delivery::Failed(code) => (9, Some(code.number() as i64)),
    }
}

pub(crate) fn delivery(number: i64, failure: Option<i64>) -> Result<Delivery, StoreError> {
    match (number, failure) {
        (0, None) => Ok(Delivery::Queued),
        (1, None) => Ok(Delivery::Accepted),
        (2, None) => Ok(Delivery::Stored),
        (3, None) => Ok(Delivery::Read),
        (9, Some(code)) => {
            u16::try_from(code).map(|code| Delivery::Failed(ErrorCode::of_number(code))).map_err(|_| DAMAGED)
        }
        _ => Err(DAMAGED),
    }
}

pub(crate) const fn cause_number(cause: Cause) -> i64 {
    match cause {
        Cause::NoSession => 0,
        Cause::OldKey => 1,
        Cause::TooFarAhead => 2,
        Cause::Tampered => 3,
        Cause::UnknownVersion => 4,
        Cause::Malformed => 5,
    }
}

pub(crate) fn cause(number: i64) -> Result<Cause, StoreError> {
    match number {
        0 => Ok(Cause::NoSession),
        1 => Ok(Cause::OldKey),
        2 => Ok(Cause::TooFarAhead),
        3 => Ok(Cause::Tampered),
        4 => Ok(Cause::UnknownVersion),
        5 => Ok(Cause::Malformed),
        _ => Err(DAMAGED),
    }
}

/// Kind, text and number of a content.
pub(crate) fn content_columns(content: &MessageContent) -> (i64, Option<Cow<'_, str>>, Option<i64>) {
    match content {
        MessageContent::Text(text) => (0, Some(text.into()), None),
        MessageContent::Unknown(kind) => (1, None, Some(i64::from(*kind))),
        MessageContent::Undecryptable(cause) => (2, None, Some(cause_number(*cause))),
        MessageContent::Note(key) => (3, Some(key.into()), None),
        // Serializing a structure of texts and numbers to memory cannot fail.
        MessageContent::Attachment(file) => (4, Some(serde_json::to_string(file).unwrap_or_default().into()), None),
    }
}

pub(crate) fn content(kind: i64, body: Option<String>, number: Option<i64>) -> Result<MessageContent, StoreError> {
    match (kind, body, number) {
        (0, Some(text), None) => Ok(MessageContent::Text(text)),
        (1, None, Some(kind)) => u16::try_from(kind).map(MessageContent::Unknown).map_err(|_| DAMAGED),
        (2, None, Some(number)) => cause(number).map(MessageContent::Undecryptable),
        (3, Some(key), None) => Ok(MessageContent::Note(key)),
        (4, Some(file), None) => serde_json::from_str(&file).map(MessageContent::Attachment).map_err(|_| DAMAGED),
        _ => Err(DAMAGED),
    }
}
