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
mod timeline;

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use zeroize::Zeroizing;

pub use directory::Directory;
pub use error::{KEY_FILE, StoreError};

use port::{Relay, Snapshot, Transaction};

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
    writer: Mutex<Option<SqliteConnection>>,
    reader: Mutex<Option<SqliteConnection>>,
    directory: Mutex<Option<Directory>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

impl Store {
    /// Makes the database of a new profile and opens it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; a database with a profile in it is not touched.
    pub async fn create(directory: Directory, key: &DatabaseKey, new: &NewProfile) -> Result<Self, StoreError> {
        let path = directory.database();
        let mut writer = connection::open(&path, key, connection::Mode::Create).await?;
        directory.restrict(&path)?;
        connection::migrate(&mut writer, &directory).await?;
        // Refused by the primary key where there is a profile already.
        commit::insert_profile(&mut writer, new).await?;
        directory.sync()?;
        let reader = connection::open(&path, key, connection::Mode::Read).await?;
        Ok(Self::of(writer, reader, directory))
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
            return Ok(Err(directory));
        }
        // A crash at its creation leaves a database that is empty, or without a profile.
        let mut writer = connection::open(&path, key, connection::Mode::Write).await?;
        connection::check(&mut writer, &path).await?;
        connection::migrate(&mut writer, &directory).await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM profile").fetch_one(&mut writer).await?;
        if rows == 0 {
            writer.close().await?;
            return Ok(Err(directory));
        }
        let reader = connection::open(&path, key, connection::Mode::Read).await?;
        Ok(Ok(Self::of(writer, reader, directory)))
    }

    fn of(writer: SqliteConnection, reader: SqliteConnection, directory: Directory) -> Self {
        Self {
            path: directory.path().to_owned(),
            writer: Mutex::new(Some(writer)),
            reader: Mutex::new(Some(reader)),
            directory: Mutex::new(Some(directory)),
        }
    }

    async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut).map_err(|_| StoreError::Closed)
    }

    async fn reader(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        MutexGuard::try_map(self.reader.lock().await, Option::as_mut).map_err(|_| StoreError::Closed)
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
        let mut connection = self.writer().await?;
        let mut transaction = connection.begin().await?;
        load::snapshot(&mut transaction).await
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
        let mut connection = self.writer().await?;
        commit::commit(&mut connection, transaction).await
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
        commit::set_registration(&mut writer, registration).await
    }

    /// Ends a registration or login: the tokens and the mark become durable together.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn finish_registration(&self, tokens: &port::Tokens) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        commit::finish_registration(&mut writer, tokens).await
    }

    /// The relay moved to another address. Its key stays pinned.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_relay_url(&self, url: &str) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        sqlx::query("UPDATE profile SET relay_url = ?").bind(url).execute(&mut *writer).await?;
        Ok(())
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
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut writer).await?;
            }
            writer.close().await?;
        }
        Ok(())
    }
}
