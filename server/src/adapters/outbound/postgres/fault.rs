//! PostgreSQL's errors in the relay's words.

use crate::domain::Error;

/// What ends a piece of work inside a transaction.
pub(super) enum Fault {
    /// A rule said no.
    Refused(Error),
    /// The database said no, or was not there.
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

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Sql(why) => error(&why),
        }
    }
}

impl Fault {
    /// Whether the same transaction may succeed when it is tried again.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self, Self::Sql(why) if is_collision(why))
    }
}

/// The relay's error for one of PostgreSQL's.
pub(super) fn error(fault: &sqlx::Error) -> Error {
    if is_refused_by_storage(fault) { Error::Storage(fault.to_string()) } else { Error::Internal(fault.to_string()) }
}

/// Whether two transactions were in each other's way: a serialization failure or a deadlock
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(super) fn is_collision(fault: &sqlx::Error) -> bool {
    matches!(code(fault).as_deref(), Some("40001" | "40P01"))
}

/// The name of the constraint that a row would have broken.
pub(super) fn broken_constraint(fault: &sqlx::Error) -> Option<&str> {
    fault.as_database_error().filter(|error| error.is_unique_violation()).and_then(|error| error.constraint())
}

/// Whether the server, its disk or the way to it, rather than the statement, is to blame.
pub(super) fn is_refused_by_storage(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Database(_) => {
            let code = code(fault).unwrap_or_default();
            // Connection, authorization, read-only, collision, resources, lock and statement
            // timeouts, shutdown, input and output.
            let classes = ["08", "28", "40", "53", "55", "57", "58"];
            classes.iter().any(|class| code.starts_with(class)) || code == "25006" || code == "3D000"
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // An answer that was cut off.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

fn code(fault: &sqlx::Error) -> Option<String> {
    fault.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}
