//! `recover`: a new password by the recovery key.

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_tui::key;

use super::args::Recover;
use super::context::{Context, block_on};
use super::failure::Failure;
use super::secrets::{self, Kind};

pub(crate) fn run(context: &Context, options: &Recover) -> Result<(), Failure> {
    block_on(async {
        if Client::exists(&context.profile).await { Ok(()) } else { Err(Failure::from(Error::NoProfile)) }
    })?;
    let words = secrets::read(&context.texts, Kind::Recovery, options.recovery_file.as_deref(), false)?;
    let new = secrets::read(&context.texts, Kind::NewPassword, options.new_password_file.as_deref(), true)?;
    let passphrase = context.passphrase()?;
    block_on(async { Ok(Client::recover(&context.profile, words, new, passphrase).await?) })?;
    context.say(key!("cli-recovered"));
    Ok(())
}
