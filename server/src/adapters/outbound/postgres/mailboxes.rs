//! The mailboxes port.

use std::time::Duration;

use sqlx::Row as _;
use susurro_protocol::{AccountId, ChatId, DeviceId, MailboxSeq, MessageId};
use tokio::time::timeout;

use super::fault::Fault;
use super::rows::{self, fixed, number, signed};
use super::{PostgresStore, fault, retried};
use crate::domain::Error;
use crate::domain::message::{NewMessage, Waiting};
use crate::ports::{Answer, MailboxState, Mailboxes, Receipt};

/// How long a server that is there may take to say so.
const READY: Duration = Duration::from_secs(2);

impl Mailboxes for PostgresStore {
    fn deposit(&self, message: NewMessage) -> Answer<'_, Receipt> {
        Box::pin(async move {
            let receipt = self.writer.deposit(message).await?;
            let receipt: Receipt = Box::pin(async move {
                receipt.await.unwrap_or_else(|_| Err(Error::Storage("the store is closed".to_owned())))
            });
            Ok(receipt)
        })
    }

    fn acknowledge(&self, mailbox: DeviceId, cursor: MailboxSeq) {
        self.writer.acknowledge(mailbox, cursor);
    }

    fn acknowledge_chat(&self, mailbox: DeviceId, chat: ChatId, cursor: MailboxSeq) -> Answer<'_, ()> {
        Box::pin(async move { retried!(self.acknowledge_chat_once(mailbox, chat, cursor)) })
    }

    fn read(&self, mailbox: DeviceId, after: MailboxSeq, limit: u32, bytes: usize) -> Answer<'_, Vec<Waiting>> {
        Box::pin(async move {
            // The sum needs the lengths alone: bodies that are left out are not fetched.
            let select = "SELECT seq, message, chat, account, device, stored_at, body FROM \
                          (SELECT m.seq, m.message, m.chat, d.account, d.device, m.stored_at, m.body, \
                          sum(octet_length(m.body)) OVER (ORDER BY m.seq) AS total \
                          FROM messages m JOIN devices d ON d.number = m.sender \
                          WHERE m.mailbox = (SELECT number FROM devices WHERE device = $1) AND m.seq > $2 \
                          ORDER BY m.seq LIMIT $3) first \
                          WHERE total <= $4 OR total = octet_length(body) ORDER BY seq";
            let query = sqlx::query(select).bind(mailbox.as_bytes().to_vec()).bind(signed(after));
            let query = query.bind(i64::from(limit)).bind(i64::try_from(bytes).unwrap_or(i64::MAX));
            let found = query.fetch_all(&self.pool).await.map_err(|why| fault::error(&why))?;
            found
                .iter()
                .map(|row| {
                    Ok(Waiting {
                        mailbox,
                        seq: number(row, 0)?,
                        message: MessageId::from_bytes(fixed(row, 1)?),
                        chat: ChatId::from_bytes(fixed(row, 2)?),
                        sender: AccountId::from_bytes(fixed(row, 3)?),
                        sender_device: DeviceId::from_bytes(fixed(row, 4)?),
                        stored_at: number(row, 5)?,
                        ciphertext: rows::bytes(row, 6)?.into(),
                    })
                })
                .collect()
        })
    }

    fn state(&self, mailbox: DeviceId) -> Answer<'_, Option<MailboxState>> {
        Box::pin(async move {
            let select = "SELECT m.head, m.waiting FROM devices d JOIN mailboxes m ON m.device = d.number \
                          WHERE d.device = $1";
            let query = sqlx::query(select).bind(mailbox.as_bytes().to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.map(|row| Ok(MailboxState { head: number(&row, 0)?, waiting: number(&row, 1)? })).transpose()
        })
    }

    fn recall(&self, sender: DeviceId, message: MessageId) -> Answer<'_, Option<([u8; 32], u64)>> {
        Box::pin(async move {
            let select = "SELECT content, stored_at FROM sent \
                          WHERE device = (SELECT number FROM devices WHERE device = $1) AND message = $2";
            let query = sqlx::query(select).bind(sender.as_bytes().to_vec()).bind(message.as_bytes().to_vec());
            let row = query.fetch_optional(&self.pool).await.map_err(|why| fault::error(&why))?;
            row.map(|row| Ok((fixed(&row, 0)?, number(&row, 1)?))).transpose()
        })
    }

    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64> {
        Box::pin(async move { retried!(self.expire_once(now, batch)) })
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            if !self.writer.is_healthy() {
                return Err(Error::Storage("the last commit failed".to_owned()));
            }
            let asked = timeout(READY, sqlx::query("SELECT 1::bigint").fetch_one(&self.pool)).await;
            let row = asked.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|why| fault::error(&why))?;
            row.try_get::<i64, usize>(0).map(|_| ()).map_err(|why| fault::error(&why))
        })
    }

    fn bytes(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let query = sqlx::query("SELECT pg_database_size(current_database())").fetch_one(&self.pool);
            let row = timeout(READY, query).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            number(&row.map_err(|why| fault::error(&why))?, 0)
        })
    }
}

impl PostgresStore {
    async fn acknowledge_chat_once(&self, device: DeviceId, chat: ChatId, cursor: MailboxSeq) -> Result<(), Fault> {
        let mut transaction = self.begin().await?;
        let lock = "SELECT m.device FROM mailboxes m JOIN devices d ON d.number = m.device \
                    WHERE d.device = $1 FOR UPDATE OF m";
        let locked = sqlx::query(lock).bind(device.as_bytes().to_vec()).fetch_optional(&mut *transaction).await?;
        let Some(mailbox) = locked else { return Ok(()) };
        let mailbox: i64 = mailbox.try_get(0)?;
        let delete = "WITH gone AS (DELETE FROM messages WHERE mailbox = $1 AND seq <= $2 AND chat = $3 \
                      RETURNING octet_length(body) AS size), \
                      counted AS (SELECT count(*) AS n, coalesce(sum(size), 0)::bigint AS size FROM gone) \
                      UPDATE mailboxes b SET waiting = greatest(b.waiting - counted.n, 0), \
                      bytes = CASE WHEN b.waiting <= counted.n THEN 0 ELSE greatest(b.bytes - counted.size, 0) END \
                      FROM counted WHERE b.device = $1";
        let delete = sqlx::query(delete).bind(mailbox).bind(signed(cursor)).bind(chat.as_bytes().to_vec());
        delete.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}
