//! Two nodes of one relay behind one address, each killed in turn, and Redis with them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use susurro_client_core::Client;
use susurro_client_core::model::{Delivery, Direction};
use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use xtask::services::{Redis, database};

use super::{Arrivals, DEADLINE, all, assert_arrived, register, write};

/// Messages that each of the two writes.
const EACH: usize = 600;

/// What spreads connections over the nodes: each to the next one that answers.
struct Front {
    address: SocketAddr,
    nodes: Arc<Mutex<Vec<String>>>,
    served: Arc<Mutex<BTreeSet<String>>>,
}

impl Front {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (nodes, served) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<BTreeSet<String>>>::default());
        let (of_front, seen) = (nodes.clone(), served.clone());
        tokio::spawn(async move {
            let turn = AtomicUsize::new(0);
            while let Ok((mut client, _)) = listener.accept().await {
                let mut nodes = of_front.lock().unwrap().clone();
                if nodes.is_empty() {
                    continue;
                }
                let first = turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
                nodes.rotate_left(first);
                let seen = seen.clone();
                tokio::spawn(async move {
                    for node in nodes {
                        if let Ok(mut stream) = TcpStream::connect(&node).await {
                            seen.lock().unwrap().insert(node);
                            let _ = copy_bidirectional(&mut client, &mut stream).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { address, nodes, served }
    }
}

/// Starts nodes with the same database, secrets and Redis.
struct Nodes {
    program: PathBuf,
    database: String,
    redis: String,
    secrets: String,
}

impl Nodes {
    fn start(&self, folder: &Path, listen: &str) -> Relay {
        let environment = [("SUSURRO_DATABASE", &*self.database), ("SUSURRO_REDIS", &*self.redis)];
        let more = ["--secrets-dir", &self.secrets];
        Relay::start_program(&self.program, folder, listen, &more, &environment).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_killed_in_turn_and_a_redis_that_comes_and_goes_lose_nothing_and_repeat_nothing() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let database = database().unwrap();
    let mut redis = Redis::start().unwrap();
    let nodes = Nodes {
        program: binaries::relay().unwrap(),
        database: database.url(),
        redis: redis.url(),
        secrets: folder.path().join("secrets").display().to_string(),
    };
    let (at_one, at_other) = (folder.path().join("one/data"), folder.path().join("other/data"));
    for node in [&at_one, &at_other] {
        std::fs::create_dir_all(node.parent().unwrap()).unwrap();
    }
    let mut one = nodes.start(&at_one, "127.0.0.1:0");
    let mut other = nodes.start(&at_other, "127.0.0.1:0");
    let (address_of_one, address_of_other) = (one.address().to_owned(), other.address().to_owned());
    let front = Front::start().await;
    *front.nodes.lock().unwrap() = vec![address_of_one.clone(), address_of_other.clone()];
    let url = format!("http://{}", front.address);
    let alice = register(folder.path(), &url, "alice").await;
    let bob = register(folder.path(), &url, "bob").await;
    alice.go_online();
    bob.go_online();
    let a = tokio::spawn(write(alice.clone(), "bob", EACH));
    let b = tokio::spawn(write(bob.clone(), "alice", EACH));

    let mut arrived = Arrivals::new(&bob, "bob");
    let mut after = async |share: usize| {
        arrived.wait_for(EACH * share / 10).await;
        eprintln!("{} of {EACH} had arrived at bob", arrived.count());
    };
    after(1).await;
    one.kill().unwrap();
    one = nodes.start(&at_one, &address_of_one);
    after(2).await;
    other.kill().unwrap();
    other = nodes.start(&at_other, &address_of_other);
    after(3).await;
    redis.kill().unwrap();
    after(4).await;
    one.kill().unwrap();
    one = nodes.start(&at_one, &address_of_one);
    after(5).await;
    redis.restart().unwrap();
    after(6).await;
    redis.pause().unwrap();
    after(7).await;
    redis.resume().unwrap();
    other.kill().unwrap();
    after(8).await;
    other = nodes.start(&at_other, &address_of_other);
    after(10).await;

    let (to_bob, to_alice) = (a.await.unwrap(), b.await.unwrap());
    Arrivals::new(&alice, "alice").wait_for(EACH).await;
    assert_arrived(&to_bob, &all(&bob, "alice").await);
    assert_arrived(&to_alice, &all(&alice, "bob").await);
    for (client, peer) in [(&alice, "bob"), (&bob, "alice")] {
        stored(client, peer).await;
    }
    assert_eq!(front.served.lock().unwrap().len(), 2, "both nodes have served");
    alice.close().await;
    bob.close().await;
    drop((one, other));
}

async fn stored(client: &Client, peer: &str) {
    for message in all(client, peer).await.iter().filter(|m| m.direction == Direction::Outgoing) {
        client.wait_for(message.id, Delivery::Stored, DEADLINE).await.unwrap();
    }
}
