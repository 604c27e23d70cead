//! Pairs that talk: as fast as they can, or at a given rate.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant as Time, interval_at, sleep};

use crate::chance::Chance;
use crate::failed::{Outcome, failed};
use crate::process::{self, Used};
use crate::socket::Socket;
use crate::target::{End, Target};
use crate::voice::{Heard, Voice};

/// How long what was stored may take to be delivered.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Pairs of a sender and a receiver.
    pub pairs: usize,
    /// Bytes of a ciphertext.
    pub bytes: usize,
    /// Messages of a sender that are not answered yet, at most.
    pub window: u32,
    /// Before anything counts.
    pub warm_up: Duration,
    /// What counts.
    pub measured: Duration,
}

/// What came of pairs that talk as fast as they can.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Throughput {
    /// Messages that their recipients got, a second.
    pub delivered: f64,
    /// Processor seconds of the server for 10,000 messages.
    pub server_cpu: f64,
    /// Processor seconds of the load generator for 10,000 messages.
    pub own_cpu: f64,
    /// Processor seconds of the database server for 10,000 messages, where there is one.
    #[serde(default)]
    pub database_cpu: f64,
    /// Bytes that the server and its database caused to be written, a message.
    pub written: f64,
}

struct Shared {
    delivered: AtomicU64,
    stop: AtomicBool,
    /// In nanoseconds.
    latencies: Mutex<Vec<u64>>,
    start: Instant,
    bytes: usize,
    /// Between two messages of one sender; `None` for none at all.
    pause: Option<Duration>,
}

/// The bytes of a pair's messages: when it was sent, its number, and noise that does not compress.
pub(crate) struct Bodies {
    noise: Vec<u8>,
    next: u64,
}

/// Bytes of a body that differ from message to message.
const HEAD: usize = 16;

impl Bodies {
    pub(crate) fn new(bytes: usize, pair: usize) -> Self {
        // Both ends make the same noise of the number of their pair.
        let mut chance = Chance::seeded(pair as u64);
        Self { noise: chance.bytes(bytes), next: 0 }
    }

    pub(crate) fn write(&mut self, start: Instant) -> Bytes {
        let mut body = self.noise.clone();
        body[..8].copy_from_slice(&(start.elapsed().as_nanos() as u64).to_be_bytes());
        body[8..HEAD].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        body.into()
    }

    /// When the body was sent, in nanoseconds, if it is the next one and every byte of it is right.
    pub(crate) fn read(&mut self, body: &Bytes) -> Outcome<u64> {
        let number = self.next.to_be_bytes();
        if body.len() != self.noise.len() || body[8..HEAD] != number || body[HEAD..] != self.noise[HEAD..] {
            return failed(format!("message {} did not come as it was sent", self.next));
        }
        self.next += 1;
        Ok(u64::from_be_bytes(body[..8].try_into().unwrap_or_default()))
    }
}

/// Every sender keeps its window full for as long as is measured; then everything has to arrive.
///
/// # Errors
///
/// When anything is lost, late, changed or out of order.
pub async fn full_speed(target: &Target, shape: Shape) -> Outcome<Throughput> {
    let shared = Arc::new(Shared::new(shape.bytes, None));
    let mut tasks = talk(target, shape, &shared).await?;
    let measure = async {
        sleep(shape.warm_up).await;
        let before = mark(target, &shared)?;
        sleep(shape.measured).await;
        let after = mark(target, &shared)?;
        shared.stop.store(true, Relaxed);
        let messages = (after.1 - before.1) as f64;
        if messages == 0.0 {
            return failed("nothing was delivered");
        }
        Ok(Throughput {
            delivered: messages / (after.0 - before.0).as_secs_f64(),
            server_cpu: (after.2.cpu - before.2.cpu) * 1e4 / messages,
            own_cpu: (after.3.cpu - before.3.cpu) * 1e4 / messages,
            database_cpu: (after.4.cpu - before.4.cpu) * 1e4 / messages,
            written: (after.2.written + after.4.written - before.2.written - before.4.written) as f64 / messages,
        })
    };
    let (throughput, ()) = tokio::try_join!(measure, all(&mut tasks))?;
    Ok(throughput)
}

/// Senders send `rate` messages a second, all together; says how long each was on its way from one
/// client to the other, in milliseconds, in rising order.
///
/// # Errors
///
/// As [`full_speed`].
pub async fn paced(target: &Target, shape: Shape, rate: f64) -> Outcome<Vec<f64>> {
    let shared = Arc::new(Shared::new(shape.bytes, Some(Duration::from_secs_f64(shape.pairs as f64 / rate))));
    let mut tasks = talk(target, shape, &shared).await?;
    let measure = async {
        sleep(shape.warm_up).await;
        shared.latencies().clear();
        sleep(shape.measured).await;
        shared.stop.store(true, Relaxed);
        Ok(())
    };
    tokio::try_join!(measure, all(&mut tasks))?;
    let mut latencies: Vec<f64> = shared.latencies().iter().map(|nanos| *nanos as f64 / 1e6).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    if latencies.is_empty() { failed("nothing was delivered") } else { Ok(latencies) }
}

impl Shared {
    fn new(bytes: usize, pause: Option<Duration>) -> Self {
        Self {
            delivered: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            latencies: Mutex::default(),
            start: Instant::now(),
            bytes,
            pause,
        }
    }

    fn nanos(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn latencies(&self) -> MutexGuard<'_, Vec<u64>> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects everybody and sets them to work.
async fn talk(target: &Target, shape: Shape, shared: &Arc<Shared>) -> Outcome<JoinSet<Outcome>> {
    let senders = target.connect(0, 0..shape.pairs).await?;
    let receivers = target.connect(1, 0..shape.pairs).await?;
    let mut tasks = JoinSet::new();
    for (pair, (sender, receiver)) in senders.into_iter().zip(receivers).enumerate() {
        let (tell, told) = oneshot::channel();
        match shared.pause {
            None => tasks.spawn(keep_sending(sender, pair, shape.window, shared.clone(), tell)),
            Some(pause) => tasks.spawn(send_now_and_then(sender, pair, pause, shared.clone(), tell)),
        };
        tasks.spawn(keep_receiving(receiver, pair, shared.clone(), told));
    }
    Ok(tasks)
}

async fn all(tasks: &mut JoinSet<Outcome>) -> Outcome {
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Now, what was delivered, and what the server, the generator and the database server have used up.
fn mark(target: &Target, shared: &Shared) -> Outcome<(Instant, u64, Used, Used, Used)> {
    let database = target.database_used()?;
    Ok((Instant::now(), shared.delivered.load(Relaxed), target.server.used()?, process::own()?, database))
}

async fn keep_sending(
    (mut socket, mut voice): End,
    pair: usize,
    window: u32,
    shared: Arc<Shared>,
    tell: oneshot::Sender<u64>,
) -> Outcome {
    let mut bodies = Bodies::new(shared.bytes, pair);
    let mut unanswered = 0;
    loop {
        if !shared.stop.load(Relaxed) {
            while unanswered < window {
                voice.send(&mut socket, bodies.write(shared.start))?;
                unanswered += 1;
            }
        } else if unanswered == 0 {
            let _ = tell.send(bodies.next);
            return Ok(());
        }
        socket.flush().await?;
        socket.fill_soon().await?;
        unanswered -= stored(&mut socket, &mut voice)?;
    }
}

async fn send_now_and_then(
    (mut socket, mut voice): End,
    pair: usize,
    pause: Duration,
    shared: Arc<Shared>,
    tell: oneshot::Sender<u64>,
) -> Outcome {
    let mut bodies = Bodies::new(shared.bytes, pair);
    let mut unanswered = 0;
    // Spread over the pause, so that they do not all send at once.
    let first = pause.mul_f64((Chance::new().number() % 1000) as f64 / 1000.0);
    let mut turns = interval_at(Time::now() + first, pause);
    loop {
        tokio::select! {
            _ = turns.tick() => {
                if shared.stop.load(Relaxed) {
                    break;
                }
                voice.send(&mut socket, bodies.write(shared.start))?;
                unanswered += 1;
                socket.flush().await?;
            }
            filled = socket.fill() => {
                filled?;
                unanswered -= stored(&mut socket, &mut voice)?;
            }
        }
    }
    while unanswered > 0 {
        socket.fill_soon().await?;
        unanswered -= stored(&mut socket, &mut voice)?;
    }
    let _ = tell.send(bodies.next);
    Ok(())
}

/// How many messages were answered with what has come.
pub(crate) fn stored(socket: &mut Socket, voice: &mut Voice) -> Outcome<u32> {
    let mut stored = 0;
    while let Some(message) = socket.message()? {
        if let Heard::Stored(count) = voice.hear(message)? {
            stored += count;
        }
    }
    Ok(stored)
}

/// Receives until all that was sent is there.
async fn keep_receiving(
    (mut socket, mut voice): End,
    pair: usize,
    shared: Arc<Shared>,
    mut told: oneshot::Receiver<u64>,
) -> Outcome {
    let mut bodies = Bodies::new(shared.bytes, pair);
    let mut total = None;
    while total != Some(bodies.next) {
        let patient = total.is_none();
        tokio::select! {
            filled = socket.fill() => filled?,
            sent = &mut told, if patient => {
                match sent {
                    Ok(sent) => total = Some(sent),
                    Err(_) => return failed("a sender has failed"),
                }
                continue;
            }
            () = sleep(PATIENCE), if !patient => return failed("a message was stored and not delivered"),
        }
        let before = bodies.next;
        while let Some(message) = socket.message()? {
            if let Heard::Body(body) = voice.hear(message)? {
                let sent = bodies.read(&body)?;
                if shared.pause.is_some() {
                    shared.latencies().push(shared.nanos().saturating_sub(sent));
                }
            }
        }
        shared.delivered.fetch_add(bodies.next - before, Relaxed);
        voice.acknowledge(&mut socket)?;
        socket.flush().await?;
    }
    Ok(())
}
