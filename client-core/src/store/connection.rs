//! Connections to the SQLCipher database, its schema and its checks.

use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::pin::pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, SqliteConnection};
use zeroize::Zeroizing;

use super::error::DATABASE;
use super::{DatabaseKey, Directory, StoreError};

/// `application_id` of a store, "susu": tells it from any other database of the same key.
const APPLICATION_ID: i64 = 0x7375_7375;

/// The schema, one step a version. A step that was released is never edited.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_profile.sql"),
    include_str!("migrations/0002_typing.sql"),
    include_str!("migrations/0003_attachments.sql"),
    include_str!("migrations/0004_announcements.sql"),
    include_str!("migrations/0005_presence.sql"),
];

/// Bytes of a page of SQLCipher 4.
const PAGE_BYTES: u64 = 4096;

/// Up to this size every page is read when a store is opened, which takes a fraction of a second
/// and finds damage before anything is written next to it. Larger stores are checked by `doctor`.
const CHECK_AT_OPEN_BYTES: u64 = 64 * 1024 * 1024;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Create,
    Write,
    Read,
}

/// A connection that is closed for good when it is dropped.
///
/// Each works on a thread of its own, which would otherwise end some time later. When the process
/// ends before that, SQLCipher takes its memory and its locks away under the thread, and the
/// process dies of it, whatever it had to say with its exit code.
pub(crate) struct Connection(Option<SqliteConnection>);

impl Connection {
    /// Closes it and tells of an error.
    pub(crate) async fn close(mut self) -> Result<(), StoreError> {
        if let Some(connection) = self.0.take() {
            connection.close().await?;
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // Nobody is left to tell of an error. What was committed is committed.
            let _ = wait(connection.close());
        }
    }
}

impl Deref for Connection {
    type Target = SqliteConnection;

    #[expect(clippy::expect_used, reason = "taken only by what ends the value")]
    fn deref(&self) -> &SqliteConnection {
        self.0.as_ref().expect("open")
    }
}

impl DerefMut for Connection {
    #[expect(clippy::expect_used, reason = "taken only by what ends the value")]
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.0.as_mut().expect("open")
    }
}

/// Waits for a future that another thread completes, also inside a runtime.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Opens a connection.
pub(crate) async fn open(path: &Path, key: &DatabaseKey, mode: Mode) -> Result<Connection, StoreError> {
    // SQLCipher's OpenSSL tears itself down when the process ends, under connections that are still
    // at work on threads of their own. Whoever initialises it first decides that it does not.
    openssl_sys::init();
    // A raw key: 32 random bytes need no stretching (SQLCipher, "raw key data").
    let mut raw = Zeroizing::new(String::with_capacity(72));
    raw.push_str("\"x'");
    for byte in key.expose() {
        let _ = write!(raw, "{byte:02x}");
    }
    raw.push_str("'\"");
    let options = SqliteConnectOptions::from_str("sqlite:")?
        .filename(path)
        .create_if_missing(mode == Mode::Create)
        // The key is part of a statement: statements must not reach any log.
        .disable_statement_logging()
        .pragma("key", raw.as_str().to_owned())
        .pragma("cipher_memory_security", "ON")
        .pragma("cipher_log_level", "NONE")
        .foreign_keys(true);
    let mut connection = Connection(Some(options.connect().await?));
    // What looks into the file comes after, when there is something to close if that fails.
    let query_only = if mode == Mode::Read { "ON" } else { "OFF" };
    let settings = format!(
        "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON; PRAGMA query_only = {query_only}; \
         PRAGMA synchronous = FULL"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
    // The journal mode is a property of the file, and setting it writes: a reader leaves it alone.
    if mode != Mode::Read {
        connection.execute("PRAGMA journal_mode = WAL").await?;
    }
    Ok(connection)
}

/// A database is whole pages, and at least one.
pub(crate) fn check_length(path: &Path) -> Result<(), StoreError> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes == 0 || bytes % PAGE_BYTES != 0 { Err(StoreError::Damaged(DATABASE)) } else { Ok(()) }
}

/// Looks for damage before anything is written.
pub(crate) async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    // The first read of the schema fails for a wrong key or a damaged first page.
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    let bytes = std::fs::metadata(path)?.len();
    if bytes <= CHECK_AT_OPEN_BYTES {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await?;
        if found != "ok" {
            return Err(StoreError::Damaged(DATABASE));
        }
    }
    Ok(())
}

/// Reads every page: its authentication code, then the structure of everything.
pub(crate) async fn full_check(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let findings = sqlx::query("PRAGMA cipher_integrity_check").fetch_all(&mut *connection).await?;
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await?;
    if findings.is_empty() && found == "ok" { Ok(()) } else { Err(StoreError::Damaged(DATABASE)) }
}

/// Brings the schema up to date, with a copy of the database beside it meanwhile.
///
/// The copy is removed after success: it holds ratchet states and prekeys of that moment, and
/// old keys must not stay on the disk.
pub(crate) async fn migrate(connection: &mut SqliteConnection, directory: &Directory) -> Result<(), StoreError> {
    migrate_to(connection, directory, MIGRATIONS).await
}

pub(crate) async fn migrate_to(
    connection: &mut SqliteConnection,
    directory: &Directory,
    migrations: &[&'static str],
) -> Result<(), StoreError> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    let version = usize::try_from(version).map_err(|_| StoreError::Damaged(DATABASE))?;
    if version > migrations.len() {
        return Err(StoreError::FromTheFuture);
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    if (version > 0 && application != APPLICATION_ID) || (version == 0 && tables > 0) {
        return Err(StoreError::Damaged(DATABASE));
    }
    if version == migrations.len() {
        return Ok(());
    }
    let backup = directory.backup();
    if version > 0 {
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        std::fs::copy(directory.database(), &backup)?;
        directory.restrict(&backup)?;
        std::fs::File::open(&backup)?.sync_all()?;
        directory.sync()?;
    }
    begin(connection).await?;
    let done = apply(connection, &migrations[version..], migrations.len()).await;
    end(connection, done).await?;
    if version > 0 {
        std::fs::remove_file(&backup)?;
    }
    Ok(())
}

async fn apply(
    connection: &mut SqliteConnection,
    migrations: &[&'static str],
    version: usize,
) -> Result<(), StoreError> {
    for migration in migrations {
        connection.execute(*migration).await?;
    }
    // Pragmas take no parameters; both values are numbers of this program.
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};");
    connection.execute(sqlx::AssertSqlSafe(marks)).await?;
    Ok(())
}

/// Begins a transaction. One that a dropped future left open is undone: nothing of it was reported.
///
/// `sqlx::Transaction` is of no use here: on a full disk SQLite undoes a transaction by itself,
/// and the connection could never begin another one.
pub(crate) async fn begin(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    if connection.execute("BEGIN IMMEDIATE").await.is_err() {
        // Fails where nothing is open, which is as well.
        let _ = connection.execute("ROLLBACK").await;
        connection.execute("BEGIN IMMEDIATE").await?;
    }
    Ok(())
}

/// Commits after success, else undoes everything since [`begin`].
pub(crate) async fn end<T>(connection: &mut SqliteConnection, done: Result<T, StoreError>) -> Result<T, StoreError> {
    let done = match done {
        Ok(value) => connection.execute("COMMIT").await.map(|_| value).map_err(StoreError::from),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Fails where SQLite has undone it already.
        let _ = connection.execute("ROLLBACK").await;
    }
    done
}
