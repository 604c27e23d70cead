//! `cargo xtask corpus`.

use crate::step::{self, Outcome};

/// Writes the seeds under `fuzz/corpus` from the samples in `protocol/tests/support`.
///
/// # Errors
///
/// A line when they cannot be written.
pub fn run() -> Outcome {
    let mut command = step::cargo(&["test", "--package", "susurro-protocol", "--test", "corpus", "--locked"]);
    step::run("write the fuzz corpora", command.env("UPDATE_CORPUS", "1"))
}
