//! `cargo xtask check`: everything that can be said without running the programs.

use crate::step::{self, Failure, Outcome};
use crate::{links, system};

/// Runs each check, also after one failed, and names those that did.
///
/// # Errors
///
/// A line that names the failed checks.
pub fn run() -> Outcome {
    system::prepare()?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    let mut doc = step::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    let mut outcomes = vec![
        step::run("formatting", &mut step::cargo(&["fmt", "--all", "--", "--check"])),
        step::run("clippy", &mut step::cargo(&clippy)),
        step::run("documentation of the code", &mut doc),
        links::check(),
    ];
    if step::succeeds("cargo", &["deny", "--version"]) {
        outcomes.push(step::run(
            "licences, bans and sources",
            &mut step::cargo(&["deny", "check", "bans", "licenses", "sources"]),
        ));
    } else {
        eprintln!("\n==> licences, bans and sources: skipped, cargo-deny is not installed (CI runs it)");
    }
    let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|failure| failure.0).collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure(failed.join("; "))) }
}
