//! `susurro-server openapi`.

use super::exit::{Exit, Failure};
use super::output;

/// What the relay serves at `/openapi.json`; a test holds the two against each other.
const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");

pub(super) fn run() -> Result<(), Failure> {
    output::print(DESCRIPTION).map_err(|error| Failure::new(Exit::Failed, error))
}
