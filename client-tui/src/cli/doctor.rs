//! `doctor`.

use std::io::IsTerminal;

use susurro_client_core::client::Client;
use susurro_client_core::doctor::{Check, Outcome};
use susurro_tui::sanitize;

use super::args::Doctor;
use super::context::{Context, block_on};
use super::failure::Failure;
use super::json;
use super::output::Data;
use super::secrets::{self, Kind};

pub(crate) fn run(context: &Context, options: &Doctor) -> Result<(), Failure> {
    let exists = block_on(async { Ok(Client::exists(&context.profile).await) })?;
    let passphrase =
        match secrets::without_asking(&context.texts, Kind::Passphrase, context.passphrase_file.as_deref())? {
            None if exists && std::io::stderr().is_terminal() => Some(context.passphrase()?),
            found => found,
        };
    let checks = block_on(async { Ok(Client::doctor(&context.profile, passphrase).await) })?;
    let mut data = Data::stdout();
    for check in &checks {
        data.line(&if options.json { json::check(check) } else { plain(check) })?;
    }
    if checks.iter().all(Check::is_ok) { Ok(()) } else { Err(Failure::Unwell) }
}

/// `ok    store       what was found`, or `FAIL` with what to do in a second line.
fn plain(check: &Check) -> String {
    match &check.outcome {
        Outcome::Ok(found) => format!("ok    {:<11} {}", check.name, sanitize::line(found)),
        Outcome::Err { what, next } => {
            format!("FAIL  {:<11} {}\n{:18}{}", check.name, sanitize::line(what), "", sanitize::line(next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_to_do_below_what_was_found() {
        let check =
            Check { name: "relay", outcome: Outcome::Err { what: "no answer".into(), next: "start it".into() } };
        assert_eq!(plain(&check), "FAIL  relay       no answer\n                  start it");
        let check = Check { name: "clock", outcome: Outcome::Ok("right".into()) };
        assert_eq!(plain(&check), "ok    clock       right");
    }
}
