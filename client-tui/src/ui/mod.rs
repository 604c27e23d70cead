//! Drawing: reads the model, writes cells. Holds no text and changes nothing.

mod chat;
mod info;
mod list;
mod palette;
mod theme;
mod verify;
mod widgets;
mod wizard;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use crate::app::layout::layout;
use crate::app::model::{Model, Overlay, Screen};
use crate::app::words;
use crate::app::wrap::{width, wrap};
use crate::input::{Command, Context};
use crate::key;
use theme::{Role, Theme};

/// The smallest area with a useful screen; what is promised is 40×15.
pub const SMALLEST: (u16, u16) = (30, 10);

/// Draws the interface into a part of the frame, which need not be all of it.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model) {
    let area = area.intersection(frame.area());
    let theme = Theme::new(model.look);
    frame.render_widget(Clear, area);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(frame, area, model);
        return;
    }
    match &model.screen {
        Screen::Wizard(wizard) => wizard::draw(frame, area, model, theme, wizard),
        Screen::Unlock(unlock) => wizard::draw_unlock(frame, area, model, theme, unlock),
        Screen::Home(home) => {
            let parts = layout(model, area);
            if let Some(text) = words::announcement(model) {
                widgets::wrapped(frame, parts.announcement, &text, theme.style(Role::Key));
            }
            list::draw(frame, &parts, model, theme, home);
            chat::draw(frame, &parts, model, theme, home);
            notice(frame, parts.notice, model, theme);
            status(frame, parts.status, model, theme);
            keys(frame, parts.keys, model, theme);
        }
    }
    match &model.overlay {
        Some(Overlay::Help { scroll }) => info::help(frame, area, model, theme, *scroll),
        Some(Overlay::Palette { query, selected }) => palette::draw(frame, area, model, theme, query, *selected),
        Some(Overlay::NewChat { name, failure, busy }) => {
            palette::new_chat(frame, area, model, theme, name, failure.as_ref(), *busy);
        }
        Some(Overlay::Verify(verify)) => verify::draw(frame, area, model, theme, verify),
        Some(Overlay::Announcements { list, scroll }) => {
            info::announcements(frame, area, model, theme, list.as_deref(), *scroll);
        }
        Some(Overlay::Info(id)) => info::message(frame, area, model, theme, *id),
        None => {}
    }
}

fn too_small(frame: &mut Frame, area: Rect, model: &Model) {
    let text = model.text_with(
        key!("too-small"),
        &[
            ("columns", u64::from(SMALLEST.0).into()),
            ("rows", u64::from(SMALLEST.1).into()),
            ("now", format!("{}×{}", area.width, area.height).into()),
        ],
    );
    let lines: Vec<Line> = wrap(&text, usize::from(area.width)).into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn notice(frame: &mut Frame, area: Rect, model: &Model, theme: Theme) {
    if let Some(notice) = &model.notice {
        let role = if notice.bad { Role::Bad } else { Role::Strong };
        widgets::wrapped(frame, area, &notice.text, theme.style(role));
    }
}

fn status(frame: &mut Frame, area: Rect, model: &Model, theme: Theme) {
    let Some((mark, rest)) = words::status(model) else { return };
    let style = theme.weight(mark.weight);
    let start = format!("{} {}", mark.sign, mark.word);
    if width(&start) + width(&rest) <= usize::from(area.width) {
        let line = Line::from(vec![Span::styled(start, style), Span::styled(rest, theme.style(Role::Quiet))]);
        frame.render_widget(Paragraph::new(line), area);
    } else {
        widgets::wrapped(frame, area, &format!("{start}{rest}"), style);
    }
}

/// The most important keys of the place, as many as fit.
fn keys(frame: &mut Frame, area: Rect, model: &Model, theme: Theme) {
    use Command::{Help, Info, NewChat, Newline, NextUnread, Open, Palette, Retry, Send};
    let place = model.context();
    let wanted: &[Command] = match place {
        Context::Composer => &[Send, Help, Palette, Newline, NextUnread],
        Context::Timeline => &[Help, Info, Palette, Retry, NextUnread],
        Context::List => &[Open, Help, NewChat, Palette, NextUnread],
        _ => return,
    };
    let help = model.keymap.help(place);
    let mut spans = Vec::new();
    let mut used = 0;
    for command in wanted {
        let Some((_, chords)) = help.iter().find(|(c, _)| c == command) else { continue };
        let Some(chord) = chords.first() else { continue };
        let (chord, text) = (format!(" {chord} "), format!(" {}  ", model.text(command.label())));
        used += width(&chord) + width(&text);
        if used > usize::from(area.width) + 2 {
            break;
        }
        spans.push(Span::styled(chord, theme.style(Role::Key)));
        spans.push(Span::styled(text, theme.style(Role::Quiet)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
