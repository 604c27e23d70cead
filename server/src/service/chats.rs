//! Chats.

use susurro_protocol::rest::{Chat, ChatConfig, ChatMember, ConfigureChat, Page};
use susurro_protocol::{ChatId, ErrorCode};

use super::Relay;
use super::profile::{page, page_limit};
use crate::domain::Error;
use crate::domain::account;
use crate::domain::message::{self, ChatRecord};
use crate::domain::token::Claims;

impl Relay {
    /// The direct chat with another account, and whether this made it.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`, `InvalidRequest` for a chat with oneself.
    pub async fn open_chat(&self, claims: &Claims, peer: &str) -> Result<(Chat, bool), Error> {
        let peer = account::parse_name(peer)?;
        let peer = self.ports.accounts.by_name(&peer).await?.ok_or(ErrorCode::NotFound)?;
        if peer.id == claims.account {
            return Err(Error::invalid("a chat needs somebody else"));
        }
        let chat = ChatId::direct(&claims.account, &peer.id);
        let (record, made) = self.ports.chats.open_direct(chat, [claims.account, peer.id], self.now()).await?;
        Ok((shown(record), made))
    }

    /// The chats of the caller.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a cursor that is none.
    pub async fn chats(&self, claims: &Claims, after: Option<&str>, limit: Option<u32>) -> Result<Page<Chat>, Error> {
        let after = after.map(str::parse).transpose().map_err(|_| Error::invalid("`after` is no chat"))?;
        let limit = page_limit(limit);
        let found = self.ports.chats.of_account(claims.account, after, limit + 1).await?;
        Ok(page(found.into_iter().map(shown).collect(), limit, |chat| chat.chat.to_string()))
    }

    /// One chat of the caller.
    ///
    /// # Errors
    ///
    /// `NotFound`, also for chats of others.
    pub async fn chat(&self, claims: &Claims, chat: ChatId) -> Result<Chat, Error> {
        let record = self.ports.chats.chat(chat).await?;
        let mine = record.filter(|record| record.is_of(&claims.account));
        mine.map(shown).ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// Changes the configuration of a chat of the caller. Any member may.
    ///
    /// # Errors
    ///
    /// `NotFound` for chats of others; `InvalidRequest` for what cannot be; `ConfigConflict` when somebody was faster.
    pub async fn configure_chat(
        &self,
        claims: &Claims,
        chat: ChatId,
        change: &ConfigureChat,
    ) -> Result<ChatConfig, Error> {
        let present = self.chat(claims, chat).await?.config;
        let config = message::configure(&present, change, claims.account, self.now())?;
        // The store looks at the version once more: of two changes at the same time one alone is made.
        if self.ports.chats.configure(chat, present.version, config).await? {
            Ok(config)
        } else {
            Err(ErrorCode::ConfigConflict.into())
        }
    }

    /// Takes the caller out of a chat, until somebody opens it again.
    ///
    /// # Errors
    ///
    /// `NotFound` for chats of others and for one that was left before.
    pub async fn leave_chat(&self, claims: &Claims, chat: ChatId) -> Result<(), Error> {
        self.chat(claims, chat).await?;
        self.ports.chats.leave(chat, claims.account, self.now()).await
    }
}

fn shown(record: ChatRecord) -> Chat {
    let member = |(account, name)| ChatMember { account, name };
    Chat {
        chat: record.chat,
        kind: "direct".to_owned(),
        members: record.members.into_iter().map(member).collect(),
        created: record.created,
        config: record.config,
    }
}
