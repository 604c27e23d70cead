//! The administration and invites ports.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use susurro_protocol::limits::ACCESS_SECONDS;
use susurro_protocol::{AccountId, ErrorCode};

use super::SqliteStore;
use super::fault::{self, Fault};
use super::rows::{fixed, number, optional_number, optional_text, signed};
use crate::domain::Error;
use crate::domain::account::{NewPassword, Proof, Role, Verifier};
use crate::domain::invite::{Invite, InviteHash, InviteId};
use crate::domain::token::FamilyId;
use crate::ports::{Administration, Answer, Figures, Invites};

impl Administration for SqliteStore {
    fn disable(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>> {
        self.ending(move |connection| {
            Box::pin(async move {
                sqlx::query("UPDATE accounts SET disabled = ? WHERE account = ? AND disabled IS NULL")
                    .bind(signed(now))
                    .bind(account.as_bytes().to_vec())
                    .execute(&mut *connection)
                    .await?;
                end_families(connection, account, None, now).await
            })
        })
    }

    fn enable(&self, account: AccountId) -> Answer<'_, ()> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let update = sqlx::query("UPDATE accounts SET disabled = NULL WHERE account = ?");
                update.bind(account.as_bytes().to_vec()).execute(connection).await?;
                Ok(())
            })
        })
    }

    fn set_role(&self, account: AccountId, role: Role) -> Answer<'_, ()> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let update = sqlx::query("UPDATE accounts SET role = ? WHERE account = ?");
                update.bind(role.as_str()).bind(account.as_bytes().to_vec()).execute(connection).await?;
                Ok(())
            })
        })
    }

    fn set_password(&self, new: NewPassword, now: u64) -> Answer<'_, Vec<FamilyId>> {
        self.ending(move |connection| {
            Box::pin(async move {
                super::recovery::check_proof(connection, new.account, new.proof).await?;
                let update = "UPDATE accounts SET scheme = ?, salt = ?, memory_kib = ?, passes = ?, lanes = ?, \
                              verifier_salt = ?, verifier = ? WHERE account = ?";
                sqlx::query(update)
                    .bind(new.stretch.scheme)
                    .bind(new.stretch.salt.0.to_vec())
                    .bind(new.stretch.memory_kib)
                    .bind(new.stretch.passes)
                    .bind(new.stretch.lanes)
                    .bind(new.verifier.salt.to_vec())
                    .bind(new.verifier.hash.to_vec())
                    .bind(new.account.as_bytes().to_vec())
                    .execute(&mut *connection)
                    .await?;
                end_families(connection, new.account, new.kept, now).await
            })
        })
    }

    fn set_recovery(
        &self,
        account: AccountId,
        proven: [u8; 16],
        verifier: Option<Verifier>,
        now: u64,
    ) -> Answer<'_, ()> {
        self.writer.change(move |connection| Box::pin(super::recovery::set(connection, account, proven, verifier, now)))
    }

    fn recovery_set(&self, account: AccountId) -> Answer<'_, Option<u64>> {
        Box::pin(super::recovery::since(&self.readers, account))
    }

    fn erase(&self, account: AccountId, proof: Option<Proof>, now: u64) -> Answer<'_, Vec<FamilyId>> {
        let erased = self.ending_forgetting(move |connection| Box::pin(erase(connection, account, proof, now)));
        Box::pin(async move {
            let ended = erased.await?;
            self.forget_rosters();
            Ok(ended)
        })
    }

    fn ask_to_erase(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>> {
        self.ending(move |connection| {
            Box::pin(async move {
                let insert = sqlx::query("INSERT INTO erasures (account) VALUES (?) ON CONFLICT DO NOTHING");
                insert.bind(account.as_bytes().to_vec()).execute(&mut *connection).await?;
                sqlx::query("UPDATE accounts SET disabled = coalesce(disabled, ?) WHERE account = ?")
                    .bind(signed(now))
                    .bind(account.as_bytes().to_vec())
                    .execute(&mut *connection)
                    .await?;
                end_families(connection, account, None, now).await
            })
        })
    }

    fn to_erase(&self) -> Answer<'_, Vec<AccountId>> {
        Box::pin(async move {
            let query = sqlx::query("SELECT account FROM erasures");
            let rows = query.fetch_all(&self.readers).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(|row| fixed(row, 0).map(AccountId::from_bytes)).collect()
        })
    }

    fn figures(&self) -> Answer<'_, Figures> {
        Box::pin(async move {
            let select = "SELECT (SELECT count(*) FROM accounts), (SELECT count(disabled) FROM accounts), \
                          (SELECT coalesce(sum(waiting), 0) FROM mailboxes)";
            let row = sqlx::query(select).fetch_one(&self.readers).await.map_err(|why| fault::error(&why))?;
            Ok(Figures { accounts: number(&row, 0)?, disabled: number(&row, 1)?, waiting: number(&row, 2)? })
        })
    }

    fn ended_elsewhere(&self) -> Answer<'_, Vec<FamilyId>> {
        Box::pin(async move {
            let read = self.revocations_read.load(Ordering::Relaxed);
            let query =
                sqlx::query("SELECT number, family FROM revocations WHERE number > ? ORDER BY number").bind(read);
            let rows = query.fetch_all(&self.readers).await.map_err(|why| fault::error(&why))?;
            let mut found = Vec::new();
            let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
            for row in &rows {
                let family = FamilyId(fixed(row, 1)?);
                if revoked.insert(family) {
                    found.push(family);
                }
                self.revocations_read.fetch_max(signed(number(row, 0)?), Ordering::Relaxed);
            }
            Ok(found)
        })
    }
}

impl Invites for SqliteStore {
    fn create_invite(&self, invite: Invite) -> Answer<'_, ()> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO invites (invite, uses, used, note, created, expires, revoked) VALUES (?, ?, ?, ?, ?, ?, ?)")
                    .bind(invite.hash.0.to_vec())
                    .bind(invite.uses)
                    .bind(invite.used)
                    .bind(invite.note)
                    .bind(signed(invite.created))
                    .bind(invite.expires.map(signed))
                    .bind(invite.revoked.map(signed))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
    }

    fn invite(&self, hash: InviteHash) -> Answer<'_, Option<Invite>> {
        Box::pin(async move {
            let query = sqlx::query(INVITE).bind(hash.0.to_vec());
            let row = query.fetch_optional(&self.readers).await.map_err(|why| fault::error(&why))?;
            row.as_ref().map(invite).transpose()
        })
    }

    fn invites(&self, after: Option<InviteId>, limit: u32) -> Answer<'_, Vec<Invite>> {
        Box::pin(async move {
            let select = "SELECT invite, uses, used, note, created, expires, revoked FROM invites \
                          WHERE invite > ? ORDER BY invite LIMIT ?";
            let query = sqlx::query(select).bind(last_of(after)).bind(limit);
            let rows = query.fetch_all(&self.readers).await.map_err(|why| fault::error(&why))?;
            rows.iter().map(invite).collect()
        })
    }

    fn revoke_invite(&self, id: InviteId, now: u64) -> Answer<'_, bool> {
        self.writer.change(move |connection| {
            Box::pin(async move {
                let update = "UPDATE invites SET revoked = coalesce(revoked, ?) WHERE invite >= ? AND invite <= ?";
                let done = sqlx::query(update).bind(signed(now)).bind(id.0.to_vec()).bind(last_of(Some(id)));
                Ok(done.execute(connection).await?.rows_affected() > 0)
            })
        })
    }
}

const INVITE: &str = "SELECT invite, uses, used, note, created, expires, revoked FROM invites WHERE invite = ?";

/// The last hash that begins with an identifier; before all others without one.
fn last_of(id: Option<InviteId>) -> Vec<u8> {
    id.map(|id| [&id.0[..], &[0xff; 24]].concat()).unwrap_or_default()
}

fn invite(row: &SqliteRow) -> Result<Invite, Error> {
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

/// Counts one registration with an invite.
pub(super) async fn use_invite(connection: &mut SqliteConnection, hash: &InviteHash, now: u64) -> Result<(), Fault> {
    let row = sqlx::query(INVITE).bind(hash.0.to_vec()).fetch_optional(&mut *connection).await?;
    let known = row.as_ref().map(invite).transpose()?;
    if !known.is_some_and(|known| known.is_good(now)) {
        return Err(Error::from(ErrorCode::InvalidInvite).into());
    }
    let update = sqlx::query("UPDATE invites SET used = used + 1 WHERE invite = ?");
    update.bind(hash.0.to_vec()).execute(connection).await?;
    Ok(())
}

/// What goes with an account, in the order in which rows refer to each other. `?1` is the account.
const ERASE: [&str; 12] = [
    // What it has sent and nobody has fetched yet is found by a scan: an index on the sender would be
    // written for every message, for something that happens once in the life of an account.
    "UPDATE mailboxes SET waiting = max(0, waiting - gone.n), bytes = max(0, bytes - gone.size) FROM \
     (SELECT mailbox, count(*) AS n, sum(length(body)) AS size FROM messages \
     WHERE sender IN (SELECT number FROM devices WHERE account = ?1) GROUP BY mailbox) gone \
     WHERE mailboxes.device = gone.mailbox",
    "DELETE FROM messages WHERE sender IN (SELECT number FROM devices WHERE account = ?1)",
    "DELETE FROM messages WHERE mailbox IN (SELECT number FROM devices WHERE account = ?1)",
    // By the index of used ids, and among the latest, which it may not have yet.
    "DELETE FROM sent WHERE id IN (SELECT id FROM used_ids WHERE device IN (SELECT number FROM devices WHERE account = ?1) \
     UNION SELECT id FROM sent WHERE id > (SELECT up_to FROM used_ids_up_to) \
     AND device IN (SELECT number FROM devices WHERE account = ?1))",
    "DELETE FROM prekeys WHERE device IN (SELECT number FROM devices WHERE account = ?1)",
    "DELETE FROM mailboxes WHERE device IN (SELECT number FROM devices WHERE account = ?1)",
    "DELETE FROM devices WHERE account = ?1",
    "DELETE FROM refresh_tokens WHERE family IN (SELECT family FROM families WHERE account = ?1)",
    "DELETE FROM families WHERE account = ?1",
    "DELETE FROM recoveries WHERE account = ?1",
    "DELETE FROM erasures WHERE account = ?1",
    "DELETE FROM accounts WHERE account = ?1",
];

async fn erase(
    connection: &mut SqliteConnection,
    account: AccountId,
    proof: Option<Proof>,
    now: u64,
) -> Result<Vec<FamilyId>, Fault> {
    if let Some(proof) = proof {
        super::recovery::check_proof(connection, account, proof).await?;
    }
    let ended = end_families(connection, account, None, now).await?;
    // A direct chat ends with either of its two members.
    let select = sqlx::query("SELECT chat FROM chat_members WHERE account = ?").bind(account.as_bytes().to_vec());
    for row in select.fetch_all(&mut *connection).await? {
        let chat = super::rows::bytes(&row, 0)?;
        sqlx::query("DELETE FROM chat_members WHERE chat = ?").bind(&chat).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM chats WHERE chat = ?").bind(&chat).execute(&mut *connection).await?;
    }
    for statement in ERASE {
        sqlx::query(statement).bind(account.as_bytes().to_vec()).execute(&mut *connection).await?;
    }
    Ok(ended)
}

/// Ends the logins of an account, but for `kept`.
pub(super) async fn end_families(
    connection: &mut SqliteConnection,
    account: AccountId,
    kept: Option<FamilyId>,
    now: u64,
) -> Result<Vec<FamilyId>, Fault> {
    let update =
        "UPDATE families SET revoked = ? WHERE account = ? AND family IS NOT ? AND revoked IS NULL RETURNING family";
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

/// Leaves word of an ended family for everybody who works on this database.
pub(super) async fn tell_of(connection: &mut SqliteConnection, family: &FamilyId, now: u64) -> Result<(), sqlx::Error> {
    // One second more than the tokens live: theirs is counted in whole seconds.
    sqlx::query("INSERT INTO revocations (family, until) VALUES (?, ?)")
        .bind(family.0.to_vec())
        .bind(signed(now + (ACCESS_SECONDS + 1) * 1000))
        .execute(connection)
        .await?;
    Ok(())
}

impl SqliteStore {
    /// As [`ending`](Self::ending), for a change after which the writer must not believe what it
    /// remembers of mailboxes.
    pub(super) fn ending_forgetting<F>(&self, run: F) -> Answer<'_, Vec<FamilyId>>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> super::writer::Work<'c, Vec<FamilyId>> + Send + 'static,
    {
        let revoked = self.revoked.clone();
        self.writer.change_forgetting(run, move |families: &Vec<FamilyId>| {
            revoked.lock().unwrap_or_else(PoisonError::into_inner).extend(families.iter().copied());
        })
    }

    /// A change that ends families: they count as ended from its commit on.
    pub(super) fn ending<F>(&self, run: F) -> Answer<'_, Vec<FamilyId>>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> super::writer::Work<'c, Vec<FamilyId>> + Send + 'static,
    {
        let revoked = self.revoked.clone();
        self.writer.change_then(run, move |families: &Vec<FamilyId>| {
            revoked.lock().unwrap_or_else(PoisonError::into_inner).extend(families.iter().copied());
        })
    }
}
