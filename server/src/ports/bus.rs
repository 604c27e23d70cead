//! Wake-ups between those who deposit and the connections that wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use susurro_protocol::announcement::Notice;
use susurro_protocol::event::{DevicesChanged, PrekeysLow};
use susurro_protocol::limits::{ANNOUNCEMENTS_MAX, DELIVERY_WINDOW, DELIVERY_WINDOW_BYTES, WHISPERS_WAITING};
use susurro_protocol::{AccountId, DeviceId, ErrorCode};
use tokio::sync::Notify;

use crate::domain::message::{Signal, Waiting};
use crate::domain::token::FamilyId;

/// Connects what happens with who has to hear of it. Nothing here is durable: whoever was not
/// told finds it in the store.
pub trait Bus: Send + Sync {
    /// Makes a connection the one of its device. The one before it, if any, is ended. `None` when that one is the newer
    /// of the two, and goes on.
    fn attach(&self, device: DeviceId, family: FamilyId, turn: Turn) -> Option<Arc<Slot>>;

    /// Takes a connection away again.
    fn detach(&self, device: DeviceId, slot: &Arc<Slot>);

    /// Hands messages to the connections of their mailboxes.
    fn deliver(&self, messages: Vec<Waiting>);

    /// Hands signals to the connections of their devices; those of others are forgotten.
    fn whisper(&self, signals: Vec<Signal>);

    /// Tells a device that its one-time prekeys run out.
    fn prekeys_low(&self, device: DeviceId, low: PrekeysLow);

    /// Tells devices that an account has another list.
    fn devices_changed(&self, to: Vec<DeviceId>, changed: DevicesChanged);

    /// Ends every connection of a token family.
    fn revoke(&self, family: FamilyId);

    /// Hands announcements to every connection of this node.
    fn announce(&self, notices: &[Arc<Notice>]);

    /// How many connections this node has.
    fn connections(&self) -> usize;

    /// The devices that are connected to this node.
    fn connected(&self) -> Vec<DeviceId>;

    /// The nodes that were heard of a moment ago, this one included; none for a node that is alone.
    fn nodes(&self) -> Vec<Node>;

    /// How other nodes are reached.
    fn reach(&self) -> Reach {
        Reach::Alone
    }
}

/// A node of a relay, as another one knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The number that it has drawn at its start.
    pub number: u64,
    /// Whether it is this one.
    pub here: bool,
    /// Its connections, when it was heard.
    pub connections: u64,
    /// How long ago that was.
    pub quiet: Duration,
}

/// How a node and the others of its relay reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There are no others.
    Alone,
    /// They hear each other.
    Linked,
    /// Some do not: connections look for their messages every few seconds.
    Polling,
}

/// Orders the connections of a device by when their `Welcome` was made, between the nodes of a relay as well: two
/// numbers, compared in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// Milliseconds since 1970 times 2¹⁶; each connection of a node has a higher one than those before it, also
    /// when the clock is set back.
    pub welcomed: u64,
    /// Random, for two nodes at the same moment.
    pub tie: u64,
}

/// Words about device lists that wait for one connection.
const CHANGES_WAITING: usize = 64;

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending(pub ErrorCode);

/// What waits for one connection: bounded, because everything that does not fit is in the store.
pub struct Slot {
    state: Mutex<Taken>,
    /// Rung for everything.
    bell: Notify,
    /// Rung for the end alone, so that waiting for it swallows no other ring.
    last_bell: Notify,
}

/// Everything that a connection finds when it wakes up.
#[derive(Default)]
pub struct Taken {
    /// Messages in the order of their positions, without a gap between them unless `behind`.
    pub messages: VecDeque<Waiting>,
    /// Some were dropped from here and have to be read from the store.
    pub behind: bool,
    /// Signals, oldest first.
    pub signals: VecDeque<Signal>,
    /// One-time prekeys run out.
    pub prekeys_low: Option<PrekeysLow>,
    /// Watched accounts that came (true) and went (false).
    pub presence: BTreeMap<AccountId, bool>,
    /// Announcements, oldest first.
    pub notices: Vec<Arc<Notice>>,
    /// Accounts with another device list.
    pub devices_changed: Vec<DevicesChanged>,
    /// The connection has to end.
    pub ending: Option<Ending>,
    bytes: usize,
}

impl Default for Slot {
    fn default() -> Self {
        Self { state: Mutex::new(Taken::default()), bell: Notify::new(), last_bell: Notify::new() }
    }
}

impl Slot {
    /// Adds a message, or forgets all of them when there are more than a connection may have on
    /// its way anyway.
    pub fn push(&self, message: Waiting) {
        self.change(|state| {
            state.bytes += message.ciphertext.len();
            if state.messages.len() >= DELIVERY_WINDOW as usize || state.bytes > DELIVERY_WINDOW_BYTES {
                state.messages.clear();
                state.bytes = 0;
                state.behind = true;
            } else if !state.behind {
                state.messages.push_back(message);
            }
        });
    }

    /// Adds a signal; the oldest makes way when there are too many. Nobody looks for one that is
    /// gone.
    pub fn whisper(&self, signal: Signal) {
        self.change(|state| {
            if state.signals.len() >= WHISPERS_WAITING {
                state.signals.pop_front();
            }
            state.signals.push_back(signal);
        });
    }

    /// Says that there may be something in the store.
    pub fn wake(&self) {
        self.change(|state| state.behind = true);
    }

    /// Leaves a word about prekeys; a later one takes its place.
    pub fn prekeys_low(&self, low: PrekeysLow) {
        self.change(|state| state.prekeys_low = Some(low));
    }

    /// Leaves a word about a device list; a later one about the same account takes its place. Beyond
    /// `CHANGES_WAITING` the oldest goes: whoever writes to that account learns of it then.
    pub fn devices_changed(&self, changed: DevicesChanged) {
        self.change(|state| {
            state.devices_changed.retain(|known| known.account != changed.account);
            if state.devices_changed.len() >= CHANGES_WAITING {
                state.devices_changed.remove(0);
            }
            state.devices_changed.push(changed);
        });
    }

    /// Leaves a word that a watched account came or went; a later one about the same account takes its place.
    pub fn presence(&self, account: AccountId, joined: bool) {
        self.change(|state| {
            state.presence.insert(account, joined);
        });
    }

    /// Forgets such words about accounts that are no longer watched, so that there are no more than those. In order.
    pub fn watches(&self, watching: &[AccountId]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.presence.retain(|account, _| watching.binary_search(account).is_ok());
    }

    /// Leaves announcements. More than are in force at a time cannot wait: the oldest make way.
    pub fn announce(&self, notices: &[Arc<Notice>]) {
        self.change(|state| {
            state.notices.extend_from_slice(notices);
            let over = state.notices.len().saturating_sub(ANNOUNCEMENTS_MAX);
            state.notices.drain(..over);
        });
    }

    /// Tells the connection to end; the first reason stays.
    pub fn end(&self, ending: Ending) {
        self.change(|state| {
            state.ending.get_or_insert(ending);
        });
        self.last_bell.notify_waiters();
    }

    /// Waits until there is something to [`take`](Self::take).
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes everything. A reason to end stays for the next look.
    pub fn take(&self) -> Taken {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ending = state.ending;
        let taken = std::mem::take(&mut *state);
        state.ending = ending;
        taken
    }

    /// Waits until the connection has to end.
    pub async fn ended(&self) -> Ending {
        loop {
            let mut rung = std::pin::pin!(self.last_bell.notified());
            // Listening begins before the look: an end in between is not missed.
            rung.as_mut().enable();
            if let Some(ending) = self.state.lock().unwrap_or_else(PoisonError::into_inner).ending {
                return ending;
            }
            rung.await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Taken)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use susurro_protocol::{AccountId, ChatId, MessageId};

    use super::*;

    fn message(seq: u64, bytes: usize) -> Waiting {
        Waiting {
            mailbox: DeviceId::from_bytes([1; 16]),
            seq,
            message: MessageId::from_bytes([1; 16]),
            chat: ChatId::from_bytes([1; 16]),
            sender: AccountId::from_bytes([1; 16]),
            sender_device: DeviceId::from_bytes([1; 16]),
            stored_at: 0,
            ciphertext: Bytes::from(vec![0; bytes]),
        }
    }

    #[test]
    fn a_slot_holds_a_window_and_then_only_the_word_that_there_is_more() {
        let slot = Slot::default();
        for seq in 1..=3 {
            slot.push(message(seq, 10));
        }
        assert_eq!(slot.take().messages.len(), 3);
        for seq in 1..10_000 {
            slot.push(message(seq, 10));
        }
        let taken = slot.take();
        assert!(taken.behind && taken.messages.is_empty());
        for seq in 1..100 {
            slot.push(message(seq, 60_000));
        }
        assert!(slot.take().behind, "bytes count as well");
        assert!(!slot.take().behind);
    }

    #[test]
    fn a_slot_holds_the_newest_signals_and_they_take_no_room_from_messages() {
        let slot = Slot::default();
        slot.push(message(1, 10));
        for n in 0..1000_u16 {
            slot.whisper(Signal {
                recipient: DeviceId::from_bytes([1; 16]),
                chat: ChatId::from_bytes([1; 16]),
                sender: AccountId::from_bytes([1; 16]),
                sender_device: DeviceId::from_bytes([1; 16]),
                ciphertext: n.to_be_bytes().to_vec().into(),
            });
        }
        let taken = slot.take();
        assert_eq!((taken.messages.len(), taken.behind, taken.signals.len()), (1, false, WHISPERS_WAITING));
        assert_eq!(taken.signals.back().map(|signal| signal.ciphertext.to_vec()), Some(999_u16.to_be_bytes().to_vec()));
    }

    #[test]
    fn the_first_reason_to_end_stays() {
        let slot = Slot::default();
        slot.end(Ending(ErrorCode::Superseded));
        slot.end(Ending(ErrorCode::TokenRevoked));
        assert_eq!(slot.take().ending, Some(Ending(ErrorCode::Superseded)));
        assert_eq!(slot.take().ending, Some(Ending(ErrorCode::Superseded)));
    }
}
