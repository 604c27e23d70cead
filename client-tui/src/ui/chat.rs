//! The open conversation.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::list::is_shown;
use super::theme::{Role, Theme};
use super::widgets::wrapped;
use crate::app::layout::Layout;
use crate::app::model::{Conversation, Focus, Home, Model};
use crate::app::rows::{self, Kind, Row};
use crate::app::words;
use crate::app::wrap::{truncate, width};
use crate::key;

/// Draws header, messages, banner and composer.
pub(super) fn draw(frame: &mut Frame, parts: &Layout, model: &Model, theme: Theme, home: &Home) {
    let Some(open) = &home.open else {
        if is_shown(parts.timeline) {
            let inner =
                Rect { x: parts.timeline.x + 1, width: parts.timeline.width.saturating_sub(1), ..parts.timeline };
            let key = if home.list().is_empty() { key!("chat-none-yet") } else { key!("chat-none-open") };
            wrapped(frame, inner, &model.text(key), theme.style(Role::Quiet));
        }
        return;
    };
    header(frame, parts.header, model, theme, home, open);
    timeline(frame, parts.timeline, model, theme, home, open);
    if let Some(text) = words::banner(model) {
        wrapped(frame, parts.banner, &text, theme.style(Role::Bad));
    }
    composer(frame, parts, model, theme, home, open);
}

fn header(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, home: &Home, open: &Conversation) {
    let columns = usize::from(area.width);
    let trust = home.trust(&open.peer).map(|trust| words::trust(model, trust));
    let state = trust.as_ref().map(|mark| format!("{} {}", mark.sign, mark.word)).unwrap_or_default();
    let name = truncate(open.peer.as_str(), columns.saturating_sub(width(&state) + 3).max(8));
    let mut spans = vec![Span::styled(format!(" {name}  "), theme.style(Role::Title))];
    if let Some(mark) = trust {
        let room = columns.saturating_sub(width(&name) + 3);
        spans.push(Span::styled(truncate(&state, room), theme.weight(mark.weight)));
    }
    if home.present.contains(&open.peer) {
        // Behind what is known of the key, which matters more where there is no room for both.
        let mark = words::present(model);
        let room = columns.saturating_sub(width(&name) + 3 + width(&state));
        let text = format!("  {} {}", mark.sign, mark.word);
        if width(&text) <= room {
            spans.push(Span::styled(text, theme.weight(mark.weight)));
        }
    }
    frame.render_widget(Paragraph::new(Line::from(spans)).style(Style::new().add_modifier(Modifier::UNDERLINED)), area);
}

fn timeline(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, home: &Home, open: &Conversation) {
    if !is_shown(area) {
        return;
    }
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let view = rows::view(model, open, columns, height);
    if view.rows.is_empty() {
        let key = if open.loaded { key!("chat-empty") } else { key!("chat-loading") };
        let text = model.text_with(key, &[("name", open.peer.as_str().into())]);
        wrapped(frame, area, &text, theme.style(Role::Quiet));
        return;
    }
    let cursor = open.cursor.filter(|_| home.focus == Focus::Timeline);
    let mut lines: Vec<Line> = vec![Line::default(); height.saturating_sub(view.rows.len())];
    lines.extend(
        view.rows.iter().map(|row| line(model, theme, row, columns, cursor.is_some() && row.message == cursor)),
    );
    if view.below {
        let text = format!(" {} ", model.text(key!("timeline-below")));
        let at = Rect { y: area.y + area.height - 1, height: 1, ..area };
        lines.pop();
        frame.render_widget(Paragraph::new(lines), area);
        let text = truncate(&text, columns);
        frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Role::Key))).right_aligned(), at);
        return;
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn line<'a>(model: &Model, theme: Theme, row: &Row, columns: usize, selected: bool) -> Line<'a> {
    let indented = |sign: &'static str, text: &str, role: Role| {
        let edge = if selected { "▌ " } else { sign };
        Line::from(vec![
            Span::styled(edge, theme.style(Role::Strong)),
            Span::styled(text.to_owned(), theme.style(role)),
        ])
    };
    match &row.kind {
        Kind::Start(text) => Line::styled(text.clone(), theme.style(Role::Quiet)),
        Kind::Day(text) => separator(text, columns, theme.style(Role::Quiet)),
        Kind::New(text) => separator(text, columns, theme.style(Role::Warning)),
        Kind::Head { sender, own, time, delivery } => {
            let state = delivery.map(|delivery| words::delivery(model, delivery));
            let tail = state.as_ref().map(|mark| format!("  {} {}", mark.sign, mark.word)).unwrap_or_default();
            let start = if selected { "▌" } else { "" };
            let room = columns.saturating_sub(width(start) + width(time) + 2 + width(&tail));
            let mut spans = vec![
                Span::styled(start, theme.style(Role::Strong)),
                Span::styled(truncate(sender, room), theme.style(if *own { Role::Own } else { Role::Other })),
                Span::styled(format!("  {time}"), theme.style(Role::Quiet)),
            ];
            if let Some(mark) = state {
                spans.push(Span::styled(tail, theme.weight(mark.weight)));
            }
            Line::from(spans)
        }
        Kind::Text(text) => indented("  ", text, Role::Plain),
        Kind::File(said) => indented(said.sign, &said.text, Role::Key),
        Kind::Failed(said) => indented(said.sign, &said.text, Role::Bad),
        Kind::Unreadable(said) => indented(said.sign, &said.text, Role::Warning),
        Kind::Note(said) => indented(said.sign, &said.text, Role::Quiet),
    }
}

/// `── today ──────`.
fn separator<'a>(text: &str, columns: usize, style: Style) -> Line<'a> {
    let text = truncate(text, columns.saturating_sub(4));
    let rest = columns.saturating_sub(width(&text) + 4);
    Line::styled(format!("── {text} {}", "─".repeat(rest)), style)
}

fn composer(frame: &mut Frame, parts: &Layout, model: &Model, theme: Theme, home: &Home, open: &Conversation) {
    if !is_shown(parts.composer) {
        return;
    }
    let focused = home.focus == Focus::Composer;
    // The line under the newest message: who types is about to write there.
    let types = home.typing.contains(&open.peer);
    let title = if types { key!("composer-typing") } else { key!("composer-title") };
    let title = model.text_with(title, &[("name", open.peer.as_str().into())]);
    let style = theme.style(if focused || types { Role::Strong } else { Role::Quiet });
    let columns = usize::from(parts.rule.width);
    frame.render_widget(Paragraph::new(separator(&title, columns, style)), parts.rule);
    if !focused && open.composer.is_blank() {
        let hint = if home.focus == Focus::List { key!("composer-hint-list") } else { key!("composer-hint-timeline") };
        let text = truncate(&model.text(hint), columns);
        frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Role::Quiet))), parts.composer);
        return;
    }
    frame.render_widget(open.composer.area(), parts.composer);
    if !focused {
        // The cursor belongs to the part with the keys alone.
        frame.buffer_mut().set_style(parts.composer, Style::new().remove_modifier(Modifier::REVERSED));
    }
}
