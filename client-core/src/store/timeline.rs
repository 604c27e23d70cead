//! What faces read: conversations, timelines, drafts, and what a script has not printed yet.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, query, query_scalar};
use susurro_protocol::{AccountName, MessageId};

use super::columns::{content, delivery, direction, id, name, number};
use super::{Store, StoreError, commit, connection, load};
use crate::model::contact::LastMessage;
use crate::model::{ChatSummary, Contact, Direction, MessageContent, MessageView};

/// Characters of a preview: more than the widest list of conversations shows.
const PREVIEW_CHARACTERS: usize = 120;

impl Store {
    /// All conversations, the one with the newest message first; those without any last.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn chats(&self) -> Result<Vec<ChatSummary>, StoreError> {
        let mut reader = self.reader().await?;
        let contacts = query(
            "SELECT contacts.*,
                (SELECT count(*) FROM messages
                  WHERE peer = contacts.name AND direction = 0 AND kind <> 3 AND read_at IS NULL) AS unread
             FROM contacts
             ORDER BY (SELECT max(rowid) FROM messages WHERE peer = contacts.name) DESC NULLS LAST, name",
        )
        .fetch_all(&mut *reader)
        .await?;
        let mut chats = Vec::with_capacity(contacts.len());
        for row in &contacts {
            let contact = load::contact(row)?;
            // A note is the program's own line, not something that somebody wrote.
            let last =
                query("SELECT * FROM messages WHERE peer = ? AND kind <> 3 ORDER BY position DESC, rowid DESC LIMIT 1")
                    .bind(contact.name.as_str())
                    .fetch_optional(&mut *reader)
                    .await?;
            let last = last.as_ref().map(message).transpose()?.map(|view| last_message(&view));
            chats.push(ChatSummary { contact, unread: number(row.try_get("unread")?), last });
        }
        Ok(chats)
    }

    /// A contact.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn contact(&self, peer: &AccountName) -> Result<Option<Contact>, StoreError> {
        let mut reader = self.reader().await?;
        let row =
            query("SELECT * FROM contacts WHERE name = ?").bind(peer.as_str()).fetch_optional(&mut *reader).await?;
        row.as_ref().map(load::contact).transpose()
    }

    /// The newest `limit` messages before a position (from the end without one), oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn timeline(
        &self,
        peer: &AccountName,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<MessageView>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = query(
            "SELECT * FROM messages WHERE peer = ?1 AND (?2 IS NULL OR position < ?2)
             ORDER BY position DESC, rowid DESC LIMIT ?3",
        )
        .bind(peer.as_str())
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().rev().map(message).collect()
    }

    /// A message. Should both sides have used one identifier, this account's own.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn message(&self, id: MessageId) -> Result<Option<MessageView>, StoreError> {
        let mut reader = self.reader().await?;
        let row = query("SELECT * FROM messages WHERE id = ? ORDER BY direction DESC LIMIT 1")
            .bind(&id.as_bytes()[..])
            .fetch_optional(&mut *reader)
            .await?;
        row.as_ref().map(message).transpose()
    }

    /// Incoming messages up to a position that were not read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn unread(&self, peer: &AccountName, up_to: i64) -> Result<Vec<MessageId>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = query(
            "SELECT id FROM messages WHERE peer = ? AND direction = 0 AND kind <> 3 AND read_at IS NULL AND position <= ?
             ORDER BY position",
        )
        .bind(peer.as_str())
        .bind(up_to)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(|row| id(row.try_get("id")?)).collect()
    }

    /// Messages with a file, of whichever conversation.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(crate) async fn attachments(&self) -> Result<Vec<MessageView>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = query("SELECT * FROM messages WHERE kind = 4").fetch_all(&mut *reader).await?;
        rows.iter().map(message).collect()
    }

    /// Incoming messages that were not printed, in the order in which they came. Placeholders
    /// and notes are none: they are not what the other person said.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn unprinted(&self, limit: u32) -> Result<Vec<MessageView>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = query(
            "SELECT * FROM messages WHERE direction = 0 AND kind IN (0, 1, 4) AND printed = 0 ORDER BY rowid LIMIT ?",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(message).collect()
    }

    /// Notes that incoming messages were printed.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; none of them is noted then.
    pub async fn mark_printed(&self, ids: &[MessageId]) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let done = commit::mark_printed(&mut writer, ids).await;
        connection::end(&mut writer, done).await
    }

    /// What was typed and not sent; empty for nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn draft(&self, peer: &AccountName) -> Result<String, StoreError> {
        let mut reader = self.reader().await?;
        let text: Option<String> = query_scalar("SELECT text FROM drafts WHERE peer = ?")
            .bind(peer.as_str())
            .fetch_optional(&mut *reader)
            .await?;
        Ok(text.unwrap_or_default())
    }

    /// Keeps what was typed; an empty text takes it away.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_draft(&self, peer: &AccountName, text: &str) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        connection::begin(&mut writer).await?;
        let done = commit::set_draft(&mut writer, peer, text).await;
        connection::end(&mut writer, done).await
    }

    /// How many shown messages wait in the outbox.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn queued(&self) -> Result<u64, StoreError> {
        let mut reader = self.reader().await?;
        let count: i64 = query_scalar("SELECT count(*) FROM outbox WHERE shown").fetch_one(&mut *reader).await?;
        Ok(number(count))
    }
}

fn message(row: &SqliteRow) -> Result<MessageView, StoreError> {
    let time = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.map(number));
    Ok(MessageView {
        id: id(row.try_get("id")?)?,
        chat: id(row.try_get("chat")?)?,
        peer: name(row.try_get("peer")?)?,
        direction: direction(row.try_get("direction")?)?,
        position: row.try_get("position")?,
        content: content(row.try_get("kind")?, row.try_get("body")?, row.try_get("number")?)?,
        sent_at: number(row.try_get("sent_at")?),
        accepted_at: time("accepted_at")?,
        stored_at: time("stored_at")?,
        read_at: time("read_at")?,
        delivery: delivery(row.try_get("delivery")?, row.try_get("failure")?)?,
    })
}

fn last_message(view: &MessageView) -> LastMessage {
    let preview = match &view.content {
        MessageContent::Text(text) => text.chars().take(PREVIEW_CHARACTERS).collect(),
        MessageContent::Attachment(file) => file.name.chars().take(PREVIEW_CHARACTERS).collect(),
        MessageContent::Unknown(_) | MessageContent::Undecryptable(_) | MessageContent::Note(_) => String::new(),
    };
    let (at, delivery) = match view.direction {
        Direction::Outgoing => (view.sent_at, Some(view.delivery)),
        Direction::Incoming => (view.stored_at.unwrap_or(view.sent_at), None),
    };
    LastMessage { id: view.id, preview, at, delivery }
}
