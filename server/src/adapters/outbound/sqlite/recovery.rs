//! What recovery keys prove themselves by, and what counts as a proof for another password.

use sqlx::{SqliteConnection, SqlitePool};
use susurro_protocol::{AccountId, AccountName, ErrorCode};

use super::fault::{self, Fault};
use super::rows::{fixed, is_null, number, signed};
use crate::domain::Error;
use crate::domain::account::{Proof, Verifier};

/// Whether what was shown is what counts now.
pub(super) async fn check_proof(
    connection: &mut SqliteConnection,
    account: AccountId,
    proof: Proof,
) -> Result<(), Fault> {
    let select = "SELECT a.disabled, a.verifier_salt, r.salt FROM accounts a \
                  LEFT JOIN recoveries r ON r.account = a.account WHERE a.account = ?";
    let query = sqlx::query(select).bind(account.as_bytes().to_vec());
    let row = query.fetch_optional(connection).await?.ok_or_else(|| Error::from(ErrorCode::Unauthenticated))?;
    let recovery = if is_null(&row, 2)? { None } else { Some(fixed(&row, 2)?) };
    Ok(proof.check(fixed(&row, 1)?, recovery, !is_null(&row, 0)?)?)
}

pub(super) async fn set(
    connection: &mut SqliteConnection,
    account: AccountId,
    proven: [u8; 16],
    verifier: Option<Verifier>,
    now: u64,
) -> Result<(), Fault> {
    check_proof(connection, account, Proof::Password(proven)).await?;
    let id = account.as_bytes().to_vec();
    match verifier {
        Some(verifier) => {
            let upsert = "INSERT INTO recoveries (account, salt, verifier, created) VALUES (?, ?, ?, ?) \
                          ON CONFLICT (account) DO UPDATE SET salt = excluded.salt, verifier = excluded.verifier, \
                          created = excluded.created";
            let upsert = sqlx::query(upsert).bind(id).bind(verifier.salt.to_vec()).bind(verifier.hash.to_vec());
            upsert.bind(signed(now)).execute(connection).await?
        }
        None => sqlx::query("DELETE FROM recoveries WHERE account = ?").bind(id).execute(connection).await?,
    };
    Ok(())
}

pub(super) async fn since(readers: &SqlitePool, account: AccountId) -> Result<Option<u64>, Error> {
    let query = sqlx::query("SELECT created FROM recoveries WHERE account = ?").bind(account.as_bytes().to_vec());
    let row = query.fetch_optional(readers).await.map_err(|why| fault::error(&why))?;
    row.map(|row| number(&row, 0)).transpose()
}

pub(super) async fn of_name(readers: &SqlitePool, name: &AccountName) -> Result<Option<(AccountId, Verifier)>, Error> {
    let select = "SELECT a.account, r.salt, r.verifier FROM accounts a JOIN recoveries r ON r.account = a.account \
                  WHERE a.name = ?";
    let row =
        sqlx::query(select).bind(name.as_str()).fetch_optional(readers).await.map_err(|why| fault::error(&why))?;
    let Some(row) = row else { return Ok(None) };
    let verifier = Verifier { salt: fixed(&row, 1)?, hash: fixed(&row, 2)? };
    Ok(Some((AccountId::from_bytes(fixed(&row, 0)?), verifier)))
}
