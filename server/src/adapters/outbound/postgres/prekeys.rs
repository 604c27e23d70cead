//! The prekeys port.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use susurro_protocol::rest::KeyCount;
use susurro_protocol::{DeviceId, ErrorCode, PrekeyId};

use super::fault::{self, Fault};
use super::rows::{bytes, fixed, is_null, number, signed};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::prekey::{self, Item, Known};
use crate::ports::{Answer, Claimed, Prekeys};

const HELD: &str = "SELECT kind::bigint, id FROM prekeys WHERE device = $1 AND content IS NOT NULL";

impl Prekeys for PostgresStore {
    fn publish(&self, device: DeviceId, items: Vec<Item>) -> Answer<'_, KeyCount> {
        Box::pin(async move { retried!(self.publish_once(device, &items)) })
    }

    fn count(&self, device: DeviceId) -> Answer<'_, KeyCount> {
        Box::pin(async move {
            let select = "SELECT kind::bigint, id FROM prekeys \
                          WHERE device = (SELECT number FROM devices WHERE device = $1) AND content IS NOT NULL";
            let query = sqlx::query(select).bind(device.as_bytes().to_vec());
            count(&query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?)
        })
    }

    fn claim(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<Claimed>> {
        Box::pin(async move { retried!(self.claim_once(&devices)) })
    }
}

impl PostgresStore {
    async fn publish_once(&self, device: DeviceId, items: &[Item]) -> Result<KeyCount, Fault> {
        let mut transaction = self.begin().await?;
        let owner = lock(&mut transaction, &[device]).await?.remove(0);
        let query = sqlx::query("SELECT kind::bigint, id, hash, content FROM prekeys WHERE device = $1").bind(owner);
        let rows = query.fetch_all(&mut *transaction).await?;
        let known: Result<Vec<Known>, Error> = rows
            .iter()
            .map(|row| {
                Ok(Known { kind: kind(row)?, id: number(row, 1)?, hash: fixed(row, 2)?, held: !is_null(row, 3)? })
            })
            .collect();
        let plan = prekey::plan(&known?, items.to_vec())?;
        give_away(&mut transaction, owner, &plan.retire).await?;
        let kinds: Vec<i16> = plan.add.iter().map(|item| i16::from(item.kind)).collect();
        let ids: Vec<i64> = plan.add.iter().map(|item| signed(item.id)).collect();
        let hashes: Vec<Vec<u8>> = plan.add.iter().map(|item| item.hash().to_vec()).collect();
        let contents: Vec<Vec<u8>> = plan.add.into_iter().map(|item| item.content).collect();
        let insert = "INSERT INTO prekeys (device, kind, id, hash, content) \
                      SELECT $1, * FROM unnest($2::smallint[], $3::bigint[], $4::bytea[], $5::bytea[])";
        let insert = sqlx::query(insert).bind(owner).bind(kinds).bind(ids).bind(hashes).bind(contents);
        insert.execute(&mut *transaction).await?;
        let held = held(&mut transaction, owner).await?;
        transaction.commit().await?;
        Ok(held)
    }

    async fn claim_once(&self, devices: &[DeviceId]) -> Result<Vec<Claimed>, Fault> {
        let mut transaction = self.begin().await?;
        let owners = lock(&mut transaction, devices).await?;
        let mut claimed = Vec::with_capacity(devices.len());
        for (device, owner) in devices.iter().zip(owners) {
            claimed.extend(claim(&mut transaction, *device, owner).await?);
        }
        transaction.commit().await?;
        Ok(claimed)
    }
}

/// The numbers of these devices, which nobody else gives keys of before this transaction ends. Rows
/// are locked in the order of their numbers, so that no two who want several wait for each other.
async fn lock(connection: &mut PgConnection, devices: &[DeviceId]) -> Result<Vec<i64>, Fault> {
    let ids: Vec<Vec<u8>> = devices.iter().map(|device| device.as_bytes().to_vec()).collect();
    let select = "SELECT device, number FROM devices WHERE device = ANY($1) ORDER BY number FOR NO KEY UPDATE";
    let rows = sqlx::query(select).bind(&ids).fetch_all(connection).await?;
    let mut numbers = std::collections::HashMap::with_capacity(rows.len());
    for row in &rows {
        numbers.insert(bytes(row, 0)?, row.try_get::<i64, usize>(1)?);
    }
    let unknown = || Fault::from(Error::from(ErrorCode::UnknownDevice));
    ids.iter().map(|id| numbers.get(id).copied().ok_or_else(unknown)).collect()
}

async fn claim(connection: &mut PgConnection, device: DeviceId, owner: i64) -> Result<Option<Claimed>, Fault> {
    let select = "SELECT DISTINCT ON (kind) kind::bigint, id, content FROM prekeys \
                  WHERE device = $1 AND content IS NOT NULL ORDER BY kind, id";
    let rows = sqlx::query(select).bind(owner).fetch_all(&mut *connection).await?;
    let oldest: Result<Vec<Item>, Error> =
        rows.iter().map(|row| Ok(Item { kind: kind(row)?, id: number(row, 1)?, content: bytes(row, 2)? })).collect();
    let Some((bundle, spent)) = prekey::bundle(device, &oldest?) else { return Ok(None) };
    give_away(connection, owner, &spent).await?;
    Ok(Some(Claimed { bundle, left: held(connection, owner).await? }))
}

async fn give_away(connection: &mut PgConnection, owner: i64, keys: &[(u8, PrekeyId)]) -> Result<(), Fault> {
    let kinds: Vec<i16> = keys.iter().map(|(kind, _)| i16::from(*kind)).collect();
    let ids: Vec<i64> = keys.iter().map(|(_, id)| signed(*id)).collect();
    let update = "UPDATE prekeys p SET content = NULL FROM unnest($2::smallint[], $3::bigint[]) gone(kind, id) \
                  WHERE p.device = $1 AND p.kind = gone.kind AND p.id = gone.id";
    sqlx::query(update).bind(owner).bind(kinds).bind(ids).execute(connection).await?;
    Ok(())
}

async fn held(connection: &mut PgConnection, owner: i64) -> Result<KeyCount, Fault> {
    let rows = sqlx::query(HELD).bind(owner).fetch_all(connection).await?;
    Ok(count(&rows)?)
}

fn count(rows: &[PgRow]) -> Result<KeyCount, Error> {
    let held: Result<Vec<_>, Error> = rows.iter().map(|row| Ok((kind(row)?, number(row, 1)?))).collect();
    Ok(prekey::count(&held?))
}

/// The column kind, which comes first.
fn kind(row: &PgRow) -> Result<u8, Error> {
    number(row, 0).map(|kind| u8::try_from(kind).unwrap_or(u8::MAX))
}
