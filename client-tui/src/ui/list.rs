//! The list of conversations.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use susurro_client_core::model::ChatSummary;

use super::theme::{Role, Theme};
use super::widgets::{take_top, wrapped};
use crate::app::layout::Layout;
use crate::app::model::{Focus, Home, Model};
use crate::app::words;
use crate::app::wrap::{truncate, width};
use crate::key;
use crate::sanitize;

/// Draws the list and the line beside it.
pub(super) fn draw(frame: &mut Frame, parts: &Layout, model: &Model, theme: Theme, home: &Home) {
    if parts.list.width == 0 {
        return;
    }
    let divider: Vec<Line> = (0..parts.divider.height).map(|_| Line::styled("│", theme.style(Role::Quiet))).collect();
    frame.render_widget(Paragraph::new(divider), parts.divider);

    let mut rest = parts.list;
    let title = take_top(&mut rest, 1);
    let text = model.text_with(key!("list-title"), &[("name", home.me.name.as_str().into())]);
    let text = truncate(&text, usize::from(title.width));
    frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Role::Title))), title);
    match &home.chats {
        None => wrapped(frame, rest, &model.text(key!("list-loading")), theme.style(Role::Quiet)),
        Some(chats) if chats.is_empty() => {
            take_top(&mut rest, 1);
            wrapped(frame, rest, &model.text(key!("list-empty")), theme.style(Role::Plain));
        }
        Some(chats) => conversations(frame, rest, model, theme, home, chats),
    }
}

/// Two rows each where there is room, the second a preview; one row in a low window.
fn conversations(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, home: &Home, chats: &[ChatSummary]) {
    let rows_each = if usize::from(area.height) >= chats.len() * 2 || area.height >= 16 { 2 } else { 1 };
    let fit = (usize::from(area.height) / rows_each).max(1);
    let at = home.selected_index().unwrap_or(0);
    let first = (at + 1).saturating_sub(fit);
    let mut lines = Vec::new();
    for chat in chats.iter().skip(first).take(fit) {
        lines.extend(conversation(model, theme, home, chat, usize::from(area.width)).into_iter().take(rows_each));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn conversation<'a>(model: &Model, theme: Theme, home: &Home, chat: &ChatSummary, columns: usize) -> [Line<'a>; 2] {
    let name = &chat.contact.name;
    let selected = home.selected.as_ref() == Some(name);
    let open = home.open.as_ref().is_some_and(|open| open.peer == *name);
    let trust = words::trust(model, chat.contact.trust);
    let types = home.typing.contains(name);
    // In a low window there is no second row to say it in words.
    let time = match &chat.last {
        _ if types => "…".to_owned(),
        Some(last) => words::short(model, last.at),
        None => String::new(),
    };
    let unread = if chat.unread > 0 { format!("({}) ", chat.unread.min(9999)) } else { String::new() };
    let start = format!("{} ", if open { "›" } else { " " });
    let end = format!(" {unread}{time}");
    let here = if home.present.contains(name) { format!(" {}", words::present(model).sign) } else { String::new() };
    let sign = format!(" {}", trust.sign);
    let room = columns.saturating_sub(width(&start) + width(&end) + width(&sign) + width(&here));
    let shown = truncate(name.as_str(), room);
    let gap = " ".repeat(room.saturating_sub(width(&shown)));

    let weight = if chat.unread > 0 { Role::Strong } else { Role::Plain };
    let mut first = vec![
        Span::raw(start),
        Span::styled(shown, theme.style(weight)),
        Span::styled(sign, theme.weight(trust.weight)),
        Span::styled(here, theme.weight(words::Weight::Good)),
        Span::raw(gap),
        Span::styled(end, theme.style(if chat.unread > 0 { Role::Strong } else { Role::Quiet })),
    ];
    if selected && home.focus == Focus::List {
        for span in &mut first {
            span.style = span.style.add_modifier(Modifier::REVERSED);
        }
    }
    let preview = match home.drafts.get(name).filter(|_| !types).filter(|draft| !draft.trim().is_empty() && !open) {
        Some(draft) => model.text_with(key!("list-draft"), &[("text", sanitize::line(draft).into())]),
        None if types => model.text(key!("list-typing")),
        None => chat.last.as_ref().map(|last| preview(model, last)).unwrap_or_default(),
    };
    let second = Line::styled(format!("  {}", truncate(&preview, columns.saturating_sub(2))), theme.style(Role::Quiet));
    [Line::from(first), second]
}

fn preview(model: &Model, last: &susurro_client_core::model::contact::LastMessage) -> String {
    let text = sanitize::line(&last.preview);
    match last.delivery {
        Some(delivery) => format!("{} {text}", words::delivery(model, delivery).sign),
        None => text,
    }
}

/// Whether a part of the screen is there.
pub(super) const fn is_shown(area: Rect) -> bool {
    area.width > 0 && area.height > 0
}
