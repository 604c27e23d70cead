//! Who is at the other end, and with which certificate the relay shows itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::config::TlsFiles;

/// A TLS identity, ready to be used.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Shakes hands as this identity.
    pub(in crate::adapters::inbound) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        TlsAcceptor::from(self.0.clone()).accept(stream)
    }
}

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
