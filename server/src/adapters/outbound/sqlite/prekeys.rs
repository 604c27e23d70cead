//! The prekeys port.

use sqlx::{Row as _, SqliteConnection};
use susurro_protocol::rest::KeyCount;
use susurro_protocol::{DeviceId, ErrorCode, PrekeyId};

use super::SqliteStore;
use super::fault::{self, Fault};
use super::rows::{bytes, fixed, is_null, number, signed};
use crate::domain::Error;
use crate::domain::prekey::{self, Item, Known};
use crate::ports::{Answer, Claimed, Prekeys};

const HELD: &str = "SELECT kind, id FROM prekeys WHERE device = (SELECT number FROM devices WHERE device = ?) \
                    AND content IS NOT NULL";

impl Prekeys for SqliteStore {
    fn publish(&self, device: DeviceId, items: Vec<Item>) -> Answer<'_, KeyCount> {
        self.writer.change(move |connection| Box::pin(publish(connection, device, items)))
    }

    fn count(&self, device: DeviceId) -> Answer<'_, KeyCount> {
        Box::pin(async move {
            let query = sqlx::query(HELD).bind(device.as_bytes().to_vec());
            let rows = query.fetch_all(&self.readers).await.map_err(|why| fault::error(&why))?;
            count(&rows)
        })
    }

    fn claim(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<Claimed>> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let mut claimed = Vec::with_capacity(devices.len());
                for device in devices {
                    claimed.extend(claim(connection, device).await?);
                }
                Ok(claimed)
            })
        })
    }
}

async fn publish(connection: &mut SqliteConnection, device: DeviceId, items: Vec<Item>) -> Result<KeyCount, Fault> {
    let owner = device_number(connection, &device).await?;
    let query = sqlx::query("SELECT kind, id, hash, content FROM prekeys WHERE device = ?").bind(owner);
    let rows = query.fetch_all(&mut *connection).await?;
    let known: Result<Vec<Known>, Error> = rows
        .iter()
        .map(|row| Ok(Known { kind: kind(row)?, id: number(row, 1)?, hash: fixed(row, 2)?, held: !is_null(row, 3)? }))
        .collect();
    let plan = prekey::plan(&known?, items)?;
    for (kind, id) in plan.retire {
        give_away(connection, owner, kind, id).await?;
    }
    for item in plan.add {
        let hash = item.hash().to_vec();
        sqlx::query("INSERT INTO prekeys (device, kind, id, hash, content) VALUES (?, ?, ?, ?, ?)")
            .bind(owner)
            .bind(item.kind)
            .bind(signed(item.id))
            .bind(hash)
            .bind(item.content)
            .execute(&mut *connection)
            .await?;
    }
    held(connection, &device).await
}

async fn claim(connection: &mut SqliteConnection, device: DeviceId) -> Result<Option<Claimed>, Fault> {
    let owner = device_number(connection, &device).await?;
    let mut oldest = Vec::new();
    for kind in 0..=3_u8 {
        let select = "SELECT id, content FROM prekeys WHERE device = ? AND kind = ? AND content IS NOT NULL \
                      ORDER BY id LIMIT 1";
        let query = sqlx::query(select).bind(owner).bind(kind);
        if let Some(row) = query.fetch_optional(&mut *connection).await? {
            oldest.push(Item { kind, id: number(&row, 0)?, content: bytes(&row, 1)? });
        }
    }
    let Some((bundle, spent)) = prekey::bundle(device, &oldest) else { return Ok(None) };
    for (kind, id) in spent {
        give_away(connection, owner, kind, id).await?;
    }
    Ok(Some(Claimed { bundle, left: held(connection, &device).await? }))
}

async fn give_away(connection: &mut SqliteConnection, owner: i64, kind: u8, id: PrekeyId) -> Result<(), Fault> {
    sqlx::query("UPDATE prekeys SET content = NULL WHERE device = ? AND kind = ? AND id = ?")
        .bind(owner)
        .bind(kind)
        .bind(signed(id))
        .execute(connection)
        .await?;
    Ok(())
}

async fn held(connection: &mut SqliteConnection, device: &DeviceId) -> Result<KeyCount, Fault> {
    let rows = sqlx::query(HELD).bind(device.as_bytes().to_vec()).fetch_all(connection).await?;
    Ok(count(&rows)?)
}

fn count(rows: &[sqlx::sqlite::SqliteRow]) -> Result<KeyCount, Error> {
    let held: Result<Vec<_>, Error> = rows.iter().map(|row| Ok((kind(row)?, number(row, 1)?))).collect();
    Ok(prekey::count(&held?))
}

/// The column kind, which comes first.
fn kind(row: &sqlx::sqlite::SqliteRow) -> Result<u8, Error> {
    number(row, 0).map(|kind| u8::try_from(kind).unwrap_or(u8::MAX))
}

async fn device_number(connection: &mut SqliteConnection, device: &DeviceId) -> Result<i64, Fault> {
    let query = sqlx::query("SELECT number FROM devices WHERE device = ?").bind(device.as_bytes().to_vec());
    let row = query.fetch_optional(connection).await?;
    let row = row.ok_or_else(|| Error::from(ErrorCode::UnknownDevice))?;
    Ok(row.try_get(0)?)
}
