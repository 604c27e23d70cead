//! The sessions port.

use std::collections::HashSet;
use std::sync::PoisonError;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use susurro_protocol::{AccountId, DeviceId, ErrorCode};

use super::SqliteStore;
use super::administration::tell_of;
use super::fault::{self, Fault};
use super::rows::{fixed, is_null, number, signed};
use crate::domain::Error;
use crate::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation, ShownToken, Standing, rotate};
use crate::ports::{Answer, Sessions};

/// Families that were ended and might still be shown in an access token, and the last row that told of
/// one. They stay in memory, a few bytes each, because every request asks.
pub(super) async fn load_revoked(readers: &SqlitePool) -> Result<(HashSet<FamilyId>, i64), Error> {
    let query = sqlx::query("SELECT number, family FROM revocations");
    let rows = query.fetch_all(readers).await.map_err(|why| fault::error(&why))?;
    let mut last = 0;
    let mut families = HashSet::with_capacity(rows.len());
    for row in &rows {
        last = last.max(signed(number(row, 0)?));
        families.insert(FamilyId(fixed(row, 1)?));
    }
    Ok((families, last))
}

impl Sessions for SqliteStore {
    fn begin(&self, new: NewFamily) -> Answer<'_, ()> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let select = sqlx::query("SELECT disabled, verifier_salt FROM accounts WHERE account = ?");
                let row = select.bind(new.account.as_bytes().to_vec()).fetch_optional(&mut *connection).await?;
                let row = row.ok_or_else(|| Error::from(ErrorCode::Unauthenticated))?;
                if !is_null(&row, 0)? {
                    return Err(Error::from(ErrorCode::AccountDisabled).into());
                }
                if new.proven.is_some_and(|proven| fixed(&row, 1) != Ok(proven)) {
                    return Err(Error::from(ErrorCode::InvalidCredentials).into());
                }
                let select = sqlx::query("SELECT removed FROM devices WHERE device = ?");
                let row = select.bind(new.device.as_bytes().to_vec()).fetch_optional(&mut *connection).await?;
                if row.is_none_or(|row| is_null(&row, 0) != Ok(true)) {
                    return Err(Error::from(ErrorCode::UnknownDevice).into());
                }
                sqlx::query("INSERT INTO families (family, account, device, expires) VALUES (?, ?, ?, ?)")
                    .bind(new.family.0.to_vec())
                    .bind(new.account.as_bytes().to_vec())
                    .bind(new.device.as_bytes().to_vec())
                    .bind(signed(new.expires))
                    .execute(&mut *connection)
                    .await?;
                insert_token(connection, &new.family, &new.refresh, new.expires).await
            })
        })
    }

    fn rotate(&self, shown: RefreshHash, new: RefreshHash, now: u64, expires: u64) -> Answer<'_, Rotation> {
        let revoked = self.revoked.clone();
        self.writer.change_then(
            move |connection| Box::pin(exchange(connection, shown, new, now, expires)),
            move |rotation| {
                if let Rotation::Reused(family) = rotation {
                    revoked.lock().unwrap_or_else(PoisonError::into_inner).insert(*family);
                }
            },
        )
    }

    fn revoke(&self, family: FamilyId, now: u64) -> Answer<'_, ()> {
        let revoked = self.revoked.clone();
        self.writer.change_then(
            move |connection| {
                Box::pin(async move {
                    mark_revoked(connection, &family, now).await?;
                    Ok(())
                })
            },
            move |()| {
                revoked.lock().unwrap_or_else(PoisonError::into_inner).insert(family);
            },
        )
    }

    fn is_revoked(&self, family: FamilyId) -> Answer<'_, bool> {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(&family);
        Box::pin(std::future::ready(Ok(revoked)))
    }

    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64> {
        let revoked = self.revoked.clone();
        let gone = self.writer.change_then(
            move |connection| {
                Box::pin(async move {
                    let delete = "DELETE FROM families WHERE family IN \
                                  (SELECT family FROM families WHERE expires <= ? ORDER BY expires LIMIT ?)";
                    let query = sqlx::query(delete).bind(signed(now)).bind(batch);
                    let families = query.execute(&mut *connection).await?.rows_affected();
                    let delete = "DELETE FROM revocations WHERE number IN \
                                  (SELECT number FROM revocations WHERE until <= ? ORDER BY number LIMIT ?) RETURNING family";
                    let rows = sqlx::query(delete).bind(signed(now)).bind(batch).fetch_all(connection).await?;
                    let told: Result<Vec<_>, Error> = rows.iter().map(|row| fixed(row, 0).map(FamilyId)).collect();
                    Ok((families, told?))
                })
            },
            move |(_, told): &(u64, Vec<FamilyId>)| {
                let mut revoked = revoked.lock().unwrap_or_else(PoisonError::into_inner);
                told.iter().for_each(|family| {
                    revoked.remove(family);
                });
            },
        );
        Box::pin(async move { gone.await.map(|(families, told)| families + told.len() as u64) })
    }
}

async fn exchange(
    connection: &mut SqliteConnection,
    shown: RefreshHash,
    new: RefreshHash,
    now: u64,
    expires: u64,
) -> Result<Rotation, Fault> {
    let select = "SELECT f.account, f.device, f.family, f.revoked, t.expires, t.used, f.previous IS t.hash, f.exchanged \
                  FROM refresh_tokens t JOIN families f ON f.family = t.family WHERE t.hash = ?";
    let row = sqlx::query(select).bind(shown.0.to_vec()).fetch_optional(&mut *connection).await?;
    let known: Result<Option<ShownToken>, Error> = row
        .map(|row| {
            Ok(ShownToken {
                account: AccountId::from_bytes(fixed(&row, 0)?),
                device: DeviceId::from_bytes(fixed(&row, 1)?),
                family: FamilyId(fixed(&row, 2)?),
                revoked: !is_null(&row, 3)?,
                expires: number(&row, 4)?,
                standing: standing(&row)?,
            })
        })
        .transpose();
    let rotation = rotate(known?.as_ref(), now);
    match &rotation {
        Rotation::Rotated { family, .. } => {
            sqlx::query("UPDATE families SET previous = ?, exchanged = ? WHERE family = ?")
                .bind(shown.0.to_vec())
                .bind(signed(now))
                .bind(family.0.to_vec())
                .execute(&mut *connection)
                .await?;
            succeed(connection, family, &new, expires).await?;
        }
        Rotation::Repeated { family, .. } => succeed(connection, family, &new, expires).await?,
        Rotation::Reused(family) => mark_revoked(connection, family, now).await?,
        Rotation::Unknown | Rotation::Expired | Rotation::Revoked => {}
    }
    Ok(rotation)
}

fn standing(row: &SqliteRow) -> Result<Standing, Error> {
    let flag = |column| row.try_get::<bool, _>(column).map_err(|why| fault::error(&why));
    Ok(match (flag(5)?, flag(6)?) {
        (false, _) => Standing::Present,
        (true, true) => Standing::Previous { exchanged: number(row, 7)? },
        (true, false) => Standing::Older,
    })
}

/// Puts a new token in the place of the present one of its family.
async fn succeed(
    connection: &mut SqliteConnection,
    family: &FamilyId,
    new: &RefreshHash,
    expires: u64,
) -> Result<(), Fault> {
    let used = sqlx::query("UPDATE refresh_tokens SET used = 1 WHERE family = ? AND used = 0");
    used.bind(family.0.to_vec()).execute(&mut *connection).await?;
    insert_token(connection, family, new, expires).await?;
    sqlx::query("UPDATE families SET expires = ? WHERE family = ?")
        .bind(signed(expires))
        .bind(family.0.to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_token(
    connection: &mut SqliteConnection,
    family: &FamilyId,
    token: &RefreshHash,
    expires: u64,
) -> Result<(), Fault> {
    sqlx::query("INSERT INTO refresh_tokens (hash, family, expires) VALUES (?, ?, ?)")
        .bind(token.0.to_vec())
        .bind(family.0.to_vec())
        .bind(signed(expires))
        .execute(connection)
        .await?;
    Ok(())
}

async fn mark_revoked(connection: &mut SqliteConnection, family: &FamilyId, now: u64) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE families SET revoked = ? WHERE family = ? AND revoked IS NULL");
    let update = update.bind(signed(now)).bind(family.0.to_vec());
    if update.execute(&mut *connection).await?.rows_affected() > 0 {
        tell_of(connection, family, now).await?;
    }
    Ok(())
}
