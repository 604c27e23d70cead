//! The announcements port.

use susurro_protocol::{AnnouncementId, codec};

use super::PostgresStore;
use super::fault;
use super::rows::{bytes, damaged, fixed, number, signed};
use crate::domain::announcement::Announced;
use crate::ports::{Announcements, Answer};

impl Announcements for PostgresStore {
    fn announce(&self, new: Announced) -> Answer<'_, ()> {
        Box::pin(async move {
            let insert = "INSERT INTO announcements (announcement, issued, expires, notice) VALUES ($1, $2, $3, $4)";
            sqlx::query(insert)
                .bind(new.id.as_bytes().to_vec())
                .bind(signed(new.issued))
                .bind(signed(new.expires))
                .bind(codec::encode(&new.notice))
                .execute(&self.pool)
                .await
                .map(|_| ())
                .map_err(|why| fault::error(&why))
        })
    }

    fn announcements(&self, now: u64, limit: u32) -> Answer<'_, Vec<Announced>> {
        Box::pin(async move {
            let select = "SELECT announcement, issued, expires, notice FROM announcements WHERE expires > $1 \
                          ORDER BY issued DESC, announcement DESC LIMIT $2";
            let query = sqlx::query(select).bind(signed(now)).bind(i64::from(limit));
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            let announced = rows.iter().rev().map(|row| {
                Ok(Announced {
                    id: AnnouncementId::from_bytes(fixed(row, 0)?),
                    issued: number(row, 1)?,
                    expires: number(row, 2)?,
                    notice: codec::decode(&bytes(row, 3)?).map_err(|why| damaged(why.to_string()))?,
                })
            });
            announced.collect()
        })
    }

    fn forget_announcements(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            let delete = sqlx::query("DELETE FROM announcements WHERE expires <= $1").bind(signed(now));
            let done = delete.execute(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(done.rows_affected())
        })
    }
}
