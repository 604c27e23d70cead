//! Chats and their members.

use std::sync::Arc;

use susurro_protocol::rest::ChatConfig;
use susurro_protocol::{AccountId, ChatId};

use super::Answer;
use crate::domain::message::{ChatRecord, Roster};

/// Who talks with whom.
pub trait Chats: Send + Sync {
    /// The direct chat of two accounts; made when it does not exist. Whoever had left it is in it again. Says whether it was made.
    fn open_direct(&self, chat: ChatId, members: [AccountId; 2], now: u64) -> Answer<'_, (ChatRecord, bool)>;

    /// A chat, also when members have left it.
    fn chat(&self, chat: ChatId) -> Answer<'_, Option<ChatRecord>>;

    /// At most `limit` chats of an account behind `after`, by identifier, without those that it has left.
    fn of_account(&self, account: AccountId, after: Option<ChatId>, limit: u32) -> Answer<'_, Vec<ChatRecord>>;

    /// Replaces a chat's configuration if it still has the version `from`; says whether it did.
    fn configure(&self, chat: ChatId, from: u64, config: ChatConfig) -> Answer<'_, bool>;

    /// Notes that a member has left. What waits for it stays.
    fn leave(&self, chat: ChatId, account: AccountId, now: u64) -> Answer<'_, ()>;

    /// The members of a chat with their present devices; `None` when there is no such chat or one of them has left.
    /// Asked for each message: adapters keep what they answered until it changes.
    fn roster(&self, chat: ChatId) -> Answer<'_, Option<Arc<Roster>>>;
}
