//! `presence`.

use std::collections::BTreeSet;
use std::time::Duration;

use susurro_client_core::client::Client;
use susurro_protocol::AccountName;
use susurro_tui::key;
use tokio::time::{Instant, timeout_at};

use super::args::{Presence, Seconds, Whether};
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Data;

/// How long the relay may take to be reached.
const REACHED: Duration = Duration::from_secs(30);

pub(crate) fn run(context: &Context, options: &Presence) -> Result<(), Failure> {
    let (enabled, present) = context.with_client(|client| async move {
        match options.whether {
            Whether::On | Whether::Off => {
                let wanted = options.whether == Whether::On;
                client.set_presence(wanted).await?;
                Ok((wanted, None))
            }
            Whether::Show => {
                let enabled = client.presence().await?;
                Ok((enabled, present(&client, enabled, options.wait).await?))
            }
        }
    })?;
    let mut data = Data::stdout();
    if options.json {
        return data.line(&json::presence(enabled, present.as_ref()));
    }
    let text = if enabled { key!("cli-presence-on") } else { key!("cli-presence-off") };
    data.line(&context.texts.get(text))?;
    for name in present.iter().flatten() {
        data.line(&context.texts.with(key!("cli-presence-there"), &[("name", name.as_str().into())]))?;
    }
    Ok(())
}

/// Who is there, as far as the relay tells in this time: it says nothing of those who are not. `None` when it was not
/// asked.
async fn present(
    client: &Client,
    enabled: bool,
    Seconds(wait): Seconds,
) -> Result<Option<BTreeSet<AccountName>>, Failure> {
    if !enabled || wait.is_zero() {
        return Ok(None);
    }
    client.connected(REACHED).await?;
    let mut present = client.present();
    let deadline = Instant::now() + wait;
    while let Ok(Ok(())) = timeout_at(deadline, present.changed()).await {
        present.mark_unchanged();
    }
    let present = present.borrow().clone();
    Ok(Some(present))
}
