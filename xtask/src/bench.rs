//! `cargo xtask bench relay`.

use std::process::Command;

use crate::step::{self, Failure, Outcome};

/// Built as they are shipped: optimised, with the features that these two need and no others.
const BUILD: [&str; 7] =
    ["build", "--locked", "--release", "--package", "susurro-server", "--package", "susurro-bench"];

/// Builds the relay and the load generator for release and measures, with the arguments of `susurro-bench relay`.
///
/// # Errors
///
/// A line when they do not build, or a measurement was given up.
pub fn run(arguments: &[&str]) -> Outcome {
    step::run("build the relay and the load generator (the first time takes some minutes)", &mut step::cargo(&BUILD))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| step::root().join("target"), Into::into);
    let program = target.join("release").join(format!("susurro-bench{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        return Err(Failure(format!("{} was not built", program.display())));
    }
    step::run("measure the relay", Command::new(program).arg("relay").args(arguments))
}
