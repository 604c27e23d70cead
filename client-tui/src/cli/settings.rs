//! `settings`.

use susurro_tui::key;

use super::args::{Settings, Switch};
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Data;

pub(crate) fn run(context: &Context, options: &Settings) -> Result<(), Failure> {
    let wanted = options.typing.map(|switch| switch == Switch::On);
    let typing = context.with_client(|client| async move {
        if let Some(wanted) = wanted {
            client.set_typing_notices(wanted).await?;
        }
        Ok(client.typing_notices().await?)
    })?;
    let mut data = Data::stdout();
    if options.json {
        return data.line(&json::settings(typing));
    }
    let text = if typing { key!("cli-settings-typing-on") } else { key!("cli-settings-typing-off") };
    data.line(&context.texts.get(text))
}
