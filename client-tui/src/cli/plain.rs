//! Messages as people read them: local time, names, harmless text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use susurro_client_core::model::{Announcement, ChatSummary, Delivery, Direction, MessageContent, MessageView};
use susurro_client_core::profile::OwnDevice;
use susurro_tui::app::failure;
use susurro_tui::i18n::Texts;
use susurro_tui::{key, sanitize, size};
use unicode_width::UnicodeWidthStr;

use super::json;

/// Before every line of a message but its first.
const INDENT: &str = "    ";

/// Writes for people.
pub(crate) struct Plain<'a> {
    texts: &'a Texts,
    zone: TimeZone,
}

impl<'a> Plain<'a> {
    /// For the time zone of this machine.
    pub(crate) fn new(texts: &'a Texts) -> Self {
        Self { texts, zone: TimeZone::system() }
    }

    /// `2026-01-31 09:05 alice: text`; more lines of the text are indented, and a message of ours
    /// says how far it came.
    pub(crate) fn message(&self, view: &MessageView, me: &str) -> String {
        let text = match &view.content {
            MessageContent::Text(text) => sanitize::lines(text).replace('\n', &format!("\n{INDENT}")),
            MessageContent::Attachment(file) => {
                let (name, size) = (sanitize::line(&file.name), size::shown(file.size));
                format!("[{name}, {size}: susurro save {}]", view.id)
            }
            MessageContent::Undecryptable(cause) => format!("[undecryptable: {}]", json::cause_name(*cause)),
            MessageContent::Unknown(number) => format!("[unknown type {number}]"),
            MessageContent::Note(note) => format!("[{}]", sanitize::line(note)),
        };
        let when = self.time(view.sent_at);
        if matches!(view.content, MessageContent::Note(_)) {
            return format!("{when} {text}");
        }
        match view.direction {
            Direction::Incoming => format!("{when} {}: {text}", view.peer),
            Direction::Outgoing => format!("{when} {me}: {text}{}", self.delivery(view.delivery)),
        }
    }

    /// `2026-01-31 09:05 ▌text`: no name stands before it, since no person has said it.
    pub(crate) fn announcement(&self, said: &Announcement) -> String {
        let text = sanitize::lines(&said.text).replace('\n', &format!("\n{INDENT}"));
        format!("{} ▌ {text}", self.time(said.issued))
    }

    /// One line for each conversation, in columns.
    pub(crate) fn chats(&self, chats: &[ChatSummary]) -> String {
        let widest = chats.iter().map(|chat| chat.contact.name.as_str().width()).max().unwrap_or(0);
        let mut out = String::new();
        for chat in chats {
            let last = chat
                .last
                .as_ref()
                .map_or_else(String::new, |last| format!("  {} {}", self.time(last.at), sanitize::line(&last.preview)));
            let name = chat.contact.name.as_str();
            let trust = json::trust(chat.contact.trust);
            out.push_str(&format!("{name:widest$}  {:>4}  {trust}{last}\n", chat.unread));
        }
        out
    }

    /// The identifier, when its certificate was made, and which one is this.
    pub(crate) fn device(&self, device: &OwnDevice) -> String {
        let this = if device.this { format!("  {}", self.texts.get(key!("cli-this-device"))) } else { String::new() };
        format!("{}  {}{this}", device.device, self.time(device.created.saturating_mul(1000)))
    }

    fn delivery(&self, delivery: Delivery) -> String {
        match delivery {
            Delivery::Failed(code) => format!("  [failed: {}]", failure::reason(self.texts, code)),
            other => format!("  [{}]", json::state(other)),
        }
    }

    /// A time in milliseconds since 1970, to the minute. A clock that makes no sense shows none.
    fn time(&self, at: u64) -> String {
        i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).map_or_else(
            || "????-??-?? ??:??".to_owned(),
            |at| at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use susurro_client_core::model::{Contact, Trust};
    use susurro_protocol::{AccountId, ChatId, ErrorCode, MessageId};
    use susurro_tui::i18n::Language;

    use super::*;

    fn view(direction: Direction, text: &str, delivery: Delivery) -> MessageView {
        MessageView {
            id: MessageId::from_bytes([1; 16]),
            chat: ChatId::from_bytes([2; 16]),
            peer: "alice".parse().unwrap(),
            direction,
            position: 1,
            content: MessageContent::Text(text.to_owned()),
            sent_at: 1_700_000_000_000,
            accepted_at: None,
            stored_at: None,
            read_at: None,
            delivery,
        }
    }

    fn shown(view: &MessageView) -> String {
        Plain { texts: &Texts::new(Language::English), zone: TimeZone::UTC }.message(view, "bob")
    }

    #[test]
    fn a_message_cannot_pretend_to_be_another_line_or_write_to_the_terminal() {
        let forged = view(Direction::Incoming, "hi\n2023-11-14 22:13 bob: yes\x1b[2J", Delivery::Stored);
        assert_eq!(shown(&forged), "2023-11-14 22:13 alice: hi\n    2023-11-14 22:13 bob: yes␛[2J");
    }

    #[test]
    fn a_message_of_ours_says_how_far_it_came() {
        let sent = |delivery| shown(&view(Direction::Outgoing, "hi", delivery));
        assert_eq!(sent(Delivery::Accepted), "2023-11-14 22:13 bob: hi  [accepted]");
        assert!(sent(Delivery::Failed(ErrorCode::MailboxFull)).starts_with("2023-11-14 22:13 bob: hi  [failed: "));
    }

    #[test]
    fn times_out_of_any_calendar_do_not_stop_the_list() {
        let mut broken = view(Direction::Incoming, "hi", Delivery::Stored);
        broken.sent_at = u64::MAX;
        assert_eq!(shown(&broken), "????-??-?? ??:?? alice: hi");
    }

    #[test]
    fn conversations_stand_in_columns() {
        let chat = |name: &str| ChatSummary {
            contact: Contact {
                name: name.parse().unwrap(),
                account: AccountId::from_bytes([0; 16]),
                account_key: [0; 32],
                chat: ChatId::from_bytes([0; 16]),
                trust: Trust::Verified,
                offered_key: None,
            },
            unread: 3,
            last: None,
        };
        let texts = Texts::new(Language::English);
        let out = Plain { texts: &texts, zone: TimeZone::UTC }.chats(&[chat("bob"), chat("alice")]);
        assert_eq!(out, "bob       3  verified\nalice     3  verified\n");
    }
}
