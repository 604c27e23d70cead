//! The schema and its versions (`migrations/postgres`).

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlSafeStr as _};

macro_rules! migrations {
    ($($version:literal $name:literal;)+) => {
        vec![$(
            migration($version, $name, MigrationType::ReversibleUp, include_str!(
                concat!("../../../../../migrations/postgres/", $name, ".up.sql"))),
            migration($version, $name, MigrationType::ReversibleDown, include_str!(
                concat!("../../../../../migrations/postgres/", $name, ".down.sql"))),
        )+]
    };
}

fn migrator() -> Migrator {
    Migrator::with_migrations(migrations! {
        1 "0001_relay";
        2 "0002_refresh_grace";
        3 "0003_accounts";
        4 "0004_chats";
    })
}

fn migration(version: i64, name: &'static str, kind: MigrationType, sql: &'static str) -> Migration {
    Migration::new(version, Cow::Borrowed(name), kind, sql.into_sql_str(), false)
}

/// Brings the schema up to date, under an advisory lock: nodes that start at once take turns.
///
/// # Errors
///
/// [`MigrateError::VersionMissing`] for a database that a newer relay has written.
pub async fn migrate_up(connection: &mut PgConnection) -> Result<(), MigrateError> {
    migrator().run(connection).await
}

/// Takes the schema back to `version`; 0 for an empty one. Loses what the newer tables held.
///
/// # Errors
///
/// As [`migrate_up`].
pub async fn migrate_down(connection: &mut PgConnection, version: i64) -> Result<(), MigrateError> {
    migrator().undo(connection, version).await
}
