//! Windows over the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use susurro_client_core::Error;
use susurro_client_core::model::{Announcement, Trust};
use susurro_client_core::profile::SafetyInfo;
use susurro_protocol::AccountName;

use super::{chats, notice};
use crate::app::effect::Effect;
use crate::app::failure::Failure;
use crate::app::field::Field;
use crate::app::model::overlay::Verify;
use crate::app::model::{Model, Overlay};
use crate::input::palette::{self, Entry};
use crate::input::{Command, Context};
use crate::key;

/// Keys of the place where one was.
pub(super) fn help(model: &mut Model) -> Vec<Effect> {
    model.overlay = Some(Overlay::Help { scroll: 0 });
    Vec::new()
}

/// Conversations and commands.
pub(super) fn palette(model: &mut Model) -> Vec<Effect> {
    if model.home().is_some() {
        model.overlay = Some(Overlay::Palette { query: Field::plain(""), selected: 0 });
    }
    Vec::new()
}

/// Whom to write to; with a name the relay is asked at once.
pub(super) fn new_chat(model: &mut Model, name: &str) -> Vec<Effect> {
    if model.home().is_none() {
        return Vec::new();
    }
    model.overlay = Some(Overlay::NewChat { name: Field::plain(name), failure: None, busy: false });
    if name.is_empty() { Vec::new() } else { start_chat(model) }
}

/// The safety number of the open conversation, or of the one with the cursor.
pub(super) fn verify(model: &mut Model) -> Vec<Effect> {
    let Some(home) = model.home() else { return Vec::new() };
    let peer = home.open.as_ref().map(|open| open.peer.clone());
    let peer = match home.focus {
        crate::app::model::Focus::List => home.selected.clone().or(peer),
        _ => peer,
    };
    let Some(peer) = peer else {
        notice(model, true, key!("notice-nobody-to-verify"));
        return Vec::new();
    };
    model.overlay =
        Some(Overlay::Verify(Verify { peer: peer.clone(), safety: None, failure: None, busy: false, scroll: 0 }));
    vec![Effect::LoadSafety(peer)]
}

/// What the relay has announced; read anew, since what expired is gone.
pub(super) fn announcements(model: &mut Model) -> Vec<Effect> {
    if model.home().is_none() {
        return Vec::new();
    }
    model.overlay = Some(Overlay::Announcements { list: None, scroll: 0 });
    vec![Effect::LoadAnnouncements]
}

/// Announcements were read: those that nobody has looked at are told of, unless they are being looked at.
pub(super) fn announced(model: &mut Model, read: Vec<(Announcement, bool)>) -> Vec<Effect> {
    if let Some(Overlay::Announcements { list, .. }) = &mut model.overlay {
        let told = read.iter().filter(|(_, told)| !told).map(|(said, _)| said.id).collect::<Vec<_>>();
        *list = Some(read.into_iter().map(|(said, _)| said).collect());
        if let Some(home) = model.home_mut() {
            home.announcements.clear();
        }
        return if told.is_empty() { Vec::new() } else { vec![Effect::MarkTold(told)] };
    }
    if let Some(home) = model.home_mut() {
        home.announcements = read.into_iter().filter(|(_, told)| !told).map(|(said, _)| said).collect();
    }
    Vec::new()
}

/// The times of the message with the cursor.
pub(super) fn info(model: &mut Model) {
    if let Some(id) = model.selected_message() {
        model.overlay = Some(Overlay::Info(id));
    }
}

/// A key while a window is open.
pub(super) fn press(model: &mut Model, key: KeyEvent, command: Option<Command>) -> Vec<Effect> {
    if command == Some(Command::Back) {
        model.overlay = None;
        return Vec::new();
    }
    match model.context() {
        Context::Palette => press_palette(model, key, command),
        Context::Prompt => press_prompt(model, key, command),
        Context::Verify => press_verify(model, command),
        _ => {
            if let Some(Overlay::Help { scroll } | Overlay::Announcements { scroll, .. }) = &mut model.overlay {
                *scroll = scrolled(*scroll, command);
            }
            Vec::new()
        }
    }
}

/// Pasted text goes into the line of input.
pub(super) fn paste(model: &mut Model, text: &str) {
    match &mut model.overlay {
        Some(Overlay::Palette { query, selected }) => {
            query.insert(text);
            *selected = 0;
        }
        Some(Overlay::NewChat { name, busy: false, .. }) => name.insert(text.trim()),
        _ => {}
    }
}

/// The conversation is there: open it.
pub(super) fn chat_started(model: &mut Model, peer: &AccountName) -> Vec<Effect> {
    if matches!(model.overlay, Some(Overlay::NewChat { .. })) {
        model.overlay = None;
    }
    let mut effects = chats::open(model, peer);
    effects.push(Effect::LoadChats);
    effects
}

/// The name stays, and what is wrong is told below it.
pub(super) fn start_failed(model: &mut Model, error: &Error) -> Vec<Effect> {
    let told = Failure::explain(&model.texts, error);
    if let Some(Overlay::NewChat { failure, busy, .. }) = &mut model.overlay {
        *failure = Some(told);
        *busy = false;
    }
    Vec::new()
}

/// A safety number was computed.
pub(super) fn safety(model: &mut Model, info: SafetyInfo) -> Vec<Effect> {
    if let Some(Overlay::Verify(verify)) = &mut model.overlay
        && verify.peer == info.theirs
    {
        verify.busy = false;
        verify.safety = Some(info);
    }
    Vec::new()
}

/// Something did not work on the verification screen.
pub(super) fn safety_failed(model: &mut Model, error: &Error) -> Vec<Effect> {
    let told = Failure::explain(&model.texts, error);
    if let Some(Overlay::Verify(verify)) = &mut model.overlay {
        verify.failure = Some(told);
        verify.busy = false;
    }
    Vec::new()
}

/// A key that edits a line of input; gives whether it did.
pub(super) fn edit(field: &mut Field, key: KeyEvent) -> bool {
    let plain = key.modifiers - KeyModifiers::SHIFT == KeyModifiers::NONE;
    match key.code {
        KeyCode::Char('u') if key.modifiers == KeyModifiers::CONTROL => field.clear(),
        KeyCode::Char('a') if key.modifiers == KeyModifiers::CONTROL => field.home(),
        KeyCode::Char('e') if key.modifiers == KeyModifiers::CONTROL => field.end(),
        KeyCode::Char(c) if plain => field.insert(c.encode_utf8(&mut [0; 4])),
        KeyCode::Backspace => field.backspace(),
        KeyCode::Delete => field.delete(),
        KeyCode::Left => field.left(),
        KeyCode::Right => field.right(),
        KeyCode::Home => field.home(),
        KeyCode::End => field.end(),
        _ => return false,
    }
    true
}

fn scrolled(scroll: usize, command: Option<Command>) -> usize {
    match command {
        Some(Command::Up) => scroll.saturating_sub(1),
        Some(Command::Down) => scroll.saturating_add(1).min(200),
        Some(Command::PageUp) => scroll.saturating_sub(10),
        Some(Command::PageDown) => scroll.saturating_add(10).min(200),
        _ => scroll,
    }
}

fn press_palette(model: &mut Model, key: KeyEvent, command: Option<Command>) -> Vec<Effect> {
    let Some(Overlay::Palette { query, selected }) = &mut model.overlay else { return Vec::new() };
    let text = query.text().to_owned();
    match command {
        Some(Command::Up) => *selected = selected.saturating_sub(1),
        Some(Command::Down) => {
            let at = *selected + 1;
            let last = palette::entries(model, &text).len().saturating_sub(1);
            if let Some(Overlay::Palette { selected, .. }) = &mut model.overlay {
                *selected = at.min(last);
            }
        }
        Some(Command::Open) => {
            let at = *selected;
            let entry = palette::entries(model, &text).into_iter().nth(at);
            model.overlay = None;
            return match entry {
                Some(Entry::Chat(peer)) => chats::open(model, &peer),
                Some(Entry::Command(command)) => super::run(model, command),
                None => Vec::new(),
            };
        }
        _ => {
            if edit(query, key) {
                *selected = 0;
            }
        }
    }
    Vec::new()
}

fn press_prompt(model: &mut Model, key: KeyEvent, command: Option<Command>) -> Vec<Effect> {
    if command == Some(Command::Open) {
        return start_chat(model);
    }
    if let Some(Overlay::NewChat { name, failure, busy: false }) = &mut model.overlay
        && edit(name, key)
    {
        *failure = None;
    }
    Vec::new()
}

fn start_chat(model: &mut Model) -> Vec<Effect> {
    let Some(Overlay::NewChat { name, busy: busy @ false, failure }) = &mut model.overlay else { return Vec::new() };
    let wanted = name.text().trim().to_owned();
    match wanted.parse::<AccountName>() {
        Ok(_) => {
            *busy = true;
            *failure = None;
            vec![Effect::StartChat(wanted)]
        }
        Err(error) => start_failed(model, &Error::BadName(error)),
    }
}

fn press_verify(model: &mut Model, command: Option<Command>) -> Vec<Effect> {
    let Some(Overlay::Verify(verify)) = &mut model.overlay else { return Vec::new() };
    verify.scroll = scrolled(verify.scroll, command).min(60);
    let Some(safety) = verify.safety.as_ref().filter(|_| !verify.busy) else { return Vec::new() };
    let (peer, groups) = (verify.peer.clone(), safety.groups.clone());
    match (command, safety.trust) {
        (Some(Command::Confirm), trust) if trust != Trust::Verified => {
            verify.busy = true;
            verify.failure = None;
            vec![Effect::SetVerified { peer, groups }]
        }
        (Some(Command::Accept), Trust::Changed | Trust::ChangedAfterVerification) => {
            verify.busy = true;
            verify.failure = None;
            vec![Effect::AcceptKey { peer, groups }]
        }
        _ => Vec::new(),
    }
}
