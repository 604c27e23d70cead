//! The schema of both databases: every step up, down and up again with data in it; databases from the
//! future, with another past, and in use; and the command that moves it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection};
use susurro_server::adapters::outbound::postgres::{self, PostgresStore};
use susurro_server::adapters::outbound::sqlite::{self, OpenError, Options, SqliteStore};
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::domain::message::Waiting;
use susurro_server::domain::schema::Move;
use susurro_server::ports::Commits;
use zeroize::Zeroizing;

struct Deaf;
impl Commits for Deaf {
    fn committed(&self, _: Vec<Waiting>) {}
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn connect_to(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

fn postgres_options(url: &str) -> postgres::Options {
    let url = Zeroizing::new(url.to_owned());
    postgres::Options {
        url,
        password: None,
        fingerprint: Some([1; 32]),
        connections: 4,
        mailbox: MailboxBounds::of_messages(1),
    }
}

/// Everything that a schema consists of.
async fn schema(connection: &mut SqliteConnection) -> Vec<String> {
    let select = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
                  WHERE name NOT LIKE '%sqlx%' AND name != 'sqlite_sequence' ORDER BY 1";
    let rows = sqlx::query(select).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn schema_of(connection: &mut PgConnection) -> Vec<String> {
    let select = "SELECT 'table ' || table_name || ' ' || string_agg(concat_ws(' ', column_name, data_type, \
                  is_nullable, column_default, collation_name), ', ' ORDER BY ordinal_position) \
                  FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '%sqlx%' GROUP BY table_name \
                  UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '%sqlx%' \
                  UNION ALL SELECT 'constraint ' || conname || pg_get_constraintdef(oid) FROM pg_constraint \
                  WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE '%sqlx%' \
                  UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
                  UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1";
    let rows = sqlx::query(select).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The tables among what a schema consists of.
fn tables(schema: &[String]) -> Vec<String> {
    let table = |line: &String| Some(line.strip_prefix("table ")?.split(' ').next()?.to_owned());
    schema.iter().filter_map(table).collect()
}

/// A row in every table, for SQLite; a step that adds a table adds a row here.
const DATA: &str = include_str!("migrations/sqlite.sql");

/// The same for PostgreSQL.
const DATA_OF_POSTGRES: &str = include_str!("migrations/postgres.sql");

#[tokio::test]
async fn every_step_of_sqlite_goes_up_and_down_and_up_again_with_data_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = connect(&dir.path().join("x.db")).await;
    let steps = sqlite::status(&mut connection).await.unwrap();
    let mut schemas = vec![schema(&mut connection).await];
    for step in &steps {
        assert!(!step.taken);
        sqlite::go(&mut connection, Move::Up(Some(step.version))).await.unwrap();
        schemas.push(schema(&mut connection).await);
    }
    sqlx::raw_sql(DATA).execute(&mut connection).await.unwrap();
    for table in tables(&schemas[steps.len()]) {
        let count = format!("SELECT count(*) FROM {table}");
        let row = sqlx::query(AssertSqlSafe(count)).fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 1, "{table} has data");
    }
    for at in (0..steps.len()).rev() {
        sqlite::go(&mut connection, Move::Down(None)).await.unwrap();
        assert_eq!(schema(&mut connection).await, schemas[at], "after the way back from {}", steps[at].name);
        // Forth and back again, with what is left of the data.
        sqlite::go(&mut connection, Move::Up(Some(steps[at].version))).await.unwrap();
        assert_eq!(schema(&mut connection).await, schemas[at + 1]);
        sqlite::go(&mut connection, Move::Down(None)).await.unwrap();
    }
    assert_eq!(schema(&mut connection).await, [""; 0], "nothing stays behind");
    sqlite::go(&mut connection, Move::Up(None)).await.unwrap();
    assert_eq!(schema(&mut connection).await, schemas[steps.len()]);
}

#[tokio::test]
async fn every_step_of_postgres_goes_up_and_down_and_up_again_with_data_in_it() {
    let database = xtask::services::database().unwrap();
    let mut connection = connect_to(&database.url()).await;
    let steps = postgres::status(&mut connection).await.unwrap();
    let mut schemas = vec![schema_of(&mut connection).await];
    for step in &steps {
        assert!(!step.taken);
        postgres::go(&mut connection, Move::Up(Some(step.version))).await.unwrap();
        schemas.push(schema_of(&mut connection).await);
    }
    sqlx::raw_sql(DATA_OF_POSTGRES).execute(&mut connection).await.unwrap();
    for table in tables(&schemas[steps.len()]) {
        let count = format!("SELECT count(*) FROM {table}");
        let row = sqlx::query(AssertSqlSafe(count)).fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 1, "{table} has data");
    }
    for at in (0..steps.len()).rev() {
        postgres::go(&mut connection, Move::Down(None)).await.unwrap();
        assert_eq!(schema_of(&mut connection).await, schemas[at], "after the way back from {}", steps[at].name);
        postgres::go(&mut connection, Move::Up(Some(steps[at].version))).await.unwrap();
        assert_eq!(schema_of(&mut connection).await, schemas[at + 1]);
        postgres::go(&mut connection, Move::Down(None)).await.unwrap();
    }
    assert_eq!(schema_of(&mut connection).await, [""; 0], "nothing stays behind");
    postgres::go(&mut connection, Move::Up(None)).await.unwrap();
    assert_eq!(schema_of(&mut connection).await, schemas[steps.len()]);
}

#[tokio::test]
async fn both_databases_have_the_same_steps() {
    let (dir, database) = (tempfile::tempdir().unwrap(), xtask::services::database().unwrap());
    let one = sqlite::status(&mut connect(&dir.path().join("x.db")).await).await.unwrap();
    let other = postgres::status(&mut connect_to(&database.url()).await).await.unwrap();
    assert_eq!(one, other);
    let versions: Vec<i64> = one.iter().map(|step| step.version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'later', true, 'x', 0)";

#[tokio::test]
async fn a_database_from_the_future_or_with_another_past_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { path: dir.path().join("relay.db"), mailbox: MailboxBounds::of_messages(1), size_max: None };
    SqliteStore::open(&options, Arc::new(Deaf)).await.unwrap().close().await;
    let mut connection = connect(&options.path).await;
    sqlx::raw_sql(NEWER).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = std::fs::read(&options.path).unwrap();
    let refused = SqliteStore::open(&options, Arc::new(Deaf)).await.err().unwrap();
    assert!(matches!(refused, OpenError::FromTheFuture { version: 9999, .. }), "{refused}");
    for to in [Move::Stay, Move::Up(None), Move::Down(Some(0))] {
        let refused = sqlite::migrate(&options.path, to).await.err().unwrap();
        assert!(matches!(refused, OpenError::FromTheFuture { version: 9999, .. }), "{refused}");
    }
    assert_eq!(std::fs::read(&options.path).unwrap(), before);

    let mut connection = connect(&options.path).await;
    let other = "DELETE FROM _sqlx_migrations WHERE version = 9999; \
                 UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2";
    sqlx::raw_sql(other).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refused = SqliteStore::open(&options, Arc::new(Deaf)).await.err().unwrap();
    assert!(refused.to_string().contains("step 2 of its schema is not the one"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_database_from_the_future_of_another_past_or_in_use_is_left_alone() {
    let database = xtask::services::database().unwrap();
    let options = postgres_options(&database.url());
    let store = PostgresStore::open(&options, Arc::new(Deaf)).await.unwrap();
    use susurro_server::ports::Mailboxes as _;
    // The connection that says so is there when the first commit has been.
    let message = susurro_server::domain::message::NewMessage {
        message: susurro_protocol::MessageId::from_bytes([1; 16]),
        chat: susurro_protocol::ChatId::from_bytes([1; 16]),
        sender: susurro_protocol::AccountId::from_bytes([1; 16]),
        sender_device: susurro_protocol::DeviceId::from_bytes([1; 16]),
        content: [1; 32],
        stored_at: 1,
        expires_at: None,
        deposits: Vec::new(),
    };
    store.deposit(message).await.unwrap().await.unwrap();
    let refused = postgres::migrate(&options, Move::Down(None)).await.err().unwrap();
    assert!(matches!(refused, postgres::OpenError::InUse { .. }), "{refused}");
    assert!(postgres::migrate(&options, Move::Up(None)).await.is_ok(), "a way up is for rolling upgrades");
    store.close().await;
    assert!(postgres::migrate(&options, Move::Down(None)).await.is_ok());
    assert!(postgres::migrate(&options, Move::Up(None)).await.is_ok());

    let mut connection = connect_to(&database.url()).await;
    sqlx::raw_sql(AssertSqlSafe(NEWER.replace("'x'", "'\\x00'"))).execute(&mut connection).await.unwrap();
    let refused = PostgresStore::open(&options, Arc::new(Deaf)).await.err().unwrap();
    assert!(matches!(refused, postgres::OpenError::FromTheFuture { version: 9999, .. }), "{refused}");
    for to in [Move::Stay, Move::Up(None), Move::Down(Some(0))] {
        let refused = postgres::migrate(&options, to).await.err().unwrap();
        assert!(matches!(refused, postgres::OpenError::FromTheFuture { version: 9999, .. }), "{refused}");
    }
    let other = "DELETE FROM _sqlx_migrations WHERE version = 9999; \
                 UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2";
    sqlx::raw_sql(other).execute(&mut connection).await.unwrap();
    let refused = PostgresStore::open(&options, Arc::new(Deaf)).await.err().unwrap();
    assert!(refused.to_string().contains("step 2 of its schema is not the one"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_on_an_empty_database_take_turns() {
    let database = xtask::services::database().unwrap();
    let options = postgres_options(&database.url());
    let starts = (0..6).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { PostgresStore::open(&options, Arc::new(Deaf)).await.map(|_| ()) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

fn migrate(arguments: &[&str], url: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    if let Some(url) = url {
        command.env("SUSURRO_DATABASE", url);
    }
    command.arg("migrate").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_command_moves_both_databases_and_says_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let database = xtask::services::database().unwrap();
    let data = ["--data-dir", dir.path().to_str().unwrap()];
    for url in [None, Some(database.url())] {
        let run = |arguments: &[&str]| migrate(&[arguments, &data].concat(), url.as_deref());
        let status = said(&run(&["status"]));
        assert!(status.starts_with("missing  0001_relay\n") && !status.contains("taken"), "{status}");
        assert_eq!(said(&run(&["up", "--to", "1"])), "up       0001_relay\n");
        let status = said(&run(&["status", "--json"]));
        let first: serde_json::Value = serde_json::from_str(status.lines().next().unwrap()).unwrap();
        assert_eq!((first["version"].as_i64(), first["taken"].as_bool()), (Some(1), Some(true)), "{status}");
        assert!(said(&run(&["up"])).starts_with("up       0002_refresh_grace\n"));
        assert_eq!(said(&run(&["up"])), "nothing to do\n");
        assert!(!said(&run(&["status"])).contains("missing"));
        assert!(said(&run(&["down"])).starts_with("down     "));
        let down = said(&run(&["down", "--to", "0"]));
        assert!(down.ends_with("down     0001_relay\n"), "{down}");
        let nowhere = run(&["up", "--to", "77"]);
        assert_eq!(nowhere.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&nowhere.stderr).contains("no schema 77"));
    }
}

#[test]
fn no_password_of_a_database_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let data = ["status", "--data-dir", dir.path().to_str().unwrap()];
    // Nobody listens on the discard port; nobody knows this parameter; nobody is let in with this password.
    let database = xtask::services::database().unwrap();
    let (_, place) = database.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for url in [
        "postgres://relay:geheim@127.0.0.1:9/relay".to_owned(),
        "postgres://relay:geheim@127.0.0.1:9/relay?pasword=geheim".to_owned(),
        "postgres://relay:geheim@127.0.0.1:port/relay".to_owned(),
        format!("postgres://susurro:geheim@{place}"),
    ] {
        let output = migrate(&data, Some(&url));
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{talk}");
        assert!(!talk.contains("geheim") && output.stdout.is_empty(), "{talk}");
    }
    // The right one may come from a file.
    let url = database.url();
    let password = url.split_once('@').unwrap().0.rsplit_once(':').unwrap().1;
    let file = dir.path().join("password");
    std::fs::write(&file, format!("{password}\n")).unwrap();
    let without = url.replace(&format!(":{password}"), "");
    let output = migrate(&[&data[..], &["--database-password-file", file.to_str().unwrap()]].concat(), Some(&without));
    assert!(said(&output).contains("0001_relay"));
}
