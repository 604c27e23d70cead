//! `announcements`, and what other commands tell of them.

use susurro_client_core::client::Client;
use susurro_tui::i18n::Texts;
use susurro_tui::{key, sanitize};

use super::args::Announcements;
use super::context::Context;
use super::failure::Failure;
use super::output::Data;
use super::plain::Plain;
use super::{json, talk};

pub(crate) fn run(context: &Context, options: &Announcements) -> Result<(), Failure> {
    let plain = Plain::new(&context.texts);
    context.with_client(|client| async move {
        let held = client.announcements().await?;
        let mut data = Data::stdout();
        for (said, told) in &held {
            let line = if options.json { json::announcement(said, !told) } else { plain.announcement(said) };
            data.line(&line)?;
        }
        let ids: Vec<_> = held.iter().map(|(said, _)| said.id).collect();
        Ok(client.mark_told(&ids).await?)
    })
}

/// Tells of announcements that nobody has seen, on stderr: stdout is for what people write.
pub(crate) async fn tell(client: &Client, texts: &Texts) -> Result<(), Failure> {
    let mut told = Vec::new();
    for (said, _) in client.announcements().await?.into_iter().filter(|(_, told)| !told) {
        let text = sanitize::lines(&said.text).replace('\n', "\n    ");
        talk(&texts.with(key!("cli-announcement"), &[("text", text.into())]));
        told.push(said.id);
    }
    Ok(client.mark_told(&told).await?)
}
