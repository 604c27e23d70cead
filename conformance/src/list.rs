//! `susurro-conformance list`: every requirement, its level, what covers it.

use std::io::{self, Write};

use crate::{clients, relays};
use crate::suite::{About, requirements};

/// Every check of every suite. A suite adds its own here.
#[must_use]
pub fn checks() -> Vec<About> {
    let relays = relays::all().into_iter().map(|check| check.about);
    relays.chain(clients::run::abouts()).collect()
}

/// Writes the list.
///
/// # Errors
///
/// When it cannot be written.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let checks = checks();
    for requirement in requirements() {
        let covered: Vec<_> = checks
            .iter()
            .filter(|check| check.covers.contains(&requirement.id.as_str()))
            .map(|check| check.id)
            .collect();
        writeln!(
            out,
            "{:<9} {:<7} {}",
            requirement.id,
            format!("{:?}", requirement.level).to_uppercase(),
            covered.join(" ")
        )?;
    }
    Ok(())
}
