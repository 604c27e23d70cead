//! The chats port.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use susurro_protocol::rest::ChatConfig;
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId};

use super::accounts::name;
use super::fault::{self, Fault};
use super::rows::{damaged, fixed, is_null, number, signed};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::message::{ChatRecord, Member, Roster};
use crate::ports::{Answer, Chats};

impl Chats for PostgresStore {
    fn open_direct(&self, chat: ChatId, members: [AccountId; 2], now: u64) -> Answer<'_, (ChatRecord, bool)> {
        Box::pin(async move { retried!(self.open_once(chat, members, now)) })
    }

    fn configure(&self, chat: ChatId, from: u64, config: ChatConfig) -> Answer<'_, bool> {
        Box::pin(async move { retried!(self.configure_once(chat, from, config)) })
    }

    fn leave(&self, chat: ChatId, account: AccountId, now: u64) -> Answer<'_, ()> {
        Box::pin(async move { retried!(self.leave_once(chat, account, now)) })
    }

    fn chat(&self, chat: ChatId) -> Answer<'_, Option<ChatRecord>> {
        Box::pin(async move {
            let query = sqlx::query(CHAT).bind(chat.as_bytes().to_vec());
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            Ok(records(&rows)?.pop())
        })
    }

    fn of_account(&self, account: AccountId, after: Option<ChatId>, limit: u32) -> Answer<'_, Vec<ChatRecord>> {
        Box::pin(async move {
            let select = "SELECT c.chat, c.created, a.account, a.name, m.left_at, c.config_version, c.suite, \
                          c.disappear_after, c.changed_by, c.changed FROM \
                          (SELECT chat FROM chat_members WHERE account = $1 AND chat > $2 AND left_at IS NULL \
                          ORDER BY chat LIMIT $3) mine JOIN chats c ON c.chat = mine.chat JOIN chat_members m ON m.chat = c.chat \
                          JOIN accounts a ON a.account = m.account ORDER BY c.chat, a.account";
            let after = after.map(|chat| chat.as_bytes().to_vec()).unwrap_or_default();
            let query = sqlx::query(select).bind(account.as_bytes().to_vec()).bind(after).bind(i64::from(limit));
            records(&query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?)
        })
    }

    fn roster(&self, chat: ChatId) -> Answer<'_, Option<Arc<Roster>>> {
        Box::pin(async move {
            let changes = match self.rosters.find(&chat) {
                Ok(kept) => return Ok(Some(kept)),
                Err(changes) => changes,
            };
            let select = "SELECT a.account, a.list_version, d.device, m.left_at, c.disappear_after \
                          FROM chat_members m JOIN chats c ON c.chat = m.chat JOIN accounts a ON a.account = m.account \
                          JOIN devices d ON d.account = a.account AND d.removed IS NULL \
                          WHERE m.chat = $1 ORDER BY a.account, d.device";
            let query = sqlx::query(select).bind(chat.as_bytes().to_vec());
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            let (mut members, mut disappear_after): (Vec<Member>, u32) = (Vec::new(), 0);
            for row in &rows {
                if !is_null(row, 3)? {
                    return Ok(None);
                }
                disappear_after = small(row, 4)?;
                let account = AccountId::from_bytes(fixed(row, 0)?);
                let device = DeviceId::from_bytes(fixed(row, 2)?);
                match members.last_mut().filter(|member| member.account == account) {
                    Some(member) => member.devices.push(device),
                    None => {
                        members.push(Member { account, list_version: number(row, 1)?, devices: vec![device] });
                    }
                }
            }
            if members.is_empty() {
                return Ok(None);
            }
            let roster = Arc::new(Roster { members, disappear_after });
            self.rosters.keep(chat, roster.clone(), changes);
            Ok(Some(roster))
        })
    }
}

/// The columns of [`records`]; one row a member.
const CHAT: &str = "SELECT c.chat, c.created, a.account, a.name, m.left_at, c.config_version, c.suite, \
                    c.disappear_after, c.changed_by, c.changed FROM chats c \
                    JOIN chat_members m ON m.chat = c.chat JOIN accounts a ON a.account = m.account \
                    WHERE c.chat = $1 ORDER BY a.account";

impl PostgresStore {
    async fn open_once(&self, chat: ChatId, members: [AccountId; 2], now: u64) -> Result<(ChatRecord, bool), Fault> {
        let id = chat.as_bytes().to_vec();
        let mut transaction = self.begin().await?;
        // Waits for somebody who opens the same chat, and sees it whole then.
        let insert = sqlx::query("INSERT INTO chats (chat, created) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        let made = insert.bind(&id).bind(signed(now)).execute(&mut *transaction).await?.rows_affected() > 0;
        if made {
            let members: Vec<Vec<u8>> = members.iter().map(|member| member.as_bytes().to_vec()).collect();
            sqlx::query("INSERT INTO chat_members (account, chat) SELECT m, $2 FROM unnest($1::bytea[]) m")
                .bind(members)
                .bind(&id)
                .execute(&mut *transaction)
                .await?;
        } else {
            let back = sqlx::query("UPDATE chat_members SET left_at = NULL WHERE chat = $1 AND left_at IS NOT NULL");
            back.bind(&id).execute(&mut *transaction).await?;
        }
        let rows = sqlx::query(CHAT).bind(id).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        self.rosters.changed(&chat);
        let record = records(&rows)?.pop().ok_or_else(|| Error::Internal("a chat without members".to_owned()))?;
        Ok((record, made))
    }

    async fn configure_once(&self, chat: ChatId, from: u64, config: ChatConfig) -> Result<bool, Fault> {
        let update = "UPDATE chats SET config_version = $1, suite = $2, disappear_after = $3, changed_by = $4, \
                      changed = $5 WHERE chat = $6 AND config_version = $7";
        let update = sqlx::query(update)
            .bind(signed(config.version))
            .bind(i64::from(config.suite))
            .bind(i64::from(config.disappear_after))
            .bind(config.changed_by.map(|account| account.as_bytes().to_vec()))
            .bind(config.changed.map(signed))
            .bind(chat.as_bytes().to_vec())
            .bind(signed(from));
        let done = update.execute(&self.pool).await?.rows_affected() > 0;
        self.rosters.changed(&chat);
        Ok(done)
    }

    async fn leave_once(&self, chat: ChatId, account: AccountId, now: u64) -> Result<(), Fault> {
        sqlx::query("UPDATE chat_members SET left_at = $1 WHERE chat = $2 AND account = $3")
            .bind(signed(now))
            .bind(chat.as_bytes().to_vec())
            .bind(account.as_bytes().to_vec())
            .execute(&self.pool)
            .await?;
        self.rosters.changed(&chat);
        Ok(())
    }
}

fn config(row: &PgRow) -> Result<ChatConfig, Error> {
    let changed_by = if is_null(row, 8)? { None } else { Some(AccountId::from_bytes(fixed(row, 8)?)) };
    Ok(ChatConfig {
        version: number(row, 5)?,
        suite: small(row, 6)?,
        disappear_after: small(row, 7)?,
        changed_by,
        changed: if is_null(row, 9)? { None } else { Some(number(row, 9)?) },
    })
}

/// A column of a small number.
fn small<T: TryFrom<u64>>(row: &PgRow, column: usize) -> Result<T, Error> {
    T::try_from(number(row, column)?).map_err(|_| damaged("a number is too large"))
}

/// Chats from one row a member, the rows of a chat side by side.
fn records(rows: &[PgRow]) -> Result<Vec<ChatRecord>, Error> {
    let mut records: Vec<ChatRecord> = Vec::new();
    for row in rows {
        let chat = ChatId::from_bytes(fixed(row, 0)?);
        let member: (AccountId, AccountName) = (AccountId::from_bytes(fixed(row, 2)?), name(row, 3)?);
        let left = (!is_null(row, 4)?).then_some(member.0);
        match records.last_mut().filter(|record| record.chat == chat) {
            Some(record) => {
                record.members.push(member);
                record.left.extend(left);
            }
            None => records.push(ChatRecord {
                chat,
                members: vec![member],
                created: number(row, 1)?,
                config: config(row)?,
                left: left.into_iter().collect(),
            }),
        }
    }
    Ok(records)
}
