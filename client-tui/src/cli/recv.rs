//! `recv`: each message once over all calls. It is marked as printed only after it was written
//! and flushed, so that a crash in between prints it again rather than never.

use std::io::IsTerminal;
use std::task::Poll;
use std::time::Duration;

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_client_core::model::{ClientEvent, Connection, MessageView, Trouble};
use susurro_tui::i18n::Texts;
use susurro_tui::key;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::args::Recv;
use super::context::Context;
use super::failure::Failure;
use super::output::Data;
use super::plain::Plain;
use super::{announcements, json, signal, talk};

/// Messages read from the store at a time.
const BATCH: u32 = 100;

/// How long the end is put off so that the senders learn that their messages are stored here.
/// What does not make it goes out with the next start.
const RECEIPTS: Duration = Duration::from_secs(3);

pub(crate) fn run(context: &Context, options: &Recv) -> Result<(), Failure> {
    context.with_client_to_the_end(|client| async move {
        let mut printer = Printer {
            data: Data::stdout(),
            me: client.me().name.to_string(),
            plain: (!options.json).then(|| Plain::new(&context.texts)),
            // A person who sees a message has read it; a program that gets it has not.
            seen: std::io::stdout().is_terminal(),
            left: options.count,
            came: 0,
        };
        let outcome = receive(&client, &context.texts, options, &mut printer).await;
        if matches!(outcome, Ok(()) | Err(Failure::TooFew { .. }))
            && *client.connection().borrow() == Connection::Connected
        {
            let _ = client.synced(RECEIPTS).await;
        }
        outcome
    })
}

async fn receive(client: &Client, texts: &Texts, options: &Recv, printer: &mut Printer<'_>) -> Result<(), Failure> {
    // Listened to from here on, and looked at between two messages: never between printing and marking.
    let mut signal = std::pin::pin!(signal::received());
    if let Poll::Ready(number) = futures_util::poll!(signal.as_mut()) {
        return Err(Failure::Signal(number));
    }
    // Subscribed before the first look, so that nothing falls between.
    let mut events = client.events();
    let mut connection = client.connection();
    announcements::tell(client, texts).await?;
    if printer.print(client).await? || options.patience() == Some(Duration::ZERO) {
        return printer.verdict(options.count);
    }
    client.go_online();
    let deadline = options.patience().map(|patience| Instant::now() + patience);
    let mut reach = Reach::default();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(ClientEvent::StoreFailed(text)) => return Err(Failure::StoreFailed(text)),
                Ok(ClientEvent::Message(_) | ClientEvent::Changed { .. }) | Err(RecvError::Lagged(_)) => {
                    if printer.print(client).await? {
                        return Ok(());
                    }
                }
                Ok(ClientEvent::Announcement(_)) => announcements::tell(client, texts).await?,
                Ok(_) => {}
                Err(RecvError::Closed) => return Err(Error::Closed.into()),
            },
            changed = connection.changed() => {
                if changed.is_err() {
                    return Err(Error::Closed.into());
                }
                let now = connection.borrow_and_update().clone();
                if let Connection::Blocked(trouble) = &now {
                    return Err(client.explain(trouble).await.into());
                }
                if options.follow && reach.tell(&now) {
                    talk(&texts.get(if now == Connection::Connected { key!("cli-back") } else { key!("cli-lost") }));
                }
                reach.note(now);
            }
            () = until(deadline) => break,
            number = &mut signal => {
                // There is no other end of following: it is the good one.
                return if options.follow && options.count.is_none() { Ok(()) } else { Err(Failure::Signal(number)) };
            }
        }
    }
    match reach.never {
        Some(trouble) if !reach.ever => Err(client.explain(&trouble).await.into()),
        _ => printer.verdict(options.count),
    }
}

/// Whether there was a connection at all.
#[derive(Default)]
struct Reach {
    ever: bool,
    told: bool,
    never: Option<Trouble>,
}

impl Reach {
    /// Whether the person should hear of this change: once a loss, and once the way back.
    fn tell(&mut self, now: &Connection) -> bool {
        match now {
            Connection::Connected if self.told => {
                self.told = false;
                true
            }
            Connection::Waiting { .. } if !self.told => {
                self.told = true;
                true
            }
            _ => false,
        }
    }

    fn note(&mut self, now: Connection) {
        match now {
            Connection::Connected => self.ever = true,
            Connection::Waiting { trouble, .. } => self.never = Some(trouble),
            Connection::Offline | Connection::Connecting | Connection::Blocked(_) => {}
        }
    }
}

struct Printer<'a> {
    data: Data,
    me: String,
    plain: Option<Plain<'a>>,
    seen: bool,
    left: Option<u64>,
    came: u64,
}

impl Printer<'_> {
    /// Prints what is there. Whether that was enough.
    async fn print(&mut self, client: &Client) -> Result<bool, Failure> {
        loop {
            let limit = self.left.map_or(BATCH, |left| u32::try_from(left).unwrap_or(BATCH).min(BATCH));
            if limit == 0 {
                return Ok(true);
            }
            let views = client.unprinted(limit).await?;
            if views.is_empty() {
                return Ok(false);
            }
            let (written, outcome) = self.write(&views);
            let done = &views[..written];
            client.mark_printed(&done.iter().map(|view| view.id).collect::<Vec<_>>()).await?;
            self.came += written as u64;
            self.left = self.left.map(|left| left.saturating_sub(written as u64));
            if self.seen {
                for view in done {
                    client.mark_read(view.peer.as_str(), view.position).await?;
                }
            }
            outcome?;
        }
    }

    /// Writes lines until one fails, and says how many are out.
    fn write(&mut self, views: &[MessageView]) -> (usize, Result<(), Failure>) {
        for (written, view) in views.iter().enumerate() {
            let line = match &self.plain {
                None => json::message(view, &self.me),
                Some(plain) => plain.message(view, &self.me),
            };
            if let Err(failure) = self.data.line(&line) {
                return (written, Err(failure));
            }
        }
        (views.len(), Ok(()))
    }

    fn verdict(&self, wanted: Option<u64>) -> Result<(), Failure> {
        match wanted {
            Some(wanted) if self.came < wanted => Err(Failure::TooFew { came: self.came, wanted }),
            _ => Ok(()),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_and_the_way_back_are_told_once_each() {
        let mut reach = Reach::default();
        let waiting = Connection::Waiting { at: 0, trouble: Trouble::Lost };
        let told: Vec<bool> =
            [&Connection::Connected, &waiting, &Connection::Connecting, &waiting, &Connection::Connected]
                .map(|now| reach.tell(now))
                .to_vec();
        assert_eq!(told, [false, true, false, false, true]);
    }
}
