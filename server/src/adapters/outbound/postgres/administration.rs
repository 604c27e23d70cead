//! The administration and invites ports.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use susurro_protocol::limits::ACCESS_SECONDS;
use susurro_protocol::{AccountId, ErrorCode};

use super::fault::{self, Fault};
use super::rows::{fixed, number, optional_number, optional_text, signed};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::account::{NewPassword, Proof, Role, Verifier};
use crate::domain::invite::{Invite, InviteHash, InviteId};
use crate::domain::token::FamilyId;
use crate::ports::{Administration, Answer, Figures, Invites};

/// Rows before the last one that are read again: numbers are given out in order, but transactions
/// end in any.
const OVERLAP: u64 = 1000;

/// Rows of `revocations` that were read.
#[derive(Default)]
pub(super) struct Read(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    last: u64,
    /// Those of the overlap.
    known: HashSet<u64>,
}

impl Read {
    fn from(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.saturating_sub(OVERLAP)
    }

    /// Whether this row is a new one.
    fn add(&self, number: u64) -> bool {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.last = numbers.last.max(number);
        let from = numbers.last.saturating_sub(OVERLAP);
        numbers.known.retain(|known| *known > from);
        number > from && numbers.known.insert(number)
    }
}

impl Administration for PostgresStore {
    fn disable(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move { retried!(self.disable_once(account, now)) })
    }

    fn enable(&self, account: AccountId) -> Answer<'_, ()> {
        Box::pin(async move {
            let update = sqlx::query("UPDATE accounts SET disabled = NULL WHERE account = $1");
            let update = update.bind(account.as_bytes().to_vec());
            update.execute(&self.pool).await.map(|_| ()).map_err(|why| fault::error(&why))
        })
    }

    fn set_role(&self, account: AccountId, role: Role) -> Answer<'_, ()> {
        Box::pin(async move {
            let update = sqlx::query("UPDATE accounts SET role = $1 WHERE account = $2");
            let update = update.bind(role.as_str()).bind(account.as_bytes().to_vec());
            update.execute(&self.pool).await.map(|_| ()).map_err(|why| fault::error(&why))
        })
    }

    fn set_password(&self, new: NewPassword, now: u64) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move { retried!(self.set_password_once(&new, now)) })
    }

    fn set_recovery(
        &self,
        account: AccountId,
        proven: [u8; 16],
        verifier: Option<Verifier>,
        now: u64,
    ) -> Answer<'_, ()> {
        Box::pin(async move { retried!(self.set_recovery_once(account, proven, verifier.as_ref(), now)) })
    }

    fn recovery_set(&self, account: AccountId) -> Answer<'_, Option<u64>> {
        Box::pin(super::recovery::since(&self.pool, account))
    }

    fn erase(&self, account: AccountId, proof: Option<Proof>, now: u64) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move { retried!(self.erase_once(account, proof, now)) })
    }

    fn ask_to_erase(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move {
            let insert = sqlx::query("INSERT INTO erasures (account) VALUES ($1) ON CONFLICT DO NOTHING");
            let insert = insert.bind(account.as_bytes().to_vec());
            insert.execute(&self.pool).await.map_err(|why| fault::error(&why))?;
            retried!(self.disable_once(account, now))
        })
    }

    fn to_erase(&self) -> Answer<'_, Vec<AccountId>> {
        Box::pin(async move {
            let query = sqlx::query("SELECT account FROM erasures");
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(|row| fixed(row, 0).map(AccountId::from_bytes)).collect()
        })
    }

    fn figures(&self) -> Answer<'_, Figures> {
        Box::pin(async move {
            let select = "SELECT (SELECT count(*) FROM accounts), (SELECT count(disabled) FROM accounts), \
                          (SELECT coalesce(sum(waiting), 0)::bigint FROM mailboxes)";
            let row = sqlx::query(select).fetch_one(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(Figures { accounts: number(&row, 0)?, disabled: number(&row, 1)?, waiting: number(&row, 2)? })
        })
    }

    fn ended_elsewhere(&self) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move {
            let query = sqlx::query("SELECT number, family FROM revocations WHERE number > $1 ORDER BY number");
            let query = query.bind(signed(self.revocations.from()));
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            let mut found = Vec::new();
            for row in &rows {
                if self.revocations.add(number(row, 0)?) {
                    found.push(FamilyId(fixed(row, 1)?));
                }
            }
            Ok(found)
        })
    }
}

impl Invites for PostgresStore {
    fn create_invite(&self, invite: Invite) -> Answer<'_, ()> {
        Box::pin(async move {
            let insert = "INSERT INTO invites (invite, uses, used, note, created, expires, revoked) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";
            sqlx::query(insert)
                .bind(invite.hash.0.to_vec())
                .bind(i64::from(invite.uses))
                .bind(i64::from(invite.used))
                .bind(invite.note)
                .bind(signed(invite.created))
                .bind(invite.expires.map(signed))
                .bind(invite.revoked.map(signed))
                .execute(&self.pool)
                .await
                .map(|_| ())
                .map_err(|why| fault::error(&why))
        })
    }

    fn invite(&self, hash: InviteHash) -> Answer<'_, Option<Invite>> {
        Box::pin(async move {
            let select = "SELECT invite, uses, used, note, created, expires, revoked FROM invites WHERE invite = $1";
            let query = sqlx::query(select).bind(hash.0.to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.as_ref().map(invite).transpose()
        })
    }

    fn invites(&self, after: Option<InviteId>, limit: u32) -> Answer<'_, Vec<Invite>> {
        Box::pin(async move {
            let select = "SELECT invite, uses, used, note, created, expires, revoked FROM invites \
                          WHERE invite > $1 ORDER BY invite LIMIT $2";
            let query = sqlx::query(select).bind(last_of(after)).bind(i64::from(limit));
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(invite).collect()
        })
    }

    fn revoke_invite(&self, id: InviteId, now: u64) -> Answer<'_, bool> {
        Box::pin(async move {
            let update = "UPDATE invites SET revoked = coalesce(revoked, $1) WHERE invite >= $2 AND invite <= $3";
            let update = sqlx::query(update).bind(signed(now)).bind(id.0.to_vec()).bind(last_of(Some(id)));
            let done = update.execute(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(done.rows_affected() > 0)
        })
    }
}

/// The last hash that begins with an identifier; before all others without one.
fn last_of(id: Option<InviteId>) -> Vec<u8> {
    id.map(|id| [&id.0[..], &[0xff; 24]].concat()).unwrap_or_default()
}

fn invite(row: &PgRow) -> Result<Invite, Error> {
    let count = |column| number(row, column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Ok(Invite {
        hash: InviteHash(fixed(row, 0)?),
        uses: count(1)?,
        used: count(2)?,
        note: optional_text(row, 3)?,
        created: number(row, 4)?,
        expires: optional_number(row, 5)?,
        revoked: optional_number(row, 6)?,
    })
}

impl PostgresStore {
    async fn disable_once(&self, account: AccountId, now: u64) -> Result<Vec<FamilyId>, Fault> {
        let mut transaction = self.begin().await?;
        // The row stays locked until the end: no login of it begins meanwhile.
        sqlx::query("UPDATE accounts SET disabled = coalesce(disabled, $1) WHERE account = $2")
            .bind(signed(now))
            .bind(account.as_bytes().to_vec())
            .execute(&mut *transaction)
            .await?;
        let ended = end_families(&mut transaction, account, None, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }
}

/// What goes with an account, in the order in which rows refer to each other. `$1` is the account.
const ERASE: [&str; 13] = [
    // Rows of mailboxes are locked in their order before messages are deleted. What the account has sent
    // and nobody has fetched yet is found by a scan: an index on the sender would be written for every
    // message, for something that happens once in the life of an account.
    "SELECT device FROM mailboxes WHERE device IN (SELECT number FROM devices WHERE account = $1) OR device IN \
     (SELECT mailbox FROM messages WHERE sender IN (SELECT number FROM devices WHERE account = $1)) \
     ORDER BY device FOR UPDATE",
    "WITH gone AS (DELETE FROM messages WHERE sender IN (SELECT number FROM devices WHERE account = $1) RETURNING mailbox, octet_length(body) AS size), \
     counted AS (SELECT mailbox, count(*) AS n, sum(size)::bigint AS size FROM gone GROUP BY mailbox) \
     UPDATE mailboxes b SET waiting = greatest(b.waiting - counted.n, 0), \
     bytes = CASE WHEN b.waiting <= counted.n THEN 0 ELSE greatest(b.bytes - counted.size, 0) END \
     FROM counted WHERE b.device = counted.mailbox",
    "DELETE FROM messages WHERE mailbox IN (SELECT number FROM devices WHERE account = $1)",
    "DELETE FROM sent WHERE device IN (SELECT number FROM devices WHERE account = $1)",
    "DELETE FROM prekeys WHERE device IN (SELECT number FROM devices WHERE account = $1)",
    "DELETE FROM mailboxes WHERE device IN (SELECT number FROM devices WHERE account = $1)",
    "DELETE FROM devices WHERE account = $1",
    // A direct chat ends with either of its two members.
    "WITH gone AS (DELETE FROM chat_members WHERE chat IN (SELECT chat FROM chat_members WHERE account = $1) RETURNING chat) \
     SELECT count(*) FROM gone",
    "DELETE FROM refresh_tokens WHERE family IN (SELECT family FROM families WHERE account = $1)",
    "DELETE FROM families WHERE account = $1",
    "DELETE FROM recoveries WHERE account = $1",
    "DELETE FROM erasures WHERE account = $1",
    "DELETE FROM accounts WHERE account = $1",
];

impl PostgresStore {
    async fn set_password_once(&self, new: &NewPassword, now: u64) -> Result<Vec<FamilyId>, Fault> {
        let mut transaction = self.begin().await?;
        super::recovery::check_proof(&mut transaction, new.account, new.proof).await?;
        let update = "UPDATE accounts SET scheme = $1, salt = $2, memory_kib = $3, passes = $4, lanes = $5, \
                      verifier_salt = $6, verifier = $7 WHERE account = $8";
        sqlx::query(update)
            .bind(&new.stretch.scheme)
            .bind(new.stretch.salt.0.to_vec())
            .bind(i64::from(new.stretch.memory_kib))
            .bind(i64::from(new.stretch.passes))
            .bind(i64::from(new.stretch.lanes))
            .bind(new.verifier.salt.to_vec())
            .bind(new.verifier.hash.to_vec())
            .bind(new.account.as_bytes().to_vec())
            .execute(&mut *transaction)
            .await?;
        let ended = end_families(&mut transaction, new.account, new.kept, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    async fn erase_once(&self, account: AccountId, proof: Option<Proof>, now: u64) -> Result<Vec<FamilyId>, Fault> {
        let id = account.as_bytes().to_vec();
        let mut transaction = self.begin().await?;
        // No login begins and no chat is opened from here on.
        sqlx::query("SELECT 1 FROM accounts WHERE account = $1 FOR UPDATE")
            .bind(&id)
            .execute(&mut *transaction)
            .await?;
        if let Some(proof) = proof {
            super::recovery::check_proof(&mut transaction, account, proof).await?;
        }
        let ended = end_families(&mut transaction, account, None, now).await?;
        let chats = sqlx::query("SELECT chat FROM chat_members WHERE account = $1").bind(&id);
        let chats = chats.fetch_all(&mut *transaction).await?;
        let chats: Result<Vec<_>, Error> = chats.iter().map(|row| super::rows::bytes(row, 0)).collect();
        for statement in ERASE {
            sqlx::query(statement).bind(&id).execute(&mut *transaction).await?;
        }
        sqlx::query("DELETE FROM chats WHERE chat = ANY($1)").bind(chats?).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(ended)
    }
}

/// Counts one registration with an invite. Its row is locked until the transaction ends.
pub(super) async fn use_invite(connection: &mut PgConnection, hash: &InviteHash, now: u64) -> Result<(), Fault> {
    let update = "UPDATE invites SET used = used + 1 WHERE invite = $1 AND used < uses AND revoked IS NULL \
                  AND (expires IS NULL OR expires > $2)";
    let done = sqlx::query(update).bind(hash.0.to_vec()).bind(signed(now)).execute(connection).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::from(ErrorCode::InvalidInvite).into()) }
}

/// Ends the logins of an account, but for `kept`.
pub(super) async fn end_families(
    connection: &mut PgConnection,
    account: AccountId,
    kept: Option<FamilyId>,
    now: u64,
) -> Result<Vec<FamilyId>, Fault> {
    let update = "UPDATE families SET revoked = $1 WHERE account = $2 AND family IS DISTINCT FROM $3 \
                  AND revoked IS NULL RETURNING family";
    let rows = sqlx::query(update)
        .bind(signed(now))
        .bind(account.as_bytes().to_vec())
        .bind(kept.map(|family| family.0.to_vec()))
        .fetch_all(&mut *connection)
        .await?;
    let families: Result<Vec<_>, Error> = rows.iter().map(|row| fixed(row, 0).map(FamilyId)).collect();
    let families = families?;
    for family in &families {
        tell_of(connection, family, now).await?;
    }
    Ok(families)
}

/// Ends a family, unless it is ended already.
pub(super) async fn end_family(connection: &mut PgConnection, family: &FamilyId, now: u64) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE families SET revoked = $1 WHERE family = $2 AND revoked IS NULL");
    let update = update.bind(signed(now)).bind(family.0.to_vec());
    if update.execute(&mut *connection).await?.rows_affected() > 0 {
        tell_of(connection, family, now).await?;
    }
    Ok(())
}

/// Leaves word of an ended family for every node.
pub(super) async fn tell_of(connection: &mut PgConnection, family: &FamilyId, now: u64) -> Result<(), sqlx::Error> {
    // One second more than the tokens live: theirs is counted in whole seconds.
    sqlx::query("INSERT INTO revocations (family, until) VALUES ($1, $2)")
        .bind(family.0.to_vec())
        .bind(signed(now + (ACCESS_SECONDS + 1) * 1000))
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_become_visible_late_are_not_missed_and_none_is_new_twice() {
        let read = Read::default();
        assert!(read.add(1) && read.add(3));
        assert!(read.add(2), "it was given out before 3 and committed after it");
        assert!(!read.add(3) && !read.add(1));
        assert!(read.add(5000) && !read.add(3));
        assert_eq!(read.from(), 4000);
    }
}
