//! One client, step by step: the test decides what it hears and when.

use bytes::Bytes;
use susurro_client_core::model::{ClientEvent, Connection};
use susurro_client_core::store::port::Mutation;
use susurro_client_core::sync::{Command, Effect, Engine, Input, Refused, Request, RequestId, SocketId, Token};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::{AccountName, BlobId, ErrorCode, MessageId};

use crate::dice::Dice;
use crate::people::{Person, START, people};
use crate::relay::{Out, Relay};
use crate::store::Store;

pub struct Solo {
    pub engine: Engine<Dice>,
    pub store: Store,
    pub relay: Relay,
    pub now: u64,
    pub socket: Option<SocketId>,
    pub wake: Option<u64>,
    /// Requests that were made and not answered.
    pub requests: Vec<(RequestId, Request, Option<Token>)>,
    /// Frames that were sent and did not reach the relay yet.
    pub frames: Vec<Vec<u8>>,
    pub events: Vec<ClientEvent>,
    /// Files of which the copy in the profile is not needed any more.
    pub uploaded: Vec<BlobId>,
    /// Messages whose blobs are to be deleted.
    pub dropped: Vec<(AccountName, MessageId)>,
    /// What the last input led to.
    pub commit: Vec<Mutation>,
    pub refused: Option<Refused>,
    /// With what codes sockets were closed.
    pub closed: Vec<Option<ErrorCode>>,
    conn: u64,
}

impl Solo {
    /// Alice, with Bob and Carol registered.
    pub fn alice() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Store)) -> Self {
        let mut relay = Relay::new(1);
        let [tokens, _, _] = std::array::from_fn(|n| relay.register(&people()[n], START));
        let mut store = people()[0].store(tokens);
        change(&mut store);
        let engine = Engine::new(store.snapshot(), Dice::new(5), START).unwrap();
        Self {
            engine,
            store,
            relay,
            now: START,
            socket: None,
            wake: None,
            requests: Vec::new(),
            frames: Vec::new(),
            events: Vec::new(),
            uploaded: Vec::new(),
            dropped: Vec::new(),
            commit: Vec::new(),
            refused: None,
            closed: Vec::new(),
            conn: 0,
        }
    }

    /// A new process on the same store.
    pub fn restart(&mut self) {
        self.engine = Engine::new(self.store.snapshot(), Dice::new(self.now), self.now).unwrap();
        self.relay.restart();
        self.socket = None;
        self.requests.clear();
        self.frames.clear();
    }

    pub fn input(&mut self, input: Input) {
        let step = self.engine.handle(input, self.now);
        self.commit = step.commit.clone();
        self.refused = step.refused;
        self.store.commit(step.commit);
        for effect in step.effects {
            match effect {
                Effect::OpenSocket { socket, .. } => self.socket = Some(socket),
                Effect::Transmit(bytes) => self.frames.push(bytes),
                Effect::CloseSocket { socket, code } => {
                    self.closed.push(code);
                    if self.socket == Some(socket) {
                        self.socket = None;
                    }
                    self.relay.disconnected(self.conn);
                }
                Effect::Request { id, request, access_token } => self.requests.push((id, request, access_token)),
                Effect::WakeAt(at) => self.wake = Some(at),
                Effect::Emit(event) => self.events.push(event),
                Effect::Uploaded(blob) => self.uploaded.push(blob),
                Effect::DropBlob { peer, message, .. } => self.dropped.push((peer, message)),
                Effect::ChatStarted { .. } => {}
            }
        }
    }

    pub fn tick_at(&mut self, now: u64) {
        self.now = now;
        self.input(Input::Tick);
    }

    /// Lets the time pass until the timer that was asked for.
    pub fn wake(&mut self) {
        let at = self.wake.take().expect("a timer");
        self.tick_at(at.max(self.now));
    }

    /// Opens the socket that was asked for and shakes hands.
    pub fn open(&mut self) {
        let socket = self.socket.expect("a socket was asked for");
        self.conn += 1;
        let token = self.store.tokens.as_ref().unwrap().access.to_string();
        self.relay.opened(self.conn, token, self.now).unwrap();
        self.input(Input::SocketOpened(socket));
        let hello = self.frames.remove(0);
        let out = self.relay.message(self.conn, hello, self.now);
        self.hear(out);
    }

    pub fn connect(&mut self) {
        self.input(Input::GoOnline);
        self.open();
        assert_eq!(self.engine.connection(), Connection::Connected);
    }

    /// The relay reads what was sent and answers; gives the answers without letting them arrive.
    pub fn relay_reads(&mut self) -> Vec<Out> {
        let frames = std::mem::take(&mut self.frames);
        frames.into_iter().flat_map(|frame| self.relay.message(self.conn, frame, self.now)).collect()
    }

    /// The relay says a frame of the session, which arrives.
    pub fn told(&mut self, kind: FrameKind, body: &[u8]) {
        let out = self.relay.say(self.conn, kind, body);
        self.hear(vec![out]);
    }

    /// All of it arrives in one batch.
    pub fn hear(&mut self, out: Vec<Out>) {
        let messages: Vec<Bytes> = out
            .into_iter()
            .filter_map(|out| match out {
                Out::Send(conn, bytes) if conn == self.conn => Some(bytes.into()),
                _ => None,
            })
            .collect();
        if let Some(socket) = self.socket.filter(|_| !messages.is_empty()) {
            self.input(Input::Frames(socket, messages));
        }
    }

    /// Answers every request and every frame until there are no more.
    pub fn exchange(&mut self) {
        for _ in 0..100 {
            let out = self.relay_reads();
            self.hear(out);
            if !self.requests.is_empty() {
                self.answer();
            } else if self.frames.is_empty() {
                return;
            }
        }
        panic!("no end of it");
    }

    /// Answers the first request.
    pub fn answer(&mut self) {
        let (id, request, token) = self.requests.remove(0);
        let mut out = Vec::new();
        let token = token.map(|token| token.0.to_string());
        let result = self.relay.request(request, token.as_deref(), self.now, &mut out);
        self.input(Input::Answered(id, result));
        self.hear(out);
    }

    pub fn compose(&mut self, peer: &Person, number: u8) -> MessageId {
        let message = MessageId::from_bytes([number; 16]);
        let text = format!("text {number}");
        self.input(Input::Command(Command::Compose { peer: peer.name.clone(), message, text }));
        message
    }
}
