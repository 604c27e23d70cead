//! Where a client keeps everything: the port, and its SQLCipher adapter.
//!
//! A profile is a directory (mode 0700) of `key` (the database key, wrapped by the passphrase),
//! `store.db` (SQLCipher) with its write-ahead log, and `lock` (held by the one process that
//! uses it).

pub mod port;

mod columns;
mod commit;
mod connection;
mod directory;
mod error;
mod load;
pub(crate) mod spool;
mod timeline;

use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use zeroize::Zeroizing;

use connection::Connection;
pub use directory::Directory;
pub use error::{KEY_FILE, StoreError};

use port::{Relay, Snapshot, Transaction};
use susurro_protocol::AnnouncementId;

use crate::model::Announcement;

/// The random key of a database. Only ever kept wrapped.
pub struct DatabaseKey(Zeroizing<[u8; 32]>);

impl DatabaseKey {
    /// Takes 32 uniformly random bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for wrapping.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseKey(redacted)")
    }
}

/// How far the registration of a profile came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Made, not yet sent to the relay.
    Made,
    /// Sent; the relay may or may not have taken it.
    Sent,
    /// Taken.
    Done,
}

/// What a new profile starts with.
pub struct NewProfile {
    /// Wanted or registered name.
    pub name: susurro_protocol::AccountName,
    /// The relay, whose key is pinned by this.
    pub relay: Relay,
    /// Bytes of the account key.
    pub account_key: Zeroizing<[u8; 32]>,
    /// Bytes of the device.
    pub device: Zeroizing<Vec<u8>>,
    /// Bytes of the prekeys.
    pub prekeys: Zeroizing<Vec<u8>>,
    /// This account's own device list, as msgpack of `SignedBytes`.
    pub device_list: (susurro_protocol::AccountId, Vec<u8>),
}

/// An open store: one connection that writes, one that reads for the faces meanwhile.
///
/// It holds the profile's lock for as long as it lives.
pub struct Store {
    path: PathBuf,
    writer: Mutex<Option<Connection>>,
    reader: Mutex<Option<Connection>>,
    directory: Mutex<Option<Directory>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

impl Store {
    /// Makes the database of a new profile and opens it. It gets its name only when it is whole,
    /// so a database that is not is always damage, never an interrupted creation.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; an existing database is not touched.
    pub async fn create(directory: Directory, key: &DatabaseKey, new: &NewProfile) -> Result<Self, StoreError> {
        let draft = directory.clear_draft()?;
        let mut writer = connection::open(&draft, key, connection::Mode::Create).await?;
        directory.restrict(&draft)?;
        connection::migrate(&mut writer, &directory).await?;
        commit::insert_profile(&mut writer, new).await?;
        // Closing the last connection moves the log into the database and removes it.
        writer.close().await?;
        directory.name_draft()?;
        Self::open(directory, key).await
    }

    /// Opens the database of a profile, checks it and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoProfile`] when none was finished here, [`StoreError::Damaged`],
    /// [`StoreError::FromTheFuture`], [`StoreError::Io`]. Nothing is changed then.
    pub async fn open(directory: Directory, key: &DatabaseKey) -> Result<Self, StoreError> {
        Self::open_or_return(directory, key).await?.map_err(|_| StoreError::NoProfile)
    }

    /// [`open`](Self::open) that gives the locked directory back where there is no profile.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), without `NoProfile`.
    pub async fn open_or_return(
        directory: Directory,
        key: &DatabaseKey,
    ) -> Result<Result<Self, Directory>, StoreError> {
        let path = directory.database();
        if !path.exists() {
            // A log without its database: the database was taken away, or lost.
            let lost = directory.log().metadata().is_ok_and(|log| log.len() > 0);
            return if lost { Err(StoreError::damaged()) } else { Ok(Err(directory)) };
        }
        // Before anything opens it: SQLite would take a stump for an empty database and fill it.
        connection::check_length(&path)?;
        let mut writer = connection::open(&path, key, connection::Mode::Write).await?;
        let opened = Self::read_state(&mut writer, &directory).await;
        let reader = match opened {
            Ok(()) => connection::open(&path, key, connection::Mode::Read).await,
            Err(error) => Err(error),
        };
        match reader {
            Ok(reader) => Ok(Ok(Self::of(writer, reader, directory))),
            Err(error) => {
                // The lock is freed only after the files are.
                let _ = writer.close().await;
                Err(error)
            }
        }
    }

    /// Checks and migrates.
    async fn read_state(writer: &mut SqliteConnection, directory: &Directory) -> Result<(), StoreError> {
        connection::check(writer, &directory.database()).await?;
        connection::migrate(writer, directory).await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM profile").fetch_one(writer).await?;
        if rows == 1 { Ok(()) } else { Err(StoreError::damaged()) }
    }

    fn of(writer: Connection, reader: Connection, directory: Directory) -> Self {
        Self {
            path: directory.path().to_owned(),
            writer: Mutex::new(Some(writer)),
            reader: Mutex::new(Some(reader)),
            directory: Mutex::new(Some(directory)),
        }
    }

    async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        MutexGuard::try_map(self.writer.lock().await, |open| open.as_deref_mut()).map_err(|_| StoreError::Closed)
    }

    async fn reader(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        MutexGuard::try_map(self.reader.lock().await, |open| open.as_deref_mut()).map_err(|_| StoreError::Closed)
    }

    /// The profile's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything an engine starts from.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when something in it is not what was written, [`StoreError::Io`].
    pub async fn load(&self) -> Result<Snapshot, StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let snapshot = load::snapshot(&mut writer).await;
        connection::end(&mut writer, snapshot).await
    }

    /// Makes a transaction durable, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing of it was kept then.
    pub async fn commit(&self, transaction: &Transaction) -> Result<(), StoreError> {
        if transaction.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer().await?;
        commit::commit(&mut writer, transaction).await
    }

    /// How far registration came.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn registration(&self) -> Result<Registration, StoreError> {
        let mut reader = self.reader().await?;
        let number: i64 = sqlx::query_scalar("SELECT registration FROM profile").fetch_one(&mut *reader).await?;
        columns::registration(number)
    }

    /// Notes how far registration came.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_registration(&self, registration: Registration) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let done = commit::set_registration(&mut writer, registration).await;
        connection::end(&mut writer, done).await
    }

    /// Ends a registration or login: the tokens and the mark become durable together.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn finish_registration(&self, tokens: &port::Tokens) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let done = commit::finish_registration(&mut writer, tokens).await;
        connection::end(&mut writer, done).await
    }

    /// The relay moved to another address. Its key stays pinned.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_relay_url(&self, url: &str) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let done = commit::set_relay_url(&mut writer, url).await;
        connection::end(&mut writer, done).await
    }

    /// Reads every page and its authentication code.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::full_check(&mut writer).await
    }

    /// The tokens of this device, unless it is logged out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tokens(&self) -> Result<Option<port::Tokens>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sqlx::query("SELECT access, access_expires, refresh FROM profile").fetch_one(&mut *reader).await?;
        load::tokens(&row)
    }

    /// Announcements of the relay with whether each was told, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn announcements(&self) -> Result<Vec<(Announcement, bool)>, StoreError> {
        load::announcements(&mut *self.reader().await?).await
    }

    /// Notes that somebody has seen these.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mark_told(&self, ids: &[AnnouncementId]) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let done = commit::mark_told(&mut writer, ids).await;
        connection::end(&mut writer, done).await
    }

    /// Whether typing is told to others, and theirs shown.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn typing_notices(&self) -> Result<bool, StoreError> {
        load::typing_notices(&mut *self.reader().await?).await
    }

    /// Whether contacts are shown when this account is connected, and it when they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn presence(&self) -> Result<bool, StoreError> {
        load::presence(&mut *self.reader().await?).await
    }

    /// Moves the write-ahead log into the database, closes it and frees the lock. Whatever is
    /// asked of the store afterwards is answered with [`StoreError::Closed`].
    ///
    /// Dropping a store loses nothing either, but leaves the log on the disk until the next start.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the lock is free all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.close_connections(true).await?;
        self.directory.lock().await.take();
        Ok(())
    }

    /// Closes and removes a profile that never came to life at the relay.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn close_and_remove(&self) -> Result<(), StoreError> {
        self.close_connections(false).await?;
        self.directory.lock().await.take().map_or(Ok(()), Directory::remove_profile)
    }

    async fn close_connections(&self, checkpoint: bool) -> Result<(), StoreError> {
        if let Some(reader) = self.reader.lock().await.take() {
            reader.close().await?;
        }
        if let Some(mut writer) = self.writer.lock().await.take() {
            if checkpoint {
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *writer).await?;
            }
            writer.close().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use susurro_protocol::{AccountId, DeviceId};

    use super::port::Mutation;
    use super::*;

    impl Store {
        /// Lets the database grow by so many pages only; `None` for without a limit.
        pub(crate) async fn limit_pages(&self, more: Option<i64>) {
            let mut writer = self.writer().await.unwrap();
            let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *writer).await.unwrap();
            let limit = more.map_or(i64::from(u32::MAX) - 1, |more| pages + more);
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {limit}"));
            sqlx::query(sql).execute(&mut *writer).await.unwrap();
        }
    }

    pub(super) fn key() -> DatabaseKey {
        DatabaseKey::new(Zeroizing::new([3; 32]))
    }

    pub(super) async fn create(path: &Path) -> Store {
        let new = NewProfile {
            name: "alice".parse().unwrap(),
            relay: Relay { url: "https://relay.example".to_owned(), key: [7; 32] },
            account_key: Zeroizing::new([8; 32]),
            device: Zeroizing::new(vec![9; 100]),
            prekeys: Zeroizing::new(vec![10; 100]),
            device_list: (AccountId::from_bytes([1; 16]), vec![11; 200]),
        };
        Store::create(Directory::acquire(path).unwrap(), &key(), &new).await.unwrap()
    }

    fn large(number: u64) -> Transaction {
        let state = Zeroizing::new(vec![1; 100_000]);
        vec![Mutation::Cursor(number), Mutation::Sessions(DeviceId::from_bytes([1; 16]), Some(state))]
    }

    #[tokio::test]
    async fn a_full_disk_keeps_nothing_of_the_transaction_and_what_was_before_stays() {
        let directory = tempfile::tempdir().unwrap();
        let store = create(directory.path()).await;
        store.commit(&vec![Mutation::Cursor(1)]).await.unwrap();
        store.limit_pages(Some(0)).await;
        let full = Err(StoreError::Io("the disk is full".to_owned()));
        assert_eq!(store.commit(&large(2)).await, full);
        assert_eq!(store.load().await.unwrap().cursor, 1);
        assert!(store.load().await.unwrap().sessions.is_empty());
        store.limit_pages(None).await;
        store.commit(&large(2)).await.unwrap();
        assert_eq!(store.load().await.unwrap().cursor, 2);
    }

    #[tokio::test]
    async fn every_connection_has_its_settings() {
        let directory = tempfile::tempdir().unwrap();
        let store = create(directory.path()).await;
        for (connection, read_only) in [(&store.writer, 0), (&store.reader, 1)] {
            let mut connection = connection.lock().await;
            let connection = connection.as_deref_mut().unwrap();
            for (pragma, expected) in [
                ("secure_delete", 1),
                ("synchronous", 2),
                ("temp_store", 2),
                ("cipher_memory_security", 1),
                ("foreign_keys", 1),
                ("query_only", read_only),
            ] {
                let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
                let row = sqlx::query(sql).fetch_one(&mut *connection).await.unwrap();
                // SQLCipher answers with text, SQLite with numbers.
                let value = sqlx::Row::try_get_unchecked::<String, _>(&row, 0).unwrap();
                assert_eq!(value, expected.to_string(), "{pragma}");
            }
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.unwrap();
            assert_eq!(mode, "wal");
        }
    }

    #[tokio::test]
    async fn a_store_of_a_later_version_is_refused_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = create(directory.path()).await;
        sqlx::query("PRAGMA user_version = 999").execute(&mut *store.writer().await.unwrap()).await.unwrap();
        store.close().await.unwrap();
        let before = std::fs::read(directory.path().join("store.db")).unwrap();
        let opened = Store::open(Directory::acquire(directory.path()).unwrap(), &key()).await;
        assert_eq!(opened.unwrap_err(), StoreError::FromTheFuture);
        assert_eq!(std::fs::read(directory.path().join("store.db")).unwrap(), before);
    }

    #[tokio::test]
    async fn a_profile_of_before_attachments_is_brought_up_to_date() {
        let directory = tempfile::tempdir().unwrap();
        create(directory.path()).await.close().await.unwrap();
        let place = Directory::acquire(directory.path()).unwrap();
        let mut writer = connection::open(&place.database(), &key(), connection::Mode::Write).await.unwrap();
        let before = "DROP INDEX messages_unprinted; CREATE INDEX messages_unprinted ON messages (printed) \
                      WHERE direction = 0 AND kind < 2 AND printed = 0; \
                      DROP TABLE announcements; ALTER TABLE profile DROP COLUMN presence; PRAGMA user_version = 2;";
        sqlx::raw_sql(before).execute(&mut *writer).await.unwrap();
        writer.close().await.unwrap();
        let store = Store::open(place, &key()).await.unwrap();
        let index = "SELECT sql FROM sqlite_schema WHERE name = 'messages_unprinted'";
        let sql: String = sqlx::query_scalar(index).fetch_one(&mut *store.writer().await.unwrap()).await.unwrap();
        assert!(sql.contains("kind IN (0, 1, 4)"), "files are printed like texts: {sql}");
        assert!(store.unprinted(10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_migration_has_a_copy_beside_it_until_it_has_succeeded() {
        let directory = tempfile::tempdir().unwrap();
        let store = create(directory.path()).await;
        store.commit(&vec![Mutation::Cursor(41)]).await.unwrap();
        store.close().await.unwrap();
        let place = Directory::acquire(directory.path()).unwrap();
        let with = |next: &'static str| [connection::MIGRATIONS, &[next]].concat();
        let known = i64::try_from(connection::MIGRATIONS.len()).unwrap();
        let mut writer = connection::open(&place.database(), &key(), connection::Mode::Write).await.unwrap();

        // One that fails half way: nothing is changed, the copy stays and is a whole store.
        let broken = with("CREATE TABLE later (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);");
        assert!(connection::migrate_to(&mut writer, &place, &broken).await.is_err());
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(place.backup(), copy.path().join("store.db")).unwrap();
        let restored = Store::open(Directory::acquire(copy.path()).unwrap(), &key()).await.unwrap();
        assert_eq!(restored.load().await.unwrap().cursor, 41);
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *writer).await.unwrap();
        assert_eq!(version, known);

        let good = with("CREATE TABLE later (x INTEGER) STRICT;");
        connection::migrate_to(&mut writer, &place, &good).await.unwrap();
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *writer).await.unwrap();
        assert_eq!(version, known + 1);
        assert!(!place.backup().exists(), "old keys must not stay in a copy");
    }
}
