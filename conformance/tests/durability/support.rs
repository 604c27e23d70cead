//! What the tests of this folder have in common: nodes behind one address, and two people who write without a pause.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use susurro_client_core::Client;
use susurro_client_core::model::{Delivery, Direction};
use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use susurro_protocol::MessageId;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Arrivals, DEADLINE, all, assert_arrived, register, write};

/// What spreads connections over the nodes: each to the next one that answers.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) nodes: Arc<Mutex<Vec<String>>>,
    pub(crate) served: Arc<Mutex<BTreeSet<String>>>,
}

impl Front {
    pub(crate) async fn start(nodes: &[&Relay]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (nodes, served) = (nodes.iter().map(|node| node.address().to_owned()).collect(), BTreeSet::new());
        let (nodes, served) = (Arc::<Mutex<Vec<String>>>::new(Mutex::new(nodes)), Arc::new(Mutex::new(served)));
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

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends new connections to these nodes from now on.
    pub(crate) fn lead_to(&self, nodes: &[&Relay]) {
        *self.nodes.lock().unwrap() = nodes.iter().map(|node| node.address().to_owned()).collect();
    }
}

/// Starts nodes with the same secrets.
pub(crate) struct Nodes {
    program: PathBuf,
    secrets: String,
}

impl Nodes {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { program: binaries::relay().unwrap(), secrets: folder.join("secrets").display().to_string() }
    }

    /// A node with its files in `folder`, which is made.
    pub(crate) fn start(&self, folder: &Path, listen: &str, database: &str, redis: &str) -> Relay {
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        let environment = [("SUSURRO_DATABASE", database), ("SUSURRO_REDIS", redis)];
        Relay::start_program(&self.program, folder, listen, &["--secrets-dir", &self.secrets], &environment).unwrap()
    }
}

/// Two people who write to each other all the time.
pub(crate) struct Conversation {
    alice: Client,
    bob: Client,
    each: usize,
    arrived: Arrivals,
    writing: [JoinHandle<Vec<(MessageId, usize)>>; 2],
}

impl Conversation {
    /// Registers alice at the first place and bob at the second, and lets each write `each` messages.
    pub(crate) async fn begin(folder: &Path, urls: [&str; 2], each: usize) -> Self {
        let alice = register(folder, urls[0], "alice").await;
        let bob = register(folder, urls[1], "bob").await;
        alice.go_online();
        bob.go_online();
        let a = tokio::spawn(write(alice.clone(), "bob", each));
        let b = tokio::spawn(write(bob.clone(), "alice", each));
        let arrived = Arrivals::new(&bob, "bob");
        Self { alice, bob, each, arrived, writing: [a, b] }
    }

    /// Waits until that many tenths of all messages are with bob.
    pub(crate) async fn after(&mut self, tenths: usize) {
        self.arrived.wait_for(self.each * tenths / 10).await;
        eprintln!("{} of {} had arrived at bob", self.arrived.count(), self.each);
    }

    /// How long it takes until two more messages are with bob: one may have been on its way already.
    pub(crate) async fn recovery(&mut self) -> Duration {
        let begun = Instant::now();
        self.arrived.read_store().await;
        let wanted = (self.arrived.count() + 2).min(self.each);
        self.arrived.wait_for(wanted).await;
        begun.elapsed()
    }

    /// How many messages of Alice have arrived at Bob.
    pub(crate) async fn arrived(&mut self) -> usize {
        self.arrived.read_store().await;
        self.arrived.count()
    }

    /// Waits until nothing arrives at bob any longer, since something was taken away.
    pub(crate) async fn silence(&mut self) {
        const SILENCE: Duration = Duration::from_secs(1);
        loop {
            let before = self.arrived.count();
            // Not a wait for something to happen, but for nothing to happen.
            sleep(SILENCE).await;
            self.arrived.read_store().await;
            if self.arrived.count() == before {
                assert!(before < self.each, "all messages have arrived before the fault");
                return;
            }
        }
    }

    /// Waits for all messages; then nothing is missing, nothing came twice, and order was kept.
    pub(crate) async fn end(mut self) {
        self.after(10).await;
        let [a, b] = self.writing;
        let (to_bob, to_alice) = (a.await.unwrap(), b.await.unwrap());
        Arrivals::new(&self.alice, "alice").wait_for(self.each).await;
        assert_arrived(&to_bob, &all(&self.bob, "alice").await);
        assert_arrived(&to_alice, &all(&self.alice, "bob").await);
        for (client, peer) in [(&self.alice, "bob"), (&self.bob, "alice")] {
            for message in all(client, peer).await.iter().filter(|m| m.direction == Direction::Outgoing) {
                client.wait_for(message.id, Delivery::Stored, DEADLINE).await.unwrap();
            }
        }
        self.alice.close().await;
        self.bob.close().await;
    }
}

/// Waits until the relay says that it takes messages, or that it takes none; how long that took.
pub(crate) async fn ready(url: &str, wanted: bool) -> Duration {
    const LOOK: Duration = Duration::from_millis(20);
    let begun = Instant::now();
    while reqwest::get(format!("{url}/readyz")).await.unwrap().status().is_success() != wanted {
        sleep(LOOK).await;
    }
    begun.elapsed()
}
