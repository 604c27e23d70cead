//! No command: the full screen.

use std::io::IsTerminal;

use susurro_client_core::client::Client;
use susurro_tui::term::{self, Start};

use super::context::{Context, block_on};
use super::failure::Failure;
use super::secrets::{self, Kind};

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(Failure::NoTerminal);
    }
    let given = secrets::without_asking(&context.texts, Kind::Passphrase, context.passphrase_file.as_deref())?;
    block_on(async {
        let start = match given {
            Some(passphrase) if Client::exists(&context.profile).await => Start::Passphrase(passphrase),
            _ => Start::Ask { relay: None, name: None },
        };
        term::run(context.profile.clone(), start).await.map_err(Failure::Terminal)
    })
}
