//! What tests of the interface need: people, messages, keys, and a screen as text.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::{Offset, TimeZone};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use susurro_client_core::model::contact::LastMessage;
use susurro_client_core::model::{
    ChatSummary, Connection, Contact, Delivery, Direction, MessageContent, MessageView, Trust,
};
use susurro_client_core::profile::SafetyInfo;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::Attachment;
use susurro_protocol::{AccountId, AccountName, BlobId, ChatId, MessageId};
use susurro_tui::app::model::{Look, Me, Screen, Unlock, Wizard};
use susurro_tui::app::{Effect, Model, Msg, update};
use susurro_tui::i18n::{Language, Texts};
use susurro_tui::ui;

/// 2026-03-14 15:09:00 UTC.
pub const NOW: u64 = 1_773_500_940_000;

pub const MINUTE: u64 = 60_000;

pub fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

pub fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

pub fn model(screen: Screen) -> Model {
    let texts = Arc::new(Texts::new(Language::English));
    Model::new(texts, Look::Color, TimeZone::fixed(Offset::constant(1)), NOW, screen)
}

pub fn wizard() -> Model {
    model(Screen::Wizard(Box::new(Wizard::new("", ""))))
}

pub fn unlock() -> Model {
    model(Screen::Unlock(Unlock::new("/home/alice/.local/share/susurro")))
}

/// Alice's program, connected, with these conversations.
pub fn home(chats: Vec<ChatSummary>) -> Model {
    let mut model = wizard();
    let me = Me { name: name("alice"), relay: "https://relay.example".to_owned() };
    let effects = update(&mut model, Msg::Opened(me));
    assert_eq!(effects, [Effect::LoadChats, Effect::LoadAnnouncements, Effect::GoOnline]);
    assert_eq!(update(&mut model, Msg::Connection(Connection::Connected)), []);
    assert_eq!(update(&mut model, Msg::Chats(chats)), []);
    model
}

/// Alice's program with the conversation with Bob open and these messages in it.
pub fn talk(trust: Trust, messages: Vec<MessageView>) -> Model {
    let mut model = home(vec![chat("bob", trust, 0)]);
    press(&mut model, "Enter");
    let _ = update(&mut model, window(messages, false));
    model
}

pub fn window(messages: Vec<MessageView>, more: bool) -> Msg {
    Msg::Window { peer: name("bob"), before: None, messages, more }
}

pub fn contact(peer: &str, trust: Trust) -> Contact {
    Contact {
        name: name(peer),
        account: AccountId::from_bytes([7; 16]),
        account_key: [7; 32],
        chat: ChatId::from_bytes([9; 16]),
        trust,
        offered_key: None,
    }
}

pub fn chat(peer: &str, trust: Trust, unread: u64) -> ChatSummary {
    ChatSummary { contact: contact(peer, trust), unread, last: None }
}

pub fn with_last(mut chat: ChatSummary, preview: &str, at: u64, delivery: Option<Delivery>) -> ChatSummary {
    chat.last = Some(LastMessage { id: id(250), preview: preview.to_owned(), at, delivery });
    chat
}

/// A message with Bob at this position, written this many minutes ago.
pub fn message(position: u8, minutes_ago: u64, content: MessageContent, delivery: Option<Delivery>) -> MessageView {
    let sent_at = NOW - minutes_ago * MINUTE;
    MessageView {
        id: id(position),
        chat: ChatId::from_bytes([9; 16]),
        peer: name("bob"),
        direction: if delivery.is_some() { Direction::Outgoing } else { Direction::Incoming },
        position: i64::from(position),
        content,
        sent_at,
        accepted_at: Some(sent_at + 400),
        stored_at: Some(sent_at + 900),
        read_at: None,
        delivery: delivery.unwrap_or(Delivery::Stored),
    }
}

pub fn from_bob(position: u8, minutes_ago: u64, text: &str) -> MessageView {
    message(position, minutes_ago, MessageContent::Text(text.to_owned()), None)
}

pub fn from_me(position: u8, minutes_ago: u64, text: &str, delivery: Delivery) -> MessageView {
    message(position, minutes_ago, MessageContent::Text(text.to_owned()), Some(delivery))
}

/// A file of some size.
pub fn file(name: &str, size: u64) -> MessageContent {
    MessageContent::Attachment(Box::new(Attachment {
        name: name.to_owned(),
        media_type: "application/pdf".to_owned(),
        size,
        blob: BlobId::from_bytes([4; 16]),
        key: Fixed([5; 32]),
        hash: Fixed([6; 32]),
    }))
}

pub fn safety(trust: Trust) -> SafetyInfo {
    SafetyInfo {
        ours: name("alice"),
        theirs: name("bob"),
        groups: (0..12).map(|n| format!("{:05}", n * 7919 % 100_000)).collect(),
        qr: (0..64).collect(),
        trust,
    }
}

/// A key by its name, as help shows it: `Enter`, `Ctrl-P`, `Alt-Enter`, `x`.
pub fn key(text: &str) -> KeyEvent {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = text;
    for (prefix, modifier) in
        [("Ctrl-", KeyModifiers::CONTROL), ("Alt-", KeyModifiers::ALT), ("Shift-", KeyModifiers::SHIFT)]
    {
        if let Some(after) = rest.strip_prefix(prefix) {
            modifiers |= modifier;
            rest = after;
        }
    }
    let code = match rest {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Backspace" => KeyCode::Backspace,
        f if f.len() > 1 && f.starts_with('F') => KeyCode::F(f[1..].parse().unwrap()),
        c => KeyCode::Char(c.to_lowercase().chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}

/// Presses keys by name; gives the effects of all of them.
pub fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split(' ').flat_map(|k| update(model, Msg::Key(key(k)))).collect()
}

/// Types text.
pub fn write(model: &mut Model, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| update(model, Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))).collect()
}

pub fn composer(model: &Model) -> String {
    model.conversation().unwrap().composer.text()
}

/// What a screen of this size shows.
pub fn screen(model: &mut Model, columns: u16, rows: u16) -> Buffer {
    let _ = update(model, Msg::Resize(columns, rows));
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| ui::draw(frame, frame.area(), model)).unwrap();
    terminal.backend().buffer().clone()
}

/// The text of a screen without styles.
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = susurro_tui::app::wrap::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The text of a screen, then its styles: a letter for each cell, explained below.
pub fn styled(buffer: &Buffer) -> String {
    let mut out = text(buffer);
    out.push_str("--- styles\n");
    let mut letters = BTreeMap::<String, char>::new();
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width)
            .map(|x| {
                let cell = &buffer[(x, y)];
                let style = describe(cell.fg, cell.bg, cell.modifier);
                if style.is_empty() {
                    return '.';
                }
                let next = char::from(b'a' + u8::try_from(letters.len()).unwrap());
                *letters.entry(style).or_insert(next)
            })
            .collect();
        out.push_str(line.trim_end_matches('.'));
        out.push('\n');
    }
    let mut legend: Vec<_> = letters.into_iter().collect();
    legend.sort_by_key(|(_, letter)| *letter);
    for (style, letter) in legend {
        let _ = writeln!(out, "{letter}: {style}");
    }
    out
}

fn describe(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut parts = Vec::new();
    if fg != Color::Reset {
        parts.push(format!("{fg}"));
    }
    if bg != Color::Reset {
        parts.push(format!("on {bg}"));
    }
    parts.extend(modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    parts.join(" ")
}
