//! `account`: password, recovery key and display name, or no account any longer.

use susurro_client_core::client::Client;
use susurro_client_core::{Error, Secret};
use susurro_tui::{key, sanitize};

use super::args::OwnAccount;
use super::context::{Context, block_on};
use super::failure::Failure;
use super::output::{Data, talk};
use super::secrets::{self, Kind};

pub(crate) fn run(context: &Context, what: &OwnAccount) -> Result<(), Failure> {
    block_on(async {
        if Client::exists(&context.profile).await { Ok(()) } else { Err(Failure::from(Error::NoProfile)) }
    })?;
    match what {
        OwnAccount::Password { password_file, new_password_file } => {
            let password = secrets::read(&context.texts, Kind::Password, password_file.as_deref(), false)?;
            let new = secrets::read(&context.texts, Kind::NewPassword, new_password_file.as_deref(), true)?;
            let passphrase = context.passphrase()?;
            block_on(async { Ok(Client::change_password(&context.profile, password, new, passphrase).await?) })?;
            context.say(key!("cli-password-changed"));
        }
        OwnAccount::Recovery { remove, password_file } => {
            let password = secrets::read(&context.texts, Kind::Password, password_file.as_deref(), false)?;
            let passphrase = context.passphrase()?;
            if *remove {
                block_on(async { Ok(Client::remove_recovery_key(&context.profile, password, passphrase).await?) })?;
                context.say(key!("cli-recovery-removed"));
            } else {
                let words =
                    block_on(async { Ok(Client::make_recovery_key(&context.profile, password, passphrase).await?) })?;
                Data::stdout().line(words.expose())?;
                let count = words.expose().split_whitespace().count() as u64;
                talk(&context.texts.with(key!("cli-recovery-made"), &[("words", count.into())]));
            }
        }
        OwnAccount::Name { text, remove: _ } => {
            let name = context.with_client(|client| async move {
                client.go_online();
                Ok(client.set_display_name(text.clone()).await?)
            })?;
            match name {
                Some(name) => {
                    talk(&context.texts.with(key!("cli-name-set"), &[("name", sanitize::line(&name).into())]));
                }
                None => context.say(key!("cli-name-removed")),
            }
        }
        OwnAccount::Delete { confirm, remove_profile, password_file } => {
            let passphrase = context.passphrase()?;
            let name = block_on(async {
                let client = Client::open(&context.profile, Secret::new(passphrase.expose().to_owned())).await?;
                let name = client.me().name;
                client.close().await;
                Ok(name)
            })?;
            if name.as_str() != confirm {
                return Err(Error::OtherAccount(name).into());
            }
            let password = secrets::read(&context.texts, Kind::Password, password_file.as_deref(), false)?;
            let (profile, remove) = (&context.profile, *remove_profile);
            block_on(async { Ok(Client::delete_account(profile, password, passphrase, remove).await?) })?;
            context.say(if remove { key!("cli-account-and-profile-deleted") } else { key!("cli-account-deleted") });
        }
    }
    Ok(())
}
