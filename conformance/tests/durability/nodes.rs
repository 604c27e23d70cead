//! Two nodes of one relay behind one address, each killed in turn, and Redis with them.

use tokio::time::timeout;
use xtask::services::{Redis, database};

use super::DEADLINE;
use super::support::{Conversation, Front, Nodes};

/// Messages that each of the two writes.
const EACH: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_killed_in_turn_and_a_redis_that_comes_and_goes_lose_nothing_and_repeat_nothing() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let database = database().unwrap();
    let mut redis = Redis::start().unwrap();
    let (nodes, database_url, redis_url) = (Nodes::new(folder.path()), database.url(), redis.url());
    let (at_one, at_other) = (folder.path().join("one/data"), folder.path().join("other/data"));
    let start = |at, listen: &str| nodes.start(at, listen, &database_url, &redis_url);
    let mut one = start(&at_one, "127.0.0.1:0");
    let mut other = start(&at_other, "127.0.0.1:0");
    let (address_of_one, address_of_other) = (one.address().to_owned(), other.address().to_owned());
    let front = Front::start(&[&one, &other]).await;
    let mut talk = Conversation::begin(folder.path(), [&front.url(); 2], EACH).await;
    talk.after(1).await;
    one.kill().unwrap();
    one = start(&at_one, &address_of_one);
    talk.after(2).await;
    other.kill().unwrap();
    other = start(&at_other, &address_of_other);
    talk.after(3).await;
    redis.kill().unwrap();
    talk.after(4).await;
    one.kill().unwrap();
    one = start(&at_one, &address_of_one);
    talk.after(5).await;
    redis.restart().unwrap();
    talk.after(6).await;
    redis.pause().unwrap();
    talk.after(7).await;
    redis.resume().unwrap();
    other.kill().unwrap();
    talk.after(8).await;
    other = start(&at_other, &address_of_other);
    talk.end().await;
    assert_eq!(front.served.lock().unwrap().len(), 2, "both nodes have served");
    drop((one, other));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_emptied_again_and_again_loses_nothing_and_repeats_nothing() {
    timeout(DEADLINE, emptied()).await.expect("all messages arrive in time");
}

async fn emptied() {
    let folder = tempfile::tempdir().unwrap();
    let database = database().unwrap();
    let redis = Redis::start().unwrap();
    let nodes = Nodes::new(folder.path());
    let start =
        |name: &str| nodes.start(&folder.path().join(name).join("data"), "127.0.0.1:0", &database.url(), &redis.url());
    let (one, other) = (start("one"), start("other"));
    let front = Front::start(&[&one, &other]).await;
    let mut talk = Conversation::begin(folder.path(), [&front.url(); 2], EACH).await;
    for tenths in 1..=9 {
        talk.after(tenths).await;
        redis.flush().unwrap();
        let next = talk.recovery().await;
        eprintln!("emptied; the next messages after {next:?}");
    }
    talk.end().await;
    drop((one, other));
}
