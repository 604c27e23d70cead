//! The mailboxes port.

use bytes::Bytes;
use rusqlite::params;
use sqlx::Row as _;
use susurro_protocol::{AccountId, ChatId, DeviceId, MailboxSeq, MessageId};

use super::rows::{number, signed};
use super::{SqliteStore, fault};
use crate::domain::Error;
use crate::domain::message::{NewMessage, Waiting};
use crate::ports::{Answer, MailboxState, Mailboxes, Receipt};

impl Mailboxes for SqliteStore {
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
        Box::pin(self.writer.acknowledge_chat(mailbox, chat, cursor))
    }

    fn read(&self, mailbox: DeviceId, after: MailboxSeq, limit: u32, bytes: usize) -> Answer<'_, Vec<Waiting>> {
        Box::pin(self.mailboxes.run(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT m.seq, m.message, m.chat, d.account, d.device, m.stored_at, m.body \
                 FROM messages m JOIN devices d ON d.number = m.sender \
                 WHERE m.mailbox = (SELECT number FROM devices WHERE device = ?) AND m.seq > ? \
                 ORDER BY m.seq LIMIT ?",
            )?;
            let mut found = select.query(params![mailbox.as_bytes(), signed(after), limit])?;
            let (mut read, mut size) = (Vec::new(), 0);
            while let Some(row) = found.next()? {
                let ciphertext = row.get_ref(6)?.as_blob()?;
                size += ciphertext.len();
                if size > bytes && !read.is_empty() {
                    break;
                }
                read.push(Waiting {
                    mailbox,
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    message: MessageId::from_bytes(row.get(1)?),
                    chat: ChatId::from_bytes(row.get(2)?),
                    sender: AccountId::from_bytes(row.get(3)?),
                    sender_device: DeviceId::from_bytes(row.get(4)?),
                    stored_at: row.get::<_, i64>(5)?.unsigned_abs(),
                    ciphertext: Bytes::copy_from_slice(ciphertext),
                });
            }
            Ok(read)
        }))
    }

    fn state(&self, mailbox: DeviceId) -> Answer<'_, Option<MailboxState>> {
        Box::pin(async move {
            let select = "SELECT m.head, m.waiting FROM devices d JOIN mailboxes m ON m.device = d.number \
                          WHERE d.device = ?";
            let query = sqlx::query(select).bind(mailbox.as_bytes().to_vec());
            let row = query.fetch_optional(&self.readers).await.map_err(|why| fault::error(&why))?;
            row.map(|row| Ok(MailboxState { head: number(&row, 0)?, waiting: number(&row, 1)? })).transpose()
        })
    }

    fn recall(&self, sender: DeviceId, message: MessageId) -> Answer<'_, Option<([u8; 32], u64)>> {
        Box::pin(self.writer.recall(sender, message))
    }

    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64> {
        Box::pin(self.writer.expire(now, batch))
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            if !self.writer.is_healthy() {
                return Err(Error::Storage("the last commit failed".to_owned()));
            }
            let row = sqlx::query("SELECT 1").fetch_one(&self.readers).await.map_err(|why| fault::error(&why))?;
            row.try_get::<i64, usize>(0).map(|_| ()).map_err(|why| fault::error(&why))
        })
    }

    fn bytes(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
            let row = sqlx::query(asked).fetch_one(&self.readers).await.map_err(|why| fault::error(&why))?;
            number(&row, 0)
        })
    }
}
