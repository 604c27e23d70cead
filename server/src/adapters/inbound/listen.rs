//! Sockets, plain or with TLS.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsFiles;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// TLS handshakes at once; more wait in the system's queue.
const HANDSHAKES_MAX: usize = 256;

/// After a failure to accept, usually too many open files: some have to be closed first.
const PAUSE: Duration = Duration::from_millis(100);

/// A TLS identity, ready to be used.
pub struct Tls(Arc<ServerConfig>);

/// Why a TLS identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("cannot read {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not work together.
    #[error("the TLS certificate cannot be used: {0}; check that --tls-cert and --tls-key belong together")]
    Unusable(rustls::Error),
}

/// Reads a TLS identity.
///
/// # Errors
///
/// [`TlsError`].
pub fn tls(files: &TlsFiles) -> Result<Tls, TlsError> {
    let failed = |path: &PathBuf, why: rustls::pki_types::pem::Error| TlsError::File {
        path: path.clone(),
        why: why.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|why| failed(&files.cert, why))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| failed(&files.key, why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls(Arc::new(config)))
}

/// The address of the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Plain>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Plain>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, Secured>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Secured>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Connections as they come.
pub struct Plain(TcpListener);

/// Connections whose TLS handshake is done.
pub struct Secured {
    address: io::Result<SocketAddr>,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

/// Accepts plain connections.
#[must_use]
pub fn plain(listener: TcpListener) -> Plain {
    Plain(listener)
}

/// Accepts TLS connections. Handshakes run beside each other, so that a slow one holds up nobody.
#[must_use]
pub fn secured(listener: TcpListener, tls: Tls) -> Secured {
    let address = listener.local_addr();
    let (done, ready) = mpsc::channel(1);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(tls.0);
        let turns = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            let (stream, peer) = tokio::select! {
                accepted = accept(&listener) => accepted,
                () = done.closed() => return,
            };
            let Ok(turn) = turns.clone().acquire_owned().await else { return };
            let (acceptor, done) = (acceptor.clone(), done.clone());
            tokio::spawn(async move {
                let _turn = turn;
                if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    let _ = done.send((stream, peer)).await;
                }
            });
        }
    });
    Secured { address, ready }
}

impl Listener for Plain {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        accept(&self.0).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TlsStream<TcpStream>, SocketAddr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task ends only after this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.address.as_ref().copied().map_err(|why| io::Error::new(why.kind(), why.to_string()))
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Frames are gathered before they are written; nothing is gained by waiting longer.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(PAUSE).await;
            }
        }
    }
}
