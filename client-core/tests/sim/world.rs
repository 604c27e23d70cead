//! The simulated world: clients with real engines and real cryptography, a relay, a network that
//! loses connections, machines that stop at any moment, and a clock that only moves when
//! something happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use susurro_client_core::model::{ClientEvent, Delivery, Direction, MessageContent};
use susurro_client_core::store::port::{Mutation, Transaction};
use susurro_client_core::sync::{
    Answer, Command, ConnectFailure, Effect, Engine, Input, Request, RequestFailure, RequestId, SocketId, Step,
};
use susurro_protocol::{AccountName, ErrorCode, MessageId};

use crate::dice::Dice;
use crate::people::{START, people};
use crate::relay::{ConnId, Out, Relay};
use crate::store::Store;

/// Per mille of each fault, each time it can happen.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub crash_before_commit: u64,
    pub crash_after_commit: u64,
    pub crash_between_effects: u64,
    pub commit_fails: u64,
    pub connection_lost: u64,
    pub request_lost: u64,
    pub answer_lost: u64,
    pub connect_fails: u64,
    pub refusals: u64,
    /// The relay delivers something twice, under two positions.
    pub duplicates: u64,
}

impl Faults {
    pub const NONE: Self = Self {
        crash_before_commit: 0,
        crash_after_commit: 0,
        crash_between_effects: 0,
        commit_fails: 0,
        connection_lost: 0,
        request_lost: 0,
        answer_lost: 0,
        connect_fails: 0,
        refusals: 0,
        duplicates: 0,
    };
}

/// Ways to break the shell around the engine, to see that the world notices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    None,
    /// Effects are performed before the commit.
    EffectsBeforeCommit,
    /// What was seen is forgotten with each crash.
    NoDedup,
    /// What was encrypted is forgotten with each crash, and encrypted again.
    EncryptAgain,
}

enum Event {
    Input {
        client: usize,
        incarnation: u64,
        input: Input,
    },
    /// Also reaches a later incarnation, which has to ignore it.
    Answer {
        client: usize,
        id: RequestId,
        result: Result<Answer, RequestFailure>,
    },
    Timer {
        client: usize,
        incarnation: u64,
        at: u64,
    },
    Flush {
        conn: ConnId,
    },
    Revive {
        client: usize,
    },
    RelayOpen {
        conn: ConnId,
        token: String,
    },
    RelayFrame {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    RelayGone {
        conn: ConnId,
    },
    RelayRequest {
        client: usize,
        id: RequestId,
        request: Request,
        token: Option<String>,
        answer_lost: bool,
    },
    ClientFrame {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    ClientClosed {
        conn: ConnId,
        code: Option<ErrorCode>,
    },
    RelayUp,
    Act(Action),
}

/// What people and operators do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    Write { from: usize, to: usize },
    Online(usize),
    Offline(usize),
    Read(usize),
    Sleep { client: usize, millis: u64 },
    Crash(usize),
    RestartRelay { graceful: bool },
    RevokeAccess,
    NewDeviceList(usize),
}

struct Conn {
    client: usize,
    incarnation: u64,
    socket: SocketId,
    /// The client side is gone.
    closed: bool,
    /// In order: nothing overtakes within a direction.
    to_relay: u64,
    to_client: u64,
    pending: Vec<Bytes>,
    flushing: bool,
}

pub struct Client {
    pub store: Store,
    pub engine: Option<Engine<Dice>>,
    incarnation: u64,
    conn: Option<ConnId>,
    timer: Option<u64>,
    asleep_until: u64,
    wants_online: bool,
    /// How often each message was shown.
    pub shown: BTreeMap<MessageId, u32>,
    /// Texts of others, in the order in which they were shown.
    heard: BTreeMap<AccountName, Vec<MessageId>>,
    /// What was ever taken in durably.
    taken: BTreeSet<MessageId>,
    /// Texts whose `Compose` became durable, by recipient, in order.
    pub written: BTreeMap<AccountName, Vec<(MessageId, String)>>,
}

pub struct World {
    pub dice: Dice,
    pub now: u64,
    pub relay: Relay,
    pub clients: Vec<Client>,
    pub faults: Faults,
    pub sabotage: Sabotage,
    queue: BTreeMap<(u64, u64), Event>,
    serial: u64,
    conns: BTreeMap<ConnId, Conn>,
    relay_up: bool,
    /// What went wrong.
    pub complaints: Vec<String>,
    pub commits: u64,
    pub crashes: u64,
    /// Stops the client at this commit of the world: before it, after it, or after so many effects.
    pub crash_at: Option<(u64, CrashPoint)>,
    pub trace: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashPoint {
    BeforeCommit,
    AfterCommit,
    AfterEffects(usize),
}

impl World {
    pub fn new(seed: u64, clients: usize, faults: Faults) -> Self {
        let mut dice = Dice::new(seed);
        let mut relay = Relay::new(dice.roll());
        (relay.refusals, relay.duplicates) = (faults.refusals, faults.duplicates);
        let clients = people()[..clients].iter().map(|person| Client {
            store: person.store(relay.register(person, START)),
            engine: None,
            incarnation: 0,
            conn: None,
            timer: None,
            asleep_until: 0,
            wants_online: true,
            shown: BTreeMap::new(),
            heard: BTreeMap::new(),
            taken: BTreeSet::new(),
            written: BTreeMap::new(),
        });
        let clients = clients.collect();
        let mut world = Self {
            dice,
            now: START,
            relay,
            clients,
            faults,
            sabotage: Sabotage::None,
            queue: BTreeMap::new(),
            serial: 0,
            conns: BTreeMap::new(),
            relay_up: true,
            complaints: Vec::new(),
            commits: 0,
            crashes: 0,
            crash_at: None,
            trace: std::env::var_os("SUSURRO_TRACE").is_some(),
        };
        for client in 0..world.clients.len() {
            world.after(0, Event::Revive { client });
        }
        world
    }

    /// Without faults.
    pub fn quiet(clients: usize) -> Self {
        let mut world = Self::new(7, clients, Faults::NONE);
        world.rest(5_000);
        world
    }

    /// Lets so many milliseconds pass.
    pub fn rest(&mut self, millis: u64) {
        let until = self.now + millis;
        self.run(until, |_| false);
    }

    /// Puts another store in a client's place, as a restored copy of its disk would be.
    pub fn replace_store(&mut self, client: usize, store: Store) {
        self.crash(client);
        self.clients[client].store = store;
    }

    pub fn act_at(&mut self, delay: u64, action: Action) {
        self.after(delay, Event::Act(action));
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    fn at(&mut self, time: u64, event: Event) {
        self.serial += 1;
        self.queue.insert((time.max(self.now), self.serial), event);
    }

    fn log(&self, line: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>9} {}", self.now - START, line());
        }
    }

    /// Runs until nothing happens any more before `deadline`, or until `done`.
    pub fn run(&mut self, deadline: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > deadline {
                break;
            }
            let ((time, _), event) = entry.remove_entry();
            self.now = self.now.max(time);
            self.happen(event);
            if done(self) {
                return true;
            }
        }
        self.now = self.now.max(deadline);
        done(self)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input { client, incarnation, input } => {
                if self.clients[client].incarnation == incarnation {
                    self.feed(client, input);
                }
            }
            Event::Answer { client, id, result } => self.feed(client, Input::Answered(id, result)),
            Event::Timer { client, incarnation, at } => {
                let known = &self.clients[client];
                if known.incarnation == incarnation && known.timer == Some(at) {
                    self.feed(client, Input::Tick);
                }
            }
            Event::Flush { conn } => self.flush(conn),
            Event::Revive { client } => self.revive(client),
            Event::RelayOpen { conn, token } => self.relay_open(conn, token),
            Event::RelayFrame { conn, bytes } => {
                if self.relay_up {
                    let out = self.relay.message(conn, bytes, self.now);
                    self.relay_did(out);
                }
            }
            Event::RelayGone { conn } => self.relay.disconnected(conn),
            Event::RelayRequest { client, id, request, token, answer_lost } => {
                self.relay_request(client, id, request, token.as_deref(), answer_lost);
            }
            Event::ClientFrame { conn, bytes } => self.client_frame(conn, bytes),
            Event::ClientClosed { conn, code } => self.client_closed(conn, code),
            Event::RelayUp => self.relay_up = true,
            Event::Act(action) => self.act(action),
        }
        self.check_acknowledged();
    }

    pub fn act(&mut self, action: Action) {
        if let Action::Write { from: client, .. }
        | Action::Read(client)
        | Action::Online(client)
        | Action::Offline(client) = action
            && self.clients[client].asleep_until > self.now
        {
            // Nobody types on a machine that sleeps.
            let at = self.clients[client].asleep_until;
            return self.at(at, Event::Act(action));
        }
        self.log(|| format!("{action:?}"));
        match action {
            Action::Write { from, to } => self.write(from, to),
            Action::Online(client) => {
                self.clients[client].wants_online = true;
                self.feed(client, Input::GoOnline);
            }
            Action::Offline(client) => {
                self.clients[client].wants_online = false;
                self.feed(client, Input::GoOffline);
            }
            Action::Read(client) => self.read(client),
            Action::Sleep { client, millis } => self.clients[client].asleep_until = self.now + millis,
            Action::Crash(client) => self.crash(client),
            Action::RestartRelay { graceful } => {
                if graceful {
                    let out = self.relay.going_away();
                    self.relay_did(out);
                }
                self.relay.restart();
                self.relay_up = false;
                let back = self.dice.below(20_000);
                self.after(back, Event::RelayUp);
                let conns: Vec<_> = self.conns.iter().filter(|(_, c)| !c.closed).map(|(conn, _)| *conn).collect();
                for conn in conns {
                    self.after(50, Event::ClientClosed { conn, code: None });
                }
            }
            Action::RevokeAccess => self.relay.revoke_access(),
            Action::NewDeviceList(client) => {
                let out = self.relay.new_list(&people()[client], self.now);
                self.relay_did(out);
            }
        }
    }

    fn write(&mut self, from: usize, to: usize) {
        let peer = people()[to].name.clone();
        let message = MessageId::from_bytes(self.dice.id());
        let number = self.clients[from].written.values().map(Vec::len).sum::<usize>();
        let text = format!("{} to {peer}, number {number}", people()[from].name);
        self.feed(from, Input::Command(Command::Compose { peer: peer.clone(), message, text: text.clone() }));
        // Only what is durable counts: a crash before that is seen by the person who wrote it.
        if self.clients[from].store.messages.values().any(|view| view.id == message) {
            self.clients[from].written.entry(peer).or_default().push((message, text));
        }
    }

    fn read(&mut self, client: usize) {
        let unread = self.clients[client]
            .store
            .messages
            .values()
            .filter(|view| view.direction == Direction::Incoming && view.delivery == Delivery::Stored);
        let mut by_peer: BTreeMap<AccountName, Vec<MessageId>> = BTreeMap::new();
        for view in unread {
            by_peer.entry(view.peer.clone()).or_default().push(view.id);
        }
        for (peer, messages) in by_peer {
            self.feed(client, Input::Command(Command::MarkRead { peer, messages }));
        }
    }

    /// Gives an input to a client, commits its step and performs its effects, unless something
    /// comes between.
    pub fn feed(&mut self, client: usize, input: Input) {
        if self.clients[client].asleep_until > self.now {
            let (at, incarnation) = (self.clients[client].asleep_until, self.clients[client].incarnation);
            return self.at(at, Event::Input { client, incarnation, input });
        }
        let Some(engine) = self.clients[client].engine.as_mut() else { return };
        if self.trace {
            eprintln!("{:>9} {client} <- {input:?}", self.now - START);
        }
        let step = engine.handle(input, self.now);
        self.step(client, step);
    }

    fn step(&mut self, client: usize, step: Step) {
        if self.trace {
            for mutation in &step.commit {
                eprintln!("            {client} commit {mutation:?}");
            }
        }
        let Step { commit, effects, .. } = step;
        if self.sabotage == Sabotage::EffectsBeforeCommit {
            let incarnation = self.clients[client].incarnation;
            let mut effects = VecDeque::from(effects);
            while let Some(effect) = effects.pop_front() {
                self.perform(client, effect);
            }
            if self.dice.chance(self.faults.crash_before_commit) {
                return self.crash(client);
            }
            if self.clients[client].incarnation == incarnation {
                self.commit(client, commit);
            }
            return;
        }
        let planned = match self.crash_at {
            Some((at, point)) if !commit.is_empty() && at == self.commits + 1 => Some(point),
            _ => None,
        };
        if planned == Some(CrashPoint::BeforeCommit) {
            self.crash_at = None;
            return self.crash(client);
        }
        if self.dice.chance(self.faults.crash_before_commit) {
            return self.crash(client);
        }
        if !commit.is_empty() {
            if self.dice.chance(self.faults.commit_fails) {
                // A full disk: the engine is built again from what is durable.
                self.crash(client);
                return;
            }
            self.commits += 1;
            self.commit(client, commit);
        }
        if self.dice.chance(self.faults.crash_after_commit) {
            return self.crash(client);
        }
        if planned == Some(CrashPoint::AfterCommit) {
            return self.crash(client);
        }
        for (number, effect) in effects.into_iter().enumerate() {
            if planned == Some(CrashPoint::AfterEffects(number)) {
                return self.crash(client);
            }
            if self.dice.chance(self.faults.crash_between_effects) {
                return self.crash(client);
            }
            self.perform(client, effect);
        }
    }

    fn commit(&mut self, client: usize, commit: Transaction) {
        let known = &mut self.clients[client];
        known.taken.extend(commit.iter().filter_map(|mutation| match mutation {
            Mutation::Seen(_, message, _) => Some(*message),
            Mutation::Undecryptable(kept) => Some(kept.message),
            _ => None,
        }));
        known.store.commit(commit);
    }

    fn crash(&mut self, client: usize) {
        if self.clients[client].engine.take().is_none() {
            return;
        }
        self.log(|| format!("{client} crashes"));
        self.crashes += 1;
        let known = &mut self.clients[client];
        known.incarnation += 1;
        known.timer = None;
        match self.sabotage {
            Sabotage::NoDedup => known.store.seen.clear(),
            Sabotage::EncryptAgain => known.store.outbox.values_mut().for_each(|entry| entry.wire = None),
            Sabotage::None | Sabotage::EffectsBeforeCommit => {}
        }
        if let Some(conn) = known.conn.take() {
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.closed = true;
            }
            // Whether the relay notices soon is up to the network.
            if self.dice.chance(500) {
                self.after(100, Event::RelayGone { conn });
            }
        }
        let pause = self.dice.below(10_000);
        self.after(pause, Event::Revive { client });
    }

    fn revive(&mut self, client: usize) {
        if self.clients[client].engine.is_some() {
            return;
        }
        let dice = Dice::new(self.dice.roll());
        let engine = Engine::new(self.clients[client].store.snapshot(), dice, self.now);
        self.clients[client].engine = Some(engine.unwrap());
        if self.clients[client].wants_online {
            self.feed(client, Input::GoOnline);
        }
    }

    fn perform(&mut self, client: usize, effect: Effect) {
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
            Effect::CloseSocket(socket) => self.close_socket(client, socket),
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
            Effect::ChatStarted { .. } => {}
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
                if view.direction == Direction::Incoming {
                    known.heard.entry(view.peer).or_default().push(view.id);
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

    fn relay_open(&mut self, conn: ConnId, token: String) {
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

    fn relay_request(
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

    fn relay_did(&mut self, out: Vec<Out>) {
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

    fn client_frame(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let gather = self.dice.below(30);
        let Some(known) = self.conns.get_mut(&conn).filter(|known| !known.closed) else { return };
        known.pending.push(bytes.into());
        if !known.flushing {
            known.flushing = true;
            self.after(gather, Event::Flush { conn });
        }
    }

    fn flush(&mut self, conn: ConnId) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        known.flushing = false;
        let messages = std::mem::take(&mut known.pending);
        let (client, incarnation, socket, closed) = (known.client, known.incarnation, known.socket, known.closed);
        if !closed && !messages.is_empty() && self.clients[client].incarnation == incarnation {
            self.feed(client, Input::Frames(socket, messages));
        }
    }

    fn client_closed(&mut self, conn: ConnId, code: Option<ErrorCode>) {
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

    /// What the relay was told to forget has to be durable at the one who told it.
    fn check_acknowledged(&mut self) {
        for (device, delivery) in std::mem::take(&mut self.relay.acknowledged) {
            let owner = self
                .clients
                .iter()
                .position(|client| people().iter().any(|p| p.name == client.store.name && p.device_id() == device));
            let Some(owner) = owner else { continue };
            if !self.clients[owner].taken.contains(&delivery.message) {
                self.complaints.push(format!("{} was acknowledged before it was durable", delivery.message));
            }
        }
        for message in std::mem::take(&mut self.relay.reused) {
            self.complaints.push(format!("{message} was sent again with other bytes"));
        }
    }

    /// Ends all faults, brings everybody back and lets the world come to rest.
    pub fn settle(&mut self) {
        self.faults = Faults::NONE;
        (self.relay.refusals, self.relay.duplicates) = (0, 0);
        self.relay_up = true;
        let awake = self.clients.iter().map(|client| client.asleep_until).max().unwrap_or(0);
        self.run(awake + 1, |_| false);
        for client in 0..self.clients.len() {
            self.clients[client].wants_online = true;
            if self.clients[client].engine.is_some() {
                self.feed(client, Input::GoOnline);
            }
        }
        let deadline = self.now + 3_600_000;
        let settled =
            self.run(deadline, |world| {
                world.clients.iter().all(|client| {
                    client.store.outbox.is_empty() && client.engine.as_ref().is_some_and(Engine::is_settled)
                }) && world.relay.devices.values().all(|device| device.mailbox.is_empty())
            });
        if !settled {
            self.complaints.push("the world does not come to rest".into());
        }
    }

    /// The promise: what was written is shown once, whole, in order, and its writer knows.
    pub fn check(&mut self) {
        let mut complaints = Vec::new();
        for from in &self.clients {
            for (peer, written) in &from.written {
                let to = self.clients.iter().find(|client| client.store.name == *peer).unwrap();
                let shown = to.store.texts(&from.store.name, Direction::Incoming);
                if shown != *written {
                    complaints.push(format!(
                        "{peer} sees of {}: {:?}\nwritten: {:?}",
                        from.store.name,
                        shown.iter().map(|(_, text)| text).collect::<Vec<_>>(),
                        written.iter().map(|(_, text)| text).collect::<Vec<_>>()
                    ));
                }
                // Not only in its place: also at its time.
                let place = |message: &MessageId| written.iter().position(|(written, _)| written == message);
                let heard = to.heard.get(&from.store.name).into_iter().flatten();
                if !heard.map(place).is_sorted() {
                    complaints.push(format!("{peer} hears {} out of order", from.store.name));
                }
                for (message, _) in written {
                    let view = from.store.messages.values().find(|view| view.id == *message).unwrap();
                    if !matches!(view.delivery, Delivery::Stored | Delivery::Read) {
                        complaints.push(format!("{message} stays {:?}", view.delivery));
                    }
                }
                if from.store.texts(peer, Direction::Outgoing) != *written {
                    complaints.push(format!("{} sees other texts of its own than it wrote", from.store.name));
                }
            }
            if let Some((message, times)) = from.shown.iter().find(|(_, times)| **times > 1) {
                complaints.push(format!("{message} was shown {times} times"));
            }
            let bad = from
                .store
                .messages
                .values()
                .find(|view| matches!(view.content, MessageContent::Undecryptable(_) | MessageContent::Note(_)));
            if let Some(view) = bad {
                complaints.push(format!("{} sees {:?}", from.store.name, view));
            }
        }
        self.complaints.append(&mut complaints);
    }
}
