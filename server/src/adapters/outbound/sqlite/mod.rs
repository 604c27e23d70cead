//! The store of an embedded relay: one SQLite file, one writer, a few readers.

mod accounts;
mod administration;
mod announcements;
mod backup;
mod blobs;
mod chats;
mod deposit;
mod device_list;
mod fault;
mod known;
mod mailboxes;
mod migrate;
mod open;
mod prekeys;
mod readers;
mod recovery;
mod rows;
mod sessions;
mod writer;

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{SqliteConnection, SqlitePool};
use susurro_protocol::ChatId;

pub use backup::{backup, restore};
pub use migrate::{SchemaFault, go, status};
pub use open::{OpenError, Options, migrate};

use self::readers::Readers;
use self::writer::Writer;
use crate::domain::message::Roster;
use crate::domain::token::FamilyId;
use crate::ports::{Answer, Around, Commits, Neighbours, Stance};

/// Rosters that are kept in memory; more chats than these are read again now and then.
const ROSTERS_KEPT: usize = 10_000;

/// A relay's SQLite database.
pub struct SqliteStore {
    readers: SqlitePool,
    mailboxes: Readers,
    writer: Writer,
    rosters: Arc<Mutex<Rosters>>,
    revoked: Arc<Mutex<HashSet<FamilyId>>>,
    /// Up to which row of `revocations` they are known here.
    revocations_read: AtomicI64,
}

impl Neighbours for SqliteStore {
    /// A database in a file has one relay.
    fn look(&self, _: Stance) -> Answer<'_, Around> {
        Box::pin(std::future::ready(Ok(Around::default())))
    }
}

impl SqliteStore {
    /// Opens or makes the database and brings its schema up to date. `commits` hears of every
    /// stored message.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong with the file; nothing is overwritten.
    pub async fn open(options: &Options, commits: Arc<dyn Commits>) -> Result<Self, OpenError> {
        Self::with(open::open(options).await?, options, commits).await
    }

    /// Opens a database that a relay may be working on at this moment, for changes that it hears of
    /// by itself. Nothing of the file or its schema is made or mended.
    ///
    /// # Errors
    ///
    /// [`OpenError`], also for a schema of another version.
    pub async fn open_beside(options: &Options, commits: Arc<dyn Commits>) -> Result<Self, OpenError> {
        Self::with(open::open_beside(options).await?, options, commits).await
    }

    async fn with(
        (connection, readers): (SqliteConnection, SqlitePool),
        options: &Options,
        commits: Arc<dyn Commits>,
    ) -> Result<Self, OpenError> {
        let (revoked, read) = sessions::load_revoked(&readers).await.map_err(|why| OpenError::read(options, &why))?;
        let (messages, mailboxes) = (open::direct(options)?, Readers::open(options)?);
        let writer = Writer::start(messages, connection, options.mailbox, commits);
        let writer = writer.map_err(|why| OpenError::Unusable { path: options.path.clone(), why: why.to_string() })?;
        Ok(Self {
            readers,
            mailboxes,
            writer,
            rosters: Arc::default(),
            revoked: Arc::new(Mutex::new(revoked)),
            revocations_read: AtomicI64::new(read),
        })
    }

    /// Writes what waits and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
        self.mailboxes.close().await;
        self.readers.close().await;
    }

    /// Devices or accounts are others now.
    fn forget_rosters(&self) {
        Rosters::clear(&self.rosters);
    }

    /// The roster that is kept, or the number that a reading of it has to be kept under.
    fn kept_roster(&self, chat: &ChatId) -> Result<Arc<Roster>, u64> {
        let kept = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_chat.get(chat).cloned().ok_or(kept.changes)
    }

    fn keep_roster(&self, chat: ChatId, roster: Arc<Roster>, read_at: u64) {
        let mut kept = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.changes != read_at {
            return;
        }
        if kept.by_chat.len() >= ROSTERS_KEPT {
            kept.by_chat.clear();
        }
        kept.by_chat.insert(chat, roster);
    }
}

/// Rosters in memory.
#[derive(Default)]
struct Rosters {
    by_chat: HashMap<ChatId, Arc<Roster>>,
    /// Counts what changed. A roster that was read before a change is not kept after it: it may be the old one.
    changes: u64,
}

impl Rosters {
    /// Forgets all of them: devices or accounts are others now.
    fn clear(rosters: &Mutex<Self>) {
        let mut kept = rosters.lock().unwrap_or_else(PoisonError::into_inner);
        kept.changes += 1;
        kept.by_chat.clear();
    }

    /// Forgets a roster that a commit has changed.
    fn changed(rosters: &Mutex<Self>, chat: &ChatId) {
        let mut kept = rosters.lock().unwrap_or_else(PoisonError::into_inner);
        kept.changes += 1;
        kept.by_chat.remove(chat);
    }
}
