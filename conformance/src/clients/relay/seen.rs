//! What came from a client, and what in it no relay has to be told of: rules that hold in every check.

use std::collections::{HashMap, HashSet};

use susurro_protocol::command::{Ack, Send};
use susurro_protocol::event::Rejected;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::handshake::Hello;
use susurro_protocol::limits::{CIPHERTEXT_MAX, TIME_TO_LIVE_MAX};
use susurro_protocol::{MessageId, codec};

use super::http::Asked;

/// Something that came from the client.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A request.
    Asked(Asked),
    /// A `Hello` whose signature holds, on this connection.
    Hello(u64, Hello),
    /// A frame of a session whose tag holds.
    Frame(u64, FrameKind, Vec<u8>),
    /// The client ended this connection, with this close code if it sent one.
    Ended(u64, Option<u16>),
}

/// Bytes that an envelope of kind 1 and 2 adds to padded content (section 16.1).
const ENVELOPES: [(u8, usize); 2] = [(1, 1284), (2, 99)];

/// All that was seen.
#[derive(Debug, Default)]
pub struct Record {
    /// In order.
    pub events: Vec<Seen>,
    /// Every byte that came, WebSocket masks taken off.
    pub bytes: Vec<u8>,
    /// The last message of a WebSocket.
    pub last_message: Vec<u8>,
    /// What no client may do, whatever the relay does.
    pub objections: Vec<String>,
    ephemerals: HashSet<[u8; 32]>,
    sends: HashMap<MessageId, Vec<u8>>,
}

impl Record {
    /// Adds an objection, once.
    pub fn object(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.objections.contains(&what) {
            self.objections.push(what);
        }
    }

    pub(super) fn asked(&mut self, asked: &Asked) {
        if asked.query.contains("token=") && asked.path != "/ws" {
            self.object("REST-2: a token in a query string");
        }
        self.bytes.extend(&asked.raw);
        self.events.push(Seen::Asked(asked.clone()));
    }

    pub(super) fn hello(&mut self, connection: u64, hello: &Hello) {
        if !self.ephemerals.insert(hello.ephemeral.0) {
            self.object("HS-11: an ephemeral key in two handshakes");
        }
        self.events.push(Seen::Hello(connection, hello.clone()));
    }

    pub(super) fn frame(&mut self, connection: u64, kind: FrameKind, body: &[u8]) {
        if kind == FrameKind::Send {
            self.send(body);
        }
        self.events.push(Seen::Frame(connection, kind, body.to_vec()));
    }

    /// The first frame of a session (ACK-1), unless the relay has lost what it gave out.
    pub(super) fn first_frame(&mut self, kind: FrameKind, body: &[u8], hello: &Hello, head: u64) {
        let ack: Option<Ack> = (kind == FrameKind::Ack).then(|| codec::decode(body).ok()).flatten();
        match ack {
            None => self.object("ACK-1: the first frame of a session is no Ack"),
            Some(ack) if head >= hello.cursor && !(hello.cursor..=head).contains(&ack.cursor) => {
                self.object(format!(
                    "ACK-1: the first Ack has {}, Hello {}, the mailbox {head}",
                    ack.cursor, hello.cursor
                ));
            }
            Some(_) => {}
        }
    }

    fn send(&mut self, body: &[u8]) {
        let Ok(send) = codec::decode::<Send>(body) else {
            return self.object("ENC-1: a Send that is not its structure");
        };
        if let Some(before) = self.sends.get(&send.message)
            && before != body
        {
            self.object("SEND-7: other bytes for a message that the relay had not rejected");
        }
        if send.time_to_live > TIME_TO_LIVE_MAX {
            self.object("SEND-5: a time to live above the limit");
        }
        for deposit in &send.deposits {
            let bytes = deposit.ciphertext.as_slice();
            if bytes.len() > CIPHERTEXT_MAX {
                self.object("LIM-1: a ciphertext above the limit");
            }
            if !is_padded_envelope(bytes) {
                self.object(format!("PAD-1: a ciphertext of {} bytes, which no padding gives", bytes.len()));
            }
        }
        self.sends.insert(send.message, body.to_vec());
    }

    /// The relay rejects a message: it may come otherwise.
    pub(super) fn rejected(&mut self, body: &[u8]) {
        if let Ok(rejected) = codec::decode::<Rejected>(body) {
            self.sends.remove(&rejected.message);
        }
    }

    /// The requests of a route such as `POST /keys/claim`.
    pub fn requests<'a>(&'a self, route: &'a str) -> impl Iterator<Item = &'a Asked> {
        self.events.iter().filter_map(move |seen| match seen {
            Seen::Asked(asked) if asked.is(route) => Some(asked),
            _ => None,
        })
    }

    /// The bodies of the frames of a kind.
    pub fn frames(&self, kind: FrameKind) -> impl Iterator<Item = &[u8]> {
        self.events.iter().filter_map(move |seen| match seen {
            Seen::Frame(_, known, body) if *known == kind => Some(body.as_slice()),
            _ => None,
        })
    }

    /// Every `Send`.
    pub fn sends(&self) -> impl Iterator<Item = Send> {
        self.frames(FrameKind::Send).filter_map(|body| codec::decode(body).ok())
    }

    /// Every `Hello`.
    pub fn hellos(&self) -> impl Iterator<Item = &Hello> {
        self.events.iter().filter_map(|seen| match seen {
            Seen::Hello(_, hello) => Some(hello),
            _ => None,
        })
    }

    /// The close codes with which the client has ended connections.
    pub fn ends(&self) -> impl Iterator<Item = Option<u16>> {
        self.events.iter().filter_map(|seen| match seen {
            Seen::Ended(_, code) => Some(*code),
            _ => None,
        })
    }

    /// The highest cursor that was acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        let acks = self.frames(FrameKind::Ack).filter_map(|body| codec::decode::<Ack>(body).ok());
        acks.map(|ack| ack.cursor).max().unwrap_or(0)
    }
}

/// Whether a ciphertext has one of the lengths that sections 16.1 and 18 allow.
fn is_padded_envelope(bytes: &[u8]) -> bool {
    let Some(kind) = bytes.get(1) else { return false };
    let overhead = ENVELOPES.iter().find(|(known, _)| known == kind).map(|(_, overhead)| *overhead);
    overhead
        .and_then(|overhead| bytes.len().checked_sub(overhead))
        .is_some_and(|padded| padded_length(padded) == padded)
}

/// The padded length of *L* bytes (section 18).
#[must_use]
pub fn padded_length(length: usize) -> usize {
    if length <= 4096 {
        return length.next_power_of_two().max(256);
    }
    let e = length.ilog2();
    let s = e.ilog2() + 1;
    length.next_multiple_of(1 << (e - s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_documents_table() {
        // Content, then padded: the terminator is one byte more.
        for (content, padded) in [(0, 256), (255, 256), (256, 512), (1023, 1024), (1024, 2048), (4095, 4096)] {
            assert_eq!(padded_length(content + 1), padded);
        }
        for (content, padded) in [(4096, 4352), (4352, 4608), (32768, 34816), (60000, 61440)] {
            assert_eq!(padded_length(content + 1), padded);
        }
    }

    #[test]
    fn a_ciphertext_of_any_other_length_is_none() {
        let envelope = |kind: u8, length: usize| [vec![1, kind], vec![0; length - 2]].concat();
        assert!(is_padded_envelope(&envelope(2, 99 + 256)));
        assert!(is_padded_envelope(&envelope(1, 1284 + 4352)));
        for bytes in
            [envelope(2, 99 + 255), envelope(2, 99 + 4400), envelope(1, 99 + 256), envelope(3, 99 + 256), vec![]]
        {
            assert!(!is_padded_envelope(&bytes), "{} bytes", bytes.len());
        }
    }
}
