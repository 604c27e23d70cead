//! What the relay sees, as a part of a screen: rows of sizes and bytes, newest at the bottom.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph};
use susurro_tui::app::wrap::wrap;
use susurro_tui::i18n::Texts;

use super::seen::{Event, Seen};
use super::text;

/// Rows that are kept: more than any terminal shows at once.
const ROWS_MAX: usize = 500;

/// Columns from which there is room for words instead of signs.
const WORDS: usize = 38;

/// What the relay saw lately.
#[derive(Debug, Default)]
pub(crate) struct Rows(VecDeque<Seen>);

impl Rows {
    /// One more row; the oldest goes when there are too many.
    pub(crate) fn push(&mut self, seen: Seen) {
        if self.0.len() == ROWS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(seen);
    }
}

/// Draws the rows, below them what is going on and what keys do.
pub(crate) fn draw(frame: &mut Frame, area: Rect, texts: &Texts, rows: &Rows, news: &str, keys: &str) {
    frame.render_widget(Clear, area);
    let block =
        Block::new().borders(Borders::LEFT | Borders::RIGHT).border_style(Style::new().add_modifier(Modifier::DIM));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut foot: Vec<Line> = Vec::new();
    if width < WORDS {
        foot.extend(wrap(&legend(texts), width).into_iter().map(|line| quiet(line.to_string())));
    }
    foot.extend(wrap(news, width).into_iter().map(|line| Line::from(line.to_string())));
    foot.extend(wrap(keys, width).into_iter().map(|line| quiet(line.to_string())));
    let foot_rows = u16::try_from(foot.len()).unwrap_or(u16::MAX).min(inner.height / 2);
    let rest = inner.height - foot_rows;

    let mut lines: VecDeque<Line> = VecDeque::new();
    for seen in rows.0.iter().rev() {
        for line in row(texts, seen, width).into_iter().rev() {
            lines.push_front(line);
        }
        if lines.len() >= usize::from(rest) {
            break;
        }
    }
    let skip = lines.len().saturating_sub(usize::from(rest));
    let lines: Vec<Line> = lines.into_iter().skip(skip).collect();
    frame.render_widget(Paragraph::new(lines), Rect { height: rest, ..inner });
    frame.render_widget(Paragraph::new(foot), Rect { y: inner.y + rest, height: foot_rows, ..inner });
}

fn row(texts: &Texts, seen: &Seen, width: usize) -> Vec<Line<'static>> {
    let place = format!("{} #{}", seen.mailbox.chars().take(4).collect::<String>(), seen.seq);
    let size = seen.bytes.map_or_else(String::new, |bytes| format!("{bytes} B"));
    let strong = match seen.event {
        Event::Stored => Style::new().add_modifier(Modifier::BOLD),
        Event::Delivered => Style::new(),
        Event::Acknowledged => Style::new().add_modifier(Modifier::DIM),
    };
    let head = |room: usize| -> String { seen.head.chars().take(room).collect() };
    if width >= WORDS {
        let start = format!("{:<11}{place:<11}{size:>7} ", text::event(texts, seen.event));
        let room = width.saturating_sub(start.chars().count());
        return vec![Line::from(vec![
            Span::styled(start, strong),
            Span::styled(head(room), Style::new().add_modifier(Modifier::DIM)),
        ])];
    }
    let mut lines = vec![Line::styled(format!("{} {place} {size}", sign(seen.event)), strong)];
    // Only once, when it comes: the bytes on the way out are the same ones.
    if seen.event == Event::Stored && !seen.head.is_empty() {
        lines.push(quiet(format!("  {}", head(width.saturating_sub(2)))));
    }
    lines
}

fn sign(event: Event) -> &'static str {
    match event {
        Event::Stored => "+",
        Event::Delivered => ">",
        Event::Acknowledged => "-",
    }
}

fn legend(texts: &Texts) -> String {
    [Event::Stored, Event::Delivered, Event::Acknowledged]
        .map(|event| format!("{}\u{a0}{}", sign(event), text::event(texts, event)))
        .join("  ")
}

fn quiet(text: String) -> Line<'static> {
    Line::styled(text, Style::new().add_modifier(Modifier::DIM))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use susurro_tui::i18n::Language;

    use super::*;

    fn drawn(width: u16, height: u16, rows: usize) -> String {
        let mut seen = Rows::default();
        for seq in 1..=rows as u64 {
            seen.push(Seen {
                event: Event::Stored,
                mailbox: "3fa9c1d2".to_owned(),
                seq,
                bytes: Some(611),
                head: "a10e93f2a10e93f2a10e93f2a10e93f2".to_owned(),
            });
        }
        let texts = Texts::new(Language::English);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, frame.area(), &texts, &seen, "the relay runs", "F2 keys")).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_narrow_pane_shows_the_newest_rows_with_signs_and_says_what_they_mean() {
        let screen = drawn(20, 22, 50);
        assert!(screen.contains("+ 3fa9 #50 611 B") && screen.contains("a10e93f2"), "{screen}");
        assert!(!screen.contains("#1 "), "{screen}");
        assert!(screen.contains("+\u{a0}stored"), "{screen}");
    }

    #[test]
    fn a_wide_pane_shows_a_row_a_line_with_words() {
        let screen = drawn(60, 22, 3);
        assert!(screen.contains("stored     3fa9 #3"), "{screen}");
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in [(1, 1), (2, 2), (3, 40), (200, 3)] {
            let _ = drawn(width, height, 9);
        }
    }

    #[test]
    fn the_oldest_rows_go() {
        let mut rows = Rows::default();
        for seq in 0..ROWS_MAX as u64 + 5 {
            rows.push(Seen {
                event: Event::Acknowledged,
                mailbox: String::new(),
                seq,
                bytes: None,
                head: String::new(),
            });
        }
        assert_eq!((rows.0.len(), rows.0[0].seq), (ROWS_MAX, 5));
    }
}
