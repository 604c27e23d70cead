//! The client half of the suite: relays, honest and malicious, played against a program with the documented
//! command line.

pub mod checks;
pub mod hand;
pub mod peer;
pub mod relay;
pub mod run;
pub mod stage;
pub mod subject;

use std::fmt::Display;

use crate::suite::Stop;

/// Fresh random bytes.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Where the system has no randomness every check fails loudly on equal keys.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// Something of the suite itself that does not work: told as a failure, never swallowed.
pub fn fault(error: impl Display) -> Stop {
    Stop::failed("the suite itself works", error.to_string())
}
