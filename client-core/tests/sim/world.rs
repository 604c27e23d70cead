//! The simulated world: clients with real engines and real cryptography, a relay, a network that
//! loses connections, machines that stop at any moment, and a clock that only moves when
//! something happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use susurro_client_core::model::{Delivery, Direction};
use susurro_client_core::store::port::{Mutation, Transaction};
use susurro_client_core::sync::{Answer, Command, Engine, Input, Request, RequestFailure, RequestId, SocketId, Step};
use susurro_protocol::{AccountName, ErrorCode, MessageId};

use crate::dice::Dice;
use crate::faults::{Action, CrashPoint, Faults, Sabotage};
use crate::people::{START, people};
use crate::relay::{ConnId, Relay};
use crate::store::Store;

pub enum Event {
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

pub struct Conn {
    pub client: usize,
    pub incarnation: u64,
    pub socket: SocketId,
    /// The client side is gone.
    pub closed: bool,
    /// In order: nothing overtakes within a direction.
    pub to_relay: u64,
    pub to_client: u64,
    pub pending: Vec<Bytes>,
    pub flushing: bool,
}

pub struct Client {
    pub store: Store,
    pub engine: Option<Engine<Dice>>,
    pub incarnation: u64,
    pub conn: Option<ConnId>,
    pub timer: Option<u64>,
    pub asleep_until: u64,
    pub wants_online: bool,
    /// How often each message was shown.
    pub shown: BTreeMap<MessageId, u32>,
    /// Texts of others, in the order in which they were shown.
    pub heard: BTreeMap<AccountName, Vec<MessageId>>,
    /// What was ever taken in durably.
    pub taken: BTreeSet<MessageId>,
    /// Texts whose `Compose` became durable, by recipient, in order.
    pub written: BTreeMap<AccountName, Vec<(MessageId, String)>>,
    /// Who is shown as typing.
    pub typing: BTreeSet<AccountName>,
}

pub struct World {
    pub dice: Dice,
    pub now: u64,
    pub relay: Relay,
    pub clients: Vec<Client>,
    pub faults: Faults,
    pub sabotage: Sabotage,
    pub queue: BTreeMap<(u64, u64), Event>,
    pub serial: u64,
    pub conns: BTreeMap<ConnId, Conn>,
    pub relay_up: bool,
    /// What went wrong.
    pub complaints: Vec<String>,
    pub commits: u64,
    pub crashes: u64,
    /// Stops the client at this commit of the world: before it, after it, or after so many effects.
    pub crash_at: Option<(u64, CrashPoint)>,
    pub trace: bool,
}

impl World {
    pub fn new(seed: u64, clients: usize, faults: Faults) -> Self {
        let mut dice = Dice::new(seed);
        let mut relay = Relay::new(dice.roll());
        (relay.refusals, relay.duplicates) = (faults.refusals, faults.duplicates);
        relay.whisper_chaos = faults.whisper_chaos;
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
            typing: BTreeSet::new(),
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

    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.serial += 1;
        self.queue.insert((time.max(self.now), self.serial), event);
    }

    pub fn log(&self, line: impl FnOnce() -> String) {
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
        | Action::Type { from: client, .. }
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
            Action::Type { from, to } => {
                let peer = people()[to].name.clone();
                self.feed(from, Input::Command(Command::Typing { peer, typing: true }));
            }
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

    pub fn crash(&mut self, client: usize) {
        if self.clients[client].engine.take().is_none() {
            return;
        }
        self.log(|| format!("{client} crashes"));
        self.crashes += 1;
        let known = &mut self.clients[client];
        known.incarnation += 1;
        known.timer = None;
        known.typing.clear();
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

    pub fn revive(&mut self, client: usize) {
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
}
