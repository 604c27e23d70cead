//! The schema: up, down and up again with data in it, and versions from the future.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use susurro_server::adapters::outbound::sqlite::{OpenError, Options, SqliteStore, migrate_down, migrate_up};
use susurro_server::domain::message::Waiting;
use susurro_server::ports::Commits;

struct Deaf;
impl Commits for Deaf {
    fn committed(&self, _: Vec<Waiting>) {}
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn schema(connection: &mut SqliteConnection) -> Vec<String> {
    let select = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
                  WHERE name NOT LIKE '%sqlx%' AND name != 'sqlite_sequence' ORDER BY 1";
    let rows = sqlx::query(select).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A row in every table.
const DATA: &str = "
    INSERT INTO accounts VALUES (zeroblob(16), 'alice', NULL, 'user', 1, 'argon2id-v1', zeroblob(16), 65536, 3, 1,
                                 zeroblob(16), zeroblob(32), 1, x'00', 1);
    INSERT INTO devices (device, account, certificate) VALUES (zeroblob(16), zeroblob(16), x'00');
    INSERT INTO mailboxes VALUES (1, 5, 1);
    INSERT INTO messages VALUES (1, 1, 5, zeroblob(16), zeroblob(16), 1, 1, NULL, x'00');
    INSERT INTO sent VALUES (1, 1, zeroblob(16), zeroblob(32), 1);
    INSERT INTO chats VALUES (zeroblob(16), 1, 2, 1, 3600, zeroblob(16), 1);
    INSERT INTO chat_members VALUES (zeroblob(16), zeroblob(16), 1);
    INSERT INTO prekeys VALUES (1, 0, 1, zeroblob(32), NULL);
    INSERT INTO families VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 1, NULL, zeroblob(32), 1);
    INSERT INTO invites VALUES (zeroblob(32), 2, 1, 'family', 1, NULL, NULL);
    INSERT INTO revocations VALUES (1, zeroblob(16), 1);
    INSERT INTO erasures VALUES (zeroblob(16));
    INSERT INTO refresh_tokens VALUES (zeroblob(32), zeroblob(16), 0, 1);
";

#[tokio::test]
async fn every_step_goes_up_and_down_and_up_again_with_data_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = connect(&dir.path().join("x.db")).await;
    migrate_up(&mut connection).await.unwrap();
    let full = schema(&mut connection).await;
    sqlx::raw_sql(DATA).execute(&mut connection).await.unwrap();
    for line in &full {
        if let Some(table) = line.strip_prefix("table ").and_then(|rest| rest.split(' ').next()) {
            let count = format!("SELECT count(*) FROM {table}");
            let row = sqlx::query(AssertSqlSafe(count)).fetch_one(&mut connection).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), 1, "{table} has data");
        }
    }
    migrate_up(&mut connection).await.unwrap();
    migrate_down(&mut connection, 0).await.unwrap();
    assert_eq!(schema(&mut connection).await, [""; 0], "nothing stays behind");
    migrate_up(&mut connection).await.unwrap();
    assert_eq!(schema(&mut connection).await, full);
}

#[tokio::test]
async fn a_database_from_the_future_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { path: dir.path().join("relay.db"), mailbox_max: 1, size_max: None };
    SqliteStore::open(&options, Arc::new(Deaf)).await.unwrap().close().await;
    let mut connection = connect(&options.path).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', 1, x'00', 0)";
    sqlx::raw_sql(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = std::fs::read(&options.path).unwrap();
    let refused = SqliteStore::open(&options, Arc::new(Deaf)).await.err().unwrap();
    assert!(matches!(refused, OpenError::FromTheFuture { version: 9999, .. }), "{refused}");
    assert_eq!(std::fs::read(&options.path).unwrap(), before);
}
