//! Test vectors: `docs/vectors`, how they are made, and how anybody's program is held to them.
//!
//! A vector is an operation, its input and what has to come of it. The same operations are asked of
//! our own code, in process, and of a *shim*: a small program around another implementation that
//! reads requests and writes answers, a JSON object a line.

pub mod case;
mod files;
pub mod make;
pub mod msgpack;
pub mod ops;
pub mod random;
pub mod run;
pub mod schema;
pub mod shim;

pub use case::{Case, Expected, File};
pub use files::{TEXTS, Unreadable, checked_in};

/// Identifier and covered requirements of every vector, for the list of what covers what.
///
/// # Errors
///
/// [`Unreadable`] when a file in `docs/vectors` is not one.
pub fn covers() -> Result<Vec<(String, Vec<String>)>, Unreadable> {
    let cases = checked_in()?.into_iter().flat_map(|file| file.cases);
    Ok(cases.map(|case| (case.id, case.covers)).collect())
}
