//! The network of the simulated world: effects performed, connections lost, answers late.

use susurro_client_core::model::{ClientEvent, Delivery, Direction, MessageContent};
use susurro_client_core::sync::{ConnectFailure, Effect, Input, Request, RequestFailure, RequestId, SocketId};
use susurro_protocol::{ErrorCode, MessageId};

use crate::faults::Sabotage;
use crate::people::START;
use crate::relay::{ConnId, Out};
use crate::world::{Conn, Event, World};

impl World {
    pub fn perform(&mut self, client: usize, effect: Effect) {
        let incarnation = self.clients[client].incarnation;
        match effect {
            Effect::OpenSocket { socket, access_token } => {
                self.serial += 1;
                let conn = self.serial;
                self.conns.insert(
                    conn,
                    Conn {
                        client,
                        incarnation,
                        socket,
                        closed: false,
                        to_relay: self.now,
                        to_client: self.now,
                        pending: Vec::new(),
                        flushing: false,
                    },
                );
                self.clients[client].conn = Some(conn);
                let latency = self.latency();
                self.after(latency, Event::RelayOpen { conn, token: access_token.0.to_string() });
            }
            Effect::Transmit(bytes) => self.transmit(client, bytes),
            Effect::CloseSocket { socket, .. } => self.close_socket(client, socket),
            Effect::Request { id, request, access_token } => {
                let token = access_token.map(|token| token.0.to_string());
                if self.dice.chance(self.faults.request_lost) {
                    let result = Err(RequestFailure::Unreachable);
                    return self.after(10_000, Event::Answer { client, id, result });
                }
                let answer_lost = self.dice.chance(self.faults.answer_lost);
                let latency = self.latency();
                self.after(latency, Event::RelayRequest { client, id, request, token, answer_lost });
            }
            Effect::WakeAt(at) => {
                self.log(|| format!("{client} wakes at {}", at.saturating_sub(START)));
                self.clients[client].timer = Some(at);
                self.at(at, Event::Timer { client, incarnation, at });
            }
            Effect::Emit(event) => self.emitted(client, event),
            Effect::ChatStarted { .. } | Effect::Uploaded(_) | Effect::DropBlob { .. } => {}
        }
    }

    fn emitted(&mut self, client: usize, event: ClientEvent) {
        self.log(|| format!("{client} emits {event:?}"));
        let durable = |world: &Self, message: &MessageId| {
            world.clients[client].store.messages.values().any(|view| view.id == *message)
        };
        match event {
            ClientEvent::Message(view) => {
                if !durable(self, &view.id) && self.sabotage == Sabotage::None {
                    self.complaints.push(format!("{} was shown before it was durable", view.id));
                }
                let known = &mut self.clients[client];
                *known.shown.entry(view.id).or_default() += 1;
                if let (Direction::Incoming, MessageContent::Attachment(file)) = (view.direction, &view.content) {
                    let whole = self.relay.blobs.get(&file.blob).is_some_and(|(_, size, offset)| offset == size);
                    if !whole {
                        self.complaints.push(format!("{} came before its file was whole", view.id));
                    }
                } else if view.direction == Direction::Incoming {
                    known.heard.entry(view.peer).or_default().push(view.id);
                }
            }
            ClientEvent::Typing { peer, typing } => {
                let known = &mut self.clients[client];
                let changed = if typing { known.typing.insert(peer.clone()) } else { known.typing.remove(&peer) };
                if !changed {
                    self.complaints.push(format!("{peer} is told twice to be typing: {typing}"));
                }
            }
            ClientEvent::Delivery { message, delivery: Delivery::Failed(code), .. } => {
                self.complaints.push(format!("{message} failed: {code}"));
            }
            _ => {}
        }
    }

    fn transmit(&mut self, client: usize, bytes: Vec<u8>) {
        let Some(conn) = self.clients[client].conn else { return };
        if self.dice.chance(self.faults.connection_lost) {
            return self.lose(conn);
        }
        let latency = self.latency();
        let Some(known) = self.conns.get_mut(&conn) else { return };
        known.to_relay = known.to_relay.max(self.now + latency);
        let at = known.to_relay;
        self.at(at, Event::RelayFrame { conn, bytes });
    }

    /// A connection ends; either side may be late to notice, or the client never told.
    fn lose(&mut self, conn: ConnId) {
        self.log(|| format!("connection {conn} is lost"));
        let later = self.dice.below(5_000);
        self.after(later, Event::RelayGone { conn });
        if self.dice.chance(700) {
            let later = self.dice.below(2_000);
            self.after(later, Event::ClientClosed { conn, code: None });
        } else if let Some(known) = self.conns.get_mut(&conn) {
            // A dead line: nothing comes any more, and nothing says so.
            known.to_client = u64::MAX / 2;
            known.to_relay = u64::MAX / 2;
        }
    }

    fn close_socket(&mut self, client: usize, socket: SocketId) {
        let Some(conn) = self.clients[client].conn else { return };
        if let Some(known) = self.conns.get_mut(&conn)
            && known.socket == socket
        {
            known.closed = true;
            self.clients[client].conn = None;
            let latency = self.latency();
            self.after(latency, Event::RelayGone { conn });
        }
    }

    pub fn relay_open(&mut self, conn: ConnId, token: String) {
        let Some(known) = self.conns.get(&conn).filter(|known| !known.closed) else { return };
        let (client, incarnation, socket) = (known.client, known.incarnation, known.socket);
        let latency = self.latency();
        let fails = self.dice.chance(self.faults.connect_fails);
        let input = if fails || !self.relay_up {
            Input::SocketFailed(socket, ConnectFailure::Unreachable)
        } else {
            match self.relay.opened(conn, token, self.now) {
                Ok(()) => Input::SocketOpened(socket),
                Err(code) => Input::SocketFailed(socket, ConnectFailure::Refused { code, retry_after: None }),
            }
        };
        self.after(latency, Event::Input { client, incarnation, input });
    }

    pub fn relay_request(
        &mut self,
        client: usize,
        id: RequestId,
        request: Request,
        token: Option<&str>,
        answer_lost: bool,
    ) {
        let mut out = Vec::new();
        let result = if self.relay_up {
            self.relay.request(request, token, self.now, &mut out)
        } else {
            Err(RequestFailure::Unreachable)
        };
        self.relay_did(out);
        let (latency, result) =
            if answer_lost { (10_000, Err(RequestFailure::Unreachable)) } else { (self.latency(), result) };
        self.after(latency, Event::Answer { client, id, result });
    }

    pub fn relay_did(&mut self, out: Vec<Out>) {
        for out in out {
            let latency = self.latency();
            let lost = self.dice.chance(self.faults.connection_lost);
            match out {
                Out::Send(conn, _) | Out::Close(conn, _) if lost => self.lose(conn),
                Out::Send(conn, bytes) => {
                    let Some(known) = self.conns.get_mut(&conn) else { continue };
                    known.to_client = known.to_client.max(self.now + latency);
                    let at = known.to_client;
                    self.at(at, Event::ClientFrame { conn, bytes });
                }
                Out::Close(conn, code) => {
                    let Some(known) = self.conns.get(&conn) else { continue };
                    let at = known.to_client.max(self.now + latency);
                    self.at(at, Event::ClientClosed { conn, code });
                }
            }
        }
    }

    pub fn client_frame(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let gather = self.dice.below(30);
        let Some(known) = self.conns.get_mut(&conn).filter(|known| !known.closed) else { return };
        known.pending.push(bytes.into());
        if !known.flushing {
            known.flushing = true;
            self.after(gather, Event::Flush { conn });
        }
    }

    pub fn flush(&mut self, conn: ConnId) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        known.flushing = false;
        let messages = std::mem::take(&mut known.pending);
        let (client, incarnation, socket, closed) = (known.client, known.incarnation, known.socket, known.closed);
        if !closed && !messages.is_empty() && self.clients[client].incarnation == incarnation {
            self.feed(client, Input::Frames(socket, messages));
        }
    }

    pub fn client_closed(&mut self, conn: ConnId, code: Option<ErrorCode>) {
        self.flush(conn);
        let Some(known) = self.conns.get_mut(&conn) else { return };
        if std::mem::replace(&mut known.closed, true) {
            return;
        }
        let (client, incarnation, socket) = (known.client, known.incarnation, known.socket);
        if self.clients[client].incarnation == incarnation {
            if self.clients[client].conn == Some(conn) {
                self.clients[client].conn = None;
            }
            self.feed(client, Input::SocketClosed(socket, code));
        }
    }

    fn latency(&mut self) -> u64 {
        // Mostly quick, now and then very slow: requests and sockets overtake each other.
        if self.dice.chance(30) { self.dice.below(4_000) } else { 1 + self.dice.below(120) }
    }
}
