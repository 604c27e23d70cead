//! A PostgreSQL server is lost for good, and its standby takes its place.

use std::time::Instant;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use xtask::services::{Options, Postgres, Redis};

use super::DEADLINE;
use super::proxy::Proxy;
use super::support::{Conversation, Front, Nodes, ready};

/// Messages that each of the two writes.
const EACH: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_takes_over_from_a_lost_database_has_every_message_once() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start().unwrap();
    let options = Options { durable: true, ..Options::default() };
    let mut primary = Postgres::start(&options).unwrap();
    let database = primary.database().unwrap();
    let standby = spawn_blocking(move || {
        let standby = primary.standby();
        (primary, standby)
    });
    let standby = standby.await.unwrap();
    primary = standby.0;
    let standby = standby.1.unwrap();

    // What an operator has in this place: an address that moves, or a proxy that knows which server is the primary.
    let way = Proxy::start(primary.port()).await;
    let url = way.instead_of(primary.port(), &database.url());
    let nodes = Nodes::new(folder.path());
    let start = |name: &str| nodes.start(&folder.path().join(name).join("data"), "127.0.0.1:0", &url, &redis.url());
    let (one, other) = (start("one"), start("other"));
    let front = Front::start(&[&one, &other]).await;
    let mut talk = Conversation::begin(folder.path(), [&front.url(); 2], EACH).await;
    talk.after(4).await;

    let lost = Instant::now();
    primary.kill().unwrap();
    for node in [&one, &other] {
        ready(node.url(), false).await;
    }
    eprintln!("said {:?} after the primary was lost", lost.elapsed());
    // The address moves before the standby has become a primary: it is not to be held for one.
    way.lead_to(standby.port());
    talk.silence().await;
    for node in [&one, &other] {
        ready(node.url(), false).await;
    }
    let promoted = Instant::now();
    standby.promote().unwrap();
    eprintln!("promoted in {:?}", promoted.elapsed());
    let next = talk.recovery().await;
    for node in [&one, &other] {
        ready(node.url(), true).await;
    }
    eprintln!("the next messages {next:?} after it, both ready after {:?}", promoted.elapsed());
    talk.end().await;
    drop((one, other));
}
