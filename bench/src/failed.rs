//! Why a measurement was given up.

use std::fmt;

/// One line for a person. A measurement in which anything was wrong has no figure.
#[derive(Debug, Clone)]
pub struct Failed(pub String);

/// What a step of a measurement comes to.
pub type Outcome<T = ()> = Result<T, Failed>;

/// Ends a measurement with a reason.
///
/// # Errors
///
/// Always.
pub fn failed<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Failed(why.into()))
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

macro_rules! from {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Failed {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        })+
    };
}

from!(
    std::io::Error,
    susurro_protocol::ErrorCode,
    susurro_protocol::codec::Malformed,
    susurro_server::domain::Error,
    susurro_server::adapters::outbound::sqlite::OpenError,
    susurro_server::adapters::outbound::postgres::OpenError,
    susurro_server::adapters::outbound::secrets::SecretError,
    xtask::step::Failure,
    serde_json::Error,
    rusqlite::Error,
    tokio::task::JoinError,
    tokio::time::error::Elapsed,
);
