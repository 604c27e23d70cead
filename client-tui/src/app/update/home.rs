//! Keys and commands on the screen with conversations.

use crossterm::event::KeyEvent;
use susurro_protocol::AccountName;
use susurro_protocol::limits::TEXT_MAX;

use super::{chats, overlay, timeline};
use crate::app::effect::Effect;
use crate::app::model::home::Pending;
use crate::app::model::{Composer, Focus, Model, Notice};
use crate::input::slash::{self, Input};
use crate::input::{Command, Context};
use crate::key;

/// Carries out a command that needs a place.
pub(super) fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    let focus = model.home().map_or(Focus::List, |home| home.focus);
    match (command, focus) {
        (Command::Send, _) => return send(model),
        (Command::Newline, _) => edit(model, |composer| composer.newline()),
        (Command::NextUnread, _) => return chats::next_unread(model),
        (Command::NextChat, _) => return chats::neighbour(model, 1),
        (Command::PreviousChat, _) => return chats::neighbour(model, -1),
        (Command::FocusNext, _) => move_focus(model, true),
        (Command::FocusPrevious, _) => move_focus(model, false),
        (Command::Back, _) => back(model),
        (Command::Open, Focus::List) => return open_selected(model),
        (Command::Up, Focus::List) => chats::move_selection(model, -1),
        (Command::Down, Focus::List) => chats::move_selection(model, 1),
        (Command::PageUp, Focus::List) => chats::move_selection(model, -10),
        (Command::PageDown, Focus::List) => chats::move_selection(model, 10),
        (Command::Top, Focus::List) => chats::move_selection(model, isize::MIN),
        (Command::Bottom, Focus::List) => chats::move_selection(model, isize::MAX),
        (Command::Up, _) => return timeline::step(model, false),
        (Command::Down, _) => return timeline::step(model, true),
        (Command::PageUp, _) => return timeline::page(model, false),
        (Command::PageDown, _) => return timeline::page(model, true),
        (Command::Top, _) => return timeline::top(model),
        (Command::Bottom, _) => return timeline::bottom(model),
        (Command::Retry, _) => return timeline::retry(model),
        (Command::Save, _) => return timeline::save(model, ""),
        (Command::Attach, _) => return attach(model, ""),
        (Command::Info, _) => overlay::info(model),
        _ => {}
    }
    Vec::new()
}

/// A key that is no command: text, when the composer has the keys.
pub(super) fn typed(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    if model.context() == Context::Composer {
        edit(model, |composer| {
            composer.input(key);
        });
        return tell_typing(model);
    }
    Vec::new()
}

/// How long a client that was told of typing is left alone, in milliseconds. It tells the other
/// person less often still.
const TYPING_TOLD_FOR: u64 = 1_000;

/// Tells the client that something is typed for the person of the open conversation, or is gone.
fn tell_typing(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    let Some(home) = model.home_mut() else { return Vec::new() };
    let Some(open) = &home.open else { return Vec::new() };
    let peer = open.peer.clone();
    let told = home.told_typing.take();
    // What begins with a slash may become a command, which is for nobody else.
    let is_message = !open.composer.is_blank() && !open.composer.text().starts_with('/');
    if !is_message {
        let was_told = told.is_some_and(|(whom, _)| whom == peer);
        return if was_told { vec![Effect::Typing { peer, typing: false }] } else { Vec::new() };
    }
    if told.as_ref().is_some_and(|(whom, at)| *whom == peer && now.abs_diff(*at) < TYPING_TOLD_FOR) {
        home.told_typing = told;
        return Vec::new();
    }
    home.told_typing = Some((peer.clone(), now));
    vec![Effect::Typing { peer, typing: true }]
}

/// Pasted text goes into the composer wherever the keys go, and is never sent by itself.
pub(super) fn paste(model: &mut Model, text: &str) {
    edit(model, |composer| composer.paste(text));
    if let Some(home) = model.home_mut()
        && home.open.is_some()
    {
        home.focus = Focus::Composer;
    }
}

fn edit(model: &mut Model, change: impl FnOnce(&mut Composer)) {
    if let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) {
        change(&mut open.composer);
    }
}

fn send(model: &mut Model) -> Vec<Effect> {
    let Some(home) = model.home() else { return Vec::new() };
    let Some(open) = &home.open else { return Vec::new() };
    if open.composer.is_blank() {
        return Vec::new();
    }
    let peer = open.peer.clone();
    let may_send = home.trust(&peer).is_none_or(|trust| trust.may_send());
    let text = match slash::read(&open.composer.text()) {
        Input::Unknown(word) => {
            let text =
                model.text_with(key!("notice-unknown-command"), &[("word", crate::sanitize::line(&word).into())]);
            model.notice = Some(Notice { bad: true, text });
            return Vec::new();
        }
        Input::Command(command, arguments) => {
            edit(model, |composer| {
                composer.take();
            });
            return match command {
                Command::NewChat => overlay::new_chat(model, &arguments),
                Command::Save => timeline::save(model, &arguments),
                Command::Attach => attach(model, &arguments),
                Command::Presence => presence(model, &arguments),
                command => super::run(model, command),
            };
        }
        Input::Message(text) => text,
    };
    if !may_send {
        let text = model.text_with(key!("notice-not-sent-key"), &[("name", peer.as_str().into())]);
        model.notice = Some(Notice { bad: true, text });
        return Vec::new();
    }
    if text.len() > TEXT_MAX {
        let text = model.text_with(
            key!("error-too-long"),
            &[("bytes", (text.len() as u64).into()), ("max", (TEXT_MAX as u64).into())],
        );
        model.notice = Some(Notice { bad: true, text });
        return Vec::new();
    }
    let Some(home) = model.home_mut() else { return Vec::new() };
    // Sending says as much.
    home.told_typing = None;
    home.tickets += 1;
    let ticket = home.tickets;
    home.pending.push(Pending { ticket, peer: peer.clone(), text: text.clone() });
    if let Some(open) = home.open.as_mut() {
        open.composer.take();
        open.first_new = None;
        open.cursor = None;
    }
    let mut effects = timeline::bottom(model);
    effects.push(Effect::Send { peer, text, ticket });
    effects
}

/// Sends a file to the person of the open conversation.
fn attach(model: &mut Model, path: &str) -> Vec<Effect> {
    let Some(open) = model.conversation() else { return Vec::new() };
    let peer = open.peer.clone();
    if path.is_empty() {
        let text = model.text(key!("notice-attach"));
        model.notice = Some(Notice { bad: false, text });
        return Vec::new();
    }
    let text = model.text(key!("notice-attaching"));
    model.notice = Some(Notice { bad: false, text });
    vec![Effect::Attach { peer, path: path.to_owned() }]
}

/// Gives back what was typed, where nothing else was typed since.
pub(super) fn attach_failed(model: &mut Model, peer: &AccountName, path: &str) {
    let Some(home) = model.home_mut() else { return };
    let typed = format!("/{} {path}", Command::Attach.name());
    match home.open.as_mut().filter(|open| open.peer == *peer) {
        Some(open) if open.composer.is_blank() => open.composer = Composer::new(&typed),
        Some(_) => {}
        None => {
            let draft = home.drafts.entry(peer.clone()).or_default();
            if draft.trim().is_empty() {
                *draft = typed;
            }
        }
    }
}

/// `/presence on`, `/presence off`; alone it is the other way round than now.
fn presence(model: &mut Model, wanted: &str) -> Vec<Effect> {
    match wanted {
        "" => vec![Effect::SetPresence(None)],
        "on" => vec![Effect::SetPresence(Some(true))],
        "off" => vec![Effect::SetPresence(Some(false))],
        _ => {
            super::notice(model, true, key!("notice-presence-usage"));
            Vec::new()
        }
    }
}

fn open_selected(model: &mut Model) -> Vec<Effect> {
    match model.home().and_then(|home| home.selected.clone()) {
        Some(peer) => chats::open(model, &peer),
        None => overlay::new_chat(model, ""),
    }
}

/// The parts of the screen in the order of Tab. Without an open conversation there is only the list.
fn move_focus(model: &mut Model, forward: bool) {
    const ORDER: [Focus; 3] = [Focus::List, Focus::Timeline, Focus::Composer];
    let Some(home) = model.home() else { return };
    let at = ORDER.iter().position(|focus| *focus == home.focus).unwrap_or(0);
    let next = if forward { (at + 1) % 3 } else { (at + 2) % 3 };
    set_focus(model, ORDER[next]);
}

/// One step towards the list: from the composer to the messages, from there to the list; from the
/// list back to writing.
fn back(model: &mut Model) {
    let next = match model.home().map(|home| home.focus) {
        Some(Focus::Composer) => Focus::Timeline,
        Some(Focus::Timeline) => Focus::List,
        _ => Focus::Composer,
    };
    set_focus(model, next);
}

fn set_focus(model: &mut Model, focus: Focus) {
    let Some(home) = model.home_mut() else { return };
    if home.open.is_none() {
        home.focus = Focus::List;
        return;
    }
    home.focus = focus;
    if focus == Focus::Timeline {
        timeline::enter(model);
    } else if let Some(open) = model.home_mut().and_then(|home| home.open.as_mut()) {
        open.cursor = None;
    }
}
