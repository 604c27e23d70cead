//! `sync`.

use std::time::Instant;

use susurro_tui::key;

use super::announcements;
use super::args::Sync;
use super::context::Context;
use super::failure::Failure;

pub(crate) fn run(context: &Context, options: &Sync) -> Result<(), Failure> {
    let deadline = Instant::now() + options.timeout.0;
    let left = move || deadline.saturating_duration_since(Instant::now());
    let texts = &context.texts;
    let waiting = context.with_client(|client| async move {
        let done = match client.connected(left()).await {
            Ok(()) => client.synced(left()).await,
            Err(error) => Err(error),
        };
        if done.is_ok() {
            // What was done is done, also when the relay does not say this; it comes again the next time.
            let _ = tokio::time::timeout(left(), client.hear_announcements()).await;
        }
        announcements::tell(&client, texts).await?;
        if let Err(error) = done {
            let queued = client.queued().await?;
            return Err(if queued == 0 { error.into() } else { Failure::StillQueued(queued, error) });
        }
        Ok(!client.unprinted(1).await?.is_empty())
    })?;
    context.say(if waiting { key!("cli-synced-waiting") } else { key!("cli-synced") });
    Ok(())
}
