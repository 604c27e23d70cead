//! A relay that is honest until a check tells it otherwise.
//!
//! It serves REST and WebSocket itself, byte for byte, over the structures of `susurro-protocol`, and
//! records everything that a client sends.

pub mod http;
pub mod rest;
pub mod rules;
pub mod seen;
mod socket;
pub mod world;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use susurro_protocol::DeviceId;
use susurro_protocol::codec::{self, Structure};
use susurro_protocol::event::Deliver;
use susurro_protocol::frame::FrameKind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

pub use http::{Asked, Reply};
pub use rules::{Greeting, Point, Rules, Say, Turn};
pub use seen::{Record, Seen};
pub use world::World;

use crate::suite::Stop;

/// How long a check waits for something that has to come.
const PATIENCE: Duration = Duration::from_secs(45);

/// A relay in memory.
pub struct Relay {
    world: Mutex<World>,
    rules: Mutex<Rules>,
    record: Mutex<Record>,
    live: Mutex<HashMap<DeviceId, mpsc::UnboundedSender<Say>>>,
    connections: AtomicU64,
    /// Counts what was seen; whoever waits for something looks again.
    seen: watch::Sender<u64>,
    /// Whether it has come to its end.
    over: watch::Sender<bool>,
}

impl Relay {
    /// A relay that knows what `world` knows.
    #[must_use]
    pub fn new(world: World) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(world),
            rules: Mutex::default(),
            record: Mutex::default(),
            live: Mutex::default(),
            connections: AtomicU64::new(0),
            seen: watch::Sender::new(0),
            over: watch::Sender::new(false),
        })
    }

    /// What it has stored.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// What it has seen.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Replaces its rules.
    pub fn rules(&self, rules: Rules) {
        *lock(&self.rules) = rules;
    }

    /// Keeps the rules of the document from now on.
    pub fn honest_again(&self) {
        self.rules(Rules::default());
    }

    /// Notes something that no client may do.
    pub fn object(&self, what: &str) {
        self.record().object(what);
    }

    /// Waits until what was seen is so.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with `what` when it does not come.
    pub async fn until(&self, what: &str, holds: impl Fn(&Record) -> bool) -> Result<(), Stop> {
        let mut seen = self.seen.subscribe();
        let wait = async {
            loop {
                seen.borrow_and_update();
                if holds(&self.record()) {
                    return;
                }
                if seen.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(PATIENCE, wait).await.map_err(|_| Stop::failed(what, format!("nothing of it in {PATIENCE:?}")))
    }

    /// Says something to a device that is connected; whether it is.
    pub fn say(&self, device: DeviceId, say: Say) -> bool {
        lock(&self.live).get(&device).is_some_and(|live| live.send(say).is_ok())
    }

    /// Says a frame of the session.
    pub fn say_frame<T: serde::Serialize + Structure>(&self, device: DeviceId, kind: FrameKind, body: &T) -> bool {
        self.say(device, Say::Frame(kind, codec::encode(body)))
    }

    /// Puts a delivery into a mailbox at the next position, and sends it when its device is connected.
    pub fn deliver(&self, device: DeviceId, delivery: Deliver) {
        let delivery = self.world().deposit(device, delivery);
        if let Some(delivery) = delivery {
            self.say_frame(device, FrameKind::Deliver, &delivery);
        }
    }

    /// Ends it: every connection is dropped.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// Serves one connection to its end.
    pub async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut over = self.over.subscribe();
        tokio::select! {
            () = self.connection(stream) => {}
            _ = over.wait_for(|over| *over) => {}
        }
    }

    async fn connection(self: &Arc<Self>, mut stream: TcpStream) {
        // Small frames must not wait for each other.
        let _ = stream.set_nodelay(true);
        let Some(asked) = http::read(&mut stream).await else { return };
        self.record().asked(&asked);
        self.something_was_seen();
        match self.turn(&Point::Asked(&asked)) {
            Turn::Go => {}
            Turn::Cut | Turn::Half => return,
            Turn::Freeze => return std::future::pending().await,
        }
        let instead = {
            let (mut rules, mut world) = (lock(&self.rules), lock(&self.world));
            rules.before.as_mut().and_then(|rule| rule(&mut world, &asked))
        };
        if let Some(reply) = instead {
            let _ = stream.write_all(&reply.encode()).await;
            return;
        }
        if asked.is("GET /ws") {
            return self.socket(stream, &asked).await;
        }
        let mut reply = self.honest(&asked);
        if let Some(rule) = lock(&self.rules).after.as_mut() {
            reply = rule(&asked, reply);
        }
        let bytes = reply.encode();
        let bytes = match self.turn(&Point::Answering(&asked)) {
            Turn::Go => &bytes[..],
            Turn::Cut => return,
            Turn::Half => &bytes[..bytes.len() / 2],
            Turn::Freeze => return std::future::pending().await,
        };
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
    }

    fn turn(&self, point: &Point<'_>) -> Turn {
        lock(&self.rules).turn(point)
    }

    fn something_was_seen(&self) {
        self.seen.send_modify(|count| *count += 1);
    }

    fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
