//! SQLite's errors in the relay's words.

use crate::domain::Error;

/// What ends a piece of work inside a transaction.
pub(super) enum Fault {
    /// A rule said no: this piece is undone, others are not.
    Refused(Error),
    /// The database said no.
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// The relay's error for one of SQLite's.
pub(super) fn error(fault: &sqlx::Error) -> Error {
    if is_refused_by_storage(fault) { Error::Storage(fault.to_string()) } else { Error::Internal(fault.to_string()) }
}

/// The relay's error for one of SQLite's that came without sqlx in between.
pub(super) fn hot(fault: &rusqlite::Error) -> Error {
    let refused = fault.sqlite_error().is_some_and(|error| is_storage(error.extended_code));
    if refused { Error::Storage(fault.to_string()) } else { Error::Internal(fault.to_string()) }
}

/// Whether the disk or the file, rather than the statement, is to blame. SQLite may have undone
/// the whole transaction by itself then.
pub(super) fn is_refused_by_storage(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Database(database) => {
            database.code().and_then(|code| code.parse::<i32>().ok()).is_some_and(is_storage)
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

fn is_storage(code: i32) -> bool {
    // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB
    // (https://sqlite.org/rescode.html).
    matches!(code & 0xff, 5..=11 | 13 | 14 | 26)
}
