//! Pieces that several screens use.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::theme::{Role, Theme};
use crate::app::field::Field;
use crate::app::wrap::{tail, truncate, width, wrap};

/// Text in as many lines as there is room for; an ellipsis tells that there is more.
pub(super) fn wrapped(frame: &mut Frame, area: Rect, text: &str, style: Style) {
    let room = usize::from(area.height);
    let mut lines = wrap(text, usize::from(area.width));
    if lines.len() > room {
        lines.truncate(room);
        if let Some(last) = lines.last_mut() {
            *last = truncate(&format!("{last} …"), usize::from(area.width));
        }
    }
    let lines: Vec<Line> = lines.into_iter().map(|line| Line::styled(line, style)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// An empty window over the screen; gives the room inside.
pub(super) fn window(frame: &mut Frame, area: Rect, columns: u16, rows: u16, title: &str, theme: Theme) -> Rect {
    let [middle] = Layout::horizontal([Constraint::Length(columns.min(area.width))]).flex(Flex::Center).areas(area);
    let [outer] = Layout::vertical([Constraint::Length(rows.min(area.height))]).flex(Flex::Center).areas(middle);
    clear(frame, outer);
    let title = format!(" {} ", truncate(title, usize::from(outer.width.saturating_sub(4))));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.style(Role::Quiet))
        .title(Span::styled(title, theme.style(Role::Title)));
    let inner = block.inner(outer);
    frame.render_widget(block, outer);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// A line of input with its cursor; what does not fit scrolls.
pub(super) fn field(frame: &mut Frame, area: Rect, field: &Field, active: bool, theme: Theme) {
    let room = usize::from(area.width);
    if room == 0 || area.height == 0 {
        return;
    }
    let (before, after) = field.shown();
    let under = unicode_segmentation::UnicodeSegmentation::graphemes(after.as_str(), true).next().unwrap_or(" ");
    let rest = after.strip_prefix(under).unwrap_or_default();
    let before = tail(&before, room.saturating_sub(width(under)));
    let left = room.saturating_sub(width(before) + width(under));
    let base = theme.style(if active { Role::Strong } else { Role::Plain }).add_modifier(Modifier::UNDERLINED);
    let cursor = if active { base.add_modifier(Modifier::REVERSED) } else { base };
    let mut rest = truncate(rest, left);
    rest.push_str(&" ".repeat(left - width(&rest)));
    let line = Line::from(vec![
        Span::styled(before.to_owned(), base),
        Span::styled(under.to_owned(), cursor),
        Span::styled(rest, base),
    ]);
    frame.render_widget(Paragraph::new(line), Rect { height: 1, ..area });
}

/// Rows from the top of an area.
pub(super) fn take_top(rest: &mut Rect, rows: usize) -> Rect {
    let height = u16::try_from(rows).unwrap_or(u16::MAX).min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}

/// Empties an area, and the halves of wide characters that its edges would cut.
pub(super) fn clear(frame: &mut Frame, area: Rect) {
    let buffer = frame.buffer_mut();
    for y in area.top()..area.bottom() {
        if area.left() > 0
            && let Some(cell) = buffer.cell_mut((area.left() - 1, y))
            && width(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }
    frame.render_widget(Clear, area);
}
