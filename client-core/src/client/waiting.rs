//! Waiting for something to happen at the relay or with a person: for scripts, which have no eyes.

use std::time::Duration;

use susurro_protocol::{AccountName, MessageId};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Client;
use crate::driver::Job;
use crate::error::Error;
use crate::model::{Connection, Contact, Delivery, Trouble};

/// For a connection that somebody waits for.
const CONNECT: Duration = Duration::from_secs(15);

/// For a name to be resolved.
const RESOLVE: Duration = Duration::from_secs(30);

/// What the connection means for somebody who waits.
struct Patience {
    /// Whether there was a connection since the wait began: then one that is lost is waited for
    /// again. A relay that was never there is told at once.
    connected: bool,
    last: Option<Trouble>,
}

impl Patience {
    const fn new() -> Self {
        Self { connected: false, last: None }
    }

    /// The trouble that ends the wait, if any.
    fn look(&mut self, connection: &Connection) -> Option<Trouble> {
        match connection {
            Connection::Connected => {
                self.connected = true;
                self.last = None;
                None
            }
            Connection::Blocked(trouble) => Some(trouble.clone()),
            Connection::Waiting { trouble, .. } => {
                self.last = Some(trouble.clone());
                let hopeless = matches!(trouble, Trouble::Unreachable | Trouble::NotARelay);
                (hopeless && !self.connected).then(|| trouble.clone())
            }
            Connection::Offline | Connection::Connecting => None,
        }
    }
}

impl Client {
    /// Waits until a message of ours came at least so far.
    ///
    /// # Errors
    ///
    /// Why it failed ([`Error::UnknownPeer`], [`Error::Rejected`], …), what blocks the connection,
    /// [`Error::ContactKeyChanged`], or what was in the way when the time ran out. The message
    /// stays queued unless it failed.
    pub async fn wait_for(&self, message: MessageId, at_least: Delivery, timeout: Duration) -> Result<Delivery, Error> {
        let deadline = Instant::now() + timeout;
        let mut events = self.events();
        let mut connection = self.connection();
        let mut patience = Patience::new();
        loop {
            let view = self.inner.store.message(message).await?.ok_or(Error::UnknownMessage)?;
            match view.delivery {
                Delivery::Failed(code) => return Err(self.inner.delivery_failure(code, view.peer.as_str())),
                reached if reached >= at_least => return Ok(reached),
                _ => {}
            }
            // What the relay has is on its way, whatever became of the contact.
            let contact = self.inner.store.contact(&view.peer).await?;
            if view.delivery == Delivery::Queued && contact.is_some_and(|contact| !contact.trust.may_send()) {
                return Err(Error::ContactKeyChanged(view.peer.as_str().to_owned()));
            }
            let state = connection.borrow_and_update().clone();
            if let Some(trouble) = patience.look(&state) {
                return Err(self.inner.trouble(&trouble).await);
            }
            let something = async {
                tokio::select! {
                    event = events.recv() => !matches!(event, Err(tokio::sync::broadcast::error::RecvError::Closed)),
                    changed = connection.changed() => changed.is_ok(),
                }
            };
            match timeout_at(deadline, something).await {
                Ok(true) => {}
                Ok(false) => return Err(Error::Closed),
                Err(_) => return Err(self.out_of_time(patience.last).await),
            }
        }
    }

    /// Waits until nothing is left to do: connected, everything fetched that waited, and
    /// everything sent that can be.
    ///
    /// # Errors
    ///
    /// What blocks the connection, or what was in the way when the time ran out.
    pub async fn synced(&self, timeout: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + timeout;
        let mut settled = self.inner.shown.settled.subscribe();
        let mut connection = self.connection();
        let mut patience = Patience::new();
        loop {
            if *settled.borrow_and_update() {
                return Ok(());
            }
            let state = connection.borrow_and_update().clone();
            if let Some(trouble) = patience.look(&state) {
                return Err(self.inner.trouble(&trouble).await);
            }
            let something = async {
                tokio::select! {
                    changed = settled.changed() => changed.is_ok(),
                    changed = connection.changed() => changed.is_ok(),
                }
            };
            match timeout_at(deadline, something).await {
                Ok(true) => {}
                Ok(false) => return Err(Error::Closed),
                Err(_) => return Err(self.out_of_time(patience.last).await),
            }
        }
    }

    /// Finds somebody by name and pins their key. Goes online for it where there is need.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPeer`], [`Error::Yourself`], [`Error::BadName`], and what is in the way of
    /// the connection.
    pub async fn start_chat(&self, peer: &str) -> Result<Contact, Error> {
        let name: AccountName = peer.parse()?;
        if name == self.inner.me.name {
            return Err(Error::Yourself);
        }
        if let Some(contact) = self.inner.store.contact(&name).await? {
            return Ok(contact);
        }
        self.wait_until_connected().await?;
        let (reply, outcome) = oneshot::channel();
        self.inner.jobs.send(Job::StartChat(name, reply)).await.map_err(|_| Error::Closed)?;
        match timeout_at(Instant::now() + RESOLVE, outcome).await {
            Ok(Ok(outcome)) => outcome.map_err(|failure| self.inner.start_failure(failure, peer)),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Timeout),
        }
    }

    pub(super) async fn wait_until_connected(&self) -> Result<(), Error> {
        self.connected(CONNECT).await
    }

    /// Goes online and waits for the connection. A relay that is not there is told at once.
    ///
    /// # Errors
    ///
    /// What is in the way of the connection.
    pub async fn connected(&self, timeout: Duration) -> Result<(), Error> {
        let mut connection = self.connection();
        if *connection.borrow() != Connection::Connected {
            self.go_online();
        }
        let deadline = Instant::now() + timeout;
        let mut patience = Patience::new();
        loop {
            let state = connection.borrow_and_update().clone();
            if let Some(trouble) = patience.look(&state) {
                return Err(self.inner.trouble(&trouble).await);
            }
            if patience.connected {
                return Ok(());
            }
            match timeout_at(deadline, connection.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Error::Closed),
                Err(_) => return Err(self.out_of_time(patience.last).await),
            }
        }
    }

    /// What is in the way of the connection, for a person.
    pub async fn explain(&self, trouble: &Trouble) -> Error {
        self.inner.trouble(trouble).await
    }

    async fn out_of_time(&self, trouble: Option<Trouble>) -> Error {
        match trouble {
            Some(trouble) => self.inner.trouble(&trouble).await,
            None => Error::Timeout,
        }
    }
}
