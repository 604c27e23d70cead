//! Who is at the other end, and with which certificate the relay shows itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::config::TlsFiles;
use crate::metrics::metrics;

/// Protocols that are spoken over TLS; the second one only to a certificate authority that wants to see
/// whether the name is this relay's (RFC 8737).
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"acme-tls/1"];

/// TLS, with an identity that can be exchanged while connections go on.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

/// What is shown to who connects.
#[derive(Debug, Default)]
struct Shown {
    identity: RwLock<Option<Arc<CertifiedKey>>>,
    proofs: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asks_for_proof = hello.alpn().is_some_and(|mut names| names.any(|name| name == PROTOCOLS[1]));
        if asks_for_proof {
            let proofs = self.proofs.read().unwrap_or_else(PoisonError::into_inner);
            return proofs.get(hello.server_name()?).cloned();
        }
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tls {
    /// TLS that nobody can shake hands with until there is an identity.
    ///
    /// # Errors
    ///
    /// [`TlsError::Unusable`] when the cryptography is not there.
    pub fn new() -> Result<Self, TlsError> {
        let shown = Arc::new(Shown::default());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self { config: Arc::new(config), shown })
    }

    /// TLS with the identity in these files.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn of_files(files: &TlsFiles) -> Result<Self, TlsError> {
        let tls = Self::new()?;
        tls.show(Identity::of_files(files)?);
        Ok(tls)
    }

    /// Shows this identity from now on. Connections that are open keep theirs.
    pub fn show(&self, identity: Identity) {
        metrics().certificate_expiry.set(identity.ends);
        *self.shown.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(identity.key);
    }

    /// What to show to a certificate authority that asks for a proof for this name.
    pub fn prove(&self, name: &str, proof: Identity) {
        let mut proofs = self.shown.proofs.write().unwrap_or_else(PoisonError::into_inner);
        proofs.insert(name.to_owned(), proof.key);
    }

    /// Nothing is to be proved any more.
    pub fn prove_nothing(&self) {
        self.shown.proofs.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Shakes hands as this identity.
    pub(in crate::adapters::inbound) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        TlsAcceptor::from(self.config.clone()).accept(stream)
    }
}

/// A certificate chain and its private key.
#[derive(Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// When the certificate ends, in seconds since 1970.
    pub ends: i64,
}

impl Identity {
    /// Reads an identity from PEM files.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn of_files(files: &TlsFiles) -> Result<Self, TlsError> {
        let failed = |path: &PathBuf, why: pem::Error| TlsError::File { path: path.clone(), why: why.to_string() };
        let chain = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|why| failed(&files.cert, why))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| failed(&files.key, why))?;
        Self::of(chain, key)
    }

    /// An identity of a chain, the relay's own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError::Unusable`] when they do not belong together.
    pub fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let ends = chain.first().and_then(|own| ends(own)).unwrap_or_default();
        let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(TlsError::Unusable)?;
        Ok(Self { key: Arc::new(key), ends })
    }
}

impl Identity {
    /// What is shown to a certificate authority alone: its certificate has a critical extension that no other
    /// check of certificates takes.
    ///
    /// # Errors
    ///
    /// [`TlsError::Unusable`] when the key is none.
    pub fn of_proof(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let ends = ends(&certificate).unwrap_or_default();
        let key = default_provider().key_provider.load_private_key(key).map_err(TlsError::Unusable)?;
        Ok(Self { key: Arc::new(CertifiedKey::new(vec![certificate], key)), ends })
    }
}

/// When a certificate ends, in seconds since 1970.
#[must_use]
pub fn ends(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
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

/// The address of the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);
