//! A network that goes wrong between nodes and their database, and between two nodes.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use xtask::services::{Options, Postgres, Redis, database};

use super::DEADLINE;
use super::proxy::Proxy;
use super::support::{Conversation, Front, Nodes, ready};

/// Messages that each of the two writes.
const EACH: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_between_nodes_and_their_database_loses_nothing_and_repeats_nothing() {
    timeout(DEADLINE, to_the_database()).await.expect("all messages arrive in time");
}

async fn to_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (postgres, redis) = (Postgres::start(&Options::default()).unwrap(), Redis::start().unwrap());
    let database = postgres.database().unwrap();
    let ways = [Proxy::start(postgres.port()).await, Proxy::start(postgres.port()).await];
    let nodes = Nodes::new(folder.path());
    let start = |name: &str, way: &Proxy| {
        let database = way.instead_of(postgres.port(), &database.url());
        nodes.start(&folder.path().join(name).join("data"), "127.0.0.1:0", &database, &redis.url())
    };
    let (one, other) = (start("one", &ways[0]), start("other", &ways[1]));
    let urls = [one.url(), other.url()];
    let front = Front::start(&[&one, &other]).await;
    let mut talk = Conversation::begin(folder.path(), [&front.url(); 2], EACH).await;
    let all = |change: fn(&Proxy)| ways.iter().for_each(change);

    talk.after(1).await;
    all(Proxy::stall);
    let noticed = both(urls, false).await;
    talk.silence().await;
    all(Proxy::open);
    eprintln!("database stalled: said after {noticed:?}, the next messages {:?} after it", talk.recovery().await);
    both(urls, true).await;

    talk.after(2).await;
    all(Proxy::cut);
    let noticed = both(urls, false).await;
    talk.silence().await;
    all(Proxy::open);
    eprintln!("database cut off: said after {noticed:?}, the next messages {:?} after it", talk.recovery().await);
    both(urls, true).await;

    talk.after(3).await;
    all(Proxy::forget);
    eprintln!("connections forgotten: the next messages after {:?}", talk.recovery().await);

    talk.after(4).await;
    ways[0].cut();
    let noticed = ready(urls[0], false).await;
    ways[0].open();
    let back = ready(urls[0], true).await;
    eprintln!("one node cut off: said after {noticed:?}, ready {back:?} after it");

    for tenths in 5..=9 {
        talk.after(tenths).await;
        all(Proxy::halve);
        eprintln!("half an answer for each: the next messages after {:?}", talk.recovery().await);
    }
    talk.end().await;
    assert_eq!(ways.iter().map(Proxy::to_halve).sum::<usize>(), 0, "answers were cut into halves");
    drop((one, other));
}

/// How long it takes until both have said so.
async fn both(urls: [&str; 2], wanted: bool) -> Duration {
    let begun = Instant::now();
    for url in urls {
        ready(url, wanted).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_between_two_nodes_loses_nothing_and_repeats_nothing() {
    timeout(DEADLINE, between_nodes()).await.expect("all messages arrive in time");
}

async fn between_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let (database, redis) = (database().unwrap(), Redis::start().unwrap());
    let ways = [Proxy::start(redis.port()).await, Proxy::start(redis.port()).await];
    let nodes = Nodes::new(folder.path());
    let start = |name: &str, way: &Proxy| {
        let redis = way.instead_of(redis.port(), &redis.url());
        nodes.start(&folder.path().join(name).join("data"), "127.0.0.1:0", &database.url(), &redis)
    };
    let (one, other) = (start("one", &ways[0]), start("other", &ways[1]));
    // Each at a node of their own: every message has to cross.
    let mut talk = Conversation::begin(folder.path(), [one.url(), other.url()], EACH).await;
    let all = |change: fn(&Proxy)| ways.iter().for_each(change);

    talk.after(1).await;
    ways[0].stall();
    eprintln!("the sender's node stalled: the next messages after {:?}", talk.recovery().await);
    talk.after(2).await;
    all(Proxy::stall);
    eprintln!("both stalled: the next messages after {:?}", talk.recovery().await);
    talk.after(3).await;
    all(Proxy::open);
    eprintln!("both open: the next messages after {:?}", talk.recovery().await);
    talk.after(4).await;
    all(Proxy::cut);
    eprintln!("both cut: the next messages after {:?}", talk.recovery().await);
    talk.after(5).await;
    all(Proxy::open);
    talk.after(6).await;
    all(Proxy::forget);
    eprintln!("connections forgotten: the next messages after {:?}", talk.recovery().await);
    for tenths in 7..=9 {
        talk.after(tenths).await;
        all(Proxy::halve);
        eprintln!("half an answer for each: the next messages after {:?}", talk.recovery().await);
    }
    talk.end().await;
    drop((one, other));
}
