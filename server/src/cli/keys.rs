//! `susurro-server keys …`.

use serde_json::json;

use super::exit::{Exit, Failure};
use super::flags::OfflineFlags;
use super::output::Output;
use crate::adapters::outbound::secrets::{RETIRE, SETTLE, SecretError, TokenKeys};

#[derive(clap::Subcommand)]
pub(super) enum KeysCommand {
    /// Show the keys of access tokens.
    List(Keys),
    /// Add a key for access tokens. It signs half a minute later, when every node that shares the directory has
    /// read it; the old one verifies until its last token has expired. A running relay needs no restart.
    Rotate(Keys),
}

#[derive(clap::Args)]
pub(super) struct Keys {
    #[command(flatten)]
    flags: OfflineFlags,
}

pub(super) fn run(command: KeysCommand, output: Output) -> Result<(), Failure> {
    let failed = |error: SecretError| Failure::new(Exit::Failed, error);
    match command {
        KeysCommand::List(keys) => {
            let config = keys.flags.start()?;
            list(&TokenKeys::read(config.secrets_dir()).map_err(failed)?, output)
        }
        KeysCommand::Rotate(keys) => {
            let config = keys.flags.start()?;
            let before = TokenKeys::read(config.secrets_dir()).map_err(failed)?;
            if before.iter().next().is_none() {
                let why = "there is no key in the data directory yet; `serve` makes the first one";
                return Err(Failure::new(Exit::Missing, why));
            }
            let (keys, removed) = TokenKeys::rotate(config.secrets_dir()).map_err(failed)?;
            let added = keys.iter().last().map(|key| key.id.clone()).unwrap_or_default();
            let seconds = (SETTLE.as_secs(), RETIRE.as_secs() / 60);
            let text = format!(
                "added {added}: it signs in {} seconds; the old one verifies for another {} minutes",
                seconds.0, seconds.1
            );
            output.say(&json!({ "added": added, "removed": removed, "signs_in_seconds": seconds.0 }), text)
        }
    }
}

fn list(keys: &TokenKeys, output: Output) -> Result<(), Failure> {
    let verifying = keys.verifying();
    for key in keys.iter() {
        let role = if keys.signing() == Some(&key.id) {
            "signs"
        } else if verifying.iter().any(|(id, _)| *id == key.id) {
            "verifies"
        } else {
            "retired"
        };
        let age = key.age.as_secs();
        let text = format!("{}  {role:8}  made {age} seconds ago", key.id);
        output.say(&json!({ "id": key.id, "role": role, "age_seconds": age }), text)?;
    }
    Ok(())
}
