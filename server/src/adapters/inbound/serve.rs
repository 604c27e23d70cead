//! Connections from their acceptance to their end, each with a bound on what it may cost.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service as _;

use super::address;
use super::listen::{Peer, Tls};
use super::patient::Patient;
use super::places::{Place, Places};
use crate::domain::proxies::Proxies;
use crate::shutdown::Listener;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Bytes of one request's head. An access token in the query is a few hundred.
const HEAD_MAX: usize = 16 * 1024;

/// Headers of one request: browsers behind proxies send about thirty.
const HEADERS_MAX: usize = 64;

/// After a failure to accept, usually too many open files: some have to be closed first.
const PAUSE: Duration = Duration::from_millis(100);

/// Between two lines in the log that say the same of accepting.
const SAID_AGAIN: Duration = Duration::from_secs(10);

/// Connections of one address, when the operator has not chosen a number: a large office behind one
/// address, with a connection for each person and some for requests.
const OF_ADDRESS: u32 = 512;

/// How many connections there may be, and how long they may dawdle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. More wait in the system's queue.
    pub connections: u32,
    /// Connections at once of one address; more are closed right away. `None` for 512, and no bound for
    /// this machine itself, which is a proxy or a test. Not counted for proxies that are declared.
    pub of_address: Option<u32>,
    /// From the first moment of a connection, or from the end of the answer before, to the end of a
    /// request's head.
    pub head: Duration,
    /// For a request's body to come, once its head is there.
    pub body: Duration,
    /// For something to get through to a client that is written to.
    pub write: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 50_000,
            of_address: None,
            head: Duration::from_secs(20),
            // The largest body at the speed of a bad telephone line.
            body: Duration::from_secs(60),
            write: Duration::from_secs(90),
        }
    }
}

impl Bounds {
    /// As many connections as fit into the open files that the system allows this process, with some
    /// left for everything else.
    #[must_use]
    pub fn within(self, open_files: Option<u32>) -> Self {
        const OTHER_FILES: u32 = 128;
        let fit = open_files.map_or(u32::MAX, |files| files.saturating_sub(OTHER_FILES).max(files / 2));
        Self { connections: self.connections.min(fit).max(1), ..self }
    }

    fn of(&self, address: IpAddr) -> u32 {
        let usual = if address.is_loopback() { u32::MAX } else { OF_ADDRESS };
        self.of_address.unwrap_or(usual)
    }
}

/// How long the body of a request may take, told to whoever reads it.
#[derive(Debug, Clone, Copy)]
pub(in crate::adapters::inbound) struct BodyPatience(pub(in crate::adapters::inbound) Duration);

/// What a connection has as long as it is open, upgraded or not.
type Belongs = (OwnedSemaphorePermit, Option<Place<IpAddr>>);

/// What every connection is served with.
#[derive(Clone)]
struct Host {
    router: Router,
    tls: Option<Tls>,
    bounds: Bounds,
    shutdown: Listener,
}

/// Serves every connection of `listener` until the shutdown begins; then each ends after the request
/// that it is at.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    bounds: Bounds,
    proxies: Proxies,
    shutdown: Listener,
) {
    let room = Arc::new(Semaphore::new(bounds.connections as usize));
    let addresses = Places::<IpAddr>::default();
    let host = Host { router, tls, bounds, shutdown: shutdown.clone() };
    let mut begun = shutdown;
    let mut full = Said::default();
    loop {
        if room.available_permits() == 0 && full.again() {
            tracing::warn!(connections = bounds.connections, "no connection more can be taken until one ends");
        }
        let accepted = tokio::select! {
            () = begun.begun() => return,
            accepted = next(&room, &listener) => accepted,
        };
        let Some((permit, stream, peer)) = accepted else { return };
        let place = if proxies.hold(peer.ip()) {
            None
        } else {
            let asker = address::asker(peer.ip());
            match addresses.take(asker, bounds.of(asker)) {
                Some(place) => Some(place),
                None => continue,
            }
        };
        tokio::spawn(welcome(host.clone(), stream, peer, (permit, place)));
    }
}

/// A connection and the room for it.
async fn next(room: &Arc<Semaphore>, listener: &TcpListener) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    let mut failed = Said::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Frames are gathered before they are written; nothing is gained by waiting longer.
                let _ = stream.set_nodelay(true);
                return Some((permit, stream, peer));
            }
            Err(error) => {
                if failed.again() {
                    tracing::warn!(%error, "cannot accept connections");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

async fn welcome(host: Host, stream: TcpStream, peer: SocketAddr, belongs: Belongs) {
    match host.tls.clone() {
        None => talk(host, stream, peer, belongs).await,
        Some(tls) => {
            // In the connection's own task, so that a slow handshake holds up nobody.
            let mut shutdown = host.shutdown.clone();
            let shaken = tokio::select! {
                shaken = timeout(HANDSHAKE, tls.accept(stream)) => shaken,
                () = shutdown.begun() => return,
            };
            if let Ok(Ok(stream)) = shaken {
                drop(shutdown);
                talk(host, stream, peer, belongs).await;
            }
        }
    }
}

async fn talk<S>(host: Host, stream: S, peer: SocketAddr, belongs: Belongs)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Host { router, bounds, mut shutdown, .. } = host;
    let stream = TokioIo::new(Patient::new(stream, bounds.write, belongs));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        request.extensions_mut().insert(BodyPatience(bounds.body));
        answer(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(mut router: Router, request: hyper::Request<Body>) -> Result<Response, Infallible> {
    router.call(request).await
}

/// The open files that the system allows this process, where that is easily known.
#[must_use]
pub fn open_files() -> Option<u32> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// When something was said the last time.
#[derive(Default)]
struct Said(Option<Instant>);

impl Said {
    /// Whether it is time to say it again.
    fn again(&mut self) -> bool {
        let again = self.0.is_none_or(|at| at.elapsed() >= SAID_AGAIN);
        if again {
            self.0 = Some(Instant::now());
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_connections_than_open_files() {
        let bounds = Bounds::default();
        assert_eq!(bounds.within(None).connections, 50_000);
        assert_eq!(bounds.within(Some(20_000)).connections, 19_872);
        assert_eq!(bounds.within(Some(100)).connections, 50);
    }

    #[test]
    fn this_machine_is_bounded_only_when_the_operator_says_so() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let there = IpAddr::from([192, 0, 2, 1]);
        let usual = Bounds::default();
        assert_eq!((usual.of(here), usual.of(there)), (u32::MAX, 512));
        let chosen = Bounds { of_address: Some(3), ..usual };
        assert_eq!((chosen.of(here), chosen.of(there)), (3, 3));
    }
}
