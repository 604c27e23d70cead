//! Reading mailboxes: a page of messages is read on a thread that may block, in one piece, instead
//! of row by row through the thread of another connection.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::fault;
use super::open::{self, OpenError, Options};
use crate::domain::Error;

/// Connections, each of which reads for one mailbox at a time.
const READERS: usize = 2;

/// Connections that read mailboxes.
#[derive(Clone)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(options: &Options) -> Result<Self, OpenError> {
        let idle = (0..READERS).map(|_| open::reader(options)).collect::<Result<_, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), turns: Arc::new(Semaphore::new(READERS)) })
    }

    /// Runs `read` when it is its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let closed = || Error::Storage("the store is closed".to_owned());
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| closed())?;
        let idle = self.idle.clone();
        let done = spawn_blocking(move || {
            let _turn = turn;
            let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = connection.ok_or_else(closed)?;
            let done = read(&connection).map_err(|error| fault::hot(&error));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            done
        });
        done.await.map_err(|error| Error::Internal(format!("a read ended early: {error}")))?
    }

    /// Waits for the last read and closes the connections.
    pub(super) async fn close(&self) {
        if self.turns.acquire_many(READERS as u32).await.is_ok() {
            self.turns.close();
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}
