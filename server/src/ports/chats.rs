//! Chats and their members.

use std::sync::Arc;

use susurro_protocol::{AccountId, ChatId};

use super::Answer;
use crate::domain::message::{ChatRecord, Roster};

/// Who talks with whom.
pub trait Chats: Send + Sync {
    /// The direct chat of two accounts; made when it does not exist. Says whether it was made.
    fn open_direct(&self, chat: ChatId, members: [AccountId; 2], now: u64) -> Answer<'_, (ChatRecord, bool)>;

    /// A chat.
    fn chat(&self, chat: ChatId) -> Answer<'_, Option<ChatRecord>>;

    /// At most `limit` chats of an account behind `after`, by identifier.
    fn of_account(&self, account: AccountId, after: Option<ChatId>, limit: u32) -> Answer<'_, Vec<ChatRecord>>;

    /// The members of a chat with their present devices. Asked for each message: adapters keep
    /// what they answered until it changes.
    fn roster(&self, chat: ChatId) -> Answer<'_, Option<Arc<Roster>>>;
}
