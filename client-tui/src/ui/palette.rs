//! The palette, and the question whom to write to.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::{Role, Theme};
use super::widgets::{field, take_top, window, wrapped};
use crate::app::failure::Failure;
use crate::app::field::Field;
use crate::app::model::Model;
use crate::app::wrap::{truncate, width};
use crate::input::palette::{self, Entry};
use crate::key;

/// A line of input and what fits it.
pub(super) fn draw(frame: &mut Frame, area: Rect, model: &Model, theme: Theme, query: &Field, selected: usize) {
    let mut inner = window(frame, area, 60, area.height.min(18), &model.text(key!("palette-title")), theme);
    let input = take_top(&mut inner, 1);
    field(frame, input, query, true, theme);
    let entries = palette::entries(model, query.text());
    if entries.is_empty() {
        wrapped(frame, inner, &model.text(key!("palette-nothing")), theme.style(Role::Quiet));
        return;
    }
    let rows = usize::from(inner.height).max(1);
    let first = (selected + 1).saturating_sub(rows);
    let columns = usize::from(inner.width);
    let lines: Vec<Line> = entries
        .iter()
        .enumerate()
        .skip(first)
        .take(rows)
        .map(|(index, entry)| {
            let kind = match entry {
                Entry::Chat(_) => "@ ",
                Entry::Command(_) => "  ",
            };
            let text = truncate(&format!("{kind}{}", palette::label(model, entry)), columns);
            let gap = " ".repeat(columns - width(&text));
            let style = theme.style(if index == selected { Role::Selected } else { Role::Plain });
            Line::from(Span::styled(format!("{text}{gap}"), style))
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Whom to write to.
pub(super) fn new_chat(
    frame: &mut Frame,
    area: Rect,
    model: &Model,
    theme: Theme,
    name: &Field,
    failure: Option<&Failure>,
    busy: bool,
) {
    let mut inner = window(frame, area, 56, 9, &model.text(key!("new-title")), theme);
    let label = take_top(&mut inner, 1);
    wrapped(frame, label, &model.text(key!("new-label")), theme.style(Role::Plain));
    let input = take_top(&mut inner, 1);
    field(frame, input, name, !busy, theme);
    let mut rest = inner;
    let foot = Rect { y: rest.bottom().saturating_sub(1), height: rest.height.min(1), ..rest };
    rest.height = rest.height.saturating_sub(1);
    if let Some(failure) = failure {
        wrapped(frame, rest, &format!("✗ {}", failure.text), theme.style(Role::Bad));
    } else if busy {
        wrapped(frame, rest, &model.text(key!("new-busy")), theme.style(Role::Strong));
    }
    let text = truncate(&model.text(key!("new-keys")), usize::from(foot.width));
    frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Role::Quiet))), foot);
}
