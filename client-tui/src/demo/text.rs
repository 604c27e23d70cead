//! The demonstration as text: what is said, and between it what the relay sees.

use susurro_tui::i18n::Texts;
use susurro_tui::{key, sanitize};

use super::people::Who;
use super::seen::{Event, Seen};
use super::{Show, Stage};

/// Columns before a text: who, what.
const INDENT: &str = "                  ";

/// What happened, as lines.
pub(crate) fn lines(texts: &Texts, show: &Show) -> String {
    match show {
        Show::Said { from, text } => row(from.name(), &texts.get(key!("demo-writes")), &indented(text)),
        Show::Arrived { to, text } => row(to.name(), &texts.get(key!("demo-reads")), &indented(text)),
        Show::Seen(seen) => row(&texts.get(key!("demo-relay")), &event(texts, seen.event), &sizes(seen)),
        Show::Stage(stage) => format!("\n== {} ==\n", self::stage(texts, *stage)),
    }
}

/// A stage of the script, for people.
pub(crate) fn stage(texts: &Texts, stage: Stage) -> String {
    texts.get(match stage {
        Stage::Connected => key!("demo-stage-connected"),
        Stage::BobAway => key!("demo-stage-away"),
        Stage::BobBack => key!("demo-stage-back"),
        Stage::RelayKilled => key!("demo-stage-killed"),
        Stage::RelayBack => key!("demo-stage-restarted"),
    })
}

/// What the relay did with a ciphertext, in a word.
pub(crate) fn event(texts: &Texts, event: Event) -> String {
    texts.get(match event {
        Event::Stored => key!("demo-stored"),
        Event::Delivered => key!("demo-delivered"),
        Event::Acknowledged => key!("demo-acknowledged"),
    })
}

fn row(who: &str, what: &str, text: &str) -> String {
    format!("{who:<6} {what:<10} {text}")
}

fn sizes(seen: &Seen) -> String {
    let place = format!("{} #{}", seen.mailbox, seen.seq);
    match seen.bytes {
        Some(bytes) => format!("{place:<14} {bytes:>6} B  {}…", seen.head),
        None => place,
    }
}

fn indented(text: &str) -> String {
    sanitize::lines(text).replace('\n', &format!("\n{INDENT}"))
}

/// Everything that arrives at a client, to be shown.
pub(crate) fn arrivals(
    who: Who,
    mut events: tokio::sync::broadcast::Receiver<susurro_client_core::model::ClientEvent>,
    show: tokio::sync::mpsc::UnboundedSender<Show>,
) {
    use susurro_client_core::model::{ClientEvent, Direction, MessageContent};
    use tokio::sync::broadcast::error::RecvError;
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(ClientEvent::Message(view)) if view.direction == Direction::Incoming => {
                    if let MessageContent::Text(text) = view.content {
                        let _ = show.send(Show::Arrived { to: who, text });
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use susurro_tui::i18n::Language;

    use super::*;

    #[test]
    fn what_the_relay_sees_is_a_row_of_sizes_and_bytes() {
        let texts = Texts::new(Language::English);
        let seen = Seen {
            event: Event::Stored,
            mailbox: "3fa9c1d2".to_owned(),
            seq: 7,
            bytes: Some(611),
            head: "a10e93".to_owned(),
        };
        assert_eq!(lines(&texts, &Show::Seen(seen)), "relay  stored     3fa9c1d2 #7       611 B  a10e93…");
    }

    #[test]
    fn texts_of_several_lines_stay_in_their_column() {
        let texts = Texts::new(Language::English);
        let shown = lines(&texts, &Show::Said { from: Who::Alice, text: "a\nb" });
        assert_eq!(shown, format!("alice  writes     a\n{INDENT}b"));
    }
}
