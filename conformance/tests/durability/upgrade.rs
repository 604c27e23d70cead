//! A rolling upgrade under load: each node is drained and replaced, the old beside the new.

use std::time::Instant;

use susurro_conformance::relay::Relay;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use xtask::services::{Redis, database};

use super::DEADLINE;
use super::support::{Conversation, Front, Nodes};

/// Messages that each of the two writes.
const EACH: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_replaced_one_after_the_other_under_load_lose_nothing_and_repeat_nothing() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let (database, redis) = (database().unwrap(), Redis::start().unwrap());
    let nodes = Nodes::new(folder.path());
    let start =
        |name: &str| nodes.start(&folder.path().join(name).join("data"), "127.0.0.1:0", &database.url(), &redis.url());
    let (mut one, mut other) = (start("one"), start("other"));
    let front = Front::start(&[&one, &other]).await;
    let mut talk = Conversation::begin(folder.path(), [&front.url(); 2], EACH).await;
    // Twice each, so that the ones which replace are replaced as well.
    for round in 1..=2 {
        talk.after(4 * round - 3).await;
        let next = start(&format!("one, {round}"));
        front.lead_to(&[&next, &other]);
        drain(one, &mut talk).await;
        one = next;
        talk.after(4 * round - 1).await;
        let next = start(&format!("other, {round}"));
        front.lead_to(&[&one, &next]);
        drain(other, &mut talk).await;
        other = next;
    }
    talk.end().await;
    assert!(front.served.lock().unwrap().len() >= 4, "those that replaced have served");
    drop((one, other));
}

/// Ends a node in good order while its people talk on.
async fn drain(node: Relay, talk: &mut Conversation) {
    let begun = Instant::now();
    let ending = spawn_blocking(move || (node.terminate().unwrap(), begun.elapsed()));
    let next = talk.recovery().await;
    let (code, took) = ending.await.unwrap();
    eprintln!("drained in {took:?}; the next messages after {next:?}");
    assert_eq!(code, Some(0), "in good order, before its deadline");
}
