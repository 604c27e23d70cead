//! The schema and its versions (`migrations/postgres`).

use std::borrow::Cow;

use sqlx::migrate::{Migrate as _, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, Row as _, SqlSafeStr as _};

use crate::domain::schema::{self, Known, Move, SchemaError, Step, Taken};

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaFault {
    /// It is not one that this program has made.
    #[error(transparent)]
    Refused(#[from] SchemaError),
    /// A step failed.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// It could not be read.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

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
        5 "0005_blobs";
        6 "0006_used_ids";
        7 "0007_device_lists";
        8 "0008_recovery";
        9 "0009_announcements";
        10 "0010_mailbox_bytes";
    })
}

fn migration(version: i64, name: &'static str, kind: MigrationType, sql: &'static str) -> Migration {
    Migration::new(version, Cow::Borrowed(name), kind, sql.into_sql_str(), false)
}

/// The steps that this program knows, and which of them the database has taken. Changes nothing.
///
/// # Errors
///
/// [`SchemaFault`] for a database from the future or with another past.
pub async fn status(connection: &mut PgConnection) -> Result<Vec<Step>, SchemaFault> {
    let known = migrator().iter().filter(|step| step.migration_type.is_up_migration()).map(known).collect::<Vec<_>>();
    let exists = sqlx::query("SELECT 1 WHERE to_regclass('_sqlx_migrations') IS NOT NULL");
    let mut taken = Vec::new();
    if exists.fetch_optional(&mut *connection).await?.is_some() {
        let rows = sqlx::query("SELECT version, checksum FROM _sqlx_migrations").fetch_all(connection).await?;
        for row in rows {
            taken.push(Taken { version: row.try_get(0)?, checksum: row.try_get(1)? });
        }
    }
    Ok(schema::compare(&known, &taken)?)
}

/// Goes up or down, under an advisory lock: nodes that start at once take turns. Each step is a transaction of its
/// own. Going down loses what the newer tables held.
///
/// # Errors
///
/// As [`status`]; nothing was changed then.
pub async fn go(connection: &mut PgConnection, to: Move) -> Result<(), SchemaFault> {
    let steps = status(connection).await?;
    let target = schema::target(&steps, to)?;
    let migrator = migrator();
    match to {
        Move::Stay => {}
        Move::Up(_) => migrator.run_direct(Some(target), connection, false).await?,
        Move::Down(_) => {
            connection.lock().await?;
            let is_taken = |version| steps.iter().any(|step| step.taken && step.version == version);
            let back = |step: &&Migration| {
                step.migration_type.is_down_migration() && step.version > target && is_taken(step.version)
            };
            for step in migrator.iter().rev().filter(back) {
                connection.revert(&migrator.table_name, step).await?;
            }
            connection.unlock().await?;
        }
    }
    Ok(())
}

fn known(step: &Migration) -> Known {
    Known { version: step.version, name: step.description.to_string(), checksum: step.checksum.to_vec() }
}
