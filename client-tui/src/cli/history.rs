//! `history`.

use std::io::IsTerminal;

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_client_core::model::{Direction, MessageView};
use susurro_protocol::AccountName;

use super::args::History;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Data;
use super::plain::Plain;

/// Messages read from the store at a time.
const PAGE: u32 = 200;

pub(crate) fn run(context: &Context, options: &History) -> Result<(), Failure> {
    let peer: AccountName = options.peer.parse().map_err(Error::BadName)?;
    context.with_client(|client| async move {
        if client.contact(peer.as_str()).await?.is_none() && client.timeline(peer.as_str(), None, 1).await?.is_empty() {
            return Err(Failure::NoConversation(peer.to_string()));
        }
        let views = newest(&client, &peer, options.limit).await?;
        let me = client.me().name.to_string();
        let plain = Plain::new(&context.texts);
        let mut data = Data::stdout();
        for view in &views {
            data.line(&if options.json { json::message(view, &me) } else { plain.message(view, &me) })?;
        }
        // A person who sees the messages has read them; a program that gets them has not.
        if std::io::stdout().is_terminal()
            && let Some(last) = views.iter().rev().find(|view| view.direction == Direction::Incoming)
        {
            client.mark_read(peer.as_str(), last.position).await?;
        }
        Ok(())
    })
}

/// The newest messages, oldest first.
async fn newest(client: &Client, peer: &AccountName, limit: u32) -> Result<Vec<MessageView>, Failure> {
    let mut pages = Vec::new();
    let (mut before, mut left) = (None, limit);
    while left > 0 {
        let page = client.timeline(peer.as_str(), before, left.min(PAGE)).await?;
        let Some(oldest) = page.first() else { break };
        before = Some(oldest.position);
        left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        pages.push(page);
    }
    Ok(pages.into_iter().rev().flatten().collect())
}
