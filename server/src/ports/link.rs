//! What the nodes of one relay tell each other.

use susurro_protocol::event::{DevicesChanged, PrekeysLow};
use susurro_protocol::{AccountId, DeviceId};

use super::{Bus, Turn};
use crate::domain::message::{Signal, Waiting};
use crate::domain::token::FamilyId;

/// The way from one node to the others. What is said may be lost, and is said only to those who listen at that
/// moment: nothing may depend on it that the store does not know as well.
pub trait Link: Send + Sync {
    /// Listens to what is said to a device or an account, from before anything that is said after this call. To what
    /// is said to everyone every node listens.
    fn follow(&self, whom: Audience);

    /// Listens no longer.
    fn unfollow(&self, whom: Audience);

    /// Says something to the nodes that listen. Must not block. `false` when it will certainly not arrive.
    ///
    /// All that is said to one device or account while the link is up is heard in the same order by every node, the one that
    /// says it included.
    fn say(&self, to: Audience, word: Word) -> bool;

    /// Whether the other nodes can be reached.
    fn is_up(&self) -> bool;
}

/// Hears what other nodes say.
pub trait Heard: Send + Sync {
    /// This was said. Must not block.
    fn heard(&self, to: Audience, word: Word);

    /// From now on nothing is heard.
    fn lost(&self);

    /// From now on everything is heard again.
    fn restored(&self);
}

/// Whom something is said to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The node that a device is connected to.
    Device(DeviceId),
    /// The nodes with connections of an account that take part in presence.
    Account(AccountId),
    /// Every node.
    Everyone,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// There is something in the device's mailbox.
    Wake,
    /// A signal for the device.
    Whisper(Signal),
    /// Its one-time prekeys run out.
    PrekeysLow(PrekeysLow),
    /// An account has another device list.
    DevicesChanged(DevicesChanged),
    /// It has connected.
    Attached(Attachment),
    /// A token family was ended.
    Revoked(FamilyId),
    /// A node is at work.
    AtWork(AtWork),
    /// Somebody is shown to the account, or no longer.
    Shown(Shown),
    /// The question whether the account is shown.
    IsShown {
        /// To whom.
        to: AccountId,
        /// The node that asks.
        node: u64,
    },
}

/// What a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtWork {
    /// The number that it has drawn at its start.
    pub node: u64,
    /// Its connections.
    pub connections: u64,
}

/// That somebody is shown to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Who.
    pub account: AccountId,
    /// The node at which.
    pub node: u64,
    /// Whether it is so from now on, or no longer.
    pub joined: bool,
}

/// One connection of a device among all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// The node, a number that it has drawn at its start.
    pub node: u64,
    /// The connection among those of the node.
    pub number: u64,
    /// Its place among the connections of the device.
    pub turn: Turn,
}

/// The connections of this node, beside what a [`Bus`] does.
pub trait Connections: Bus {
    /// Whether a device is connected here.
    fn has(&self, device: DeviceId) -> bool;

    /// The devices that are connected here.
    fn list(&self) -> Vec<(DeviceId, FamilyId)>;

    /// As [`Bus::deliver`]; gives back the mailboxes of devices that are not connected here.
    fn deliver_here(&self, messages: Vec<Waiting>) -> Vec<DeviceId>;

    /// As [`Bus::whisper`]; gives back the signals for devices that are not connected here.
    fn whisper_here(&self, signals: Vec<Signal>) -> Vec<Signal>;

    /// Tells a device's connection to look into the store.
    fn wake(&self, device: DeviceId);

    /// Ends a device's connection because it has connected elsewhere. Says whether there was one.
    fn supersede(&self, device: DeviceId) -> bool;
}
