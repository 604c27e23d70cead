//! The chats port.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId};

use super::accounts::name;
use super::fault::{self, Fault};
use super::rows::{fixed, number, signed};
use super::{PostgresStore, retried};
use crate::domain::Error;
use crate::domain::message::{ChatRecord, Member, Roster};
use crate::ports::{Answer, Chats};

impl Chats for PostgresStore {
    fn open_direct(&self, chat: ChatId, members: [AccountId; 2], now: u64) -> Answer<'_, (ChatRecord, bool)> {
        Box::pin(async move { retried!(self.open_once(chat, members, now)) })
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
            let select = "SELECT c.chat, c.created, a.account, a.name FROM \
                          (SELECT chat FROM chat_members WHERE account = $1 AND chat > $2 ORDER BY chat LIMIT $3) mine \
                          JOIN chats c ON c.chat = mine.chat JOIN chat_members m ON m.chat = c.chat \
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
            let select = "SELECT a.account, a.list_version, d.device FROM chat_members m \
                          JOIN accounts a ON a.account = m.account JOIN devices d ON d.account = a.account \
                          WHERE m.chat = $1 ORDER BY a.account, d.device";
            let query = sqlx::query(select).bind(chat.as_bytes().to_vec());
            let rows = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            let mut members: Vec<Member> = Vec::new();
            for row in &rows {
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
            let roster = Arc::new(Roster { members });
            self.rosters.keep(chat, roster.clone(), changes);
            Ok(Some(roster))
        })
    }
}

/// The columns chat, created, account, name; one row a member.
const CHAT: &str = "SELECT c.chat, c.created, a.account, a.name FROM chats c \
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
        }
        let rows = sqlx::query(CHAT).bind(id).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        let record = records(&rows)?.pop().ok_or_else(|| Error::Internal("a chat without members".to_owned()))?;
        Ok((record, made))
    }
}

/// Chats from one row a member, the rows of a chat side by side.
fn records(rows: &[PgRow]) -> Result<Vec<ChatRecord>, Error> {
    let mut records: Vec<ChatRecord> = Vec::new();
    for row in rows {
        let chat = ChatId::from_bytes(fixed(row, 0)?);
        let member: (AccountId, AccountName) = (AccountId::from_bytes(fixed(row, 2)?), name(row, 3)?);
        match records.last_mut().filter(|record| record.chat == chat) {
            Some(record) => record.members.push(member),
            None => records.push(ChatRecord { chat, members: vec![member], created: number(row, 1)? }),
        }
    }
    Ok(records)
}
