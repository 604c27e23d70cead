//! Connecting: to a new database, a present one, one from the future, or to none.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::migrate::{self, SchemaFault};
use crate::domain::mailbox::MailboxBounds;
use crate::domain::schema::{Move, SchemaError, Step};

/// How long a connection may take to come about, and a request wait for one.
const CONNECT: Duration = Duration::from_secs(3);

/// Said at the beginning of each connection. What a node holds must not stay locked when the network
/// to it is cut, and no statement of the relay takes long.
const SESSION: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '10s'; \
                       SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                       SET jit = off; SET client_min_messages = 'warning'";

/// Names the advisory lock that every running node shares.
const RUNNING: i64 = 0x5355_5355_5252_4f30;

/// Parameters of the URL.
const PARAMETERS: [&str; 10] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "hostaddr", "port", "dbname", "user", "password"];

/// What to connect to.
#[derive(Clone)]
pub struct Options {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `?sslmode=verify-full` for a server elsewhere.
    pub url: Zeroizing<String>,
    /// The password, in place of one in the URL.
    pub password: Option<Zeroizing<String>>,
    /// What tells the secrets of one relay from another's: nodes with different ones do not share a database.
    /// `None` for a command beside relays, which asks for none.
    pub fingerprint: Option<[u8; 32]>,
    /// Connections for everything but messages.
    pub connections: u32,
    /// What one mailbox takes before senders are told that it is full.
    pub mailbox: MailboxBounds,
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL makes no sense. It is not shown, since it may hold a password.
    #[error("the URL of the PostgreSQL database cannot be read: {0}")]
    Url(String),
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
    /// Its schema is not the one that this program has made, or has no such version.
    #[error("the PostgreSQL database {database} was left alone: {why}")]
    Schema {
        /// Name of the database.
        database: String,
        /// What was found.
        why: String,
    },
    /// A relay with other secrets has made it.
    #[error(
        "the PostgreSQL database {database} belongs to a relay with other secrets: give every node the same relay.key, \
         pepper.key and token-*.key (--secrets-dir)"
    )]
    OtherSecrets {
        /// Name of the database.
        database: String,
    },
    /// It holds accounts already.
    #[error("the PostgreSQL database {database} is not empty; give --replace to lose what it holds")]
    NotEmpty {
        /// Name of the database.
        database: String,
    },
    /// Relays are at work on it.
    #[error("relays are running on the PostgreSQL database {database}; stop them first")]
    InUse {
        /// Name of the database.
        database: String,
    },
}

/// Makes sure of the schema; then the way for the writer to connect, and the connections of
/// everybody else.
pub(super) async fn open(options: &Options) -> Result<(PgConnectOptions, PgPool), OpenError> {
    let connect = connect_options(options)?;
    let unusable = |why: sqlx::Error| unusable(&connect, &why);
    let mut first = self::connect(&connect).await.map_err(unusable)?;
    take_time(&mut first).await.map_err(unusable)?;
    if options.fingerprint.is_some() {
        migrate::go(&mut first, Move::Up(None)).await.map_err(|fault| schema_failed(&connect, fault))?;
    } else {
        // A command does not move the schema under relays that are running.
        let steps = migrate::status(&mut first).await.map_err(|fault| schema_failed(&connect, fault))?;
        if steps.iter().any(|step| !step.taken) {
            let why = "an older version wrote it; start this version's relay on it first".to_owned();
            return Err(OpenError::Schema { database: database(&connect), why });
        }
    }
    if let Some(fingerprint) = options.fingerprint {
        let insert = "INSERT INTO belongs_to (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING";
        sqlx::query(insert).bind(fingerprint.to_vec()).execute(&mut first).await.map_err(unusable)?;
        let row = sqlx::query("SELECT fingerprint FROM belongs_to").fetch_one(&mut first).await.map_err(unusable)?;
        if row.try_get::<&[u8], usize>(0).map_err(unusable)? != fingerprint {
            return Err(OpenError::OtherSecrets { database: database(&connect) });
        }
    }
    // What was asked of it is done; that the server wants to hear a word of farewell is its affair.
    let _ = first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(2))
        .min_connections(1)
        .acquire_timeout(CONNECT)
        .idle_timeout(Duration::from_secs(600))
        .after_connect(|connection, _| Box::pin(greet(connection)))
        .connect_lazy_with(connect.clone());
    Ok((connect, pool))
}

/// Moves the schema; gives its steps before and after. A way back is refused while relays are running.
///
/// # Errors
///
/// [`OpenError`]; nothing was changed then but for the steps before one that failed.
pub async fn migrate(options: &Options, to: Move) -> Result<(Vec<Step>, Vec<Step>), OpenError> {
    let (connect, mut connection) = connect_to(options).await?;
    if matches!(to, Move::Down(_)) {
        be_alone(&connect, &mut connection).await?;
    }
    let unusable = |why: sqlx::Error| unusable(&connect, &why);
    let refused = |fault: SchemaFault| schema_failed(&connect, fault);
    let before = migrate::status(&mut connection).await.map_err(refused)?;
    migrate::go(&mut connection, to).await.map_err(refused)?;
    let after = migrate::status(&mut connection).await.map_err(refused)?;
    connection.close().await.map_err(unusable)?;
    Ok((before, after))
}

/// A connection for a command, with as much time as it takes.
pub(super) async fn connect_to(options: &Options) -> Result<(PgConnectOptions, PgConnection), OpenError> {
    let connect = connect_options(options)?;
    let mut connection = self::connect(&connect).await.map_err(|why| unusable(&connect, &why))?;
    take_time(&mut connection).await.map_err(|why| unusable(&connect, &why))?;
    Ok((connect, connection))
}

/// Keeps relays away for as long as this connection lasts.
pub(super) async fn be_alone(options: &PgConnectOptions, connection: &mut PgConnection) -> Result<(), OpenError> {
    let alone = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(RUNNING).fetch_one(connection).await;
    let alone = alone.and_then(|row| row.try_get::<bool, usize>(0)).map_err(|why| unusable(options, &why))?;
    if alone { Ok(()) } else { Err(OpenError::InUse { database: database(options) }) }
}

/// A migration may take longer than any statement of a running relay.
async fn take_time(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("SET statement_timeout = 0; SET lock_timeout = 0").await.map(|_| ())
}

/// Says that a relay is at work for as long as this connection lasts.
pub(super) async fn say_running(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Waits for a schema on its way back, for as long as any lock; the connection is tried again.
    sqlx::query("SELECT pg_advisory_lock_shared($1)").bind(RUNNING).execute(connection).await.map(|_| ())
}

/// One connection of its own.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = async {
        let mut connection = options.connect().await?;
        greet(&mut connection).await?;
        Ok(connection)
    };
    timeout(CONNECT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// The beginning of each connection. A standby, to which an address may lead while one server takes over from another,
/// is left again: it takes nothing, and nobody would look for its successor as long as it answers.
async fn greet(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(SESSION).await?;
    let row = sqlx::query("SELECT pg_is_in_recovery()").persistent(false).fetch_one(connection).await?;
    if row.try_get::<bool, usize>(0)? {
        return Err(sqlx::Error::Io(std::io::Error::other("it is a standby, which takes no changes")));
    }
    Ok(())
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
    if let Some(password) = &options.password {
        connect = connect.password(password);
    }
    // Statements hold names; the relay's own log says what is worth knowing.
    Ok(connect.application_name("susurro-server").disable_statement_logging().statement_cache_capacity(200))
}

pub(super) fn database(options: &PgConnectOptions) -> String {
    options.get_database().unwrap_or_else(|| options.get_username()).to_owned()
}

pub(super) fn unusable(options: &PgConnectOptions, why: &sqlx::Error) -> OpenError {
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

pub(super) fn schema_failed(options: &PgConnectOptions, fault: SchemaFault) -> OpenError {
    let database = database(options);
    match fault {
        SchemaFault::Refused(SchemaError::FromTheFuture(version)) => OpenError::FromTheFuture { database, version },
        SchemaFault::Refused(why) => OpenError::Schema { database, why: why.to_string() },
        SchemaFault::Sql(error)
        | SchemaFault::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            unusable(options, &error)
        }
        SchemaFault::Migrate(other) => OpenError::Schema { database, why: other.to_string() },
    }
}
