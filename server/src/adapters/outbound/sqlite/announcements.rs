//! The announcements port.

use susurro_protocol::{AnnouncementId, codec};

use super::SqliteStore;
use super::fault;
use super::rows::{bytes, damaged, fixed, number, signed};
use crate::domain::announcement::Announced;
use crate::ports::{Announcements, Answer};

impl Announcements for SqliteStore {
    fn announce(&self, new: Announced) -> Answer<'_, ()> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO announcements (announcement, issued, expires, notice) VALUES (?, ?, ?, ?)")
                    .bind(new.id.as_bytes().to_vec())
                    .bind(signed(new.issued))
                    .bind(signed(new.expires))
                    .bind(codec::encode(&new.notice))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
    }

    fn announcements(&self, now: u64, limit: u32) -> Answer<'_, Vec<Announced>> {
        Box::pin(async move {
            let select = "SELECT announcement, issued, expires, notice FROM announcements WHERE expires > ? \
                          ORDER BY issued DESC, announcement DESC LIMIT ?";
            let query = sqlx::query(select).bind(signed(now)).bind(limit);
            let rows = query.fetch_all(&self.readers).await.map_err(|why| fault::error(&why))?;
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
        self.writer.change(move |connection| {
            Box::pin(async move {
                let delete = sqlx::query("DELETE FROM announcements WHERE expires <= ?").bind(signed(now));
                Ok(delete.execute(connection).await?.rows_affected())
            })
        })
    }
}
