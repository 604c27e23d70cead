//! What the relay sees of a message, out of its own log.

use serde::Deserialize;

/// Digits of an identifier or a ciphertext that are shown at most: more than any pane has room for.
const DIGITS_MAX: usize = 64;

/// One thing that happened to one ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What happened.
    pub(crate) event: Event,
    /// Beginning of the identifier of the device whose mailbox it is, in hexadecimal digits.
    pub(crate) mailbox: String,
    /// Position in that mailbox.
    pub(crate) seq: u64,
    /// Size, where the relay looked at the ciphertext.
    pub(crate) bytes: Option<u64>,
    /// Its first bytes, in hexadecimal digits.
    pub(crate) head: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Event {
    /// It is durable at the relay.
    Stored,
    /// It went to the device.
    Delivered,
    /// The device has it; the relay forgets it.
    Acknowledged,
}

impl Seen {
    /// Reads a line of the log; `None` for lines about other things.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let record: Record = serde_json::from_slice(line).ok()?;
        (record.target == "susurro_server::seen").then(|| Self {
            event: record.event,
            mailbox: digits(&record.mailbox),
            seq: record.seq,
            bytes: record.bytes,
            head: digits(&record.head),
        })
    }
}

#[derive(Deserialize)]
struct Record {
    target: String,
    event: Event,
    mailbox: String,
    seq: u64,
    bytes: Option<u64>,
    #[serde(default)]
    head: String,
}

/// Hexadecimal digits only: a log is not trusted with the terminal.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).take(DIGITS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_message_is_read() {
        let line = br#"{"timestamp":"2026-01-01T00:00:00Z","level":"TRACE","event":"stored","mailbox":"3fa9c1d2","seq":7,"bytes":611,"head":"a10e93","target":"susurro_server::seen"}"#;
        let seen = Seen {
            event: Event::Stored,
            mailbox: "3fa9c1d2".to_owned(),
            seq: 7,
            bytes: Some(611),
            head: "a10e93".to_owned(),
        };
        assert_eq!(Seen::parse(line), Some(seen));
        let line = br#"{"event":"acknowledged","mailbox":"3fa9c1d2","seq":7,"target":"susurro_server::seen"}"#;
        assert_eq!(Seen::parse(line).map(|seen| (seen.event, seen.bytes)), Some((Event::Acknowledged, None)));
    }

    #[test]
    fn other_lines_are_left_out_and_bring_nothing_to_the_terminal() {
        assert_eq!(Seen::parse(br#"{"message":"listening","target":"susurro_server"}"#), None);
        assert_eq!(Seen::parse(b"thread panicked"), None);
        let line = "{\"event\":\"stored\",\"mailbox\":\"ab\\u001b[2J\",\"seq\":1,\"target\":\"susurro_server::seen\"}";
        assert_eq!(Seen::parse(line.as_bytes()).map(|seen| seen.mailbox), Some("ab2".to_owned()));
    }
}
