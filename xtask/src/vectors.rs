//! `cargo xtask vectors`.

use crate::step::{self, Outcome};

/// Makes the vectors in `docs/vectors` anew. They are the same bytes each time unless the protocol, the generator or a
/// bug has changed: a change of a vector is a version of the protocol.
///
/// # Errors
///
/// A line when they cannot be made or written.
pub fn run() -> Outcome {
    let arguments =
        ["run", "--locked", "--quiet", "--package", "susurro-conformance", "--", "vectors", "--write", "docs/vectors"];
    step::run("write the test vectors", &mut step::cargo(&arguments))
}
