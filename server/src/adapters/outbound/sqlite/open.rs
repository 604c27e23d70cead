//! Opening the file: new, present, damaged, or from the future.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool};

use super::migrate::{self, SchemaFault};
use super::rows::signed;
use crate::domain::mailbox::MailboxBounds;
use crate::domain::schema::{self, Move, SchemaError, Step};

/// Readers beside the one writer: reads are short, and a core more would find no work.
const READERS: u32 = 3;

/// Bytes of a database up to which every page is looked at before it is used. Larger ones are
/// still checked for their length and header.
const CHECKED_WHOLE: u64 = 256 * 1024 * 1024;

/// Bytes of one page.
const PAGE: u32 = 4096;

/// How long a statement waits for another connection: the writer's two never meet, so this is for
/// programs beside the relay, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// Kibibytes of pages that a writing connection keeps, negative as SQLite wants them.
const CACHE_KIB: i64 = -16384;

/// Pages of the log before it is folded into the database: 16 MiB. Most messages are gone by then and are
/// never written a second time; a start after a crash reads that much in a moment.
const LOG_FOLDED: i64 = 4096;

/// Bytes of the log that stay after it was folded into the database.
const LOG_KEPT: i64 = 64 * 1024 * 1024;

/// What to open.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file.
    pub path: PathBuf,
    /// What one mailbox takes before senders are told that it is full.
    pub mailbox: MailboxBounds,
    /// Bytes that the file may grow to; `None` for as large as the disk.
    pub size_max: Option<u64>,
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or file cannot be used.
    #[error("cannot use the database {}: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is not what a relay left behind.
    #[error(
        "the database {} is damaged ({why}); nothing was changed. Restore it from a backup, or move it away to start empty",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A newer relay has written it.
    #[error(
        "the database {} was written by a newer susurro-server (schema {version}); start that version, or restore an older backup",
        path.display()
    )]
    FromTheFuture {
        /// The file.
        path: PathBuf,
        /// Its schema.
        version: i64,
    },
    /// Its schema is not the one that this program has made, or has no such version.
    #[error("the database {} was left alone: {why}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: SchemaError,
    },
}

impl OpenError {
    /// The error of a read that failed.
    pub(super) fn read(options: &Options, why: &crate::domain::Error) -> Self {
        Self::Damaged { path: options.path.clone(), why: why.to_string() }
    }
}

/// Opens the one writing connection and the readers.
pub(super) async fn open(options: &Options) -> Result<(SqliteConnection, SqlitePool), OpenError> {
    let path = &options.path;
    match fs::metadata(path) {
        Ok(found) => look_at(path, found.len()).await?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).await?,
        Err(error) => return Err(unusable(path, &error)),
    }
    let mut writer = connect(&write_options(options), path).await?;
    migrate::go(&mut writer, Move::Up(None)).await.map_err(|error| schema_failed(path, error))?;

    let readers = readers(path).await?;
    Ok((writer, readers))
}

async fn readers(path: &Path) -> Result<SqlitePool, OpenError> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(base_options(path).pragma("query_only", "ON"))
        .await
        .map_err(|error| failed(path, &error))
}

/// Opens a database that a relay may be working on at this moment: the same connections, but the
/// schema is taken as it is, and has to be this version's.
pub(super) async fn open_beside(options: &Options) -> Result<(SqliteConnection, SqlitePool), OpenError> {
    let path = &options.path;
    fs::metadata(path).map_err(|error| unusable(path, &error))?;
    let mut writer = connect(&write_options(options), path).await?;
    let steps = migrate::status(&mut writer).await.map_err(|error| schema_failed(path, error))?;
    if steps.iter().any(|step| !step.taken) {
        let why = "an older version wrote it; start this version's relay on it first".to_owned();
        return Err(OpenError::Unusable { path: path.clone(), why });
    }
    let readers = readers(path).await?;
    Ok((writer, readers))
}

/// Moves the schema; gives its steps before and after. A file that is not there is made for a way up, and
/// is an empty database otherwise.
///
/// # Errors
///
/// [`OpenError`]; nothing was changed then but for the steps before one that failed.
pub async fn migrate(path: &Path, to: Move) -> Result<(Vec<Step>, Vec<Step>), OpenError> {
    let mut connection = if path.exists() {
        look_at(path, fs::metadata(path).map_err(|error| unusable(path, &error))?.len()).await?;
        let options = base_options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        connect(&options, path).await?
    } else {
        connect(&SqliteConnectOptions::new().in_memory(true), path).await?
    };
    let status = |found: Result<_, SchemaFault>| found.map_err(|error| schema_failed(path, error));
    let before = status(migrate::status(&mut connection).await)?;
    schema::target(&before, to).map_err(|why| OpenError::Schema { path: path.to_owned(), why })?;
    if !path.exists() && matches!(to, Move::Up(_)) {
        create(path).await?;
        connection = connect(&base_options(path), path).await?;
        // A new file is whole; a version below the newest is reached from there.
        if let Move::Up(Some(version)) = to {
            status(migrate::go(&mut connection, Move::Down(Some(version))).await.map(|()| Vec::new()))?;
        }
    }
    status(migrate::go(&mut connection, to).await.map(|()| Vec::new()))?;
    let after = status(migrate::status(&mut connection).await)?;
    connection.close().await.map_err(|error| failed(path, &error))?;
    Ok((before, after))
}

/// Makes the file under another name first, so that a file of the right name is always whole: an
/// empty one is damage, never a first start that was interrupted.
async fn create(path: &Path) -> Result<(), OpenError> {
    let unfinished = path.with_extension("db.new");
    for leftover in [unfinished.clone(), with_suffix(&unfinished, "-wal"), with_suffix(&unfinished, "-shm")] {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(&leftover, &error)),
            _ => {}
        }
    }
    let options = base_options(&unfinished)
        .create_if_missing(true)
        .page_size(PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = connect(&options, &unfinished).await?;
    restrict(&unfinished)?;
    migrate::go(&mut connection, Move::Up(None)).await.map_err(|error| schema_failed(&unfinished, error))?;
    connection.close().await.map_err(|error| failed(&unfinished, &error))?;
    let synced = fs::File::open(&unfinished).and_then(|file| file.sync_all());
    synced.and_then(|()| fs::rename(&unfinished, path)).map_err(|error| unusable(path, &error))?;
    if let Some(Ok(directory)) = path.parent().map(fs::File::open) {
        directory.sync_all().map_err(|error| unusable(path, &error))?;
    }
    Ok(())
}

/// Looks at an existing file without changing it.
pub(super) async fn look_at(path: &Path, length: u64) -> Result<(), OpenError> {
    let damaged = |why: &str| OpenError::Damaged { path: path.to_owned(), why: why.to_owned() };
    if length < u64::from(PAGE) {
        return Err(damaged("it is shorter than one page"));
    }
    let mut connection = connect(&base_options(path), path).await?;
    // Reads the header, replays the log in memory and compares the length of the file.
    let row = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await;
    row.map_err(|error| failed(path, &error))?;
    if length <= CHECKED_WHOLE {
        let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
        let found: String = row.and_then(|row| row.try_get(0)).map_err(|error| failed(path, &error))?;
        if found != "ok" {
            return Err(damaged(&found));
        }
    }
    connection.close().await.map_err(|error| failed(path, &error))
}

fn write_options(options: &Options) -> SqliteConnectOptions {
    let base = base_options(&options.path)
        .journal_mode(SqliteJournalMode::Wal)
        // The whole promise of `Stored`: the log is on the disk before the answer goes out.
        .synchronous(SqliteSynchronous::Full)
        .statement_cache_capacity(200)
        .pragma("cache_size", CACHE_KIB.to_string())
        // Overwrites what was deleted wherever that costs no further write.
        .pragma("secure_delete", "FAST")
        .pragma("journal_size_limit", LOG_KEPT.to_string());
    match options.size_max {
        Some(bytes) => base.pragma("max_page_count", pages(bytes).to_string()),
        None => base,
    }
}

/// A connection without sqlx in between, for what is written for each message.
pub(super) fn direct(options: &Options) -> Result<rusqlite::Connection, OpenError> {
    use rusqlite::OpenFlags;
    let path = &options.path;
    // The writer is one thread; nobody else ever has this connection.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        connection.pragma_update(None, "secure_delete", "FAST")?;
        connection.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_FOLDED)?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        if let Some(bytes) = options.size_max {
            connection.pragma_update(None, "max_page_count", pages(bytes))?;
        }
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| OpenError::Unusable { path: path.clone(), why: error.to_string() })
}

/// A connection without sqlx in between that reads mailboxes.
pub(super) fn reader(options: &Options) -> Result<rusqlite::Connection, OpenError> {
    use rusqlite::OpenFlags;
    let path = &options.path;
    // The file may be readable only through its log, which a connection that cannot write cannot set up.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "query_only", "ON")?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| OpenError::Unusable { path: path.clone(), why: error.to_string() })
}

/// As many pages as fit.
fn pages(bytes: u64) -> i64 {
    signed((bytes / u64::from(PAGE)).max(1))
}

pub(super) fn base_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY)
        // Statements hold names; the relay's own log says what is worth knowing.
        .disable_statement_logging()
}

pub(super) async fn connect(options: &SqliteConnectOptions, path: &Path) -> Result<SqliteConnection, OpenError> {
    options.connect().await.map_err(|error| failed(path, &error))
}

/// Names, keys and ciphertexts are nobody's business but the operator's.
pub(super) fn restrict(path: &Path) -> Result<(), OpenError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| unusable(path, &error))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn schema_failed(path: &Path, fault: SchemaFault) -> OpenError {
    let path = path.to_owned();
    match fault {
        SchemaFault::Refused(SchemaError::FromTheFuture(version)) => OpenError::FromTheFuture { path, version },
        SchemaFault::Refused(why) => OpenError::Schema { path, why },
        SchemaFault::Sql(error)
        | SchemaFault::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            failed(&path, &error)
        }
        SchemaFault::Migrate(other) => OpenError::Damaged { path, why: other.to_string() },
    }
}

pub(super) fn failed(path: &Path, error: &sqlx::Error) -> OpenError {
    let code = match error {
        sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i32>().ok()),
        _ => None,
    };
    let (path, why) = (path.to_owned(), error.to_string());
    match code.map(|code| code & 0xff) {
        // CORRUPT and NOTADB; ERROR comes from a schema that lost a table.
        Some(1 | 11 | 26) => OpenError::Damaged { path, why },
        _ => OpenError::Unusable { path, why },
    }
}

pub(super) fn unusable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), why: error.to_string() }
}
