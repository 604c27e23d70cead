//! `login`: the profile of this account again, after a logout.

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_protocol::AccountName;
use susurro_tui::key;

use super::args::Account;
use super::context::{Context, block_on};
use super::failure::Failure;
use super::secrets::{self, Kind};
use super::talk;

pub(crate) fn run(context: &Context, account: &Account) -> Result<(), Failure> {
    let name: AccountName = account.name.parse().map_err(Error::BadName)?;
    block_on(async {
        if Client::exists(&context.profile).await { Ok(()) } else { Err(Failure::from(Error::NoProfile)) }
    })?;
    let password = secrets::read(&context.texts, Kind::Password, account.password_file.as_deref(), false)?;
    let passphrase = context.passphrase()?;
    block_on(async {
        let client = Client::login(&context.profile, &account.relay, name.as_str(), password, passphrase).await?;
        let me = client.me();
        client.close().await;
        talk(
            &context
                .texts
                .with(key!("cli-logged-in"), &[("name", me.name.as_str().into()), ("relay", me.relay_url.into())]),
        );
        Ok(())
    })
}
