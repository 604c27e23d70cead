//! A certificate for a public name, by itself (RFC 8555): asked for when there is none, renewed in time.
//!
//! The proof that the name is this relay's is given on the relay's own port, by TLS (RFC 8737), so that
//! nothing else has to listen. The authority connects to port 443 of the name.

mod client;
mod files;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::sleep;

use self::files::Files;
use crate::adapters::inbound::listen::{Identity, Tls, TlsError};
use crate::config::Acme;
use crate::metrics::metrics;

/// Between two looks whether it is time to renew.
const LOOK: Duration = Duration::from_secs(3600);

/// After a failure, and at most after many: authorities count failures.
const RETRY: Duration = Duration::from_secs(60);
const RETRY_MAX: Duration = Duration::from_secs(6 * 3600);

/// For how long an order may stay undecided.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    /// The authority refuses, or is not there.
    #[error("the certificate authority: {0}")]
    Authority(#[from] instant_acme::Error),
    /// The authority did not find what it looked for.
    #[error(
        "the certificate authority did not accept the proof ({0}); it has to reach this relay at port 443 of each name"
    )]
    Proof(String),
    /// A file of the account or the certificate.
    #[error("cannot use {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A certificate that cannot be made or used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
}

impl From<TlsError> for AcmeError {
    fn from(error: TlsError) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rcgen::Error> for AcmeError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// Keeps `tls` supplied, for ever. What was obtained before, kept in `data_dir`, is shown right away.
pub(crate) async fn keep(settings: Acme, data_dir: PathBuf, tls: Tls) {
    let files = Files::of(&data_dir, &settings);
    let mut patience = RETRY;
    loop {
        let wait = match supply(&settings, &files, &tls).await {
            Ok(renewed) => {
                patience = RETRY;
                if renewed {
                    metrics().certificate_loaded(true);
                    tracing::info!("a new certificate was obtained");
                }
                LOOK
            }
            Err(error) => {
                metrics().certificate_loaded(false);
                tracing::error!(%error, again_in_seconds = patience.as_secs(), "there is no new certificate");
                let wait = patience;
                patience = (patience * 2).min(RETRY_MAX);
                wait
            }
        };
        sleep(wait).await;
    }
}

/// Shows the certificate on disk, and obtains a new one when its time comes. Says whether it did.
async fn supply(settings: &Acme, files: &Files, tls: &Tls) -> Result<bool, AcmeError> {
    let kept = files.certificate()?.and_then(|(chain, key)| Kept::read(&chain, &key, &settings.domains).ok());
    let is_due = kept.as_ref().is_none_or(Kept::is_due);
    if let Some(kept) = kept {
        tls.show(kept.identity);
    }
    if !is_due {
        return Ok(false);
    }
    let (chain, key) = obtain(settings, files, tls).await?;
    let fresh = Kept::read(&chain, &key, &settings.domains)?;
    files.keep_certificate(&chain, &key)?;
    tls.show(fresh.identity);
    Ok(true)
}

/// A certificate as it was obtained.
struct Kept {
    identity: Identity,
    begins: i64,
}

impl Kept {
    fn read(chain: &str, key: &str, domains: &[String]) -> Result<Self, AcmeError> {
        let malformed = |what: &str| AcmeError::Certificate(what.to_owned());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| malformed("the chain is not PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| malformed("the key is not PEM"))?;
        let own = chain.first().ok_or_else(|| malformed("the chain is empty"))?;
        let (_, read) =
            x509_parser::parse_x509_certificate(own).map_err(|_| malformed("the certificate is damaged"))?;
        let begins = read.validity().not_before.timestamp();
        let names = read.subject_alternative_name().ok().flatten().map(|names| &names.value.general_names);
        let covers = |domain: &String| {
            let is_it = |name: &x509_parser::extensions::GeneralName<'_>| matches!(name, x509_parser::extensions::GeneralName::DNSName(name) if name == domain);
            names.is_some_and(|names| names.iter().any(is_it))
        };
        if !domains.iter().all(covers) {
            return Err(malformed("it is for other names"));
        }
        Ok(Self { identity: Identity::of(chain, key)?, begins })
    }

    /// Whether less than a third of its time is left.
    fn is_due(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.identity.ends - now < (self.identity.ends - self.begins) / 3
    }
}

async fn account(settings: &Acme, files: &Files) -> Result<Account, AcmeError> {
    let http = || client::client(settings.ca.as_deref());
    if let Some(credentials) = files.account()? {
        return Ok(Account::builder_with_http(http()?).from_credentials(credentials).await?);
    }
    let contact: Vec<String> = settings.contact.iter().map(|address| format!("mailto:{address}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let asked = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(http()?);
    let (account, credentials) = builder.create(&asked, settings.directory.clone(), None).await?;
    files.keep_account(&credentials)?;
    Ok(account)
}

/// Asks for a certificate: chain and key as PEM.
async fn obtain(settings: &Acme, files: &Files, tls: &Tls) -> Result<(String, String), AcmeError> {
    let account = account(settings, files).await?;
    let names: Vec<Identifier> = settings.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .ok_or_else(|| AcmeError::Proof("it does not offer tls-alpn-01".to_owned()))?;
        let name = challenge.identifier().to_string();
        tls.prove(&name, proof(&name, challenge.key_authorization().digest().as_ref())?);
        challenge.set_ready().await?;
    }
    let patience = RetryPolicy::new().timeout(PATIENCE);
    let status = order.poll_ready(&patience).await;
    tls.prove_nothing();
    match status? {
        OrderStatus::Ready => {}
        other => return Err(AcmeError::Proof(format!("the order is {other:?}"))),
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&patience).await?;
    Ok((chain, key))
}

/// What RFC 8737 asks for: a certificate for the name that nobody vouches for, with the hash in it.
fn proof(name: &str, digest: &[u8]) -> Result<Identity, AcmeError> {
    if digest.len() != 32 {
        return Err(AcmeError::Certificate("the hash of the proof has a wrong length".to_owned()));
    }
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()])?;
    parameters.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
    let certificate = parameters.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| AcmeError::Certificate(why.to_owned()))?;
    Ok(Identity::of_proof(certificate.der().clone(), key)?)
}

/// Reads the certificates of an authority that this machine does not know.
fn read(path: &Path) -> Result<Vec<u8>, AcmeError> {
    std::fs::read(path).map_err(|why| AcmeError::File { path: path.to_owned(), why })
}
