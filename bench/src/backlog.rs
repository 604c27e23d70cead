//! Messages for people who are not there, and what happens when they come.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::failed::Outcome;
use crate::load::{Bodies, stored};
use crate::target::{End, Ground, Kind, Target};
use crate::voice::Heard;

/// How fast a backlog comes and goes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Backlog {
    /// Messages stored a second, until the last is durable.
    pub stored: f64,
    /// Messages fetched a second, from the first handshake to the last delivery.
    pub drained: f64,
}

/// `users` get `each` messages of that many bytes while they are away, then all come at once.
///
/// # Errors
///
/// When anything is lost, changed or out of order.
pub async fn measure(
    ground: &Ground,
    kind: Kind,
    users: usize,
    each: u64,
    bytes: usize,
    window: u32,
) -> Outcome<Backlog> {
    let target = Arc::new(Target::start(ground, kind, users).await?);
    let total = (users as u64 * each) as f64;
    let senders = target.connect(0, 0..users).await?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (pair, end) in senders.into_iter().enumerate() {
        tasks.spawn(deposit(end, pair, bytes, each, window, start));
    }
    // Senders stay until the end: leaving is not measured.
    let senders = all(tasks).await?;
    let stored = total / start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for pair in 0..users {
        let target = target.clone();
        tasks.spawn(async move { fetch(target.end(pair, 1).await?, pair, bytes, each).await });
    }
    all(tasks).await?;
    let drained = total / start.elapsed().as_secs_f64();
    drop(senders);
    Ok(Backlog { stored, drained })
}

async fn all(mut tasks: JoinSet<Outcome<End>>) -> Outcome<Vec<End>> {
    let mut ends = Vec::new();
    while let Some(done) = tasks.join_next().await {
        ends.push(done??);
    }
    Ok(ends)
}

async fn deposit(end: End, pair: usize, bytes: usize, each: u64, window: u32, start: Instant) -> Outcome<End> {
    let (mut socket, mut voice) = end;
    let mut bodies = Bodies::new(bytes, pair);
    let (mut sent, mut unanswered) = (0, 0);
    while sent < each || unanswered > 0 {
        while sent < each && unanswered < window {
            voice.send(&mut socket, bodies.write(start))?;
            sent += 1;
            unanswered += 1;
        }
        socket.flush().await?;
        socket.fill_soon().await?;
        unanswered -= stored(&mut socket, &mut voice)?;
    }
    Ok((socket, voice))
}

async fn fetch(end: End, pair: usize, bytes: usize, each: u64) -> Outcome<End> {
    let (mut socket, mut voice) = end;
    let mut bodies = Bodies::new(bytes, pair);
    let mut fetched = 0;
    loop {
        while let Some(message) = socket.message()? {
            if let Heard::Body(body) = voice.hear(message)? {
                bodies.read(&body)?;
                fetched += 1;
            }
        }
        voice.acknowledge(&mut socket)?;
        socket.flush().await?;
        if fetched == each {
            return Ok((socket, voice));
        }
        socket.fill_soon().await?;
    }
}
