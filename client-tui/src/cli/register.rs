//! `register`.

use susurro_client_core::client::Client;
use susurro_client_core::profile::RegistrationPolicy;
use susurro_client_core::{Error, Secret};
use susurro_protocol::AccountName;
use susurro_tui::key;

use super::args::Register;
use super::context::{Context, block_on};
use super::failure::Failure;
use super::secrets::{self, Kind};
use super::talk;

pub(crate) fn run(context: &Context, register: &Register) -> Result<(), Failure> {
    let account = &register.account;
    let name: AccountName = account.name.parse().map_err(Error::BadName)?;
    let invite = invite(context, register)?;
    let password = secrets::read(&context.texts, Kind::Password, account.password_file.as_deref(), true)?;
    let passphrase = context.new_passphrase()?;
    block_on(async {
        let (profile, relay, name) = (&context.profile, &account.relay, name.as_str());
        let client = match invite {
            Some(invite) => Client::register_with_invite(profile, relay, name, invite, password, passphrase).await?,
            None => Client::register(profile, relay, name, password, passphrase).await?,
        };
        let me = client.me();
        client.close().await;
        talk(&context.texts.with(
            key!("cli-registered"),
            &[
                ("name", me.name.as_str().into()),
                ("relay", me.relay_url.into()),
                ("fingerprint", me.relay_fingerprint.into()),
            ],
        ));
        Ok(())
    })
}

/// The invite, asked for only where the relay wants one and somebody is there to be asked.
fn invite(context: &Context, register: &Register) -> Result<Option<Secret>, Failure> {
    if let Some(invite) = &register.invite {
        return Ok(Some(Secret::new(invite.clone())));
    }
    let given = secrets::without_asking(&context.texts, Kind::Invite, register.invite_file.as_deref())?;
    if given.is_some() || !secrets::can_ask() {
        return Ok(given);
    }
    let policy = block_on(async { Ok(Client::registration_policy(&register.account.relay).await?) })?;
    match policy {
        RegistrationPolicy::Invite => secrets::read(&context.texts, Kind::Invite, None, false).map(Some),
        RegistrationPolicy::Open | RegistrationPolicy::Closed => Ok(None),
    }
}
