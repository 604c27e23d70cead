//! `send`: the message is refused before anything is kept, or kept and sent exactly once.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_client_core::model::{Delivery, Trust};
use susurro_protocol::limits::TEXT_MAX;
use susurro_protocol::{AccountName, MessageId};
use susurro_tui::key;

use super::args::{Send, Wait};
use super::context::Context;
use super::failure::Failure;
use super::output::Data;
use super::talk;

/// Stands for stdin.
const STDIN: &str = "-";

pub(crate) fn run(context: &Context, options: &Send) -> Result<(), Failure> {
    let peer: AccountName = options.peer.parse().map_err(Error::BadName)?;
    let what = match (&options.file, options.text.as_deref()) {
        (Some(path), _) => What::File(path.clone()),
        (None, Some(STDIN)) => What::Text(piped(std::io::stdin().lock())?),
        (None, text) => What::Text(text.unwrap_or_default().to_owned()),
    };
    if let What::Text(text) = &what {
        check(text)?;
    }
    if options.queue {
        let count = context.with_client(|client| async move { queue(&client, &peer, &what).await })?;
        talk(&context.texts.with(key!("cli-queued"), &[("count", count.into())]));
        Ok(())
    } else {
        let (wait, patience) = (options.wait, options.patience());
        context.with_client(|client| async move { send(&client, &peer, &what, wait, patience).await })
    }
}

/// What is sent.
enum What {
    Text(String),
    File(PathBuf),
}

impl What {
    /// Durable when it gives the message.
    async fn queue(&self, client: &Client, peer: &AccountName) -> Result<MessageId, Error> {
        match self {
            Self::Text(text) => client.queue(peer.as_str(), text).await,
            Self::File(path) => client.attach(peer.as_str(), path).await,
        }
    }
}

/// Reads a text: strict UTF-8, at most one more byte than fits, one line break at the end removed.
fn piped(input: impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // Two more than fit: the line break and the byte that makes it too long.
    input.take(TEXT_MAX as u64 + 3).read_to_end(&mut bytes).map_err(Failure::Input)?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.len() > TEXT_MAX {
        return Err(Error::TooLong { bytes: bytes.len(), max: TEXT_MAX }.into());
    }
    String::from_utf8(bytes).map_err(|_| Failure::NotUtf8)
}

/// What the client would refuse too, said before anyone types a passphrase.
fn check(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::EmptyMessage);
    }
    if text.len() > TEXT_MAX {
        return Err(Error::TooLong { bytes: text.len(), max: TEXT_MAX });
    }
    Ok(())
}

async fn queue(client: &Client, peer: &AccountName, what: &What) -> Result<u64, Failure> {
    let message = what.queue(client, peer).await?;
    unless_unread(Data::stdout().line(&message.to_string()))?;
    Ok(client.queued().await?)
}

async fn send(client: &Client, peer: &AccountName, what: &What, wait: Wait, patience: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    let left = || deadline.saturating_duration_since(Instant::now());
    if *peer == client.me().name {
        return Err(Error::Yourself.into());
    }
    match client.contact(peer.as_str()).await? {
        Some(contact) if contact.trust == Trust::ChangedAfterVerification => {
            return Err(Error::ContactKeyChanged(peer.to_string()).into());
        }
        known => {
            client.connected(left()).await?;
            if known.is_none() {
                client.start_chat(peer.as_str()).await?;
            }
        }
    }
    let message = what.queue(client, peer).await?;
    unless_unread(Data::stdout().line(&message.to_string()))?;
    if let Err(error) = client.wait_for(message, Delivery::Accepted, left()).await {
        return Err(unconfirmed(client, message, error).await);
    }
    if wait == Wait::Stored {
        match client.wait_for(message, Delivery::Stored, left()).await {
            Ok(_) => {}
            Err(Error::Timeout) => return Err(Failure::NotStored(peer.to_string())),
            Err(error) => return Err(unconfirmed(client, message, error).await),
        }
    }
    Ok(())
}

/// What became of a message that is durable here and was not confirmed: given up, or kept.
async fn unconfirmed(client: &Client, message: MessageId, error: Error) -> Failure {
    match client.message(message).await {
        Ok(Some(view)) if matches!(view.delivery, Delivery::Failed(_)) => Failure::GivenUp(error),
        Ok(Some(view)) if view.delivery >= Delivery::Accepted => Failure::NotStored(view.peer.to_string()),
        _ => Failure::Kept(error),
    }
}

/// A message is sent even when nobody wants to know its identifier.
fn unless_unread(written: Result<(), Failure>) -> Result<(), Failure> {
    match written {
        Err(Failure::ReaderGone) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(bytes: &[u8]) -> Option<String> {
        piped(bytes).ok()
    }

    #[test]
    fn one_line_break_at_the_end_of_stdin_is_removed_and_no_more() {
        assert_eq!(text_of(b"hi\n").as_deref(), Some("hi"));
        assert_eq!(text_of(b"hi\r\n").as_deref(), Some("hi"));
        assert_eq!(text_of(b" a\n\nb \n\n").as_deref(), Some(" a\n\nb \n"));
        assert_eq!(text_of(b"").as_deref(), Some(""));
    }

    #[test]
    fn stdin_that_is_not_utf8_is_refused() {
        for bytes in [&b"caf\xe9"[..], b"\xed\xa0\x80", b"\xc0\xaf", b"\xf0\x9f\x98"] {
            assert!(matches!(piped(bytes), Err(Failure::NotUtf8)), "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_message_fits_with_its_line_break_and_one_byte_more_does_not() {
        let longest = "x".repeat(TEXT_MAX);
        assert_eq!(text_of(format!("{longest}\n").as_bytes()), Some(longest.clone()));
        assert_eq!(text_of(format!("{longest}\r\n").as_bytes()), Some(longest.clone()));
        assert!(check(&longest).is_ok());
        let one_more = format!("{longest}x");
        for text in [one_more.clone(), format!("{one_more}\n"), "x".repeat(10 * TEXT_MAX)] {
            assert!(matches!(piped(text.as_bytes()), Err(Failure::Client(Error::TooLong { .. }))));
        }
        assert_eq!(check(&one_more), Err(Error::TooLong { bytes: TEXT_MAX + 1, max: TEXT_MAX }));
    }

    #[test]
    fn an_empty_message_is_refused() {
        assert_eq!(check(""), Err(Error::EmptyMessage));
    }
}
