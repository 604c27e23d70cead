//! The port of what is known of blobs.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use susurro_protocol::{AccountId, BlobId};

use super::SqliteStore;
use super::fault::{self, Fault};
use super::rows::{fixed, number, signed};
use crate::domain::Error;
use crate::domain::blob::{Begun, BlobRecord};
use crate::ports::{Answer, BlobRecords};

/// The columns of [`record`].
const BLOB: &str = "SELECT blob, owner, size, uploaded, expires, keep_until FROM blobs WHERE blob = ?";

impl BlobRecords for SqliteStore {
    fn begin_blob(&self, new: BlobRecord, quota: u64, now: u64) -> Answer<'_, Begun> {
        self.writer.change(move |connection| Box::pin(begin(connection, new, quota, now)))
    }

    fn blob(&self, blob: BlobId) -> Answer<'_, Option<BlobRecord>> {
        Box::pin(async move {
            let row = sqlx::query(BLOB).bind(blob.as_bytes().to_vec()).fetch_optional(&self.readers).await;
            row.map_err(|why| fault::error(&why))?.map(|row| record(&row)).transpose()
        })
    }

    fn advance_blob(&self, blob: BlobId, from: u64, to: u64, now: u64) -> Answer<'_, bool> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let update = "UPDATE blobs SET uploaded = ?1, \
                              expires = CASE WHEN size = ?1 THEN keep_until ELSE expires END \
                              WHERE blob = ?2 AND uploaded = ?3 AND expires > ?4";
                let update = sqlx::query(update).bind(signed(to)).bind(blob.as_bytes().to_vec());
                let update = update.bind(signed(from)).bind(signed(now));
                Ok(update.execute(connection).await?.rows_affected() > 0)
            })
        })
    }

    fn end_blob(&self, blob: BlobId, now: u64) -> Answer<'_, ()> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let update = sqlx::query("UPDATE blobs SET expires = ?1 WHERE blob = ?2 AND expires > ?1");
                update.bind(signed(now)).bind(blob.as_bytes().to_vec()).execute(connection).await?;
                Ok(())
            })
        })
    }

    fn over_blobs(&self, before: u64, batch: u32) -> Answer<'_, Vec<(BlobId, u64)>> {
        Box::pin(async move {
            let select = "SELECT blob, size FROM blobs WHERE expires <= ? ORDER BY expires LIMIT ?";
            let query = sqlx::query(select).bind(signed(before)).bind(batch);
            let rows = query.fetch_all(&self.readers).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(|row| Ok((BlobId::from_bytes(fixed(row, 0)?), number(row, 1)?))).collect()
        })
    }

    fn forget_blobs(&self, blobs: Vec<BlobId>) -> Answer<'_, u64> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let mut gone = 0;
                for blob in blobs {
                    let delete = sqlx::query("DELETE FROM blobs WHERE blob = ?").bind(blob.as_bytes().to_vec());
                    gone += delete.execute(&mut *connection).await?.rows_affected();
                }
                Ok(gone)
            })
        })
    }
}

async fn begin(connection: &mut SqliteConnection, new: BlobRecord, quota: u64, now: u64) -> Result<Begun, Fault> {
    let known = sqlx::query(BLOB).bind(new.blob.as_bytes().to_vec()).fetch_optional(&mut *connection).await?;
    if let Some(row) = known {
        return Ok(Begun::Known(record(&row)?));
    }
    let owner = new.owner.as_bytes().to_vec();
    let sum = sqlx::query("SELECT coalesce(sum(size), 0) FROM blobs WHERE owner = ? AND expires > ?");
    let sum = number(&sum.bind(&owner).bind(signed(now)).fetch_one(&mut *connection).await?, 0)?;
    if sum.saturating_add(new.size) > quota {
        return Ok(Begun::NoRoom);
    }
    sqlx::query("INSERT INTO blobs (blob, owner, size, uploaded, expires, keep_until) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(new.blob.as_bytes().to_vec())
        .bind(owner)
        .bind(signed(new.size))
        .bind(signed(new.uploaded))
        .bind(signed(new.expires))
        .bind(signed(new.keep_until))
        .execute(connection)
        .await?;
    Ok(Begun::Made)
}

fn record(row: &SqliteRow) -> Result<BlobRecord, Error> {
    Ok(BlobRecord {
        blob: BlobId::from_bytes(fixed(row, 0)?),
        owner: AccountId::from_bytes(fixed(row, 1)?),
        size: number(row, 2)?,
        uploaded: number(row, 3)?,
        expires: number(row, 4)?,
        keep_until: number(row, 5)?,
    })
}
