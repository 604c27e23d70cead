//! `cargo xtask corpus`.

use crate::step::{self, Outcome};

/// Writes the seeds under `fuzz/corpus` from the samples in `protocol/tests/support`.
///
/// # Errors
///
/// A line when they cannot be written.
pub fn run() -> Outcome {
    let test = "the_seeds_on_disk_are_the_present_samples";
    let arguments = ["test", "--locked", "--package", "susurro-protocol", "--test", "corpus", "--", test];
    let mut command = step::cargo(&arguments);
    step::run("write the fuzz corpora", command.env("UPDATE_CORPUS", "1"))
}
