//! The way between nodes: a channel for each connected device and for each account that takes part in presence, one
//! for all nodes, and one to hear oneself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Msg, PushInfo, PushKind, RedisError};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::connect::{Connection, connect};
use super::seal::Seal;
use super::{Address, Options, words};
use crate::domain::Error;
use crate::ports::{Audience, Heard, Link, Word};

/// Words that wait to be said; more are dropped, which costs those that they are for the time until they look into
/// the store by themselves.
const WAITING_MAX: usize = 65_536;

/// The same for words about presence, which must not take the room of others.
const PRESENCES_WAITING_MAX: usize = WAITING_MAX / 4;

/// Orders that are carried out together.
const TOGETHER: usize = 512;

/// Channels of one command.
const CHANNELS: usize = 500;

/// Between two words to oneself, and how long none may come back before the link is taken for lost.
const BEAT: Duration = Duration::from_secs(1);
const DEAF: Duration = Duration::from_secs(3);

/// Between two tries to connect.
const AGAIN_MIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// The near end: what the relay calls.
pub struct RedisLink {
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
}

/// The far end: what talks to Redis.
pub struct Driver {
    address: Address,
    seal: Seal,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedReceiver<Order>,
    /// Which channel is whose.
    audiences: HashMap<String, Audience>,
}

#[derive(Default)]
struct Shared {
    followed: Mutex<HashSet<Audience>>,
    up: AtomicBool,
    waiting: AtomicUsize,
}

enum Order {
    /// Whether this is followed has changed.
    Follow(Audience),
    Say(Audience, Word),
}

/// A link that does nothing until its driver runs.
///
/// # Errors
///
/// [`Error::Internal`] for a key that cannot be used.
pub fn link(options: Options) -> Result<(RedisLink, Driver), Error> {
    let unusable = || Error::Internal("the key of the nodes cannot be used".to_owned());
    let seal = Seal::new(&options.key).ok_or_else(unusable)?;
    let (sender, orders) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::default());
    let driver = Driver { address: options.address, seal, shared: shared.clone(), orders, audiences: HashMap::new() };
    Ok((RedisLink { shared, orders: sender }, driver))
}

impl Shared {
    fn followed(&self) -> MutexGuard<'_, HashSet<Audience>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for RedisLink {
    fn follow(&self, whom: Audience) {
        self.shared.followed().insert(whom);
        let _ = self.orders.send(Order::Follow(whom));
    }

    fn unfollow(&self, whom: Audience) {
        self.shared.followed().remove(&whom);
        let _ = self.orders.send(Order::Follow(whom));
    }

    fn say(&self, to: Audience, word: Word) -> bool {
        let is_presence = matches!(word, Word::Shown(_) | Word::IsShown { .. });
        let most = if is_presence { PRESENCES_WAITING_MAX } else { WAITING_MAX };
        if !self.is_up() || self.shared.waiting.load(Ordering::Relaxed) >= most {
            return false;
        }
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        self.orders.send(Order::Say(to, word)).is_ok()
    }

    fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }
}

/// Why a link was lost.
enum Lost {
    /// Redis said, or did not say, something.
    Redis(RedisError),
    /// The connection was closed.
    Closed,
    /// Nothing was heard of what was said.
    Deaf,
    /// Nobody uses the link any longer.
    Unused,
}

impl From<RedisError> for Lost {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl Driver {
    /// Keeps the link up as long as somebody uses it, and tells `heard` what other nodes say.
    pub async fn run(mut self, heard: Arc<dyn Heard>) {
        let mut again = AGAIN_MIN;
        let mut said = false;
        loop {
            let begun = Instant::now();
            let (lost, was_up) = self.session(&*heard).await;
            self.shared.up.store(false, Ordering::Relaxed);
            if was_up {
                heard.lost();
            }
            self.drain();
            let why = match lost {
                Lost::Unused => return,
                // The kind alone: the words of a server may hold what it was sent.
                Lost::Redis(error) => error.category().to_owned(),
                Lost::Closed => "the connection was closed".to_owned(),
                Lost::Deaf => "nothing comes back".to_owned(),
            };
            if was_up || !said {
                said = true;
                tracing::warn!(
                    why,
                    "the other nodes cannot be reached over Redis: mailboxes are polled, limits count per node"
                );
            }
            if begun.elapsed() > AGAIN_MAX * 2 {
                again = AGAIN_MIN;
            }
            sleep(again).await;
            again = (again * 2).min(AGAIN_MAX);
        }
    }

    /// Forgets what waits to be said: it would come too late.
    fn drain(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Say(..) = order {
                self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// One connection from its beginning to its end. Says also whether the link was up in between.
    async fn session(&mut self, heard: &dyn Heard) -> (Lost, bool) {
        let mut was_up = false;
        let lost = match self.talk(heard, &mut was_up).await {
            Ok(()) => Lost::Unused,
            Err(lost) => lost,
        };
        (lost, was_up)
    }

    async fn talk(&mut self, heard: &dyn Heard, was_up: &mut bool) -> Result<(), Lost> {
        let (mut connection, mut pushes) = connect(&self.address).await?;
        self.audiences.clear();
        self.drain();
        let mut own = [0; 16];
        getrandom::fill(&mut own).map_err(|_| Lost::Deaf)?;
        let beat = self.seal.name("n", &own).unwrap_or_default();
        connection.subscribe(std::slice::from_ref(&beat)).await?;
        let everyone = self.channel(Audience::Everyone);
        self.audiences.insert(everyone.clone(), Audience::Everyone);
        connection.subscribe(&[everyone]).await?;
        let followed: Vec<Audience> = self.shared.followed().iter().copied().collect();
        self.follow(&mut connection, followed).await?;

        self.shared.up.store(true, Ordering::Relaxed);
        *was_up = true;
        heard.restored();
        tracing::info!("the other nodes are reached over Redis");
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answered = Instant::now();
        let mut batch = Vec::with_capacity(TOGETHER);
        loop {
            tokio::select! {
                push = pushes.recv() => match push {
                    None => return Err(Lost::Closed),
                    Some(push) if push.kind == PushKind::Disconnection => return Err(Lost::Closed),
                    Some(push) => {
                        if self.hear(push, &beat, heard) {
                            answered = Instant::now();
                        }
                    }
                },
                taken = self.orders.recv_many(&mut batch, TOGETHER) => {
                    if taken == 0 {
                        return Ok(());
                    }
                    self.carry_out(&mut connection, &mut batch).await?;
                }
                _ = beats.tick() => {
                    if answered.elapsed() > DEAF {
                        return Err(Lost::Deaf);
                    }
                    connection.publish(&[(beat.clone(), Vec::new())]).await?;
                }
            }
        }
    }

    /// Passes on what was pushed. Says whether it was this node's own beat.
    fn hear(&self, push: PushInfo, beat: &str, heard: &dyn Heard) -> bool {
        let Some(message) = Msg::from_push_info(push) else { return false };
        let channel = message.get_channel_name();
        if channel == beat {
            return true;
        }
        let Some(to) = self.audiences.get(channel) else { return false };
        if let Some(word) = self.seal.open(channel, message.get_payload_bytes()).and_then(|said| words::decode(&said)) {
            heard.heard(*to, word);
        }
        false
    }

    /// Follows first, so that what is said afterwards is heard here as well.
    async fn carry_out(&mut self, connection: &mut Connection, orders: &mut Vec<Order>) -> Result<(), RedisError> {
        let (mut changed, mut said, mut woken) = (Vec::new(), Vec::new(), HashSet::new());
        for order in orders.drain(..) {
            match order {
                Order::Follow(whom) => changed.push(whom),
                Order::Say(to, word) => {
                    self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                    // One look into the store finds all that many wake-ups are about.
                    if word == Word::Wake && !woken.insert(to) {
                        continue;
                    }
                    let channel = self.channel(to);
                    if let Some(sealed) = self.seal.seal(&channel, &words::encode(&word)) {
                        said.push((channel, sealed));
                    }
                }
            }
        }
        if !changed.is_empty() {
            self.follow(connection, changed).await?;
        }
        if !said.is_empty() {
            connection.publish(&said).await?;
        }
        Ok(())
    }

    /// Makes what Redis is listened to for these what it should be.
    async fn follow(&mut self, connection: &mut Connection, whom: Vec<Audience>) -> Result<(), RedisError> {
        let wanted: Vec<(Audience, bool)> = {
            let followed = self.shared.followed();
            whom.into_iter().map(|whom| (whom, followed.contains(&whom))).collect()
        };
        let (mut come, mut go) = (BTreeMap::new(), BTreeMap::new());
        for (whom, wanted) in wanted {
            let channel = self.channel(whom);
            let share = share(&channel).to_owned();
            if wanted && self.audiences.insert(channel.clone(), whom).is_none() {
                come.entry(share).or_insert_with(Vec::new).push(channel);
            } else if !wanted && self.audiences.remove(&channel).is_some() {
                go.entry(share).or_insert_with(Vec::new).push(channel);
            }
        }
        for channels in go.values().flat_map(|all| all.chunks(CHANNELS)) {
            connection.unsubscribe(channels).await?;
        }
        for channels in come.values().flat_map(|all| all.chunks(CHANNELS)) {
            connection.subscribe(channels).await?;
        }
        Ok(())
    }

    fn channel(&self, to: Audience) -> String {
        let name = match to {
            Audience::Device(device) => self.seal.name("d", device.as_bytes()),
            Audience::Account(account) => self.seal.name("p", account.as_bytes()),
            Audience::Everyone => self.seal.name("a", &[]),
        };
        name.unwrap_or_default()
    }
}

/// What decides which server of a cluster keeps a channel.
fn share(channel: &str) -> &str {
    channel.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(share, _)| share)
}
