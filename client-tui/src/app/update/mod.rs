//! How the interface changes: the only place where a model is written to.

mod chats;
mod client;
mod home;
mod overlay;
mod timeline;
mod wizard;

use crossterm::event::{KeyEvent, KeyEventKind};

use super::effect::Effect;
use super::failure::Failure;
use super::layout;
use super::model::{Home, Me, Model, Notice, Screen};
use super::msg::Msg;
use crate::i18n::Key;
use crate::input::Command;

/// Takes in what happened; gives what is to be done, in order.
#[must_use]
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Msg::Key(key) => press(model, key),
        Msg::Paste(text) => paste(model, &text),
        Msg::Resize(columns, rows) => {
            model.size = (columns, rows);
            // Terminals cut and wrap what was on them, and sizes may pass faster than they are read: a burst that
            // ends at the size it began with would otherwise leave a damaged screen that nobody draws anew.
            vec![Effect::Redraw]
        }
        Msg::Focus(focused) => {
            model.focused = focused;
            Vec::new()
        }
        Msg::Tick(now) => {
            model.now = now;
            save_draft(model)
        }
        Msg::Terminate => quit(model),
        Msg::Opened(me) => opened(model, me),
        Msg::OpenFailed(error) => wizard::failed(model, &error),
        Msg::ChatStarted(peer) => overlay::chat_started(model, &peer),
        Msg::StartFailed(error) => overlay::start_failed(model, &error),
        Msg::Safety(safety) => overlay::safety(model, safety),
        Msg::SafetyFailed(error) => overlay::safety_failed(model, &error),
        Msg::Saved(path) => {
            let text = model.text_with(crate::key!("notice-saved"), &[("path", crate::sanitize::line(&path).into())]);
            model.notice = Some(Notice { bad: false, text });
            Vec::new()
        }
        Msg::SaveFailed { message, error } => {
            if let Some(home) = model.home_mut() {
                home.transfers.remove(&message);
            }
            update(model, Msg::Failed(error))
        }
        Msg::AttachFailed { peer, path, error } => {
            home::attach_failed(model, &peer, &path);
            update(model, Msg::Failed(error))
        }
        Msg::Failed(error) => {
            let text = Failure::explain(&model.texts, &error).text;
            model.notice = Some(Notice { bad: true, text });
            Vec::new()
        }
        other => client::told(model, other),
    };
    effects.extend(mark_read(model));
    effects
}

/// Carries out a command.
pub(super) fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    match command {
        Command::Quit => quit(model),
        Command::Help => overlay::help(model),
        Command::Palette => overlay::palette(model),
        Command::NewChat => overlay::new_chat(model, ""),
        Command::Verify => overlay::verify(model),
        Command::Announcements => overlay::announcements(model),
        Command::Presence => vec![Effect::SetPresence(None)],
        Command::Redraw => vec![Effect::Redraw],
        Command::Reconnect => {
            notice(model, false, crate::key!("notice-reconnecting"));
            vec![Effect::GoOnline]
        }
        other => home::run(model, other),
    }
}

fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    model.notice = None;
    let command = model.keymap.command(model.context(), key);
    if let Some(command @ (Command::Quit | Command::Redraw)) = command {
        return run(model, command);
    }
    if model.overlay.is_some() {
        return overlay::press(model, key, command);
    }
    match model.screen {
        Screen::Wizard(_) | Screen::Unlock(_) => wizard::press(model, key, command),
        Screen::Home(_) => match command {
            Some(command) => run(model, command),
            None => home::typed(model, key),
        },
    }
}

fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    model.notice = None;
    if model.overlay.is_some() {
        overlay::paste(model, text);
    } else if model.home().is_some() {
        home::paste(model, text);
    } else {
        wizard::paste(model, text);
    }
    Vec::new()
}

fn opened(model: &mut Model, me: Me) -> Vec<Effect> {
    model.screen = Screen::Home(Box::new(Home::new(me)));
    model.overlay = None;
    model.notice = None;
    vec![Effect::LoadChats, Effect::LoadAnnouncements, Effect::GoOnline]
}

/// Nothing is asked: drafts and the outbox outlive the program.
fn quit(model: &mut Model) -> Vec<Effect> {
    let mut effects = save_draft(model);
    model.quitting = true;
    effects.push(Effect::Quit);
    effects
}

/// Keeps the draft of the open conversation if it changed. Not while a text is on its way to the
/// outbox: until it is there, the draft is its only durable copy.
fn save_draft(model: &mut Model) -> Vec<Effect> {
    let Some(home) = model.home_mut() else { return Vec::new() };
    let waits = home.open.as_ref().is_some_and(|open| home.is_pending(&open.peer));
    let Some(open) = home.open.as_mut().filter(|open| open.composer.dirty && !waits) else { return Vec::new() };
    open.composer.dirty = false;
    vec![Effect::SaveDraft { peer: open.peer.clone(), text: open.composer.text() }]
}

/// What is on the screen of a window that is looked at, is read.
fn mark_read(model: &mut Model) -> Vec<Effect> {
    use super::model::Scroll;
    if !model.focused || !layout::shows_conversation(model) {
        return Vec::new();
    }
    let Some(home) = model.home_mut() else { return Vec::new() };
    let Some(open) = home.open.as_mut() else { return Vec::new() };
    if open.scroll != Scroll::Bottom || open.detached || !open.loaded {
        return Vec::new();
    }
    let Some(up_to) = open.newest_incoming().filter(|position| *position > open.read_up_to) else {
        return Vec::new();
    };
    open.read_up_to = up_to;
    let peer = open.peer.clone();
    let unread = home.chat_mut(&peer).map_or(0, |chat| std::mem::take(&mut chat.unread));
    if unread == 0 && !home.open.as_ref().is_some_and(|o| o.messages.iter().any(is_unread)) {
        return Vec::new();
    }
    vec![Effect::MarkRead { peer, up_to }]
}

fn is_unread(message: &susurro_client_core::model::MessageView) -> bool {
    use susurro_client_core::model::{Delivery, Direction};
    message.direction == Direction::Incoming && message.delivery != Delivery::Read
}

/// Answers in one line.
fn notice(model: &mut Model, bad: bool, key: Key) {
    let text = model.text(key);
    model.notice = Some(Notice { bad, text });
}
