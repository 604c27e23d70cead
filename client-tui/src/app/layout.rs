//! Where things go: shared by drawing, and by scrolling, which needs to know the size of the timeline.

use ratatui::layout::Rect;

use super::model::{Focus, Model};
use super::words;
use super::wrap::{width, wrap};

/// Below this many columns the list and the conversation take turns.
pub const TWO_PANES: u16 = 72;

/// Rows of text above which the composer scrolls.
const COMPOSER_MAX: usize = 8;

/// Rows of a notice, a banner or the status above which text is cut.
const LINES_MAX: usize = 3;

/// The parts of the screen with conversations. Empty where they are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// What the relay has announced, above all else.
    pub announcement: Rect,
    /// The list of conversations.
    pub list: Rect,
    /// The line between the list and the conversation.
    pub divider: Rect,
    /// Name and trust.
    pub header: Rect,
    /// Messages.
    pub timeline: Rect,
    /// What stops sending.
    pub banner: Rect,
    /// The line above the composer.
    pub rule: Rect,
    /// What is being written.
    pub composer: Rect,
    /// The answer to what was done last.
    pub notice: Rect,
    /// Connection, queue, trust.
    pub status: Rect,
    /// The most important keys.
    pub keys: Rect,
}

/// The parts of this area.
#[must_use]
pub fn layout(model: &Model, area: Rect) -> Layout {
    let mut rest = area;
    let mut out = Layout::default();
    let Some(home) = model.home() else { return out };
    let columns = usize::from(area.width);
    out.keys = from_bottom(&mut rest, usize::from(area.height >= 10));
    let status =
        words::status(model).map_or(1, |(mark, text)| lines(&format!("{} {}{text}", mark.sign, mark.word), columns));
    out.status = from_bottom(&mut rest, status);
    let notice = model.notice.as_ref().map_or(0, |notice| lines(&notice.text, columns));
    out.notice = from_bottom(&mut rest, notice);

    let announced = words::announcement(model).map_or(0, |text| lines(&text, columns));
    out.announcement = Rect { height: u16::try_from(announced).unwrap_or(u16::MAX).min(rest.height), ..rest };
    rest.y += out.announcement.height;
    rest.height -= out.announcement.height;

    let mut chat = rest;
    if area.width >= TWO_PANES {
        let list = (area.width / 4).clamp(22, 36);
        out.list = Rect { width: list, ..rest };
        out.divider = Rect { x: rest.x + list, width: 1, ..rest };
        chat = Rect { x: rest.x + list + 1, width: rest.width - list - 1, ..rest };
    } else if home.focus == Focus::List || home.open.is_none() {
        out.list = rest;
        return out;
    }
    let Some(open) = &home.open else {
        out.timeline = chat;
        return out;
    };
    if chat.height > 2 {
        out.header = Rect { height: 1, ..chat };
        chat.y += 1;
        chat.height -= 1;
    }
    let inner = usize::from(chat.width);
    let most = COMPOSER_MAX.min(usize::from(chat.height) / 3).max(1);
    out.composer = from_bottom(&mut chat, open.composer.height(inner).clamp(1, most));
    out.rule = from_bottom(&mut chat, 1);
    let banner = words::banner(model).map_or(0, |text| lines(&text, inner));
    out.banner = from_bottom(&mut chat, banner);
    out.timeline = chat;
    out
}

/// The timeline as drawn in the area of the model: columns and rows.
#[must_use]
pub fn timeline_size(model: &Model) -> (usize, usize) {
    let (columns, rows) = model.size;
    let timeline = layout(model, Rect::new(0, 0, columns, rows)).timeline;
    (usize::from(timeline.width), usize::from(timeline.height))
}

/// Whether the messages can be seen: not under a window, and not in a narrow terminal that shows the list.
#[must_use]
pub fn shows_conversation(model: &Model) -> bool {
    model.overlay.is_none() && timeline_size(model).1 > 0 && model.conversation().is_some()
}

fn lines(text: &str, columns: usize) -> usize {
    if width(text) <= columns { 1 } else { wrap(text, columns).len().min(LINES_MAX) }
}

fn from_bottom(rest: &mut Rect, height: usize) -> Rect {
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(rest.height);
    rest.height -= height;
    Rect { y: rest.y + rest.height, height, ..*rest }
}
