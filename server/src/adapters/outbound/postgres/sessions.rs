//! The sessions port.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use susurro_protocol::{AccountId, DeviceId, ErrorCode};

use super::administration::end_family;
use super::fault::{self, Fault};
use super::rows::{fixed, is_null, number, signed};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation, ShownToken, Standing, rotate};
use crate::ports::{Answer, Sessions};

impl Sessions for PostgresStore {
    fn begin(&self, new: NewFamily) -> Answer<'_, ()> {
        Box::pin(async move { retried!(self.begin_once(&new)) })
    }

    fn rotate(&self, shown: RefreshHash, new: RefreshHash, now: u64, expires: u64) -> Answer<'_, Rotation> {
        Box::pin(async move { retried!(self.rotate_once(shown, new, now, expires)) })
    }

    fn revoke(&self, family: FamilyId, now: u64) -> Answer<'_, ()> {
        Box::pin(async move { retried!(self.revoke_once(&family, now)) })
    }

    fn is_revoked(&self, family: FamilyId) -> Answer<'_, bool> {
        Box::pin(async move {
            // Asked of the database each time: another node may have ended it a moment ago.
            let select = "SELECT 1 FROM revocations WHERE family = $1";
            let query = sqlx::query(select).bind(family.0.to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(row.is_some())
        })
    }

    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64> {
        Box::pin(async move {
            // What another node deletes at the same time is left to it.
            let delete = "DELETE FROM families WHERE family IN (SELECT family FROM families WHERE expires <= $1 \
                          ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)";
            let query = sqlx::query(delete).bind(signed(now)).bind(i64::from(batch));
            let families = query.execute(&self.pool).await.map_err(|why| fault::error(&why))?.rows_affected();
            let delete = "DELETE FROM revocations WHERE number IN (SELECT number FROM revocations WHERE until <= $1 \
                          ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED)";
            let query = sqlx::query(delete).bind(signed(now)).bind(i64::from(batch));
            let told = query.execute(&self.pool).await.map_err(|why| fault::error(&why))?.rows_affected();
            Ok(families + told)
        })
    }
}

impl PostgresStore {
    async fn begin_once(&self, new: &NewFamily) -> Result<(), Fault> {
        let mut transaction = self.begin().await?;
        // Whoever disables the account waits until this is done, and ends it then, or is done before.
        let select = sqlx::query("SELECT disabled, verifier_salt FROM accounts WHERE account = $1 FOR SHARE");
        let row = select.bind(new.account.as_bytes().to_vec()).fetch_optional(&mut *transaction).await?;
        let row = row.ok_or_else(|| Error::from(ErrorCode::Unauthenticated))?;
        if !is_null(&row, 0)? {
            return Err(Error::from(ErrorCode::AccountDisabled).into());
        }
        if new.proven.is_some_and(|proven| fixed(&row, 1) != Ok(proven)) {
            return Err(Error::from(ErrorCode::InvalidCredentials).into());
        }
        let select = sqlx::query("SELECT removed FROM devices WHERE device = $1 FOR SHARE");
        let row = select.bind(new.device.as_bytes().to_vec()).fetch_optional(&mut *transaction).await?;
        if row.is_none_or(|row| is_null(&row, 0) != Ok(true)) {
            return Err(Error::from(ErrorCode::UnknownDevice).into());
        }
        sqlx::query("INSERT INTO families (family, account, device, expires) VALUES ($1, $2, $3, $4)")
            .bind(new.family.0.to_vec())
            .bind(new.account.as_bytes().to_vec())
            .bind(new.device.as_bytes().to_vec())
            .bind(signed(new.expires))
            .execute(&mut *transaction)
            .await?;
        insert_token(&mut transaction, &new.family, &new.refresh, new.expires).await?;
        Ok(transaction.commit().await?)
    }

    async fn revoke_once(&self, family: &FamilyId, now: u64) -> Result<(), Fault> {
        let mut transaction = self.begin().await?;
        end_family(&mut transaction, family, now).await?;
        Ok(transaction.commit().await?)
    }

    async fn rotate_once(
        &self,
        shown: RefreshHash,
        new: RefreshHash,
        now: u64,
        expires: u64,
    ) -> Result<Rotation, Fault> {
        let mut transaction = self.begin().await?;
        // A statement of its own: what the next one reads is what whoever held the lock has left.
        let lock =
            "SELECT 1 FROM families WHERE family = (SELECT family FROM refresh_tokens WHERE hash = $1) FOR UPDATE";
        sqlx::query(lock).bind(shown.0.to_vec()).fetch_optional(&mut *transaction).await?;
        let rotation = exchange(&mut transaction, shown, new, now, expires).await?;
        transaction.commit().await?;
        Ok(rotation)
    }
}

async fn exchange(
    connection: &mut PgConnection,
    shown: RefreshHash,
    new: RefreshHash,
    now: u64,
    expires: u64,
) -> Result<Rotation, Fault> {
    let select = "SELECT f.account, f.device, f.family, f.revoked, t.expires, t.used, \
                  f.previous IS NOT DISTINCT FROM t.hash, f.exchanged \
                  FROM refresh_tokens t JOIN families f ON f.family = t.family WHERE t.hash = $1";
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
            sqlx::query("UPDATE families SET previous = $1, exchanged = $2 WHERE family = $3")
                .bind(shown.0.to_vec())
                .bind(signed(now))
                .bind(family.0.to_vec())
                .execute(&mut *connection)
                .await?;
            succeed(connection, family, &new, expires).await?;
        }
        Rotation::Repeated { family, .. } => succeed(connection, family, &new, expires).await?,
        Rotation::Reused(family) => {
            end_family(connection, family, now).await?;
        }
        Rotation::Unknown | Rotation::Expired | Rotation::Revoked => {}
    }
    Ok(rotation)
}

fn standing(row: &PgRow) -> Result<Standing, Error> {
    let flag = |column| row.try_get::<bool, usize>(column).map_err(|why| fault::error(&why));
    Ok(match (flag(5)?, flag(6)?) {
        (false, _) => Standing::Present,
        (true, true) => Standing::Previous { exchanged: number(row, 7)? },
        (true, false) => Standing::Older,
    })
}

/// Puts a new token in the place of the present one of its family.
async fn succeed(
    connection: &mut PgConnection,
    family: &FamilyId,
    new: &RefreshHash,
    expires: u64,
) -> Result<(), Fault> {
    let used = sqlx::query("UPDATE refresh_tokens SET used = TRUE WHERE family = $1 AND NOT used");
    used.bind(family.0.to_vec()).execute(&mut *connection).await?;
    insert_token(connection, family, new, expires).await?;
    sqlx::query("UPDATE families SET expires = $1 WHERE family = $2")
        .bind(signed(expires))
        .bind(family.0.to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_token(
    connection: &mut PgConnection,
    family: &FamilyId,
    token: &RefreshHash,
    expires: u64,
) -> Result<(), Fault> {
    sqlx::query("INSERT INTO refresh_tokens (hash, family, expires) VALUES ($1, $2, $3)")
        .bind(token.0.to_vec())
        .bind(family.0.to_vec())
        .bind(signed(expires))
        .execute(connection)
        .await?;
    Ok(())
}
