//! Connecting: to a new database, a present one, one from the future, or to none.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool};
use tokio::time::timeout;

use super::migrate::migrate_up;

/// How long a connection may take to come about, and a request wait for one.
const CONNECT: Duration = Duration::from_secs(3);

/// Said at the beginning of each connection. What a node holds must not stay locked when the network
/// to it is cut, and no statement of the relay takes long.
const SESSION: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '10s'; \
                       SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                       SET jit = off; SET client_min_messages = 'warning'";

/// Parameters of the URL.
const PARAMETERS: [&str; 10] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "hostaddr", "port", "dbname", "user", "password"];

/// What to connect to.
#[derive(Clone)]
pub struct Options {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `?sslmode=verify-full` for a server elsewhere.
    pub url: String,
    /// A file with the password, which then need not be in the URL.
    pub password_file: Option<PathBuf>,
    /// Connections for everything but messages.
    pub connections: u32,
    /// Messages that wait in one mailbox before senders are told that it is full.
    pub mailbox_max: u64,
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL makes no sense. It is not shown, since it may hold a password.
    #[error("the URL of the PostgreSQL database cannot be read: {0}")]
    Url(String),
    /// The file of the password.
    #[error("cannot read the password of the database from {}: {why}", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The server cannot be reached, or does not let us in.
    #[error("cannot use the PostgreSQL database {database} at {server}: {why}")]
    Unusable {
        /// Host and port.
        server: String,
        /// Name of the database.
        database: String,
        /// What was said.
        why: String,
    },
    /// A newer relay has written it.
    #[error(
        "the PostgreSQL database {database} was written by a newer susurro-server (schema {version}); start that version"
    )]
    FromTheFuture {
        /// Name of the database.
        database: String,
        /// Its schema.
        version: i64,
    },
    /// Its schema is not the one that this program has made.
    #[error("the schema of the PostgreSQL database {database} is not the one of a relay ({why}); nothing was changed")]
    Foreign {
        /// Name of the database.
        database: String,
        /// What was found.
        why: String,
    },
}

/// Makes sure of the schema; then the way for the writer to connect, and the connections of
/// everybody else.
pub(super) async fn open(options: &Options) -> Result<(PgConnectOptions, PgPool), OpenError> {
    let connect = connect_options(options)?;
    let unusable = |why: sqlx::Error| unusable(&connect, &why);
    let mut first = self::connect(&connect).await.map_err(unusable)?;
    // A migration may take longer than any statement of a running relay.
    first.execute("SET statement_timeout = 0; SET lock_timeout = 0").await.map_err(unusable)?;
    migrate_up(&mut first).await.map_err(|why| migration_failed(&connect, &why))?;
    // What was asked of it is done; that the server wants to hear a word of farewell is its affair.
    let _ = first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(2))
        .min_connections(1)
        .acquire_timeout(CONNECT)
        .idle_timeout(Duration::from_secs(600))
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) }))
        .connect_lazy_with(connect.clone());
    Ok((connect, pool))
}

/// One connection of its own.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = async {
        let mut connection = options.connect().await?;
        connection.execute(SESSION).await?;
        Ok(connection)
    };
    timeout(CONNECT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn connect_options(options: &Options) -> Result<PgConnectOptions, OpenError> {
    let query = options.url.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        // Unknown ones are logged with their value where they are ignored.
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        if !PARAMETERS.contains(&key) {
            return Err(OpenError::Url("a parameter behind its ? is not one that susurro-server knows".to_owned()));
        }
    }
    // What the parser says repeats nothing of accounts and passwords.
    let connect = PgConnectOptions::from_str(&options.url);
    let mut connect = connect.map_err(|why| OpenError::Url(why.to_string()))?;
    if let Some(path) = &options.password_file {
        let password = std::fs::read_to_string(path);
        let password = password.map_err(|why| OpenError::Password { path: path.clone(), why })?;
        connect = connect.password(password.trim_end_matches(['\r', '\n']));
    }
    // Statements hold names; the relay's own log says what is worth knowing.
    Ok(connect.application_name("susurro-server").disable_statement_logging().statement_cache_capacity(200))
}

fn database(options: &PgConnectOptions) -> String {
    options.get_database().unwrap_or_else(|| options.get_username()).to_owned()
}

fn unusable(options: &PgConnectOptions, why: &sqlx::Error) -> OpenError {
    let server = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let why = match why {
        sqlx::Error::PoolTimedOut => "it does not answer".to_owned(),
        other => other.to_string(),
    };
    OpenError::Unusable { server, database: database(options), why }
}

fn migration_failed(options: &PgConnectOptions, error: &MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            OpenError::FromTheFuture { database: database(options), version: *version }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => unusable(options, error),
        other => OpenError::Foreign { database: database(options), why: other.to_string() },
    }
}
