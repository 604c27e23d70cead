//! Opening conversations, and moving between them.

use susurro_protocol::AccountName;

use super::save_draft;
use crate::app::effect::Effect;
use crate::app::model::{Conversation, Focus, Model};
use crate::key;

/// Opens a conversation and goes to its composer.
pub(super) fn open(model: &mut Model, peer: &AccountName) -> Vec<Effect> {
    let mut effects = save_draft(model);
    let Some(home) = model.home_mut() else { return effects };
    home.selected = Some(peer.clone());
    home.focus = Focus::Composer;
    if home.open.as_ref().is_some_and(|open| open.peer == *peer) {
        return effects;
    }
    if let Some(open) = home.open.take() {
        home.drafts.insert(open.peer.clone(), open.composer.text());
    }
    let unread = home.chat(peer).map_or(0, |chat| chat.unread);
    let draft = home.drafts.get(peer).cloned();
    home.open = Some(Conversation::new(peer.clone(), unread, draft.as_deref().unwrap_or_default()));
    effects.push(Effect::LoadWindow { peer: peer.clone(), before: None });
    if draft.is_none() {
        effects.push(Effect::LoadDraft(peer.clone()));
    }
    effects
}

/// Opens the next conversation with unread messages after the open one.
pub(super) fn next_unread(model: &mut Model) -> Vec<Effect> {
    let Some(home) = model.home() else { return Vec::new() };
    let list = home.list();
    let start = home.selected_index().map_or(0, |at| at + 1);
    let next = (0..list.len()).map(|step| &list[(start + step) % list.len()]).find(|chat| chat.unread > 0);
    match next.map(|chat| chat.contact.name.clone()) {
        Some(peer) => open(model, &peer),
        None => {
            super::notice(model, false, key!("notice-no-unread"));
            Vec::new()
        }
    }
}

/// Opens the conversation `step` lines further down the list.
pub(super) fn neighbour(model: &mut Model, step: isize) -> Vec<Effect> {
    move_selection(model, step);
    match model.home().and_then(|home| home.selected.clone()) {
        Some(peer) => open(model, &peer),
        None => Vec::new(),
    }
}

/// Moves the cursor of the list.
pub(super) fn move_selection(model: &mut Model, step: isize) {
    let Some(home) = model.home_mut() else { return };
    let Some(last) = home.list().len().checked_sub(1) else { return };
    let at = match home.selected_index() {
        Some(index) => index.saturating_add_signed(step).min(last),
        None => 0,
    };
    home.selected = Some(home.list()[at].contact.name.clone());
}
