//! The connection: from `GoOnline` to a session with the relay, its signs of life, and the way
//! back after it was lost.

use bytes::Bytes;
use rand_core::CryptoRng;
use susurro_protocol::codec::{self, Structure};
use susurro_protocol::command::Ping;
use susurro_protocol::event::ErrorNotice;
use susurro_protocol::frame::{FrameKind, RawFrame, SESSION_TAG_BYTES};
use susurro_protocol::handshake::{self, ClientHandshake, ClientIdentity, RESTORATION, Welcome};
use susurro_protocol::limits::{HANDSHAKE_SECONDS, PING_SECONDS};
use susurro_protocol::session::{FrameOpener, FrameSealer};
use susurro_protocol::{ErrorCode, MailboxSeq};
use zeroize::Zeroizing;

use super::backoff;
use super::engine::Engine;
use super::jobs::{Job, RETRY_AFTER_MAX, is_about_token};
use super::types::{ConnectFailure, Effect, SocketId, Token};
use crate::model::{ClientEvent, Connection, Trouble};

/// Milliseconds for the WebSocket to open.
const OPEN_DEADLINE: u64 = 20_000;
const HANDSHAKE_DEADLINE: u64 = HANDSHAKE_SECONDS * 1000;
const PING_EVERY: u64 = PING_SECONDS * 1000;
/// Milliseconds for a ping to be answered.
const PONG_DEADLINE: u64 = 10_000;
/// A longer time without any input while connected means that the machine slept: the relay has
/// closed the connection meanwhile, or will.
const SUSPENDED_AFTER: u64 = 2 * PING_EVERY;
/// A connection that lasted so long ends a row of failures.
const STABLE_AFTER: u64 = PING_EVERY;
/// Milliseconds of silence after which a mailbox counts as drained although its head was not
/// seen: the newest messages may have expired.
const DRAINED_AFTER: u64 = 2_000;

/// Bytes of a frame beside its body: the tag, and below 32 for the array, its integers and lengths.
const FRAME_OVERHEAD: usize = SESSION_TAG_BYTES + 32;

/// Where the connection stands.
pub(super) enum Link {
    Offline,
    Blocked(Trouble),
    Waiting {
        at: u64,
        trouble: Trouble,
    },
    /// The access token is refreshed before a socket is opened.
    Refreshing,
    Opening {
        socket: SocketId,
        deadline: u64,
    },
    Greeting {
        socket: SocketId,
        handshake: Option<ClientHandshake>,
        deadline: u64,
    },
    Connected(Box<Session>),
}

/// An open session with the relay.
pub(super) struct Session {
    socket: SocketId,
    sealer: FrameSealer,
    opener: FrameOpener,
    since: u64,
    ping_at: u64,
    pong_by: Option<u64>,
    nonce: u64,
    /// The mailbox position up to which messages were waiting when the session began.
    head: MailboxSeq,
    last_delivery: u64,
    /// What the relay takes, in bytes of a frame and of a ciphertext (LIM-2).
    frame_max: usize,
    ciphertext_max: usize,
}

pub(super) struct Connector {
    pub(super) link: Link,
    /// Failures in a row.
    attempts: u32,
    next_socket: u64,
    /// Of the access token that the socket was opened with.
    generation: u64,
    /// What was last told.
    shown: Connection,
}

impl Connector {
    pub(super) fn new() -> Self {
        Self { link: Link::Offline, attempts: 0, next_socket: 1, generation: 0, shown: Connection::Offline }
    }

    /// As a status line tells it.
    pub(super) fn shown(&self) -> Connection {
        match &self.link {
            Link::Offline => Connection::Offline,
            Link::Blocked(trouble) => Connection::Blocked(trouble.clone()),
            Link::Waiting { at, trouble } => Connection::Waiting { at: *at, trouble: trouble.clone() },
            Link::Refreshing | Link::Opening { .. } | Link::Greeting { .. } => Connection::Connecting,
            Link::Connected(_) => Connection::Connected,
        }
    }

    fn socket(&self) -> Option<SocketId> {
        match &self.link {
            Link::Opening { socket, .. } | Link::Greeting { socket, .. } => Some(*socket),
            Link::Connected(session) => Some(session.socket),
            _ => None,
        }
    }

    pub(super) fn next_wake(&self, cursor: MailboxSeq, now: u64) -> Option<u64> {
        match &self.link {
            Link::Offline | Link::Blocked(_) | Link::Refreshing => None,
            Link::Waiting { at, .. } => Some(*at),
            Link::Opening { deadline, .. } | Link::Greeting { deadline, .. } => Some(*deadline),
            Link::Connected(session) => {
                let drained = (cursor < session.head).then_some(session.last_delivery + DRAINED_AFTER);
                [Some(session.ping_at), session.pong_by, drained].into_iter().flatten().filter(|at| *at > now).min()
            }
        }
    }
}

impl<R: CryptoRng> Engine<R> {
    /// Whether there is a session with the relay.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.connector.link, Link::Connected(_))
    }

    /// Whether all that waited in the mailbox when the session began is durable here.
    pub(super) fn is_drained(&self) -> bool {
        match &self.connector.link {
            Link::Connected(session) => {
                self.inbox.cursor >= session.head || self.now >= session.last_delivery + DRAINED_AFTER
            }
            _ => false,
        }
    }

    pub(super) fn go_online(&mut self) {
        match self.connector.link {
            Link::Offline | Link::Blocked(_) | Link::Waiting { .. } => self.connect(),
            _ => {}
        }
    }

    pub(super) fn go_offline(&mut self) {
        self.drop_socket();
        self.connector.attempts = 0;
        self.connector.link = Link::Offline;
    }

    /// A clock that jumped, forwards or backwards: nothing that was timed by it still holds.
    pub(super) fn notice_jump(&mut self, before: u64) {
        let jump = self.now.abs_diff(before);
        if jump <= SUSPENDED_AFTER {
            return;
        }
        match self.connector.link {
            Link::Connected(_) | Link::Opening { .. } | Link::Greeting { .. } => {
                self.drop_socket();
                self.connect();
            }
            Link::Waiting { .. } if self.now < before => self.connect(),
            _ => {}
        }
    }

    pub(super) fn tick_link(&mut self) {
        match &mut self.connector.link {
            Link::Waiting { at, .. } if backoff::is_due(*at, self.now, RETRY_AFTER_MAX) => self.connect(),
            Link::Opening { deadline, .. } if self.now >= *deadline => self.lose(Trouble::Unreachable, 0),
            Link::Greeting { deadline, .. } if self.now >= *deadline => self.lose(Trouble::NotARelay, 0),
            Link::Connected(session) => {
                if session.pong_by.is_some_and(|by| self.now >= by) {
                    self.lose(Trouble::Lost, 0);
                } else if self.now >= session.ping_at {
                    session.ping_at = self.now + PING_EVERY;
                    session.pong_by = Some(self.now + PONG_DEADLINE);
                    session.nonce += 1;
                    let ping = Ping { nonce: session.nonce };
                    self.transmit(FrameKind::Ping, &ping);
                }
            }
            _ => {}
        }
    }

    /// Begins an attempt.
    fn connect(&mut self) {
        if self.tokens.current.is_none() {
            self.connector.link = Link::Blocked(Trouble::LoggedOut);
        } else if self.token_is_fresh() {
            self.open_socket();
        } else {
            self.connector.link = Link::Refreshing;
            self.jobs.retry_now(&Job::Refresh);
            self.want(Job::Refresh);
        }
    }

    pub(super) fn open_socket(&mut self) {
        let Some(tokens) = &self.tokens.current else { return };
        let socket = SocketId(self.connector.next_socket);
        self.connector.next_socket += 1;
        self.connector.generation = self.tokens.generation;
        self.connector.link = Link::Opening { socket, deadline: self.now + OPEN_DEADLINE };
        self.draft.effects.push(Effect::OpenSocket { socket, access_token: Token(tokens.access.clone()) });
    }

    pub(super) fn socket_opened(&mut self, opened: SocketId) {
        if !matches!(self.connector.link, Link::Opening { socket, .. } if socket == opened) {
            return;
        }
        let Some(tokens) = &self.tokens.current else { return };
        let mut ephemeral = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(&mut *ephemeral);
        let who = ClientIdentity {
            account: self.me.account,
            device: self.me.device.device(),
            signing_key: self.me.device.signing_key(),
        };
        let (handshake, hello) =
            ClientHandshake::start(&who, self.me.relay_key, &tokens.access, self.inbox.cursor, ephemeral);
        let deadline = self.now + HANDSHAKE_DEADLINE;
        self.connector.link = Link::Greeting { socket: opened, handshake: Some(handshake), deadline };
        self.draft.effects.push(Effect::Transmit(hello));
    }

    pub(super) fn socket_failed(&mut self, failed: SocketId, failure: ConnectFailure) {
        if self.connector.socket() != Some(failed) {
            return;
        }
        match failure {
            ConnectFailure::Unreachable => self.socket_gone(Trouble::Unreachable, 0),
            ConnectFailure::NotARelay => self.socket_gone(Trouble::NotARelay, 0),
            ConnectFailure::Refused { code, retry_after } => self.refused(code, retry_after.unwrap_or(0)),
        }
    }

    pub(super) fn socket_closed(&mut self, closed: SocketId, code: Option<ErrorCode>) {
        if self.connector.socket() != Some(closed) {
            return;
        }
        match code {
            Some(code) => self.refused(code, 0),
            None => self.socket_gone(Trouble::Lost, 0),
        }
    }

    /// Reads messages of a socket until one of them ends it.
    pub(super) fn frames(&mut self, socket: SocketId, messages: &[Bytes]) {
        for message in messages {
            if self.connector.socket() != Some(socket) {
                return;
            }
            match &mut self.connector.link {
                Link::Greeting { handshake, .. } => {
                    if let Some(handshake) = handshake.take() {
                        self.greeted(handshake, message, socket);
                    }
                }
                Link::Connected(session) => match session.opener.open_message(message) {
                    Ok(frame) => {
                        // Any frame is a sign of life.
                        session.pong_by = None;
                        self.frame(&frame);
                    }
                    Err(code) => self.break_off(code, None),
                },
                _ => return,
            }
        }
    }

    fn greeted(&mut self, handshake: ClientHandshake, message: &Bytes, socket: SocketId) {
        let frame = match RawFrame::decode(message) {
            Ok(frame) => frame,
            Err(_) => return self.lose(Trouble::NotARelay, 0),
        };
        if let Some(refusal) = handshake::refusal(&frame) {
            return self.refused(refusal.code, 0);
        }
        match handshake.finish(&frame) {
            Ok((welcome, pair)) => {
                let session = Session {
                    socket,
                    sealer: pair.sealer,
                    opener: pair.opener,
                    since: self.now,
                    ping_at: self.now + PING_EVERY,
                    pong_by: None,
                    nonce: 0,
                    head: welcome.mailbox_head,
                    last_delivery: self.now,
                    frame_max: usize::try_from(welcome.frame_max).unwrap_or(usize::MAX),
                    ciphertext_max: usize::try_from(welcome.ciphertext_max).unwrap_or(usize::MAX),
                };
                self.connected(session, &welcome);
            }
            Err(ErrorCode::RelayKeyMismatch) => self.block(Trouble::RelayKeyChanged),
            Err(_) => self.lose(Trouble::NotARelay, 0),
        }
    }

    fn connected(&mut self, session: Session, welcome: &Welcome) {
        self.connector.link = Link::Connected(Box::new(session));
        let restored = welcome.mailbox_head / RESTORATION * RESTORATION;
        let is_restored = welcome.mailbox_head < self.inbox.cursor || self.inbox.cursor < restored;
        if is_restored {
            // The relay was restored from a backup. Either it gives positions out a second time, and what
            // is new there must not be taken for old, or all of them are higher now. What is old is
            // recognised by its identifier.
            self.inbox.cursor = welcome.mailbox_head.min(restored.max(self.inbox.cursor));
            self.draft.cursor = true;
            self.send_unconfirmed_again();
        }
        self.draft.ack = true;
        self.jobs.retry_all();
        self.begin_session();
    }

    /// Seals a frame and sends it, when there is a session.
    pub(super) fn transmit<T: serde::Serialize + Structure>(&mut self, kind: FrameKind, body: &T) {
        self.transmit_bytes(kind, &codec::encode(body));
    }

    /// As [`transmit`](Self::transmit), for a body that is encoded already. Says whether it fitted.
    pub(super) fn transmit_bytes(&mut self, kind: FrameKind, body: &[u8]) -> bool {
        let Link::Connected(session) = &mut self.connector.link else { return true };
        if body.len() + FRAME_OVERHEAD > session.frame_max {
            return false;
        }
        match session.sealer.seal_body(kind, body) {
            Ok(bytes) => {
                self.draft.effects.push(Effect::Transmit(bytes));
                true
            }
            Err(_) => false,
        }
    }

    /// Whether the relay takes ciphertexts of this size.
    pub(super) fn takes_ciphertext_of(&self, bytes: usize) -> bool {
        match &self.connector.link {
            Link::Connected(session) => bytes <= session.ciphertext_max,
            _ => true,
        }
    }

    pub(super) fn note_delivery(&mut self) {
        if let Link::Connected(session) = &mut self.connector.link {
            session.last_delivery = self.now;
        }
    }

    /// The relay ends the connection, or the attempt, and says why.
    pub(super) fn refused(&mut self, code: ErrorCode, retry_after: u64) {
        match code {
            ErrorCode::Superseded => self.block(Trouble::Superseded),
            ErrorCode::RelayKeyMismatch => self.block(Trouble::RelayKeyChanged),
            ErrorCode::UnknownDevice => self.logged_out(),
            code if is_about_token(code) => {
                self.doubt_token(self.connector.generation);
                if !matches!(self.connector.link, Link::Blocked(_)) {
                    self.drop_socket();
                    self.connect();
                }
            }
            ErrorCode::GoingAway => self.lose(Trouble::GoingAway, retry_after),
            ErrorCode::Overloaded | ErrorCode::StorageUnavailable | ErrorCode::Internal | ErrorCode::RateLimited => {
                self.lose(Trouble::Overloaded, retry_after)
            }
            ErrorCode::UnsupportedVersion => self.lose(Trouble::NotARelay, retry_after),
            _ => self.lose(Trouble::Lost, retry_after),
        }
    }

    /// Closes the socket and tries again after a while.
    pub(super) fn lose(&mut self, trouble: Trouble, retry_after: u64) {
        self.drop_socket();
        self.wait(trouble, retry_after);
    }

    /// Ends the session because of what the relay sent (SES-5): an `Error` frame about a frame of
    /// this kind, if it may be answered with one (FRAME-6), then a close frame with the code.
    pub(super) fn break_off(&mut self, code: ErrorCode, about: Option<FrameKind>) {
        if about != Some(FrameKind::Error) {
            let about = about.map_or(0, FrameKind::number);
            self.transmit(FrameKind::Error, &ErrorNotice { about, ..ErrorNotice::of(code) });
        }
        self.close_socket(Some(code));
        self.wait(Trouble::Lost, 0);
    }

    /// As [`lose`](Self::lose), for a socket that closed by itself.
    fn socket_gone(&mut self, trouble: Trouble, retry_after: u64) {
        self.session_ended();
        self.wait(trouble, retry_after);
    }

    fn wait(&mut self, trouble: Trouble, retry_after: u64) {
        let delay = backoff::delay(self.connector.attempts, &mut self.rng);
        self.connector.attempts = self.connector.attempts.saturating_add(1);
        let at = self.now.saturating_add(delay.max(retry_after.min(RETRY_AFTER_MAX)));
        self.connector.link = Link::Waiting { at, trouble };
    }

    /// Stops until a person acts.
    pub(super) fn block(&mut self, trouble: Trouble) {
        self.drop_socket();
        self.connector.attempts = 0;
        self.connector.link = Link::Blocked(trouble);
    }

    fn drop_socket(&mut self) {
        self.close_socket(None);
    }

    fn close_socket(&mut self, code: Option<ErrorCode>) {
        if let Some(socket) = self.connector.socket() {
            self.draft.effects.push(Effect::CloseSocket { socket, code });
        }
        self.session_ended();
    }

    fn session_ended(&mut self) {
        if let Link::Connected(session) = &self.connector.link
            && self.now.saturating_sub(session.since) >= STABLE_AFTER
        {
            self.connector.attempts = 0;
        }
        // What was not acknowledged comes again, what was not stored is sent again.
        self.inbox.held.clear();
        self.outbox.forget_in_flight();
        self.forget_typing();
        self.forget_presence();
    }

    /// Tells a change of the connection.
    pub(super) fn show_connection(&mut self) {
        let shown = self.connector.shown();
        if shown != self.connector.shown {
            self.connector.shown = shown.clone();
            self.draft.emit(ClientEvent::Connection(shown));
        }
    }
}
