//! What can go wrong with a store.

use crate::error::Error;

/// SQLite's primary result codes that a store tells apart (<https://sqlite.org/rescode.html>).
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const NOT_A_DATABASE: i32 = 26;

/// An error of a store. None of them changed anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock.
    #[error("locked by another process")]
    Locked,
    /// No profile, or none whose creation came to an end.
    #[error("no profile")]
    NoProfile,
    /// The key file is whole and the passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// A file was changed or cut.
    #[error("{0} is damaged")]
    Damaged(&'static str),
    /// A schema of a later version.
    #[error("written by a later version")]
    FromTheFuture,
    /// The store was closed.
    #[error("closed")]
    Closed,
    /// The system refused.
    #[error("{0}")]
    Io(String),
}

/// The words for the key file in messages.
pub const KEY_FILE: &str = "the key file of the profile";
/// The words for the database in messages.
pub(crate) const DATABASE: &str = "the database of the profile";

impl StoreError {
    /// The database holds something that cannot be read.
    #[must_use]
    pub const fn damaged() -> Self {
        Self::Damaged(DATABASE)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                // The low byte of an extended result code is the primary one.
                match database.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
                    Some(CORRUPT | NOT_A_DATABASE) => Self::Damaged(DATABASE),
                    Some(FULL) => Self::Io("the disk is full".to_owned()),
                    _ => Self::Io(database.message().to_owned()),
                }
            }
            // A column that is not what was written into it.
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
                Self::Damaged(DATABASE)
            }
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked => Self::Locked,
            StoreError::NoProfile => Self::NoProfile,
            StoreError::WrongPassphrase => Self::WrongPassphrase,
            StoreError::Damaged(what) => Self::Damaged { what: what.to_owned() },
            StoreError::FromTheFuture => Self::FromTheFuture,
            StoreError::Closed => Self::Closed,
            StoreError::Io(text) => Self::Io(text),
        }
    }
}
