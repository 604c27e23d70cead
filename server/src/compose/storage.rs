//! Which store, by the URL of the database.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{StartError, make_data_dir};
use crate::adapters::outbound::postgres::{self, PostgresStore};
use crate::adapters::outbound::sqlite::{self, SqliteStore};
use crate::config::{Config, Database};
use crate::domain::schema::{Move, Step};
use crate::ports::{
    Accounts, Administration, Announcements, Answer, BlobRecords, Chats, Commits, Devices, Invites, Mailboxes,
    Neighbours, Prekeys, Sessions,
};

/// Every port that a database stands behind.
pub(super) trait Store:
    Accounts
    + Administration
    + Announcements
    + BlobRecords
    + Invites
    + Devices
    + Prekeys
    + Chats
    + Mailboxes
    + Sessions
    + Neighbours
{
    /// Writes what waits and lets go of the database.
    fn close(&self) -> Answer<'_, ()>;
}

impl Store for SqliteStore {
    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            SqliteStore::close(self).await;
            Ok(())
        })
    }
}

impl Store for PostgresStore {
    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            PostgresStore::close(self).await;
            Ok(())
        })
    }
}

/// Opens the store of this configuration and brings its schema up to date.
pub(super) async fn open(
    config: &Config,
    fingerprint: [u8; 32],
    commits: Arc<dyn Commits>,
) -> Result<Arc<dyn Store>, StartError> {
    Ok(match config.database()? {
        Database::Sqlite(path) => {
            let options = sqlite::Options { path, mailbox: config.mailbox, size_max: config.database_max };
            Arc::new(SqliteStore::open(&options, commits).await?)
        }
        Database::Postgres(url) => {
            let options = postgres_options(config, url.reveal(), Some(fingerprint));
            Arc::new(PostgresStore::open(&options, commits).await?)
        }
    })
}

/// Opens the store of this configuration as it is, for a command beside relays that may be running.
pub(super) async fn open_beside(config: &Config, commits: Arc<dyn Commits>) -> Result<Arc<dyn Store>, StartError> {
    Ok(match config.database()? {
        Database::Sqlite(path) => {
            let options = sqlite::Options { path, mailbox: config.mailbox, size_max: config.database_max };
            Arc::new(SqliteStore::open_beside(&options, commits).await?)
        }
        Database::Postgres(url) => {
            let options = postgres_options(config, url.reveal(), None);
            Arc::new(PostgresStore::open(&options, commits).await?)
        }
    })
}

/// Moves the schema of this configuration's database; gives its steps before and after.
///
/// # Errors
///
/// [`StartError`] says what is in the way: a relay that is running, a database that is none.
pub async fn migrate(config: &Config, to: Move) -> Result<(Vec<Step>, Vec<Step>), StartError> {
    match config.database()? {
        Database::Sqlite(path) => {
            // Looking is allowed beside a running relay.
            let _locks = if to == Move::Stay {
                Vec::new()
            } else {
                make_data_dir(&config.data_dir)?;
                lock(config)?
            };
            Ok(sqlite::migrate(&path, to).await?)
        }
        Database::Postgres(url) => {
            let options = postgres_options(config, url.reveal(), None);
            Ok(postgres::migrate(&options, to).await?)
        }
    }
}

pub(super) fn postgres_options(config: &Config, url: &str, fingerprint: Option<[u8; 32]>) -> postgres::Options {
    postgres::Options {
        url: Zeroizing::new(url.to_owned()),
        password: config.database_password.as_ref().map(|password| Zeroizing::new(password.reveal().to_owned())),
        fingerprint,
        connections: config.database_connections,
        mailbox: config.mailbox,
    }
}

/// Keeps others away from a database in a file, for as long as these files are open. A database on a
/// server is for any number of nodes.
pub(super) fn lock(config: &Config) -> Result<Vec<File>, StartError> {
    let Database::Sqlite(path) = config.database()? else { return Ok(Vec::new()) };
    let mut locks = vec![lock_file(&config.data_dir.join("relay.lock"))?];
    if path.parent() != Some(&config.data_dir) {
        let mut beside = path.into_os_string();
        beside.push(".lock");
        locks.push(lock_file(Path::new(&beside))?);
    }
    Ok(locks)
}

/// Holds a lock for as long as the file is open; the system gives it back after any kind of end.
fn lock_file(path: &Path) -> Result<File, StartError> {
    let failed = |why| StartError::DataDir { path: path.to_owned(), why };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::Locked(path.to_owned())),
        Err(fs::TryLockError::Error(why)) => Err(failed(why)),
    }
}
