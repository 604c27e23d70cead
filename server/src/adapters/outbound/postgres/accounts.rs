//! The accounts and devices ports.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use susurro_protocol::codec;
use susurro_protocol::keys::{DeviceCertificate, DeviceList};
use susurro_protocol::rest::StretchParams;
use susurro_protocol::{AccountId, AccountName, DeviceId, ErrorCode};

use super::fault::{self, Fault};
use super::rows::{
    bytes, certificate, damaged, fixed, list, number, optional_number, optional_text, salt, signed, text,
};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::account::{Account, Credentials, Device, NewAccount, Role, StoredList, Verifier};
use crate::domain::token::FamilyId;
use crate::ports::{Accounts, Answer, Devices};

impl Accounts for PostgresStore {
    fn register(&self, account: NewAccount) -> Answer<'_, ()> {
        Box::pin(async move { retried!(self.register_once(&account)) })
    }

    fn by_id(&self, id: AccountId) -> Answer<'_, Option<Account>> {
        Box::pin(async move {
            let select = "SELECT account, name, display_name, role, created, disabled FROM accounts WHERE account = $1";
            let query = sqlx::query(select).bind(id.as_bytes().to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.as_ref().map(account).transpose()
        })
    }

    fn by_name<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<Account>> {
        Box::pin(async move {
            let select = "SELECT account, name, display_name, role, created, disabled FROM accounts WHERE name = $1";
            let query = sqlx::query(select).bind(name.as_str());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.as_ref().map(account).transpose()
        })
    }

    fn credentials<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<Credentials>> {
        Box::pin(async move {
            let select = "SELECT account, scheme, salt, memory_kib, passes, lanes, verifier_salt, verifier \
                          FROM accounts WHERE name = $1";
            let query = sqlx::query(select).bind(name.as_str());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.as_ref().map(credentials).transpose()
        })
    }

    fn recovery<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<(AccountId, Verifier)>> {
        Box::pin(super::recovery::of_name(&self.pool, name))
    }

    fn set_display_name(&self, id: AccountId, display_name: Option<String>) -> Answer<'_, ()> {
        Box::pin(async move {
            let update = sqlx::query("UPDATE accounts SET display_name = $1 WHERE account = $2");
            let update = update.bind(display_name).bind(id.as_bytes().to_vec());
            update.execute(&self.pool).await.map(|_| ()).map_err(|why| fault::error(&why))
        })
    }

    fn search<'a>(&'a self, prefix: &'a str, after: &'a str, limit: u32) -> Answer<'a, Vec<Account>> {
        Box::pin(async move {
            let select = "SELECT account, name, display_name, role, created, disabled FROM accounts \
                          WHERE name >= $1 AND name < $2 AND name > $3 ORDER BY name LIMIT $4";
            let end = crate::domain::account::after_prefix(prefix);
            // No text of PostgreSQL has this character, and no name: what stands behind it decides nothing.
            let after = after.split('\0').next().unwrap_or_default();
            let query = sqlx::query(select).bind(prefix).bind(end).bind(after).bind(i64::from(limit));
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(account).collect()
        })
    }
}

impl Devices for PostgresStore {
    fn list(&self, account: AccountId) -> Answer<'_, Option<StoredList>> {
        Box::pin(async move {
            let query = sqlx::query("SELECT name, device_list FROM accounts WHERE account = $1");
            let query = query.bind(account.as_bytes().to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.map(|row| Ok(StoredList { account, name: name(&row, 0)?, list: list(bytes(&row, 1)?) })).transpose()
        })
    }

    fn change_list(&self, list: DeviceList, now: u64) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move { retried!(self.change_list_once(&list, now)) })
    }

    fn audience(&self, account: AccountId) -> Answer<'_, Vec<DeviceId>> {
        Box::pin(async move {
            let select = "SELECT device FROM devices WHERE removed IS NULL AND (account = $1 OR account IN \
                          (SELECT theirs.account FROM chat_members mine JOIN chat_members theirs ON theirs.chat = mine.chat \
                          WHERE mine.account = $1))";
            let query = sqlx::query(select).bind(account.as_bytes().to_vec());
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(|row| fixed(row, 0).map(DeviceId::from_bytes)).collect()
        })
    }

    fn device(&self, device: DeviceId) -> Answer<'_, Option<Device>> {
        Box::pin(async move {
            let query = sqlx::query("SELECT account, certificate FROM devices WHERE device = $1 AND removed IS NULL");
            let query = query.bind(device.as_bytes().to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.map(|row| {
                let account = AccountId::from_bytes(fixed(&row, 0)?);
                Ok(Device { account, device, certificate: certificate(&bytes(&row, 1)?)? })
            })
            .transpose()
        })
    }
}

impl PostgresStore {
    async fn register_once(&self, new: &NewAccount) -> Result<(), Fault> {
        let NewAccount { account, stretch, verifier, list, invite } = new;
        let id = account.id.as_bytes().to_vec();
        let mut transaction = self.begin().await?;
        let taken = sqlx::query("SELECT account = $1 FROM accounts WHERE account = $1 OR name = $2")
            .bind(&id)
            .bind(account.name.as_str())
            .fetch_all(&mut *transaction)
            .await?;
        // Somebody who tries twice with one key learns that they have succeeded, whatever the name.
        let exists = taken.iter().any(|row| row.try_get::<bool, usize>(0).unwrap_or_default());
        if !taken.is_empty() {
            let code = if exists { ErrorCode::AccountExists } else { ErrorCode::NameTaken };
            return Err(Error::from(code).into());
        }
        if let Some(invite) = invite {
            super::administration::use_invite(&mut transaction, invite, account.created).await?;
        }
        sqlx::query(
            "INSERT INTO accounts (account, name, display_name, role, created, scheme, salt, memory_kib, passes, \
             lanes, verifier_salt, verifier, list_version, device_list) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&id)
        .bind(account.name.as_str())
        .bind(&account.display_name)
        .bind(account.role.as_str())
        .bind(signed(account.created))
        .bind(&stretch.scheme)
        .bind(stretch.salt.0.to_vec())
        .bind(i64::from(stretch.memory_kib))
        .bind(i64::from(stretch.passes))
        .bind(i64::from(stretch.lanes))
        .bind(verifier.salt.to_vec())
        .bind(verifier.hash.to_vec())
        .bind(signed(list.body().version))
        .bind(codec::encode(list.signed()))
        .execute(&mut *transaction)
        .await
        .map_err(taken_meanwhile)?;
        for certificate in list.certificates() {
            add_device(&mut transaction, &account.id, certificate).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Adds a device with an empty mailbox.
pub(super) async fn add_device(
    connection: &mut PgConnection,
    account: &AccountId,
    certificate: &DeviceCertificate,
) -> Result<(), Fault> {
    let insert = "WITH added AS (INSERT INTO devices (device, account, certificate) VALUES ($1, $2, $3) \
                  RETURNING number) INSERT INTO mailboxes (device) SELECT number FROM added";
    sqlx::query(insert)
        .bind(certificate.body().device.as_bytes().to_vec())
        .bind(account.as_bytes().to_vec())
        .bind(codec::encode(certificate.signed()))
        .execute(connection)
        .await
        .map_err(taken_meanwhile)?;
    Ok(())
}

/// What it means that a row is there already: somebody came first, perhaps on another node.
fn taken_meanwhile(error: sqlx::Error) -> Fault {
    match fault::broken_constraint(&error) {
        Some("accounts_pkey") => Error::from(ErrorCode::AccountExists).into(),
        Some("accounts_name_key") => Error::from(ErrorCode::NameTaken).into(),
        Some("devices_device_key") => {
            let why = "the device identifier is another account's: choose a random one";
            Error::explained(ErrorCode::InvalidDeviceList, why).into()
        }
        _ => error.into(),
    }
}

/// The columns account, name, display_name, role, created, disabled.
fn account(row: &PgRow) -> Result<Account, Error> {
    Ok(Account {
        id: AccountId::from_bytes(fixed(row, 0)?),
        name: name(row, 1)?,
        display_name: optional_text(row, 2)?,
        role: Role::of_name(&text(row, 3)?),
        created: number(row, 4)?,
        disabled: optional_number(row, 5)?,
    })
}

fn credentials(row: &PgRow) -> Result<Credentials, Error> {
    let cost = |column| number(row, column).map(|cost| u32::try_from(cost).unwrap_or(u32::MAX));
    Ok(Credentials {
        account: AccountId::from_bytes(fixed(row, 0)?),
        stretch: StretchParams {
            scheme: text(row, 1)?,
            salt: salt(row, 2)?,
            memory_kib: cost(3)?,
            passes: cost(4)?,
            lanes: cost(5)?,
        },
        verifier: Verifier { salt: fixed(row, 6)?, hash: fixed(row, 7)? },
    })
}

/// A name that the relay wrote.
pub(super) fn name(row: &PgRow, column: usize) -> Result<AccountName, Error> {
    text(row, column)?.parse().map_err(|_| damaged("a name is none"))
}
