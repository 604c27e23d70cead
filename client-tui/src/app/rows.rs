//! The lines of a timeline: what is on the screen, and what scrolling does to it.
//!
//! Lines are made for the messages near the screen only, from the lowest one upwards, so that the
//! length of a conversation does not matter.

use susurro_client_core::model::{Delivery, Direction, MessageContent, MessageView};
use susurro_protocol::MessageId;

use super::failure;
use super::model::{Conversation, Model, Older, Scroll};
use super::words;
use super::wrap::wrap;
use crate::key;
use crate::{sanitize, size};

/// Cells before each line of a text.
pub const INDENT: usize = 2;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The message that it belongs to; none of a separator.
    pub message: Option<MessageId>,
    /// What it is.
    pub kind: Kind,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// There is nothing before.
    Start(String),
    /// A new day begins.
    Day(String),
    /// New messages begin.
    New(String),
    /// Who wrote what follows, and when.
    Head {
        /// Name.
        sender: String,
        /// Whether it is this account.
        own: bool,
        /// Local time.
        time: String,
        /// How far it came, when it is ours.
        delivery: Option<Delivery>,
    },
    /// A line of text.
    Text(String),
    /// A file, and how far it is.
    File(Said),
    /// Why a message of ours was not delivered.
    Failed(Said),
    /// Why a message is not shown.
    Unreadable(Said),
    /// The program says something.
    Note(Said),
}

/// A line of the program's own. Its sign stands at the edge, where no text of a message can
/// stand, so that nobody can write a message that looks like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// A sign on the first line, blanks below it.
    pub sign: &'static str,
    /// The text.
    pub text: String,
}

/// The lines of one message, with the separators before it.
#[must_use]
pub fn of_message(model: &Model, conversation: &Conversation, index: usize, width: usize) -> Vec<Row> {
    let message = &conversation.messages[index];
    let before = index.checked_sub(1).map(|at| &conversation.messages[at]);
    let mut rows = Vec::new();
    let separator = |kind| Row { message: None, kind };
    if before.is_none() && conversation.older == Older::None {
        let name = conversation.peer.as_str();
        let text = model.text_with(key!("timeline-start"), &[("name", name.into())]);
        rows.extend(wrap(&text, width).into_iter().map(|line| separator(Kind::Start(line))));
    }
    let day = words::day(model, message.sent_at);
    let new_day = before.is_none_or(|other| words::day(model, other.sent_at) != day);
    if new_day {
        rows.push(separator(Kind::Day(day)));
    }
    let first_new = conversation.first_new == Some(message.id);
    if first_new {
        rows.push(separator(Kind::New(model.text(key!("timeline-new")))));
    }
    let row = |kind| Row { message: Some(message.id), kind };
    if let MessageContent::Note(note) = &message.content {
        let text = words::note(model, &conversation.peer, note);
        rows.extend(said("• ", &text, width).map(|line| row(Kind::Note(line))));
        return rows;
    }
    let time = words::time(model, message.sent_at);
    let joined = !new_day && !first_new && before.is_some_and(|other| continues(model, other, message));
    if !joined {
        let own = message.direction == Direction::Outgoing;
        let sender = if own { model.text(key!("timeline-you")) } else { conversation.peer.to_string() };
        let delivery = own.then_some(message.delivery);
        rows.push(row(Kind::Head { sender, own, time, delivery }));
    }
    let inner = width.saturating_sub(INDENT);
    match &message.content {
        MessageContent::Text(text) => {
            rows.extend(wrap(&sanitize::lines(text), inner).into_iter().map(|line| row(Kind::Text(line))));
        }
        MessageContent::Attachment(file) => {
            let (name, size) = (sanitize::line(&file.name), size::shown(file.size));
            let mut values = vec![("name", name.into()), ("size", size.into())];
            let under_way = model.home().and_then(|home| home.transfers.get(&message.id));
            let text = match under_way {
                Some(percent) => {
                    values.push(("percent", (*percent).into()));
                    key!("timeline-file-under-way")
                }
                None if message.direction == Direction::Incoming => key!("timeline-file"),
                None => key!("timeline-file-own"),
            };
            let text = model.text_with(text, &values);
            rows.extend(said("+ ", &text, width).map(|line| row(Kind::File(line))));
        }
        MessageContent::Unknown(_) => {
            let text = model.text(key!("unreadable-unknown"));
            rows.extend(said("! ", &text, width).map(|line| row(Kind::Unreadable(line))));
        }
        MessageContent::Undecryptable(cause) => {
            let text = words::unreadable(model, &conversation.peer, *cause);
            rows.extend(said("! ", &text, width).map(|line| row(Kind::Unreadable(line))));
        }
        MessageContent::Note(_) => {}
    }
    if let Delivery::Failed(code) = message.delivery {
        let reason = failure::reason(&model.texts, code);
        let text = model.text_with(key!("timeline-failed"), &[("reason", reason.into())]);
        rows.extend(said("✗ ", &text, width).map(|line| row(Kind::Failed(line))));
    }
    rows
}

/// What is on a screen of this size, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// From the top; fewer than the height when there is not more.
    pub rows: Vec<Row>,
    /// Whether there are lines below.
    pub below: bool,
}

/// The lines on the screen.
#[must_use]
pub fn view(model: &Model, conversation: &Conversation, width: usize, height: usize) -> View {
    let Some((index, hidden)) = bottom(model, conversation, width) else {
        return View { rows: Vec::new(), below: false };
    };
    let mut chunks = Vec::new();
    let mut count = 0;
    for at in (0..=index).rev() {
        let mut rows = of_message(model, conversation, at, width);
        if at == index {
            rows.truncate(rows.len().saturating_sub(hidden));
        }
        count += rows.len();
        chunks.push(rows);
        if count >= height {
            break;
        }
    }
    let rows: Vec<Row> = chunks.into_iter().rev().flatten().collect();
    let rows = rows[rows.len().saturating_sub(height)..].to_vec();
    View { rows, below: conversation.scroll != Scroll::Bottom || conversation.detached }
}

/// Where scrolling up by `lines` leads, and whether the beginning of the window is reached.
#[must_use]
pub fn up(model: &Model, conversation: &Conversation, width: usize, height: usize, lines: usize) -> (Scroll, bool) {
    let Some((index, hidden)) = bottom(model, conversation, width) else { return (Scroll::Bottom, true) };
    let mut above = 0;
    let mut reached = true;
    for at in (0..=index).rev() {
        let rows = of_message(model, conversation, at, width).len();
        above += if at == index { rows.saturating_sub(hidden) } else { rows };
        if above >= lines + height {
            reached = false;
            break;
        }
    }
    let mut step = lines.min(above.saturating_sub(height));
    if step == 0 {
        return (conversation.scroll, reached);
    }
    let (mut index, mut hidden) = (index, hidden);
    loop {
        let rows = of_message(model, conversation, index, width).len();
        if hidden + step < rows || index == 0 {
            hidden += step;
            break;
        }
        step -= rows - hidden;
        index -= 1;
        hidden = 0;
    }
    (anchor(conversation, index, hidden), reached)
}

/// Where scrolling down by `lines` leads.
#[must_use]
pub fn down(model: &Model, conversation: &Conversation, width: usize, lines: usize) -> Scroll {
    let Some((mut index, mut hidden)) = bottom(model, conversation, width) else { return Scroll::Bottom };
    let mut step = lines;
    while step > hidden && index + 1 < conversation.messages.len() {
        step -= hidden;
        index += 1;
        hidden = of_message(model, conversation, index, width).len();
    }
    anchor(conversation, index, hidden.saturating_sub(step))
}

/// Where the timeline has to stand for a message to be on the screen.
#[must_use]
pub fn reveal(model: &Model, conversation: &Conversation, width: usize, height: usize, id: MessageId) -> Scroll {
    let (Some(target), Some((index, hidden))) = (conversation.index(id), bottom(model, conversation, width)) else {
        return conversation.scroll;
    };
    if target > index || (target == index && hidden > 0) {
        return anchor(conversation, target, 0);
    }
    let rows_at = |at| of_message(model, conversation, at, width).len();
    let mut shown = 0;
    for at in (target..=index).rev() {
        shown += rows_at(at) - if at == index { hidden } else { 0 };
        if shown > height {
            break;
        }
    }
    if shown <= height {
        return conversation.scroll;
    }
    // Its first line becomes the first of the screen.
    let mut filled = 0;
    for at in target..conversation.messages.len() {
        filled += rows_at(at);
        if filled >= height {
            return anchor(conversation, at, filled - height);
        }
    }
    Scroll::Bottom
}

/// The messages of which a line is on the screen.
#[must_use]
pub fn visible(model: &Model, conversation: &Conversation, width: usize, height: usize) -> Vec<MessageId> {
    let mut ids: Vec<_> =
        view(model, conversation, width, height).rows.into_iter().filter_map(|row| row.message).collect();
    ids.dedup();
    ids
}

/// The lowest message on the screen and its lines below: fewer than it has, also after the width changed.
fn bottom(model: &Model, conversation: &Conversation, width: usize) -> Option<(usize, usize)> {
    let last = conversation.messages.len().checked_sub(1)?;
    let Scroll::At { message, hidden } = conversation.scroll else { return Some((last, 0)) };
    let Some(at) = conversation.index(message) else { return Some((last, 0)) };
    let rows = of_message(model, conversation, at, width).len();
    Some((at, hidden.min(rows.saturating_sub(1))))
}

fn anchor(conversation: &Conversation, index: usize, hidden: usize) -> Scroll {
    if index + 1 >= conversation.messages.len() && hidden == 0 {
        return Scroll::Bottom;
    }
    Scroll::At { message: conversation.messages[index].id, hidden }
}

fn said(sign: &'static str, text: &str, width: usize) -> impl Iterator<Item = Said> {
    let lines = wrap(text, width.saturating_sub(INDENT)).into_iter().enumerate();
    lines.map(move |(at, text)| Said { sign: if at == 0 { sign } else { "  " }, text })
}

/// Whether a message needs no head of its own: same person, same minute, same state.
fn continues(model: &Model, before: &MessageView, message: &MessageView) -> bool {
    let plain = |m: &MessageView| matches!(m.content, MessageContent::Text(_));
    before.direction == message.direction
        && plain(before)
        && plain(message)
        && before.delivery == message.delivery
        && !matches!(message.delivery, Delivery::Failed(_))
        && words::time(model, before.sent_at) == words::time(model, message.sent_at)
}
