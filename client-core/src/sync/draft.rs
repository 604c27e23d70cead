//! The step that is being put together.

use std::collections::{BTreeMap, BTreeSet};

use susurro_protocol::{AccountName, ChatId, DeviceId, MessageId};

use super::types::{Effect, Refused};
use crate::model::ClientEvent;
use crate::store::port::{Mutation, Transaction};

/// Changes and effects of the present input. What changes several times in a step (a session, a
/// cursor) is only marked here and written once at its end.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) commit: Transaction,
    pub(super) effects: Vec<Effect>,
    pub(super) refused: Option<Refused>,
    pub(super) sessions: BTreeSet<DeviceId>,
    pub(super) chats: BTreeSet<ChatId>,
    pub(super) prekeys: bool,
    pub(super) cursor: bool,
    /// The relay is to be told the cursor.
    pub(super) ack: bool,
    /// Texts taken in, for which a receipt is owed.
    pub(super) owed: BTreeMap<AccountName, Vec<MessageId>>,
}

impl Draft {
    pub(super) fn keep(&mut self, mutation: Mutation) {
        self.commit.push(mutation);
    }

    /// Whether the step has anything to commit.
    pub(super) fn has_changes(&self) -> bool {
        !self.commit.is_empty() || !self.sessions.is_empty() || !self.chats.is_empty() || self.prekeys || self.cursor
    }

    pub(super) fn emit(&mut self, event: ClientEvent) {
        self.effects.push(Effect::Emit(event));
    }
}
