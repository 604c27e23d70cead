//! Help, and the times of a message.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use susurro_client_core::model::{Announcement, Direction};
use susurro_protocol::MessageId;

use super::theme::{Role, Theme};
use super::widgets::window;
use crate::app::model::{Model, Screen};
use crate::app::words;
use crate::app::wrap::{width, wrap};
use crate::i18n::Key;
use crate::input::Context;
use crate::key;
use crate::sanitize;

/// The keys of the place where one was.
pub(super) fn help(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, scroll: usize) {
    let (place, title) = place(model);
    let keys = model.keymap.help(place);
    let names: Vec<(String, String)> = keys
        .into_iter()
        .map(|(command, chords)| {
            let chords: Vec<String> = chords.iter().take(3).map(ToString::to_string).collect();
            (chords.join(" "), model.text(command.text()))
        })
        .collect();
    let inner = window(
        frame,
        area,
        72,
        area.height.min(30),
        &model.text_with(key!("help-title"), &[("place", model.text(title).into())]),
        theme,
    );
    let column = names.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0).min(usize::from(inner.width) / 2);
    let mut lines = Vec::new();
    for (keys, text) in &names {
        let mut keys = wrap(keys, column).into_iter();
        let mut texts = wrap(text, usize::from(inner.width).saturating_sub(column + 2)).into_iter();
        loop {
            let (left, right) = (keys.next(), texts.next());
            if left.is_none() && right.is_none() {
                break;
            }
            let left = left.unwrap_or_default();
            let gap = " ".repeat(column + 2 - width(&left).min(column));
            lines.push(Line::from(vec![
                Span::styled(left, theme.style(Role::Strong)),
                Span::raw(gap),
                Span::raw(right.unwrap_or_default()),
            ]));
        }
    }
    if place == Context::Composer {
        lines.push(Line::default());
        lines.extend(wrap(&model.text(key!("help-composer")), usize::from(inner.width)).into_iter().map(Line::from));
    }
    let rows = usize::from(inner.height.saturating_sub(1));
    let scroll = scroll.min(lines.len().saturating_sub(rows));
    let more = lines.len() > scroll + rows;
    lines.drain(..scroll);
    lines.truncate(rows);
    frame.render_widget(Paragraph::new(lines), Rect { height: inner.height.saturating_sub(1), ..inner });
    let foot = if more || scroll > 0 { key!("help-foot-more") } else { key!("help-foot") };
    footer(frame, inner, &model.text(foot), theme);
}

/// What the relay has announced, newest first: a window of its own, so that it looks like nothing that a person
/// could have written.
pub(super) fn announcements(
    frame: &mut Frame,
    area: Rect,
    model: &Model,
    theme: Theme,
    list: Option<&[Announcement]>,
    scroll: usize,
) {
    let relay = model.home().map(|home| home.me.relay.clone()).unwrap_or_default();
    let title = model.text_with(key!("announcements-title"), &[("relay", relay.into())]);
    let inner = window(frame, area, 76, area.height.min(24), &title, theme);
    let columns = usize::from(inner.width);
    let mut lines = Vec::new();
    for said in list.unwrap_or_default().iter().rev() {
        let (made, ends) = (words::moment(model, said.issued), words::moment(model, said.expires));
        let head = model.text_with(key!("announcements-times"), &[("made", made.into()), ("ends", ends.into())]);
        lines.extend(wrap(&head, columns).into_iter().map(|line| Line::styled(line, theme.style(Role::Quiet))));
        for line in sanitize::lines(&said.text).lines() {
            lines.extend(wrap(line, columns).into_iter().map(|line| Line::styled(line, theme.style(Role::Strong))));
        }
        lines.push(Line::default());
    }
    if list.is_some_and(<[_]>::is_empty) {
        lines.extend(wrap(&model.text(key!("announcements-none")), columns).into_iter().map(Line::from));
    }
    let rows = usize::from(inner.height.saturating_sub(1));
    let scroll = scroll.min(lines.len().saturating_sub(rows));
    let more = lines.len() > scroll + rows;
    lines.drain(..scroll);
    lines.truncate(rows);
    frame.render_widget(Paragraph::new(lines), Rect { height: inner.height.saturating_sub(1), ..inner });
    let foot = if more || scroll > 0 { key!("help-foot-more") } else { key!("help-foot") };
    footer(frame, inner, &model.text(foot), theme);
}

/// When a message was written, taken by the relay, stored and read.
pub(super) fn message(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, id: MessageId) {
    let Some(message) = model.conversation().and_then(|open| open.message(id)) else { return };
    let inner = window(frame, area, 56, 10, &model.text(key!("info-title")), theme);
    let at = |time: Option<u64>| time.map_or_else(|| "–".to_owned(), |at| words::moment(model, at));
    let own = message.direction == Direction::Outgoing;
    let stored = if own { key!("info-stored-there") } else { key!("info-stored-here") };
    let mark = words::delivery(model, message.delivery);
    let mut lines = vec![
        (key!("info-sent"), at(Some(message.sent_at))),
        (key!("info-accepted"), at(message.accepted_at)),
        (stored, at(message.stored_at)),
        (key!("info-read"), at(message.read_at)),
    ];
    if own {
        lines.push((key!("info-state"), format!("{} {}", mark.sign, mark.word)));
    }
    let lines: Vec<Line> = lines
        .into_iter()
        .map(|(label, value)| {
            Line::from(vec![
                Span::raw(format!("{}: ", model.text(label))),
                Span::styled(value, theme.style(Role::Strong)),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), Rect { height: inner.height.saturating_sub(1), ..inner });
    footer(frame, inner, &model.text(key!("help-foot")), theme);
}

fn footer(frame: &mut Frame, inner: Rect, text: &str, theme: Theme) {
    let at = Rect { y: inner.bottom().saturating_sub(1), height: inner.height.min(1), ..inner };
    let text = crate::app::wrap::truncate(text, usize::from(at.width));
    frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Role::Quiet))), at);
}

/// Where one was before help was opened.
fn place(model: &Model) -> (Context, Key) {
    use crate::app::model::Focus;
    match &model.screen {
        Screen::Wizard(_) | Screen::Unlock(_) => (Context::Prompt, key!("place-form")),
        Screen::Home(home) => match home.focus {
            Focus::List => (Context::List, key!("place-list")),
            Focus::Timeline => (Context::Timeline, key!("place-timeline")),
            Focus::Composer => (Context::Composer, key!("place-composer")),
        },
    }
}
