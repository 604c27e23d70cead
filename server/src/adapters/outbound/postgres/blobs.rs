//! The port of what is known of blobs.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use susurro_protocol::{AccountId, BlobId};

use super::fault::{self, Fault};
use super::rows::{fixed, number, signed};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::blob::{Begun, BlobRecord};
use crate::ports::{Answer, BlobRecords};

/// The columns of [`record`].
const BLOB: &str = "SELECT blob, owner, size, uploaded, expires, keep_until FROM blobs WHERE blob = $1";

impl BlobRecords for PostgresStore {
    fn begin_blob(&self, new: BlobRecord, quota: u64, now: u64) -> Answer<'_, Begun> {
        Box::pin(async move { retried!(self.begin_blob_once(new, quota, now)) })
    }

    fn blob(&self, blob: BlobId) -> Answer<'_, Option<BlobRecord>> {
        Box::pin(async move {
            let row = sqlx::query(BLOB).bind(blob.as_bytes().to_vec()).fetch_optional(&self.pool).await;
            row.map_err(|why| fault::error(&why))?.map(|row| record(&row)).transpose()
        })
    }

    fn advance_blob(&self, blob: BlobId, from: u64, to: u64, now: u64) -> Answer<'_, bool> {
        Box::pin(async move {
            let update = "UPDATE blobs SET uploaded = $1, \
                          expires = CASE WHEN size = $1 THEN keep_until ELSE expires END \
                          WHERE blob = $2 AND uploaded = $3 AND expires > $4";
            let update = sqlx::query(update).bind(signed(to)).bind(blob.as_bytes().to_vec());
            let update = update.bind(signed(from)).bind(signed(now));
            let done = update.execute(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(done.rows_affected() > 0)
        })
    }

    fn end_blob(&self, blob: BlobId, now: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            let update = sqlx::query("UPDATE blobs SET expires = $1 WHERE blob = $2 AND expires > $1");
            let update = update.bind(signed(now)).bind(blob.as_bytes().to_vec());
            update.execute(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(())
        })
    }

    fn over_blobs(&self, before: u64, batch: u32) -> Answer<'_, Vec<(BlobId, u64)>> {
        Box::pin(async move {
            let select = "SELECT blob, size FROM blobs WHERE expires <= $1 ORDER BY expires LIMIT $2";
            let query = sqlx::query(select).bind(signed(before)).bind(i64::from(batch));
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(|row| Ok((BlobId::from_bytes(fixed(row, 0)?), number(row, 1)?))).collect()
        })
    }

    fn forget_blobs(&self, blobs: Vec<BlobId>) -> Answer<'_, u64> {
        Box::pin(async move {
            let blobs: Vec<Vec<u8>> = blobs.iter().map(|blob| blob.as_bytes().to_vec()).collect();
            let delete = sqlx::query("DELETE FROM blobs WHERE blob = ANY($1)").bind(blobs);
            let gone = delete.execute(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(gone.rows_affected())
        })
    }
}

impl PostgresStore {
    async fn begin_blob_once(&self, new: BlobRecord, quota: u64, now: u64) -> Result<Begun, Fault> {
        let mut transaction = self.begin().await?;
        let owner = new.owner.as_bytes().to_vec();
        // Two of one account at once must not both fit into the same room.
        let lock = sqlx::query("SELECT 1 FROM accounts WHERE account = $1 FOR NO KEY UPDATE").bind(&owner);
        lock.execute(&mut *transaction).await?;
        let insert = "INSERT INTO blobs (blob, owner, size, uploaded, expires, keep_until) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let made = sqlx::query(insert)
            .bind(new.blob.as_bytes().to_vec())
            .bind(&owner)
            .bind(signed(new.size))
            .bind(signed(new.uploaded))
            .bind(signed(new.expires))
            .bind(signed(new.keep_until))
            .execute(&mut *transaction)
            .await?;
        if made.rows_affected() == 0 {
            let row = sqlx::query(BLOB).bind(new.blob.as_bytes().to_vec()).fetch_one(&mut *transaction).await?;
            return Ok(Begun::Known(record(&row)?));
        }
        let sum = "SELECT coalesce(sum(size), 0)::bigint FROM blobs WHERE owner = $1 AND expires > $2";
        let sum = sqlx::query(sum).bind(owner).bind(signed(now)).fetch_one(&mut *transaction).await?;
        // The new one counts already; without a commit it is undone.
        if sum.try_get::<i64, usize>(0)?.unsigned_abs() > quota {
            return Ok(Begun::NoRoom);
        }
        transaction.commit().await?;
        Ok(Begun::Made)
    }
}

fn record(row: &PgRow) -> Result<BlobRecord, Error> {
    Ok(BlobRecord {
        blob: BlobId::from_bytes(fixed(row, 0)?),
        owner: AccountId::from_bytes(fixed(row, 1)?),
        size: number(row, 2)?,
        uploaded: number(row, 3)?,
        expires: number(row, 4)?,
        keep_until: number(row, 5)?,
    })
}
