//! The engine: its state, and how one input becomes one step.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use susurro_protocol::announcement::Notice;
use susurro_protocol::command::Ack;
use susurro_protocol::event::{
    DevicesChanged, ErrorNotice, GoingAway, Pong, PrekeysLow, PresenceChanged, Rejected, Stored, Whispered,
};
use susurro_protocol::frame::{FrameKind, VerifiedFrame};
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId, ErrorCode, codec};

use super::announcements::Announcements;
use super::connect::Connector;
use super::draft::Draft;
use super::inbox::Inbox;
use super::jobs::Jobs;
use super::outbox::Outbox;
use super::people::People;
use super::prekeys::PrekeyState;
use super::presence::Presences;
use super::receipts::Sent;
use super::repair::Repairs;
use super::tokens::TokenState;
use super::types::{Command, Effect, EngineError, Input, Step};
use super::uploads::Uploads;
use super::whispers::Whispers;
use crate::crypto::{LocalDevice, PeerSessions, Prekeys};
use crate::model::{ClientEvent, Connection};
use crate::store::port::{ChatState, Mutation, Snapshot};

/// Milliseconds between two looks at what is due rarely: rotation of prekeys, things to forget.
const HOUSEKEEPING_EVERY: u64 = 3600 * 1000;
/// How long identifiers of incoming messages are kept: longer than a relay keeps a message.
const SEEN_FOR: u64 = 35 * 24 * 3600 * 1000;

/// Who this client is.
pub(super) struct Me {
    pub(super) name: AccountName,
    pub(super) account: AccountId,
    pub(super) device: LocalDevice,
    pub(super) relay_key: [u8; 32],
}

/// The sync engine of one account. `R` is the randomness, injected so that a run can be repeated.
///
/// An engine holds what it needs in memory and never reads from a store. Each call of
/// [`handle`](Self::handle) gives a [`Step`] whose commit has to become durable before its
/// effects happen. When a commit fails, the engine has to be dropped and built again.
pub struct Engine<R> {
    pub(super) rng: R,
    /// Milliseconds since 1970.
    pub(super) now: u64,
    pub(super) me: Me,
    pub(super) draft: Draft,
    pub(super) connector: Connector,
    pub(super) tokens: TokenState,
    pub(super) jobs: Jobs,
    pub(super) people: People,
    pub(super) sessions: BTreeMap<DeviceId, PeerSessions>,
    pub(super) prekeys: Prekeys,
    pub(super) prekey_state: PrekeyState,
    pub(super) chats: BTreeMap<ChatId, ChatState>,
    pub(super) outbox: Outbox,
    pub(super) inbox: Inbox,
    pub(super) sent: Sent,
    pub(super) repairs: Repairs,
    pub(super) whispers: Whispers,
    pub(super) uploads: Uploads,
    pub(super) announcements: Announcements,
    pub(super) presences: Presences,
    housekeeping_at: u64,
    told_queued: u64,
    told_wake: Option<u64>,
}

impl<R: CryptoRng> Engine<R> {
    /// Starts, offline, from what is durable. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when a part of the snapshot cannot be read.
    pub fn new(snapshot: Snapshot, mut rng: R, now: u64) -> Result<Self, EngineError> {
        let damaged = |what| EngineError { what };
        let device = LocalDevice::from_bytes(&snapshot.device).map_err(|_| damaged("device keys"))?;
        let prekeys = Prekeys::from_bytes(&snapshot.prekeys).map_err(|_| damaged("prekeys"))?;
        let mut sessions = BTreeMap::new();
        for (remote, bytes) in &snapshot.sessions {
            sessions.insert(*remote, PeerSessions::from_bytes(bytes).map_err(|_| damaged("sessions"))?);
        }
        let outbox = Outbox::new(snapshot.outbox);
        Ok(Self {
            me: Me { name: snapshot.name, account: device.account(), device, relay_key: snapshot.relay.key },
            draft: Draft::default(),
            connector: Connector::new(),
            tokens: TokenState { current: snapshot.tokens, ..TokenState::default() },
            // Half of the numbers lie ahead of any start.
            jobs: Jobs::new(rng.next_u64() >> 1),
            people: People::new(snapshot.contacts, &snapshot.device_lists).ok_or(damaged("device lists"))?,
            sessions,
            prekeys,
            prekey_state: PrekeyState::default(),
            chats: snapshot.chats.into_iter().map(|state| (state.chat, state)).collect(),
            told_queued: outbox.shown(),
            outbox,
            inbox: Inbox::new(snapshot.cursor, snapshot.seen),
            sent: Sent::new(snapshot.sent, snapshot.send_log),
            repairs: Repairs::new(snapshot.undecryptable),
            whispers: Whispers::new(snapshot.typing_notices),
            uploads: Uploads::default(),
            announcements: Announcements::new(snapshot.announcements),
            presences: Presences::new(snapshot.presence),
            housekeeping_at: now,
            told_wake: None,
            rng,
            now,
        })
    }

    /// Takes one input. `now` is in milliseconds since 1970, and may jump.
    pub fn handle(&mut self, input: Input, now: u64) -> Step {
        let before = std::mem::replace(&mut self.now, now);
        self.notice_jump(before);
        match input {
            Input::GoOnline => self.go_online(),
            Input::GoOffline => {
                // The last moment at which counters of whispers are kept without another reason.
                self.draft.sessions.extend(self.whispers.take_unsaved());
                self.go_offline();
            }
            Input::Tick => {}
            Input::SocketOpened(socket) => self.socket_opened(socket),
            Input::SocketFailed(socket, failure) => self.socket_failed(socket, failure),
            Input::SocketClosed(socket, code) => self.socket_closed(socket, code),
            Input::Frames(socket, messages) => self.frames(socket, &messages),
            Input::Answered(id, result) => self.answered(id, result),
            Input::Command(command) => self.command(command),
        }
        self.proceed();
        self.finish()
    }

    /// How things stand with the relay.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connector.shown()
    }

    /// Whether nothing is left to do before somebody writes: connected, the mailbox drained,
    /// everything sent that may be sent, prekeys published so that others can begin, and what was
    /// asked about people answered.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_drained()
            && self.inbox.held.is_empty()
            && !self.has_sendable()
            && !self.has_publishable()
            && !self.is_asking_about_people()
    }

    fn command(&mut self, command: Command) {
        let outcome = match command {
            Command::Compose { peer, message, text } => self.compose(peer, message, text),
            Command::Retry { peer, message, text } => self.retry(peer, message, text),
            Command::Attach { peer, message, attachment, again } => self.attach(peer, message, attachment, again),
            Command::Saved { peer, message } => self.saved(&peer, message),
            Command::StartChat(peer) => self.start_chat(peer),
            Command::MarkRead { peer, messages } => self.mark_read(&peer, messages),
            Command::SetVerified(peer) => self.set_verified(&peer),
            Command::AcceptKey(peer) => self.accept_key(&peer),
            Command::Typing { peer, typing } => {
                self.type_to(&peer, typing);
                Ok(())
            }
            Command::SetTypingNotices(enabled) => {
                self.set_typing_notices(enabled);
                Ok(())
            }
            Command::HearNotices(notices) => {
                notices.iter().for_each(|notice| self.noticed(notice));
                Ok(())
            }
            Command::SetPresence(enabled) => {
                self.set_presence(enabled);
                Ok(())
            }
            Command::LogOut => {
                self.forget_tokens();
                self.go_offline();
                Ok(())
            }
        };
        self.draft.refused = outcome.err();
    }

    /// A frame whose tag held.
    pub(super) fn frame(&mut self, frame: &VerifiedFrame) {
        let body: &[u8] = frame.body();
        let read = match frame.kind() {
            FrameKind::Deliver => codec::decode(body).map(|delivery| self.hold(delivery)),
            FrameKind::Stored => codec::decode(body).map(|stored: Stored| self.stored(&stored)),
            FrameKind::Rejected => codec::decode(body).map(|rejected: Rejected| self.rejected(&rejected)),
            FrameKind::DevicesChanged => {
                codec::decode(body).map(|changed: DevicesChanged| self.devices_changed(&changed))
            }
            FrameKind::PrekeysLow => codec::decode(body).map(|low: PrekeysLow| {
                self.refill_prekeys(low.one_time, low.pq_one_time);
            }),
            FrameKind::GoingAway => codec::decode(body).map(|away: GoingAway| {
                self.refused(ErrorCode::GoingAway, away.retry_after.into());
            }),
            FrameKind::Error => codec::decode(body).map(|error: ErrorNotice| {
                if error.code != ErrorCode::UnknownKind {
                    self.refused(error.code, 0);
                }
            }),
            FrameKind::Whispered => codec::decode(body).map(|whispered: Whispered| self.whispered(&whispered)),
            FrameKind::Notice => codec::decode(body).map(|notice: Notice| self.noticed(&notice)),
            FrameKind::PresenceChanged => {
                codec::decode(body).map(|changed: PresenceChanged| self.presence_changed(&changed))
            }
            // Any frame is a sign of life.
            FrameKind::Pong => codec::decode(body).map(|_: Pong| ()),
            // Of a later version (FRAME-3).
            FrameKind::Unknown(_) => Ok(()),
            FrameKind::Hello
            | FrameKind::Welcome
            | FrameKind::Send
            | FrameKind::Ack
            | FrameKind::Whisper
            | FrameKind::Presence
            | FrameKind::Ping => {
                return self.break_off(ErrorCode::UnexpectedFrame, Some(frame.kind()));
            }
        };
        if read.is_err() {
            self.break_off(ErrorCode::MalformedBody, Some(frame.kind()));
        }
    }

    /// A new session with the relay: what may have changed meanwhile is looked at again.
    pub(super) fn begin_session(&mut self) {
        self.people.forget_doubts();
        self.prekey_state.begin_session();
    }

    /// Does everything that can be done now, whatever made it possible.
    fn proceed(&mut self) {
        self.tick_link();
        self.tick_whispers();
        self.keep_house();
        self.take_held();
        self.queue_receipts();
        if self.is_connected() {
            if std::mem::take(&mut self.draft.ack) {
                let ack = Ack { cursor: self.inbox.cursor };
                self.transmit(FrameKind::Ack, &ack);
            }
            self.look_after_prekeys();
            self.ask_for_repair();
            self.look_after_people();
            self.look_after_presence();
            self.send_queued();
        }
    }

    fn keep_house(&mut self) {
        if self.now < self.housekeeping_at && self.housekeeping_at - self.now <= HOUSEKEEPING_EVERY {
            return;
        }
        self.housekeeping_at = self.now + HOUSEKEEPING_EVERY;
        self.rotate_prekeys();
        self.expire_repairs();
        self.expire_send_log();
        self.forget_announcements();
        if !self.inbox.is_fresh() {
            self.draft.keep(Mutation::ForgetBefore(self.now.saturating_sub(SEEN_FOR)));
        }
    }

    /// Writes what was only marked, sets the timer, and gives the step.
    fn finish(&mut self) -> Step {
        self.show_connection();
        let mut draft = std::mem::take(&mut self.draft);
        if draft.has_changes() {
            draft.sessions.extend(self.whispers.take_unsaved());
        }
        for device in &draft.sessions {
            let bytes = self.sessions.get(device).map(PeerSessions::to_bytes);
            draft.commit.push(Mutation::Sessions(*device, bytes));
        }
        for chat in &draft.chats {
            if let Some(state) = self.chats.get(chat) {
                draft.commit.push(Mutation::Chat(state.clone()));
            }
        }
        if draft.prekeys {
            draft.commit.push(Mutation::Prekeys(self.prekeys.to_bytes()));
        }
        if draft.cursor {
            draft.commit.push(Mutation::Cursor(self.inbox.cursor));
        }
        let queued = self.outbox.shown();
        if queued != self.told_queued {
            self.told_queued = queued;
            draft.emit(ClientEvent::Queued(queued));
        }
        let wake = self.next_wake();
        if wake != self.told_wake {
            self.told_wake = wake;
            draft.effects.extend(wake.map(Effect::WakeAt));
        }
        Step { commit: draft.commit, effects: draft.effects, refused: draft.refused }
    }

    fn next_wake(&self) -> Option<u64> {
        if self.connector.shown() == Connection::Offline {
            return None;
        }
        let mut times = vec![self.connector.next_wake(self.inbox.cursor, self.now), Some(self.housekeeping_at)];
        if self.is_connected() {
            times.extend([
                self.jobs.next_wake(self.now),
                self.outbox.next_wake(self.now),
                self.repairs.next_wake(self.now),
                self.whispers.next_wake(),
            ]);
        }
        // A time that has passed brought nothing to do: no reason to wake again and again.
        times.into_iter().flatten().filter(|at| *at > self.now).min()
    }
}
