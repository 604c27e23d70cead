//! Alice and Bob: two real clients in this process, each with a profile of its own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::time::Duration;

use susurro_client_core::client::Client;
use susurro_client_core::model::Connection;
use susurro_client_core::{Error, Secret};

use super::DemoError;

/// How long a connection to a relay on this machine may take.
const CONNECT: Duration = Duration::from_secs(60);

/// Who is at which side of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Left.
    Alice,
    /// Right.
    Bob,
}

impl Who {
    /// Name on the relay.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

/// Both of them.
pub(crate) struct People {
    /// Left.
    pub(crate) alice: Client,
    /// Right.
    pub(crate) bob: Client,
    /// What the relay must never see, with what it is.
    pub(crate) secrets: Vec<(String, String)>,
}

impl People {
    /// Makes both accounts, at the same time.
    pub(crate) async fn register(profiles: &Path, relay: &str) -> Result<Self, Error> {
        let mut secrets = Vec::new();
        let mut secret = |who: Who, what: &str| {
            let text = format!("{what} {} {}", who.name(), random());
            secrets.push((format!("the {what} of {}", who.name()), text.clone()));
            Secret::new(text)
        };
        let (alice, bob) = tokio::try_join!(
            register(profiles, relay, Who::Alice, secret(Who::Alice, "password"), secret(Who::Alice, "passphrase")),
            register(profiles, relay, Who::Bob, secret(Who::Bob, "password"), secret(Who::Bob, "passphrase")),
        )?;
        Ok(Self { alice, bob, secrets })
    }

    /// The client of one of them.
    pub(crate) const fn client(&self, who: Who) -> &Client {
        match who {
            Who::Alice => &self.alice,
            Who::Bob => &self.bob,
        }
    }

    /// Waits until the connection of one of them is as wanted.
    pub(crate) async fn until(&self, who: Who, what: &str, is: impl Fn(&Connection) -> bool) -> Result<(), DemoError> {
        let mut connection = self.client(who).connection();
        match tokio::time::timeout(CONNECT, connection.wait_for(|now| is(now))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(DemoError::Wrong(format!("the client of {} stopped", who.name()))),
            Err(_) => {
                let now = self.client(who).connection().borrow().clone();
                Err(DemoError::Wrong(format!("{} waited in vain {what}; the connection is {now:?}", who.name())))
            }
        }
    }

    /// Closes both profiles.
    pub(crate) async fn close(&self) {
        tokio::join!(self.alice.clone().close(), self.bob.clone().close());
    }
}

async fn register(
    profiles: &Path,
    relay: &str,
    who: Who,
    password: Secret,
    passphrase: Secret,
) -> Result<Client, Error> {
    Client::register(&profiles.join(who.name()), relay, who.name(), password, passphrase).await
}

/// Different in every run, so that a search cannot find what an earlier run left behind, and nobody
/// else on this machine logs in. It protects a few minutes of sample text.
fn random() -> String {
    format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1))
}
