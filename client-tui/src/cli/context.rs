//! What every command with a profile needs.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use susurro_client_core::client::Client;
use susurro_client_core::{Error, Secret};
use susurro_tui::i18n::{Key, Texts};

use super::failure::Failure;
use super::secrets::{self, Kind};
use super::{signal, talk};

/// What every command with a profile needs.
pub(crate) struct Context {
    pub(crate) texts: Arc<Texts>,
    pub(crate) profile: PathBuf,
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl Context {
    /// Says something to the person.
    pub(crate) fn say(&self, key: Key) {
        talk(&self.texts.get(key));
    }

    /// The passphrase of the profile.
    pub(crate) fn passphrase(&self) -> Result<Secret, Failure> {
        secrets::read(&self.texts, Kind::Passphrase, self.passphrase_file.as_deref(), false)
    }

    /// A passphrase for a profile that is made now: asked for twice.
    pub(crate) fn new_passphrase(&self) -> Result<Secret, Failure> {
        secrets::read(&self.texts, Kind::Passphrase, self.passphrase_file.as_deref(), true)
    }

    /// Opens the profile, lets `work` use it, and closes it whatever came of that. A signal ends
    /// the work where it waits; everything that was durable before stays so.
    pub(crate) fn with_client<F, Out>(&self, work: impl FnOnce(Client) -> F) -> Result<Out, Failure>
    where
        F: Future<Output = Result<Out, Failure>>,
    {
        self.with_client_to_the_end(|client| async move {
            tokio::select! {
                biased;
                outcome = work(client) => outcome,
                number = signal::received() => Err(Failure::Signal(number)),
            }
        })
    }

    /// As [`with_client`](Self::with_client), for work that looks after signals itself.
    pub(crate) fn with_client_to_the_end<F, Out>(&self, work: impl FnOnce(Client) -> F) -> Result<Out, Failure>
    where
        F: Future<Output = Result<Out, Failure>>,
    {
        // Before anyone is asked for the passphrase of nothing.
        block_on(async {
            if Client::exists(&self.profile).await { Ok(()) } else { Err(Failure::from(Error::NoProfile)) }
        })?;
        let passphrase = self.passphrase()?;
        block_on(async {
            let client = Client::open(&self.profile, passphrase).await?;
            log_connection(&client);
            let outcome = work(client.clone()).await;
            client.close().await;
            outcome
        })
    }
}

/// For whoever asked for logs: every change of the connection, until the client is closed.
fn log_connection(client: &Client) {
    let mut connection = client.connection();
    tokio::spawn(async move {
        while connection.changed().await.is_ok() {
            tracing::debug!(connection = ?*connection.borrow_and_update(), "the connection changed");
        }
    });
}

/// Runs a command to its end.
pub(crate) fn block_on<Out>(work: impl Future<Output = Result<Out, Failure>>) -> Result<Out, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::System)?
        .block_on(work)
}
