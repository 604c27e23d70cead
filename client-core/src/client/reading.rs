//! What a face reads. All of it works offline, search and asking for announcements aside.

use susurro_protocol::announcement::Notice;
use susurro_protocol::{AccountName, AnnouncementId, MessageId};

use super::Client;
use crate::error::Error;
use crate::model::{Announcement, ChatSummary, Contact, MessageView};
use crate::sync::Command;

impl Client {
    /// How many messages of ours wait to be sent.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn queued(&self) -> Result<u64, Error> {
        Ok(self.inner.store.queued().await?)
    }

    /// All conversations, the one with the newest message first.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn chats(&self) -> Result<Vec<ChatSummary>, Error> {
        Ok(self.inner.store.chats().await?)
    }

    /// A contact.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] and those of the store.
    pub async fn contact(&self, peer: &str) -> Result<Option<Contact>, Error> {
        Ok(self.inner.store.contact(&peer.parse()?).await?)
    }

    /// The newest `limit` messages before a position (from the end without one), oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] and those of the store.
    pub async fn timeline(&self, peer: &str, before: Option<i64>, limit: u32) -> Result<Vec<MessageView>, Error> {
        Ok(self.inner.store.timeline(&peer.parse()?, before, limit).await?)
    }

    /// A message.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn message(&self, id: MessageId) -> Result<Option<MessageView>, Error> {
        Ok(self.inner.store.message(id).await?)
    }

    /// What was typed for this person and not sent; empty for nothing.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] and those of the store.
    pub async fn draft(&self, peer: &str) -> Result<String, Error> {
        Ok(self.inner.store.draft(&peer.parse()?).await?)
    }

    /// Keeps what was typed; an empty text takes it away.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] and those of the store.
    pub async fn set_draft(&self, peer: &str, text: &str) -> Result<(), Error> {
        Ok(self.inner.store.set_draft(&peer.parse()?, text).await?)
    }

    /// Incoming messages that no script has printed yet, in the order in which they came.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn unprinted(&self, limit: u32) -> Result<Vec<MessageView>, Error> {
        Ok(self.inner.store.unprinted(limit).await?)
    }

    /// Notes that they were printed.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn mark_printed(&self, ids: &[MessageId]) -> Result<(), Error> {
        Ok(self.inner.store.mark_printed(ids).await?)
    }

    /// What the relay has announced and has not expired, oldest first, each with whether somebody has seen it
    /// ([`mark_told`](Self::mark_told)).
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn announcements(&self) -> Result<Vec<(Announcement, bool)>, Error> {
        let mut held = self.inner.store.announcements().await?;
        let now = crate::driver::now();
        held.retain(|(said, _)| said.expires > now);
        Ok(held)
    }

    /// Asks the relay what it has announced. A connection brings the same, but a moment after it is open, and who
    /// connects only to fetch what waits may be gone by then.
    ///
    /// # Errors
    ///
    /// [`Error::LoggedOut`], [`Error::Unreachable`] and the like.
    pub async fn hear_announcements(&self) -> Result<(), Error> {
        let token = self.fresh_token().await?;
        let page = self.inner.http.announcements(&token).await.map_err(|error| self.inner.at(error))?;
        let notices = page.items.iter().filter_map(|one| one.announcement.read().ok());
        let notices = notices.map(|announcement| Notice { announcement }).collect();
        self.command(Command::HearNotices(notices)).await
    }

    /// Notes that somebody has seen these announcements.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn mark_told(&self, ids: &[AnnouncementId]) -> Result<(), Error> {
        Ok(self.inner.store.mark_told(ids).await?)
    }

    /// Names on the relay that begin so.
    ///
    /// # Errors
    ///
    /// [`Error::LoggedOut`], [`Error::Unreachable`] and the like.
    pub async fn search_users(&self, prefix: &str) -> Result<Vec<AccountName>, Error> {
        let token = self.fresh_token().await?;
        let page = self.inner.http.search_users(prefix, &token).await.map_err(|error| self.inner.at(error))?;
        Ok(page.items.into_iter().map(|user| user.name).collect())
    }
}
