//! The tables of a database as they are at one moment, and the way back.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use susurro_protocol::handshake::RESTORATION;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::migrate;
use super::open::{self, OpenError, Options};
use crate::domain::schema::{Move, Step};

/// Bytes that are sent at once.
const PIECE: usize = 256 * 1024;

/// Ends the name of each table's file.
pub const SUFFIX: &str = ".copy";

/// Writes each table into a file of `directory`, all as of one moment, beside relays that go on writing.
/// Gives the version of the schema.
///
/// # Errors
///
/// [`OpenError`].
pub async fn backup(options: &Options, directory: &Path) -> Result<i64, OpenError> {
    let (connect, mut connection) = open::connect_to(options).await?;
    let steps = migrate::status(&mut connection).await.map_err(|fault| open::schema_failed(&connect, fault))?;
    let unusable = |why: sqlx::Error| open::unusable(&connect, &why);
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(unusable)?;
    for table in tables(&mut connection).await.map_err(unusable)? {
        let copy = format!("COPY \"{table}\" TO STDOUT (FORMAT binary)");
        let path = directory.join(format!("{table}{SUFFIX}"));
        let mut file = File::create_new(&path).await.map_err(|why| unusable(sqlx::Error::Io(why)))?;
        let mut rows = connection.copy_out_raw(&copy).await.map_err(unusable)?;
        while let Some(piece) = rows.try_next().await.map_err(unusable)? {
            file.write_all(&piece).await.map_err(|why| unusable(sqlx::Error::Io(why)))?;
        }
        file.sync_all().await.map_err(|why| unusable(sqlx::Error::Io(why)))?;
    }
    connection.execute("COMMIT").await.map_err(unusable)?;
    connection.close().await.map_err(unusable)?;
    Ok(present(&steps))
}

/// Empties the database and fills it from the files of `directory`, which hold a database with this
/// schema. Refused while relays are running, and for a database that is not empty unless `replace`.
///
/// # Errors
///
/// [`OpenError`]. When the copying fails, the database is left empty.
pub async fn restore(options: &Options, directory: &Path, schema: i64, replace: bool) -> Result<(), OpenError> {
    let (connect, mut connection) = open::connect_to(options).await?;
    open::be_alone(&connect, &mut connection).await?;
    let refused = |fault| open::schema_failed(&connect, fault);
    let unusable = |why: sqlx::Error| open::unusable(&connect, &why);
    let steps = migrate::status(&mut connection).await.map_err(refused)?;
    if present(&steps) > 0 && !replace {
        let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM accounts)").fetch_one(&mut connection).await;
        if row.and_then(|row| row.try_get::<bool, usize>(0)).map_err(unusable)? {
            return Err(OpenError::NotEmpty { database: open::database(&connect) });
        }
    }
    // First, so that an unknown version is refused before anything is gone.
    crate::domain::schema::target(&steps, Move::Up(Some(schema))).map_err(|why| refused(why.into()))?;
    migrate::go(&mut connection, Move::Down(Some(0))).await.map_err(refused)?;
    migrate::go(&mut connection, Move::Up(Some(schema))).await.map_err(refused)?;
    connection.execute("BEGIN").await.map_err(unusable)?;
    for table in tables(&mut connection).await.map_err(unusable)? {
        fill(&mut connection, &table, &directory.join(format!("{table}{SUFFIX}"))).await.map_err(unusable)?;
    }
    tell(&mut connection).await.map_err(unusable)?;
    connection.execute("COMMIT; ANALYZE").await.map_err(unusable)?;
    connection.close().await.map_err(unusable)
}

async fn fill(connection: &mut PgConnection, table: &str, path: &Path) -> Result<(), sqlx::Error> {
    let mut file = File::open(path).await?;
    let mut rows = connection.copy_in_raw(&format!("COPY \"{table}\" FROM STDIN (FORMAT binary)")).await?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).await {
            Ok(0) => break,
            Ok(read) => {
                rows.send(&piece[..read]).await?;
            }
            Err(why) => {
                rows.abort("the file cannot be read").await?;
                return Err(why.into());
            }
        }
    }
    rows.finish().await.map(|_| ())
}

/// Makes restored tables fit to go on with: no position is given out twice, and clients
/// notice ([`RESTORATION`]); one-time prekeys, which may have been given out since the backup, are not given out again.
async fn tell(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for table in ["UPDATE messages SET seq = seq + $1", "UPDATE mailboxes SET head = head + $1"] {
        sqlx::query(table).bind(super::rows::signed(RESTORATION)).execute(&mut *connection).await?;
    }
    connection.execute("UPDATE prekeys SET content = NULL WHERE kind IN (0, 2)").await?;
    // Rows came with their numbers; what numbers the next ones has to be told.
    let select = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                  WHERE table_schema = current_schema() AND is_identity = 'YES'";
    for row in sqlx::query(select).fetch_all(&mut *connection).await? {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), \
             coalesce((SELECT max(\"{column}\") FROM \"{table}\"), 0) + 1, false)"
        );
        // Names of the schema, nothing from outside.
        connection.execute(AssertSqlSafe(next)).await?;
    }
    Ok(())
}

/// The tables of the relay, each behind those that it refers to.
async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let select = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname <> '_sqlx_migrations' \
                  AND relnamespace = current_schema()::regnamespace ORDER BY 1";
    let mut left = BTreeSet::new();
    for row in sqlx::query(select).fetch_all(&mut *connection).await? {
        left.insert(row.try_get::<String, usize>(0)?);
    }
    let select = "SELECT c.relname::text, r.relname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
                  JOIN pg_class r ON r.oid = k.confrelid WHERE k.contype = 'f' AND c.oid <> r.oid";
    let mut refers = Vec::new();
    for row in sqlx::query(select).fetch_all(connection).await? {
        refers.push((row.try_get::<String, usize>(0)?, row.try_get::<String, usize>(1)?));
    }
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |table: &String| refers.iter().any(|(from, to)| from == table && left.contains(to));
        let next: Vec<String> = left.iter().filter(|table| !waits(table)).cloned().collect();
        if next.is_empty() {
            // Tables that refer to one another in a ring: there are none in this schema.
            ordered.extend(std::mem::take(&mut left));
        }
        for table in next {
            left.remove(&table);
            ordered.push(table);
        }
    }
    Ok(ordered)
}

fn present(steps: &[Step]) -> i64 {
    steps.iter().filter(|step| step.taken).map(|step| step.version).max().unwrap_or_default()
}
