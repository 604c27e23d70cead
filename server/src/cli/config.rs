//! `susurro-server config …`.

use serde_json::json;

use super::exit::Failure;
use super::flags::AllFlags;
use super::output::Output;
use crate::config::Resolved;

#[derive(clap::Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting with its value and where that came from; secrets are hidden.
    Print(Print),
}

#[derive(clap::Args)]
pub(super) struct Print {
    #[command(flatten)]
    flags: AllFlags,
}

pub(super) fn run(command: ConfigCommand, output: Output) -> Result<(), Failure> {
    let ConfigCommand::Print(Print { flags }) = command;
    let Resolved { config, values, .. } = flags.resolve()?;
    let width = values.iter().map(|chosen| chosen.setting.name.len()).max().unwrap_or_default();
    for chosen in values {
        let (key, origin) = (chosen.setting.name, chosen.origin.to_string());
        let shown = chosen.shown.as_deref().map_or_else(|| "(unset)".to_owned(), |value| format!("{value:?}"));
        let text = format!("{key:width$} = {shown:32} # {origin}");
        output.say(&json!({ "key": key, "value": chosen.shown, "origin": origin }), text)?;
    }
    // Shown first: what does not fit together is found more easily with everything in sight.
    Ok(config.check()?)
}
