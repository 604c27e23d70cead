//! A copy of a database that is in use, and the way back.

use std::fs;
use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};
use susurro_protocol::handshake::RESTORATION;

use super::migrate;
use super::open::{OpenError, base_options, connect, failed, look_at, schema_failed, unusable, with_suffix};
use crate::domain::schema::{SchemaError, Step};

/// Writes the database as it is at one moment into `copy`, beside a relay that goes on writing. Gives the
/// version of its schema. The file must not be there.
///
/// # Errors
///
/// [`OpenError`].
pub async fn backup(path: &Path, copy: &Path) -> Result<i64, OpenError> {
    let mut connection = connect(&base_options(path), path).await?;
    let steps = migrate::status(&mut connection).await.map_err(|fault| schema_failed(path, fault))?;
    fs::File::create_new(copy).map_err(|error| unusable(copy, &error))?;
    super::open::restrict(copy)?;
    let text = copy.to_str().ok_or_else(|| OpenError::Unusable {
        path: copy.to_owned(),
        why: "the name of the copy has to be UTF-8".to_owned(),
    })?;
    // One read transaction from beginning to end; writers are not kept waiting.
    let vacuum = sqlx::query("VACUUM INTO ?").bind(text).execute(&mut connection).await;
    vacuum.map_err(|error| failed(copy, &error))?;
    connection.close().await.map_err(|error| failed(path, &error))?;
    let synced = fs::File::open(copy).and_then(|file| file.sync_all());
    synced.map_err(|error| unusable(copy, &error))?;
    Ok(present(&steps))
}

/// Puts a copy in the place of the database, whose lock the caller holds. What was there is kept under
/// another name, which comes back.
///
/// # Errors
///
/// [`OpenError`]; until the last moment, nothing was changed.
pub async fn restore(copy: &Path, path: &Path, aside: &str) -> Result<(), OpenError> {
    let unfinished = with_suffix(path, ".restored");
    remove_all(&unfinished)?;
    fs::copy(copy, &unfinished).map_err(|error| unusable(&unfinished, &error))?;
    super::open::restrict(&unfinished)?;
    let length = fs::metadata(&unfinished).map_err(|error| unusable(&unfinished, &error))?.len();
    look_at(&unfinished, length).await?;
    let mut connection = connect(&base_options(&unfinished), &unfinished).await?;
    let steps = migrate::status(&mut connection).await.map_err(|fault| schema_failed(copy, fault))?;
    if present(&steps) == 0 {
        return Err(OpenError::Schema { path: copy.to_owned(), why: SchemaError::Nowhere(0) });
    }
    tell(&mut connection).await.map_err(|error| failed(&unfinished, &error))?;
    connection.close().await.map_err(|error| failed(&unfinished, &error))?;
    let synced = fs::File::open(&unfinished).and_then(|file| file.sync_all());
    synced.map_err(|error| unusable(&unfinished, &error))?;
    for suffix in ["", "-wal", "-shm"] {
        let old = with_suffix(path, suffix);
        if old.exists() {
            let kept = with_suffix(&with_suffix(path, aside), suffix);
            fs::rename(&old, &kept).map_err(|error| unusable(&old, &error))?;
        }
    }
    fs::rename(&unfinished, path).map_err(|error| unusable(path, &error))?;
    if let Some(Ok(directory)) = path.parent().map(fs::File::open) {
        directory.sync_all().map_err(|error| unusable(path, &error))?;
    }
    Ok(())
}

/// Makes a restored database fit to go on with: no position is given out twice, and clients
/// notice ([`RESTORATION`]); one-time prekeys, which may have been given out since the backup, are not given out again.
async fn tell(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for table in ["UPDATE messages SET seq = seq + ?", "UPDATE mailboxes SET head = head + ?"] {
        sqlx::query(table).bind(super::rows::signed(RESTORATION)).execute(&mut *transaction).await?;
    }
    sqlx::query("UPDATE prekeys SET content = NULL WHERE kind IN (0, 2)").execute(&mut *transaction).await?;
    transaction.commit().await
}

fn remove_all(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let leftover = with_suffix(path, suffix);
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(&leftover, &error)),
            _ => {}
        }
    }
    Ok(())
}

fn present(steps: &[Step]) -> i64 {
    steps.iter().filter(|step| step.taken).map(|step| step.version).max().unwrap_or_default()
}
