//! A relay that is killed again and again loses nothing that it acknowledged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops where it fails, and says how far it came"
)]

mod clock;
mod database_disk;
mod disk;
mod failover;
mod network;
mod nodes;
mod proxy;
mod small_disk;
mod support;
mod upgrade;

use std::collections::HashSet;
use std::time::Duration;

use susurro_client_core::model::{ClientEvent, Delivery, Direction, MessageContent, MessageView};
use susurro_client_core::{Client, Secret};
use susurro_conformance::relay::Relay;
use susurro_protocol::MessageId;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

const EACH: usize = 1000;
const KILLS: usize = 10;
/// The whole run takes well under a minute on a quiet machine; a hang has to end as well.
const DEADLINE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_during_two_thousand_messages_lose_nothing_and_repeat_nothing() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let mut relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let (url, address) = (relay.url().to_owned(), relay.address().to_owned());
    let alice = register(folder.path(), &url, "alice").await;
    let bob = register(folder.path(), &url, "bob").await;
    alice.go_online();
    bob.go_online();

    let a = tokio::spawn(write(alice.clone(), "bob", EACH));
    let b = tokio::spawn(write(bob.clone(), "alice", EACH));

    // Kill when another random part of all messages has arrived: at random moments of the
    // conversation, not of the clock.
    let mut arrived = Arrivals::new(&bob, "bob");
    let mut at = 0;
    for kill in 1..=KILLS {
        let share = EACH / (KILLS + 1);
        at += share / 2 + usize::from(random_byte()) % share;
        arrived.wait_for(at.min(EACH - 1)).await;
        relay.kill().unwrap();
        relay = Relay::start(&data, &address, &[]).unwrap();
        eprintln!("kill {kill} when {} of {EACH} had arrived at bob", arrived.count());
    }
    let to_bob = a.await.unwrap();
    let to_alice = b.await.unwrap();

    arrived.wait_for(EACH).await;
    Arrivals::new(&alice, "alice").wait_for(EACH).await;
    assert_arrived(&to_bob, &all(&bob, "alice").await);
    assert_arrived(&to_alice, &all(&alice, "bob").await);
    for (client, peer, sent) in [(&alice, "bob", &to_bob), (&bob, "alice", &to_alice)] {
        let last = *sent.last().unwrap();
        client.wait_for(last.0, Delivery::Stored, DEADLINE).await.unwrap();
        for message in all(client, peer).await.iter().filter(|m| m.direction == Direction::Outgoing) {
            client.wait_for(message.id, Delivery::Stored, DEADLINE).await.unwrap();
        }
    }
    alice.close().await;
    bob.close().await;
    drop(relay);
}

async fn register(folder: &std::path::Path, url: &str, name: &str) -> Client {
    let secret = |what: &str| Secret::new(format!("{what} of {name}"));
    Client::register(&folder.join(name), url, name, secret("password"), secret("passphrase")).await.unwrap()
}

/// Queues all messages; what was queued, with its number.
async fn write(client: Client, peer: &'static str, many: usize) -> Vec<(MessageId, usize)> {
    let mut sent = Vec::new();
    for number in 0..many {
        sent.push((client.queue(peer, &format!("message {number} to {peer}")).await.unwrap(), number));
    }
    sent
}

/// Every message of a conversation, oldest first.
async fn all(client: &Client, peer: &str) -> Vec<MessageView> {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = client.timeline(peer, before, 100).await.unwrap();
        let Some(first) = page.first() else { break };
        before = Some(first.position);
        pages.push(page);
    }
    pages.into_iter().rev().flatten().collect()
}

fn assert_arrived(sent: &[(MessageId, usize)], timeline: &[MessageView]) {
    let came: Vec<_> = timeline.iter().filter(|m| m.direction == Direction::Incoming).collect();
    let texts: Vec<_> = came
        .iter()
        .map(|message| match &message.content {
            MessageContent::Text(text) => text.clone(),
            other => panic!("{other:?} in place of a text"),
        })
        .collect();
    let distinct: HashSet<_> = came.iter().map(|m| m.id).collect();
    assert_eq!(distinct.len(), came.len(), "a message came twice");
    let ids: Vec<_> = came.iter().map(|m| m.id).collect();
    assert_eq!(ids, sent.iter().map(|(id, _)| *id).collect::<Vec<_>>(), "not all, or not in order: {texts:?}");
}

/// Counts incoming messages of one client without asking again and again.
struct Arrivals {
    client: Client,
    peer: &'static str,
    events: tokio::sync::broadcast::Receiver<ClientEvent>,
    seen: HashSet<MessageId>,
}

impl Arrivals {
    fn new(client: &Client, who: &str) -> Self {
        let peer = if who == "bob" { "alice" } else { "bob" };
        Self { client: client.clone(), peer, events: client.events(), seen: HashSet::new() }
    }

    fn count(&self) -> usize {
        self.seen.len()
    }

    async fn wait_for(&mut self, count: usize) {
        self.read_store().await;
        while self.seen.len() < count {
            match self.events.recv().await {
                Ok(ClientEvent::Message(message)) if message.direction == Direction::Incoming => {
                    self.seen.insert(message.id);
                }
                Ok(_) => {}
                // Events that were missed are in the store.
                Err(RecvError::Lagged(_)) => self.read_store().await,
                Err(RecvError::Closed) => panic!("the client ended"),
            }
        }
    }

    async fn read_store(&mut self) {
        let messages = all(&self.client, self.peer).await;
        self.seen.extend(messages.iter().filter(|m| m.direction == Direction::Incoming).map(|m| m.id));
    }
}

fn random_byte() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).unwrap();
    byte[0]
}
