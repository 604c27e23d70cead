//! Columns to values and back.

use sqlx::postgres::PgRow;
use sqlx::{Row as _, ValueRef as _};
use susurro_protocol::bytes::{Bin, Fixed};
use susurro_protocol::codec;
use susurro_protocol::keys::DeviceCertificate;
use susurro_protocol::rest::SignedText;

use super::fault;
use crate::domain::Error;

/// A column of bytes of a known length.
pub(super) fn fixed<const N: usize>(row: &PgRow, column: usize) -> Result<[u8; N], Error> {
    bytes(row, column)?.try_into().map_err(|_| damaged("a column has another length"))
}

/// A column of bytes.
pub(super) fn bytes(row: &PgRow, column: usize) -> Result<Vec<u8>, Error> {
    row.try_get(column).map_err(|why| fault::error(&why))
}

/// A column of text.
pub(super) fn text(row: &PgRow, column: usize) -> Result<String, Error> {
    row.try_get(column).map_err(|why| fault::error(&why))
}

/// A column of text that may be missing.
pub(super) fn optional_text(row: &PgRow, column: usize) -> Result<Option<String>, Error> {
    row.try_get(column).map_err(|why| fault::error(&why))
}

/// A column that holds a number which is never negative.
pub(super) fn number(row: &PgRow, column: usize) -> Result<u64, Error> {
    let number: i64 = row.try_get(column).map_err(|why| fault::error(&why))?;
    u64::try_from(number).map_err(|_| damaged("a number is negative"))
}

/// A column that holds a number which is never negative, or nothing.
pub(super) fn optional_number(row: &PgRow, column: usize) -> Result<Option<u64>, Error> {
    if is_null(row, column)? { Ok(None) } else { number(row, column).map(Some) }
}

/// Whether a column holds nothing.
pub(super) fn is_null(row: &PgRow, column: usize) -> Result<bool, Error> {
    row.try_get_raw(column).map(|value| value.is_null()).map_err(|why| fault::error(&why))
}

/// A number for a column. Nothing the relay counts comes near the end of it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stored device list.
pub(super) fn list(bytes: Vec<u8>) -> SignedText {
    SignedText(Bin::from(bytes))
}

/// A stored certificate, verified again: what a damaged disk gives must not become a key.
pub(super) fn certificate(bytes: &[u8]) -> Result<DeviceCertificate, Error> {
    let signed = codec::decode(bytes).map_err(|why| damaged(why.to_string()))?;
    DeviceCertificate::verify(signed).map_err(|why| damaged(why.to_string()))
}

/// A stored identifier or salt.
pub(super) fn salt(row: &PgRow, column: usize) -> Result<Fixed<16>, Error> {
    fixed(row, column).map(Fixed)
}

/// A row that no relay wrote.
pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::Internal(format!("the database holds what no relay wrote: {}", what.into()))
}
