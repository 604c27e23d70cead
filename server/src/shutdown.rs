//! Ending in good order: tell everybody, let them finish, wait for the last.

use tokio::sync::{mpsc, watch};

/// Tells the parts of a relay to end, and waits until they have.
pub struct Shutdown {
    begin: watch::Sender<bool>,
    busy: mpsc::Sender<()>,
    all_done: mpsc::Receiver<()>,
}

/// What a part of the relay listens to. While it lives, the shutdown waits for it.
#[derive(Clone)]
pub struct Listener {
    begun: watch::Receiver<bool>,
    _busy: mpsc::Sender<()>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let (busy, all_done) = mpsc::channel(1);
        Self { begin: watch::Sender::new(false), busy, all_done }
    }
}

impl Shutdown {
    /// For one more part.
    #[must_use]
    pub fn listener(&self) -> Listener {
        Listener { begun: self.begin.subscribe(), _busy: self.busy.clone() }
    }

    /// Tells everybody.
    pub fn begin(&self) {
        self.begin.send_replace(true);
    }

    /// Waits until every listener is gone.
    pub async fn done(mut self) {
        drop(self.busy);
        let _ = self.all_done.recv().await;
    }
}

impl Listener {
    /// Waits until the end has begun.
    pub async fn begun(&mut self) {
        // An error means that the shutdown itself is gone, which is an end as well.
        let _ = self.begun.wait_for(|begun| *begun).await;
    }
}
