//! Moving through the messages.

use susurro_client_core::model::{Delivery, MessageContent};

use super::notice;
use crate::app::effect::Effect;
use crate::app::layout::timeline_size;
use crate::app::model::{Model, Older, Scroll};
use crate::app::rows;
use crate::key;

/// The cursor appears on the lowest message of the screen.
pub(super) fn enter(model: &mut Model) {
    let (width, height) = timeline_size(model);
    let lowest = model.conversation().and_then(|open| rows::visible(model, open, width, height).last().copied());
    if let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) {
        open.cursor = lowest;
    }
}

/// The cursor goes one message up or down.
pub(super) fn step(model: &mut Model, down: bool) -> Vec<Effect> {
    let (width, height) = timeline_size(model);
    let Some(open) = model.conversation() else { return Vec::new() };
    let Some(at) = open.cursor.and_then(|id| open.index(id)) else {
        enter(model);
        return Vec::new();
    };
    let next = if down { (at + 1).min(open.messages.len() - 1) } else { at.saturating_sub(1) };
    let reached = next == 0;
    let id = open.messages[next].id;
    let scroll = rows::reveal(model, open, width, height, id);
    if let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) {
        open.cursor = Some(id);
        open.scroll = scroll;
    }
    if reached { load_older(model) } else { Vec::new() }
}

/// One screen up or down, less two lines to keep one's place.
pub(super) fn page(model: &mut Model, down: bool) -> Vec<Effect> {
    let (_, height) = timeline_size(model);
    scroll(model, down, height.saturating_sub(2).max(1))
}

/// To the oldest message that is there; more are fetched.
pub(super) fn top(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.conversation().and_then(|open| open.messages.first()).map(|m| m.id) else {
        return Vec::new();
    };
    let (width, height) = timeline_size(model);
    let effects = scroll(model, false, usize::MAX / 4);
    let scroll = model.conversation().map(|open| rows::reveal(model, open, width, height, id));
    if let (Some(open), Some(scroll)) = (model.home_mut().and_then(|home| home.open.as_mut()), scroll) {
        open.scroll = scroll;
        open.cursor = open.cursor.map(|_| id);
    }
    effects
}

/// To the newest message.
pub(super) fn bottom(model: &mut Model) -> Vec<Effect> {
    let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) else { return Vec::new() };
    open.scroll = Scroll::Bottom;
    if open.cursor.is_some() {
        open.cursor = open.messages.last().map(|message| message.id);
    }
    if open.detached {
        open.older = Older::Loading;
        return vec![Effect::LoadWindow { peer: open.peer.clone(), before: None }];
    }
    Vec::new()
}

/// Queues the failed message under the cursor again, or the newest failed one.
pub(super) fn retry(model: &mut Model) -> Vec<Effect> {
    let failed = |message: &&susurro_client_core::model::MessageView| matches!(message.delivery, Delivery::Failed(_));
    let Some(open) = model.conversation() else { return Vec::new() };
    let chosen = match open.cursor {
        Some(id) => open.message(id).filter(failed),
        None => open.messages.iter().rev().find(failed),
    };
    match chosen.map(|message| message.id) {
        Some(id) => {
            notice(model, false, key!("notice-retrying"));
            vec![Effect::Retry(id)]
        }
        None => {
            notice(model, false, key!("notice-nothing-failed"));
            Vec::new()
        }
    }
}

/// Saves the file of the message with the cursor, or the newest one.
pub(super) fn save(model: &mut Model, to: &str) -> Vec<Effect> {
    let has_file =
        |message: &&susurro_client_core::model::MessageView| matches!(message.content, MessageContent::Attachment(_));
    let Some(open) = model.conversation() else { return Vec::new() };
    let chosen = match open.cursor {
        Some(id) => open.message(id).filter(has_file),
        None => open.messages.iter().rev().find(has_file),
    };
    match chosen.map(|message| message.id) {
        Some(message) => {
            notice(model, false, key!("notice-saving"));
            vec![Effect::Save { message, to: to.to_owned() }]
        }
        None => {
            notice(model, false, key!("notice-no-file"));
            Vec::new()
        }
    }
}

fn scroll(model: &mut Model, down: bool, lines: usize) -> Vec<Effect> {
    let (width, height) = timeline_size(model);
    let Some(open) = model.conversation() else { return Vec::new() };
    let (scroll, reached) =
        if down { (rows::down(model, open, width, lines), false) } else { rows::up(model, open, width, height, lines) };
    let detached = open.detached;
    if let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) {
        open.scroll = scroll;
    }
    // The cursor stays on the screen.
    let cursor = model.conversation().and_then(|open| open.cursor);
    if cursor.is_some_and(|id| {
        model.conversation().is_some_and(|open| !rows::visible(model, open, width, height).contains(&id))
    }) {
        enter(model);
    }
    if reached {
        return load_older(model);
    }
    if down && scroll == Scroll::Bottom && detached {
        return bottom(model);
    }
    Vec::new()
}

fn load_older(model: &mut Model) -> Vec<Effect> {
    let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) else { return Vec::new() };
    let Some(first) = open.messages.first().filter(|_| open.older == Older::Maybe) else { return Vec::new() };
    let effect = Effect::LoadWindow { peer: open.peer.clone(), before: Some(first.position) };
    open.older = Older::Loading;
    vec![effect]
}
