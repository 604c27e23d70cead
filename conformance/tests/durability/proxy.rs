//! A network that goes wrong: a TCP proxy that stalls, cuts, forgets its connections, and passes on half an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes that are passed on at a time. An answer of a server fits: half of it is half an answer.
const CHUNK: usize = 16 * 1024;

/// A way to a server. New connections are taken whatever its state, as a network takes what it does not deliver.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    halves: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
struct State {
    way: Way,
    target: SocketAddr,
    /// Connections of an earlier era are forgotten.
    era: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Stalled,
    Cut,
}

impl Proxy {
    /// An open way to the server on this port of this machine.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { way: Way::Open, target: SocketAddr::from(([127, 0, 0, 1], port)), era: 0 };
        let (state, seen) = watch::channel(state);
        let halves = Arc::new(AtomicUsize::new(0));
        let of_connections = halves.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, seen.clone(), of_connections.clone()));
            }
        });
        Self { address, state, halves }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of the server by this way.
    pub(crate) fn instead_of(&self, port: u16, url: &str) -> String {
        let (direct, here) = (format!("127.0.0.1:{port}"), self.address.to_string());
        assert!(url.contains(&direct), "{url} is not of port {port}");
        url.replace(&direct, &here)
    }

    /// From now on nothing passes and nothing is closed.
    pub(crate) fn stall(&self) {
        self.state.send_modify(|state| state.way = Way::Stalled);
    }

    /// Resets every connection, and new ones from now on.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.way = Way::Cut);
    }

    /// Everything passes again, also what was held up.
    pub(crate) fn open(&self) {
        self.state.send_modify(|state| state.way = Way::Open);
    }

    /// Connections that are there never pass anything again, and are not closed either: what a firewall does that
    /// has lost its memory.
    pub(crate) fn forget(&self) {
        self.state.send_modify(|state| state.era += 1);
    }

    /// New connections lead to another server; those that are there are reset.
    pub(crate) fn lead_to(&self, port: u16) {
        self.state.send_modify(|state| state.target.set_port(port));
    }

    /// Passes on half of the next answer on whichever connection, and closes that.
    pub(crate) fn halve(&self) {
        self.halves.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers that are still to be halved.
    pub(crate) fn to_halve(&self) -> usize {
        self.halves.load(Ordering::Relaxed)
    }
}

async fn connection(client: TcpStream, state: watch::Receiver<State>, halves: Arc<AtomicUsize>) {
    let now = *state.borrow();
    let mut cut = state.clone();
    // Dropped at the end of this block, which closes both directions of both.
    let passing = async {
        let Ok(server) = TcpStream::connect(now.target).await else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let none = Arc::new(AtomicUsize::new(0));
        let (of_client, to_client) = client.into_split();
        let (of_server, to_server) = server.into_split();
        tokio::select! {
            () = pass(of_client, to_server, state.clone(), now.era, none) => {}
            () = pass(of_server, to_client, state, now.era, halves) => {}
        }
    };
    tokio::select! {
        () = passing => {}
        _ = cut.wait_for(|state| state.way == Way::Cut || state.target != now.target) => {}
    }
}

/// Passes on what comes, until one side closes.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    era: u64,
    halves: Arc<AtomicUsize>,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let Ok(read) = from.read(&mut chunk).await else { return };
        let is_open = state.wait_for(|state| state.way == Way::Open && state.era == era).await.is_ok();
        if read == 0 || !is_open {
            return;
        }
        if halves.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |halves| halves.checked_sub(1)).is_ok() {
            let _ = to.write_all(&chunk[..read / 2]).await;
            return;
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn the_proxy_stalls_cuts_forgets_and_halves() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let mut four = [0; 4];
                while stream.read_exact(&mut four).await.is_ok() {
                    stream.write_all(&four).await.unwrap();
                }
            });
        }
    });
    let proxy = Proxy::start(port).await;
    let connect = || TcpStream::connect(("127.0.0.1", proxy.port()));
    let say = async |stream: &mut TcpStream| stream.write_all(b"echo").await.unwrap();
    let quiet = async |stream: &mut TcpStream| {
        let mut one = [0];
        tokio::time::timeout(Duration::from_millis(100), stream.read(&mut one)).await.is_err()
    };
    let mut heard = [0; 4];
    let mut first = connect().await.unwrap();
    say(&mut first).await;
    first.read_exact(&mut heard).await.unwrap();
    proxy.stall();
    say(&mut first).await;
    assert!(quiet(&mut first).await, "stalled");
    proxy.open();
    first.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"echo", "held up, not lost");
    proxy.forget();
    say(&mut first).await;
    assert!(quiet(&mut first).await, "forgotten and not closed");
    let mut second = connect().await.unwrap();
    proxy.halve();
    say(&mut second).await;
    let mut half = Vec::new();
    let _ = second.read_to_end(&mut half).await;
    assert_eq!((half.as_slice(), proxy.to_halve()), (&b"ec"[..], 0));
    let mut third = connect().await.unwrap();
    say(&mut third).await;
    third.read_exact(&mut heard).await.unwrap();
    proxy.cut();
    assert!(matches!(third.read(&mut heard).await, Ok(0) | Err(_)), "cut");
    assert!(matches!(first.read(&mut heard).await, Ok(0) | Err(_)), "cut as well");
}
