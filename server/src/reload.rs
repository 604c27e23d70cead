//! Files that change while the relay runs: its certificate, and the keys of its tokens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::adapters::inbound::listen::{Identity, Tls};
use crate::adapters::outbound::jwt::JwtTokens;
use crate::adapters::outbound::secrets::TokenKeys;
use crate::config::TlsFiles;
use crate::metrics::metrics;

/// What is kept as it is on disk.
pub(crate) struct Kept {
    /// Where the keys of tokens are.
    pub(crate) secrets_dir: PathBuf,
    /// What uses them.
    pub(crate) tokens: Arc<JwtTokens>,
    /// What shows the certificate, and its files.
    pub(crate) certificate: Option<(Tls, TlsFiles)>,
}

/// What tells one state of a file from another, as far as that is known without reading it.
type Stamp = Option<(SystemTime, u64)>;

/// Looks now and then, and when told to. What cannot be used stays unused: the relay goes on with what it
/// has, and says so in log and metrics.
pub(crate) async fn keep(kept: Kept, every: Duration, told: Arc<Notify>) {
    let mut seen = kept.certificate.as_ref().map(|(_, files)| stamps(files));
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let was_told = tokio::select! {
            _ = rounds.tick() => false,
            () = told.notified() => true,
        };
        token_keys(&kept);
        if let Some((tls, files)) = &kept.certificate {
            let now = Some(stamps(files));
            if was_told || now != seen {
                seen = now;
                certificate(tls, files);
            }
        }
    }
}

fn stamps(files: &TlsFiles) -> [Stamp; 2] {
    let stamp = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    [stamp(&files.cert), stamp(&files.key)]
}

fn certificate(tls: &Tls, files: &TlsFiles) {
    let read = Identity::of_files(files);
    metrics().certificate_loaded(read.is_ok());
    match read {
        Ok(identity) => {
            tls.show(identity);
            tracing::info!("the certificate was read anew");
        }
        // Certificate and key are two files: between the change of one and of the other they do not fit, and
        // the next look finds both changed.
        Err(error) => tracing::error!(%error, "the new certificate cannot be used; the old one stays"),
    }
}

fn token_keys(kept: &Kept) {
    let replaced = TokenKeys::read(&kept.secrets_dir).map_err(|error| error.to_string()).and_then(|keys| {
        let signing = keys.signing().unwrap_or_default().to_owned();
        let changed = kept.tokens.replace(&keys.verifying(), &signing).map_err(|error| error.to_string())?;
        Ok(changed.then_some(signing))
    });
    match replaced {
        Ok(Some(signing)) => tracing::info!(signing, "the keys of tokens have changed"),
        Ok(None) => {}
        Err(error) => tracing::error!(error, "the keys of tokens cannot be read; the old ones stay"),
    }
}
