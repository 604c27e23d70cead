//! What the client tells.

use susurro_client_core::model::{ChatSummary, ClientEvent, Delivery, Direction, MessageContent, MessageView, Trust};
use susurro_protocol::AccountName;

use super::overlay;
use crate::app::effect::Effect;
use crate::app::failure::Failure;
use crate::app::layout;
use crate::app::model::{Composer, Home, Model, Notice, Overlay, Scroll};
use crate::app::msg::Msg;
use crate::key;

/// Takes in an answer or an event.
pub(super) fn told(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Client(event) => return happened(model, event),
        Msg::Connection(connection) => {
            if let Some(home) = model.home_mut() {
                home.connection = connection;
            }
        }
        Msg::Lagged => return read_again(model),
        Msg::Chats(chats) => take_chats(model, chats),
        Msg::Announcements(read) => return overlay::announced(model, read),
        Msg::Present(present) => {
            if let Some(home) = model.home_mut() {
                home.present = present;
            }
        }
        Msg::Presence(on) => {
            super::notice(model, false, if on { key!("notice-presence-on") } else { key!("notice-presence-off") });
        }
        Msg::Queued(count) => {
            if let Some(home) = model.home_mut() {
                home.queued = count;
            }
        }
        Msg::Window { peer, before, messages, more } => {
            if let Some(open) = model.home_mut().and_then(|h| h.open.as_mut()).filter(|open| open.peer == peer) {
                open.take_window(before, messages, more);
            }
        }
        Msg::Message(message) => {
            if let Some(open) =
                model.home_mut().and_then(|home| home.open.as_mut()).filter(|open| open.peer == message.peer)
            {
                open.take(*message);
            }
        }
        Msg::Draft { peer, text } => {
            if let Some(open) = model.home_mut().and_then(|h| h.open.as_mut()).filter(|open| open.peer == peer)
                && !open.composer.touched
            {
                open.composer = Composer::new(&text);
            }
        }
        Msg::Sent { ticket, .. } => return sent(model, ticket),
        Msg::SendFailed { ticket, error } => {
            let failure = Failure::explain(&model.texts, &error);
            model.notice = Some(Notice { bad: true, text: failure.text });
            return send_failed(model, ticket);
        }
        _ => {}
    }
    Vec::new()
}

fn happened(model: &mut Model, event: ClientEvent) -> Vec<Effect> {
    let watched = model.focused && layout::shows_conversation(model);
    let Some(home) = model.home_mut() else { return Vec::new() };
    match event {
        ClientEvent::Connection(connection) => home.connection = connection,
        ClientEvent::Queued(count) => home.queued = count,
        ClientEvent::Message(message) => return message_came(home, message, watched),
        ClientEvent::Delivery { peer, message, delivery } => {
            if matches!(delivery, Delivery::Failed(_)) {
                home.transfers.remove(&message);
            }
            if let Some(open) = home.open.as_mut().filter(|open| open.peer == peer) {
                open.deliver(message, delivery);
            }
            if let Some(last) = home.chat_mut(&peer).and_then(|chat| chat.last.as_mut())
                && last.id == message
            {
                last.delivery = Some(delivery);
            }
        }
        ClientEvent::Changed { peer, message } => {
            let shown = home.open.as_ref().is_some_and(|open| open.peer == peer && open.index(message).is_some());
            let mut effects = vec![Effect::LoadChats];
            if shown {
                effects.push(Effect::LoadMessage(message));
            }
            return effects;
        }
        ClientEvent::Trust { peer, trust } => return trust_changed(model, &peer, trust),
        ClientEvent::Typing { peer, typing: true } => {
            home.typing.insert(peer);
        }
        ClientEvent::Typing { peer, typing: false } => {
            home.typing.remove(&peer);
        }
        ClientEvent::Transfer { message, done, size, .. } if done < size => {
            home.transfers.insert(message, done * 100 / size);
        }
        ClientEvent::Transfer { message, .. } => {
            home.transfers.remove(&message);
        }
        ClientEvent::Announcement(_) => return vec![Effect::LoadAnnouncements],
        ClientEvent::NewContact(_) => return vec![Effect::LoadChats],
        ClientEvent::StoreFailed(what) => home.store_failed = Some(what),
        #[allow(unreachable_patterns, reason = "a later version of the client may tell more")]
        _ => {}
    }
    Vec::new()
}

fn message_came(home: &mut Home, message: MessageView, watched: bool) -> Vec<Effect> {
    let peer = message.peer.clone();
    let incoming = message.direction == Direction::Incoming && !matches!(message.content, MessageContent::Note(_));
    let mut new = true;
    if let Some(open) = home.open.as_mut().filter(|open| open.peer == peer) {
        let id = message.id;
        new = open.take(message.clone());
        // What comes while nobody looks, or somebody reads further up, gets the marker.
        if new && incoming && open.first_new.is_none() && !(watched && open.scroll == Scroll::Bottom) {
            open.first_new = Some(id);
        }
    }
    let Some(chat) = home.chat_mut(&peer) else { return vec![Effect::LoadChats] };
    if new && incoming && message.delivery != Delivery::Read {
        chat.unread += 1;
    }
    let preview = match &message.content {
        MessageContent::Text(text) => Some(text),
        MessageContent::Attachment(file) => Some(&file.name),
        _ => None,
    };
    if chat.last.as_ref().is_none_or(|last| last.id == message.id || new)
        && let Some(text) = preview
    {
        chat.last = Some(susurro_client_core::model::contact::LastMessage {
            id: message.id,
            preview: text.chars().take(100).collect(),
            at: message.stored_at.filter(|_| incoming).unwrap_or(message.sent_at),
            delivery: (!incoming).then_some(message.delivery),
        });
    }
    home.sort();
    Vec::new()
}

fn take_chats(model: &mut Model, chats: Vec<ChatSummary>) {
    let Some(home) = model.home_mut() else { return };
    home.chats = Some(chats);
    // The read may be older than what was just told as read.
    let read = home.open.as_ref().filter(|open| open.newest_incoming().is_some_and(|at| at <= open.read_up_to));
    if let Some(peer) = read.map(|open| open.peer.clone())
        && let Some(chat) = home.chat_mut(&peer)
    {
        chat.unread = 0;
    }
    home.sort();
    if home.selected_index().is_none() {
        home.selected = home.list().first().map(|chat| chat.contact.name.clone());
    }
}

fn trust_changed(model: &mut Model, peer: &AccountName, trust: Trust) -> Vec<Effect> {
    if let Some(chat) = model.home_mut().and_then(|home| home.chat_mut(peer)) {
        chat.contact.trust = trust;
    }
    // What is being compared must not be about a key that is gone.
    match &mut model.overlay {
        Some(Overlay::Verify(verify)) if verify.peer == *peer => {
            verify.busy = false;
            verify.safety = None;
            vec![Effect::LoadChats, Effect::LoadSafety(peer.clone())]
        }
        _ => vec![Effect::LoadChats],
    }
}

fn read_again(model: &mut Model) -> Vec<Effect> {
    let mut effects = vec![Effect::LoadChats, Effect::LoadAnnouncements];
    if let Some(open) = model.conversation() {
        effects.push(Effect::LoadWindow { peer: open.peer.clone(), before: None });
    }
    effects
}

/// The text is durable in the outbox: its draft is no longer needed.
fn sent(model: &mut Model, ticket: u64) -> Vec<Effect> {
    let Some(home) = model.home_mut() else { return Vec::new() };
    let Some(at) = home.pending.iter().position(|pending| pending.ticket == ticket) else { return Vec::new() };
    let peer = home.pending.remove(at).peer;
    save_after(home, peer)
}

fn send_failed(model: &mut Model, ticket: u64) -> Vec<Effect> {
    let Some(home) = model.home_mut() else { return Vec::new() };
    let Some(at) = home.pending.iter().position(|pending| pending.ticket == ticket) else { return Vec::new() };
    let pending = home.pending.remove(at);
    match home.open.as_mut().filter(|open| open.peer == pending.peer) {
        Some(open) => open.composer.put_back(&pending.text),
        None => {
            let draft = home.drafts.entry(pending.peer.clone()).or_default();
            *draft = if draft.is_empty() { pending.text } else { format!("{}\n{draft}", pending.text) };
        }
    }
    save_after(home, pending.peer)
}

fn save_after(home: &mut Home, peer: AccountName) -> Vec<Effect> {
    if home.is_pending(&peer) {
        return Vec::new();
    }
    let text = match home.open.as_mut().filter(|open| open.peer == peer) {
        Some(open) => {
            open.composer.dirty = false;
            open.composer.text()
        }
        None => home.drafts.get(&peer).cloned().unwrap_or_default(),
    };
    vec![Effect::SaveDraft { peer, text }]
}
