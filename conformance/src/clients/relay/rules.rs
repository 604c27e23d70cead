//! Where a relay may stray from the rules.

use std::fmt;

use ed25519_dalek::SigningKey;
use susurro_protocol::event::Deliver;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::handshake::{Hello, Welcome};

use super::http::{Asked, Reply};
use super::world::World;

/// A moment at which a connection can be made to end.
#[derive(Debug, Clone, Copy)]
pub enum Point<'a> {
    /// A request came, nothing was done about it.
    Asked(&'a Asked),
    /// It was done; the answer is about to go.
    Answering(&'a Asked),
    /// `Hello` came.
    Greeted(&'a Hello),
    /// `Welcome` is about to go.
    Greeting,
    /// A frame of the session came, and its tag held.
    Heard(FrameKind, &'a [u8]),
    /// A frame of the session is about to go.
    Saying(FrameKind),
}

/// What happens at such a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// What ought to.
    Go,
    /// The connection is dropped.
    Cut,
    /// The first half of what is about to go goes, then the connection is dropped.
    Half,
    /// Nothing happens on this connection any more, and it stays open.
    Freeze,
}

/// What a relay says on a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// A frame of the session with this body, in its turn and with its tag.
    Frame(FrameKind, Vec<u8>),
    /// A binary message with any bytes.
    Message(Vec<u8>),
    /// A text message.
    Text(String),
    /// A close frame with this code.
    Close(u16),
    /// The end of the connection, without words.
    Cut,
}

/// What is known when `Welcome` is due.
pub struct Greeting<'a> {
    /// What the client claims.
    pub hello: &'a Hello,
    /// The body of `Hello`, as it came.
    pub hello_body: &'a [u8],
    /// The frame that an honest relay sends.
    pub honest: &'a [u8],
    /// The relay's key.
    pub key: &'a SigningKey,
}

type Rule<F> = Option<Box<F>>;

/// How a relay strays. Without any rule it is honest. A rule must not wait.
#[derive(Default)]
#[expect(clippy::type_complexity, reason = "each rule is written once, and its type says what it may do")]
pub struct Rules {
    /// Ends connections at chosen moments.
    pub turn: Rule<dyn FnMut(&Point<'_>) -> Turn + Send>,
    /// Answers a request (the upgrade to a WebSocket included) in place of the honest relay.
    pub before: Rule<dyn FnMut(&mut World, &Asked) -> Option<Reply> + Send>,
    /// Changes the answer to a request that was done.
    pub after: Rule<dyn FnMut(&Asked, Reply) -> Reply + Send>,
    /// Changes `Welcome` before it is signed: the session follows from what it says then.
    pub welcome: Rule<dyn FnMut(&mut Welcome) + Send>,
    /// Says something else than `Welcome`.
    pub greet: Rule<dyn FnMut(&Greeting<'_>) -> Option<Vec<Say>> + Send>,
    /// Takes a frame of the session in place of the honest relay.
    pub heard: Rule<dyn FnMut(&mut World, FrameKind, &[u8]) -> Option<Vec<Say>> + Send>,
    /// Changes the messages that a frame of the session becomes.
    pub said: Rule<dyn FnMut(FrameKind, Vec<u8>) -> Vec<Vec<u8>> + Send>,
    /// The version that the frames of deliveries name, under a tag that holds.
    pub version: Option<u8>,
    /// Changes what a session starts with out of the mailbox.
    pub deliveries: Rule<dyn FnMut(Vec<Deliver>) -> Vec<Deliver> + Send>,
    /// Says this at the beginning of each session, after the first `Ack`.
    pub opening: Rule<dyn FnMut() -> Vec<Say> + Send>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    /// Runs the rule about moments.
    pub(super) fn turn(&mut self, point: &Point<'_>) -> Turn {
        self.turn.as_mut().map_or(Turn::Go, |rule| rule(point))
    }
}
