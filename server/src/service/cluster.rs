//! One bus over all nodes of a relay.
//!
//! What is connected here is served here, as on a relay of one node. The rest is said to the other nodes
//! ([`Link`]), which is fast and certain of nothing; what nobody heard is found in the store:
//!
//! - As long as the nodes hear each other, each connection looks into its mailbox once in a while ([`SWEEP`]).
//! - When this one does not, or another on the same database does not ([`Neighbours`]), or there is no link at all, each
//!   looks every few seconds ([`POLL`]), and whether its token was taken back.
//!
//! A device is connected once. A node that gets its connection says so to everyone who follows the device, itself
//! included. The connection with the latest `Welcome` stays ([`Turn`]): a node that hears of an older one than its own
//! announces its own again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use susurro_protocol::DeviceId;
use susurro_protocol::announcement::Notice;
use susurro_protocol::event::{DevicesChanged, PrekeysLow};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Presences;
use crate::domain::message::{Signal, Waiting};
use crate::domain::token::FamilyId;
use crate::ports::{
    Around, AtWork, Attachment, Audience, Bus, Connections, Heard, Link, Neighbours, Node, Reach, Sessions, Slot,
    Stance, Turn, Word,
};

/// Between two looks of a connection into its mailbox while the nodes hear each other: as late as that comes a
/// message whose wake-up got lost without anybody noticing.
const SWEEP: Duration = Duration::from_secs(60);

/// The same while they do not.
const POLL: Duration = Duration::from_secs(2);

/// How long a node is [`Stance::Unheard`] to others after it is not: they look every [`POLL`], and must not miss it.
const SETTLED: Duration = Duration::from_secs(10);

/// How long the others may take to be told of. Who is there is then not known.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks a second of one node at most: with more than 2,000 connections polling takes longer than [`POLL`].
const LOOKS_A_SECOND: u32 = 1_000;

/// Between two portions of looks, so that they are spread over the whole time.
const PORTION: Duration = Duration::from_millis(50);

/// Between two words of a node that it is at work, and for how long after one the others count it.
const AT_WORK_EVERY: Duration = Duration::from_secs(2);
const AT_WORK_FOR: Duration = Duration::from_secs(8);

/// Nodes that are known of at a time; more than a relay has.
pub(super) const NODES_MAX: usize = 1_000;

/// The bus of a node that is not alone.
pub struct Cluster {
    local: Arc<dyn Connections>,
    link: Arc<dyn Link>,
    /// Whether a link was asked for.
    is_linked: bool,
    /// Whether connections look for messages that nobody told of.
    is_polling: AtomicBool,
    node: u64,
    numbers: AtomicU64,
    attached: Mutex<HashMap<DeviceId, Announced>>,
    /// How often the link was lost.
    losses: AtomicU64,
    changed: Notify,
    /// The other nodes, with the connections that they have spoken of, and when.
    others: Mutex<HashMap<u64, (u64, Instant)>>,
    presences: Arc<Presences>,
}

/// A connection of this node, and how far its announcement has come.
struct Announced {
    attachment: Attachment,
    /// It was said and not yet heard.
    under_way: bool,
}

impl Cluster {
    /// The bus of node `node`, a number that no other node has, over its own connections.
    #[must_use]
    pub fn new(local: Arc<dyn Connections>, link: Arc<dyn Link>, node: u64) -> Self {
        let (numbers, attached, is_polling) = (AtomicU64::default(), Mutex::default(), AtomicBool::default());
        let (losses, changed, others) = (AtomicU64::default(), Notify::new(), Mutex::default());
        let presences = Arc::new(Presences::new(link.clone(), node));
        Self { local, link, is_linked: true, is_polling, node, numbers, attached, losses, changed, others, presences }
    }

    /// The bus of a node without a link, over its own connections: it has to find out whether there are others.
    #[must_use]
    pub fn unlinked(local: Arc<dyn Connections>) -> Self {
        Self { is_linked: false, ..Self::new(local, Arc::new(Unlinked), 0) }
    }

    /// Who is there, as far as this node knows.
    #[must_use]
    pub fn presences(&self) -> Arc<Presences> {
        self.presences.clone()
    }

    /// Tells the other nodes again and again that this one is at work.
    pub async fn show_itself(&self) {
        loop {
            let connections = self.local.connections() as u64;
            self.link.say(Audience::Everyone, Word::AtWork(AtWork { node: self.node, connections }));
            sleep(AT_WORK_EVERY).await;
        }
    }

    fn others(&self) -> MutexGuard<'_, HashMap<u64, (u64, Instant)>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard_at_work(&self, AtWork { node, connections }: AtWork) {
        if node == self.node {
            return;
        }
        self.presences.heard_at_work(node);
        let mut others = self.others();
        others.retain(|_, (_, heard)| heard.elapsed() < AT_WORK_FOR);
        if others.len() < NODES_MAX {
            others.insert(node, (connections, Instant::now()));
        }
    }

    /// Looks into the store for what the nodes did not tell each other, as long as it is polled.
    pub async fn tend(&self, sessions: Arc<dyn Sessions>, neighbours: Arc<dyn Neighbours>) {
        let mut known = self.losses.load(Ordering::Relaxed);
        let mut unheard_until = Instant::now() + SETTLED;
        let mut looked = Instant::now();
        let mut sweep = jittered(SWEEP);
        // Until the database has said otherwise.
        let mut around = Around { others: 1, unheard: 0 };
        let mut was_polling = false;
        loop {
            let (is_up, losses) = (self.link.is_up(), self.losses.load(Ordering::Relaxed));
            if !is_up || losses != known {
                unheard_until = Instant::now() + SETTLED;
            }
            let is_heard = is_up && Instant::now() >= unheard_until;
            let asked = neighbours.look(if is_heard { Stance::Linked } else { Stance::Unheard });
            if let Ok(Ok(told)) = timeout(PATIENCE, asked).await {
                around = told;
            }
            let is_polling = (!is_up && around.others > 0) || around.unheard > 0;
            self.say(is_polling, around);
            // Once more after the last time: what was said before was not heard.
            if is_polling || was_polling || losses != known || looked.elapsed() > sweep {
                self.look(&*sessions, is_up).await;
                looked = Instant::now();
                sweep = jittered(SWEEP);
            }
            was_polling = is_polling;
            known = losses;
            let _ = timeout(jittered(POLL), self.changed.notified()).await;
        }
    }

    /// Tells those who run the relay. A link that is lost tells of itself.
    fn say(&self, is_polling: bool, around: Around) {
        let was = self.is_polling.swap(is_polling, Ordering::Relaxed);
        if was == is_polling {
            return;
        }
        if !is_polling {
            tracing::info!("mailboxes are not polled");
        } else if !self.is_linked {
            tracing::warn!(
                nodes = around.others,
                "other nodes are at work on the same database and no Redis is configured: mailboxes are polled"
            );
        } else if around.unheard > 0 {
            tracing::warn!(nodes = around.unheard, "other nodes are not reached over Redis: mailboxes are polled");
        }
    }

    /// Lets every connection look once, a portion at a time.
    async fn look(&self, sessions: &dyn Sessions, is_up: bool) {
        let portion = LOOKS_A_SECOND as usize * PORTION.as_millis() as usize / 1000;
        for some in self.local.list().chunks(portion) {
            for (device, family) in some {
                self.local.wake(*device);
                // Asked one after the other: this is the only load that a lost link brings beside the reads.
                if !is_up && matches!(sessions.is_revoked(*family).await, Ok(true)) {
                    self.local.revoke(*family);
                }
            }
            sleep(PORTION).await;
        }
    }

    fn attached(&self) -> MutexGuard<'_, HashMap<DeviceId, Announced>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard_attached(&self, device: DeviceId, attachment: Attachment) {
        let mut attached = self.attached();
        let Some(own) = attached.get_mut(&device) else { return };
        if attachment.node == self.node {
            if attachment.number == own.attachment.number {
                own.under_way = false;
            }
            return;
        }
        if attachment.turn < own.attachment.turn {
            // The other one is the older of the two and was late. Its node may not have heard of this one.
            if !own.under_way {
                own.under_way = self.link.say(Audience::Device(device), Word::Attached(own.attachment));
            }
            return;
        }
        attached.remove(&device);
        let ended = self.local.supersede(device);
        self.link.unfollow(Audience::Device(device));
        drop(attached);
        if ended {
            // What was stored here up to now was handed to the connection that has just ended.
            self.link.say(Audience::Device(device), Word::Wake);
        }
    }
}

/// A time around `time`, another each time and in each node, so that they do not ask in step.
pub(super) fn jittered(time: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(0_u8) % 512;
    time * 3 / 4 + time * u32::try_from(random).unwrap_or_default() / 1024
}

impl Bus for Cluster {
    fn attach(&self, device: DeviceId, family: FamilyId, turn: Turn) -> Option<Arc<Slot>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        // Under one lock with what is followed, so that a connection that goes does not take that from one that comes.
        let mut attached = self.attached();
        let slot = self.local.attach(device, family, turn)?;
        self.link.follow(Audience::Device(device));
        let attachment = Attachment { node: self.node, number, turn };
        let under_way = self.link.say(Audience::Device(device), Word::Attached(attachment));
        attached.insert(device, Announced { attachment, under_way });
        Some(slot)
    }

    fn detach(&self, device: DeviceId, slot: &Arc<Slot>) {
        let mut attached = self.attached();
        self.local.detach(device, slot);
        if !self.local.has(device) && attached.remove(&device).is_some() {
            self.link.unfollow(Audience::Device(device));
        }
    }

    fn deliver(&self, messages: Vec<Waiting>) {
        let mut elsewhere = self.local.deliver_here(messages);
        elsewhere.sort_unstable();
        elsewhere.dedup();
        for device in elsewhere {
            self.link.say(Audience::Device(device), Word::Wake);
        }
    }

    fn whisper(&self, signals: Vec<Signal>) {
        for signal in self.local.whisper_here(signals) {
            self.link.say(Audience::Device(signal.recipient), Word::Whisper(signal));
        }
    }

    fn prekeys_low(&self, device: DeviceId, low: PrekeysLow) {
        if self.local.has(device) {
            self.local.prekeys_low(device, low);
        } else {
            self.link.say(Audience::Device(device), Word::PrekeysLow(low));
        }
    }

    fn devices_changed(&self, to: Vec<DeviceId>, changed: DevicesChanged) {
        let (here, elsewhere): (Vec<_>, Vec<_>) = to.into_iter().partition(|device| self.local.has(*device));
        self.local.devices_changed(here, changed);
        for device in elsewhere {
            self.link.say(Audience::Device(device), Word::DevicesChanged(changed));
        }
    }

    fn revoke(&self, family: FamilyId) {
        self.local.revoke(family);
        self.link.say(Audience::Everyone, Word::Revoked(family));
    }

    fn connections(&self) -> usize {
        self.local.connections()
    }

    fn announce(&self, notices: &[Arc<Notice>]) {
        // The other nodes find it in the store.
        self.local.announce(notices);
    }

    fn connected(&self) -> Vec<DeviceId> {
        self.local.connected()
    }

    fn nodes(&self) -> Vec<Node> {
        if !self.is_linked {
            // Others may be there all the same: of them the database tells no more than that.
            return Vec::new();
        }
        let connections = self.local.connections() as u64;
        let mut nodes = vec![Node { number: self.node, here: true, connections, quiet: Duration::ZERO }];
        let others = self.others();
        nodes.extend(others.iter().filter_map(|(number, (connections, heard))| {
            let quiet = heard.elapsed();
            (quiet < AT_WORK_FOR).then_some(Node { number: *number, here: false, connections: *connections, quiet })
        }));
        nodes.sort_unstable_by_key(|node| node.number);
        nodes
    }

    fn reach(&self) -> Reach {
        let is_polling = self.is_polling.load(Ordering::Relaxed) || (self.is_linked && !self.link.is_up());
        match (is_polling, self.is_linked) {
            (true, _) => Reach::Polling,
            (false, true) => Reach::Linked,
            (false, false) => Reach::Alone,
        }
    }
}

/// The link of a node that has none.
pub(super) struct Unlinked;

impl Link for Unlinked {
    fn follow(&self, _: Audience) {}

    fn unfollow(&self, _: Audience) {}

    fn say(&self, _: Audience, _: Word) -> bool {
        false
    }

    fn is_up(&self) -> bool {
        false
    }
}

impl Heard for Cluster {
    fn heard(&self, to: Audience, word: Word) {
        match (to, word) {
            (Audience::Device(device), Word::Wake) => self.local.wake(device),
            (Audience::Device(device), Word::PrekeysLow(low)) => self.local.prekeys_low(device, low),
            (Audience::Device(device), Word::DevicesChanged(changed)) => {
                self.local.devices_changed(vec![device], changed)
            }
            (Audience::Device(device), Word::Attached(attachment)) => self.heard_attached(device, attachment),
            // Only for the device that it was said to.
            (Audience::Device(device), Word::Whisper(signal)) if signal.recipient == device => {
                self.local.whisper(vec![signal]);
            }
            (Audience::Everyone, Word::Revoked(family)) => self.local.revoke(family),
            (Audience::Everyone, Word::AtWork(node)) => self.heard_at_work(node),
            (Audience::Account(account), word) => self.presences.heard(account, &word),
            (Audience::Device(_) | Audience::Everyone, _) => {}
        }
    }

    fn lost(&self) {
        // What was under way will not be heard: what others say from now on is newer.
        self.attached().values_mut().for_each(|announced| announced.under_way = false);
        self.losses.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    fn restored(&self) {
        self.presences.restored();
        self.changed.notify_one();
    }
}
