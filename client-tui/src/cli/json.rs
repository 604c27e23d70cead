//! The JSON lines, version 1: one object a line.
//!
//! Times are milliseconds since 1970 by the clock of whoever measured them. Control characters,
//! overrides of the writing direction and line separators are escaped, so that a line shown in a
//! terminal does nothing there.

use std::collections::BTreeSet;

use serde::Serialize;
use susurro_client_core::doctor::{Check, Outcome};
use susurro_client_core::model::{Cause, ChatSummary, Delivery, Direction, MessageContent, MessageView, Trust};
use susurro_client_core::profile::OwnDevice;
use susurro_protocol::AccountName;

/// Version of the format; a field is added without, removed or changed with a new number.
const VERSION: u8 = 1;

/// A message as a line. `me` is this account's name.
pub(crate) fn message(view: &MessageView, me: &str) -> String {
    let peer = view.peer.as_str();
    let (from, to) = match view.direction {
        Direction::Incoming => (peer, me),
        Direction::Outgoing => (me, peer),
    };
    let (kind, content) = match &view.content {
        MessageContent::Text(text) => ("message", Content::Text { text }),
        MessageContent::Attachment(file) => {
            ("attachment", Content::Attachment { name: &file.name, size: file.size, media_type: &file.media_type })
        }
        MessageContent::Undecryptable(cause) => ("undecryptable", Content::Undecryptable { cause: cause_name(*cause) }),
        MessageContent::Unknown(number) => ("unknown", Content::Unknown { content_type: *number }),
        MessageContent::Note(note) => ("note", Content::Note { note }),
    };
    line(&Message {
        v: VERSION,
        kind,
        id: view.id.to_string(),
        chat: view.chat.to_string(),
        from,
        to,
        content,
        sent_at: view.sent_at,
        received_at: view.stored_at,
        state: state(view.delivery),
    })
}

/// A conversation as a line.
pub(crate) fn chat(summary: &ChatSummary) -> String {
    line(&Chat {
        v: VERSION,
        kind: "chat",
        chat: summary.contact.chat.to_string(),
        peer: summary.contact.name.as_str(),
        trust: trust(summary.contact.trust),
        unread: summary.unread,
        last: summary.last.as_ref().map(|last| Last {
            id: last.id.to_string(),
            preview: &last.preview,
            at: last.at,
            state: last.delivery.map(state),
        }),
    })
}

/// A device of the account as a line.
pub(crate) fn device(device: &OwnDevice) -> String {
    let OwnDevice { device, created, this } = device;
    line(&Device {
        v: VERSION,
        kind: "device",
        device: device.to_string(),
        created: created.saturating_mul(1000),
        this: *this,
    })
}

/// An announcement of the relay as a line.
pub(crate) fn announcement(said: &susurro_client_core::model::Announcement, new: bool) -> String {
    let id = said.id.to_string();
    let (issued_at, expires_at) = (said.issued, said.expires);
    line(&Announcement { v: VERSION, kind: "announcement", id, text: &said.text, issued_at, expires_at, new })
}

/// The settings of a profile as a line.
pub(crate) fn settings(typing: bool) -> String {
    line(&Settings { v: VERSION, kind: "settings", typing })
}

/// Whether presence is on, and who is there if that was asked for, as a line.
pub(crate) fn presence(on: bool, present: Option<&BTreeSet<AccountName>>) -> String {
    let present = present.map(|present| present.iter().map(AccountName::as_str).collect());
    line(&Presence { v: VERSION, kind: "presence", on, present })
}

/// A finding of `doctor` as a line.
pub(crate) fn check(check: &Check) -> String {
    let (found, next) = match &check.outcome {
        Outcome::Ok(found) => (found, None),
        Outcome::Err { what, next } => (what, Some(next.as_str())),
    };
    line(&Finding { v: VERSION, kind: "check", name: check.name, ok: check.is_ok(), found, next })
}

/// The word for a state.
pub(crate) const fn state(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Queued => "queued",
        Delivery::Accepted => "accepted",
        Delivery::Stored => "stored",
        Delivery::Read => "read",
        Delivery::Failed(_) => "failed",
    }
}

/// The word for what is known of a key.
pub(crate) const fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Unverified => "unverified",
        Trust::Verified => "verified",
        Trust::Changed => "changed",
        Trust::ChangedAfterVerification => "changed-after-verification",
    }
}

/// The word for why a message cannot be shown.
pub(crate) const fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::NoSession => "no-session",
        Cause::OldKey => "old-key",
        Cause::TooFarAhead => "too-far-ahead",
        Cause::Tampered => "tampered",
        Cause::UnknownVersion => "unknown-version",
        Cause::Malformed => "malformed",
    }
}

#[derive(Serialize)]
struct Message<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    chat: String,
    from: &'a str,
    to: &'a str,
    #[serde(flatten)]
    content: Content<'a>,
    sent_at: u64,
    received_at: Option<u64>,
    state: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text { text: &'a str },
    Attachment { name: &'a str, size: u64, media_type: &'a str },
    Undecryptable { cause: &'static str },
    Unknown { content_type: u16 },
    Note { note: &'a str },
}

#[derive(Serialize)]
struct Chat<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    chat: String,
    peer: &'a str,
    trust: &'static str,
    unread: u64,
    last: Option<Last<'a>>,
}

#[derive(Serialize)]
struct Last<'a> {
    id: String,
    preview: &'a str,
    at: u64,
    state: Option<&'static str>,
}

#[derive(Serialize)]
struct Device {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    device: String,
    created: u64,
    this: bool,
}

#[derive(Serialize)]
struct Announcement<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    text: &'a str,
    issued_at: u64,
    expires_at: u64,
    new: bool,
}

#[derive(Serialize)]
struct Settings {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    typing: bool,
}

#[derive(Serialize)]
struct Presence<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    on: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    ok: bool,
    found: &'a str,
    next: Option<&'a str>,
}

fn line(value: &impl Serialize) -> String {
    // Serializing these structures to memory cannot fail: no maps with other keys than text, no
    // writer that refuses.
    escape(&serde_json::to_string(value).unwrap_or_default())
}

/// Outside of strings JSON is ASCII, so every other character stands in a string and can be
/// written as an escape. ASCII control characters are escaped already, except for DEL.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_escaped(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

const fn is_escaped(c: char) -> bool {
    matches!(c,
        '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use susurro_protocol::bytes::Fixed;
    use susurro_protocol::content::Attachment;
    use susurro_protocol::{BlobId, ChatId, ErrorCode, MessageId};

    use super::*;

    fn view(direction: Direction, content: MessageContent) -> MessageView {
        MessageView {
            id: MessageId::from_bytes([1; 16]),
            chat: ChatId::from_bytes([2; 16]),
            peer: "alice".parse().unwrap(),
            direction,
            position: 1,
            content,
            sent_at: 1_700_000_000_000,
            accepted_at: None,
            stored_at: Some(1_700_000_000_500),
            read_at: None,
            delivery: Delivery::Stored,
        }
    }

    #[test]
    fn a_message_has_exactly_the_documented_fields_in_their_order() {
        let line = message(&view(Direction::Incoming, MessageContent::Text("hi \"you\"\n".to_owned())), "bob");
        assert_eq!(
            line,
            concat!(
                r#"{"v":1,"type":"message","id":"01010101010101010101010101010101","#,
                r#""chat":"02020202020202020202020202020202","from":"alice","to":"bob","text":"hi \"you\"\n","#,
                r#""sent_at":1700000000000,"received_at":1700000000500,"state":"stored"}"#
            )
        );
    }

    #[test]
    fn a_file_is_named_and_its_key_is_not() {
        let file = Attachment {
            name: "a.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            size: 7,
            blob: BlobId::from_bytes([3; 16]),
            key: Fixed([4; 32]),
            hash: Fixed([5; 32]),
        };
        let line = message(&view(Direction::Incoming, MessageContent::Attachment(Box::new(file))), "bob");
        let fields = r#""to":"bob","name":"a.pdf","size":7,"media_type":"application/pdf","sent_at""#;
        assert!(line.contains(r#""type":"attachment""#) && line.contains(fields), "{line}");
        assert!(!line.contains("key") && !line.contains("0404"), "{line}");
    }

    #[test]
    fn an_outgoing_message_is_from_me() {
        let line = message(&view(Direction::Outgoing, MessageContent::Text("hi".to_owned())), "bob");
        assert!(line.contains(r#""from":"bob","to":"alice""#), "{line}");
    }

    #[test]
    fn what_cannot_be_shown_says_why_and_has_no_text() {
        let line = message(&view(Direction::Incoming, MessageContent::Undecryptable(Cause::OldKey)), "bob");
        assert!(line.contains(r#""type":"undecryptable""#) && line.contains(r#""cause":"old-key""#), "{line}");
        assert!(!line.contains(r#""text""#), "{line}");
    }

    #[test]
    fn control_characters_and_overrides_are_escaped_and_read_back_as_they_were() {
        let text = "\x1b[2J\x07\x7f\u{9b}31m\u{202e}\u{2066}\u{2028}\u{feff}\u{e0041} ñ 👩‍👩‍👧";
        let line = message(&view(Direction::Incoming, MessageContent::Text(text.to_owned())), "bob");
        assert!(!line.chars().any(|c| c.is_control() || is_escaped(c)), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["text"], text);
    }

    #[test]
    fn states_have_words() {
        assert_eq!(state(Delivery::Failed(ErrorCode::MailboxFull)), "failed");
        assert_eq!([Delivery::Queued, Delivery::Accepted, Delivery::Read].map(state), ["queued", "accepted", "read"]);
    }
}
