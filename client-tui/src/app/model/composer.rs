//! What is being written.

use ratatui::style::{Modifier, Style};
use ratatui_textarea::{TextArea, WrapMode};

/// A text of several lines with a cursor.
#[derive(Debug)]
pub struct Composer {
    area: TextArea<'static>,
    /// Whether the text differs from what is kept.
    pub dirty: bool,
    /// Whether anything was typed since the conversation was opened.
    pub touched: bool,
}

impl Default for Composer {
    fn default() -> Self {
        Self::new("")
    }
}

impl Composer {
    /// With this text, the cursor behind it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut area = TextArea::from(text.split('\n'));
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_line_style(Style::new());
        area.set_cursor_style(Style::new().add_modifier(Modifier::REVERSED));
        area.set_selection_style(Style::new().add_modifier(Modifier::REVERSED));
        area.move_cursor(ratatui_textarea::CursorMove::Bottom);
        area.move_cursor(ratatui_textarea::CursorMove::End);
        Self { area, dirty: false, touched: false }
    }

    /// The widget.
    #[must_use]
    pub fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// Passes a key on to the text.
    pub fn input(&mut self, key: crossterm::event::KeyEvent) -> bool {
        let changed = self.area.input(key);
        self.note(changed);
        changed
    }

    /// Puts pasted text before the cursor, without what cannot be seen: a clipboard can hold escape sequences.
    pub fn paste(&mut self, text: &str) {
        let changed = self.area.insert_str(crate::sanitize::pasted(text));
        self.note(changed);
    }

    /// Begins a new line.
    pub fn newline(&mut self) {
        self.area.insert_newline();
        self.note(true);
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether there is nothing but blanks.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.area.lines().iter().all(|line| line.trim().is_empty())
    }

    /// Whether the cursor is on the first line.
    #[must_use]
    pub fn at_top(&self) -> bool {
        self.area.cursor().0 == 0
    }

    /// Takes the text out and leaves nothing.
    pub fn take(&mut self) -> String {
        let text = self.text();
        *self = Self { dirty: true, touched: true, ..Self::default() };
        text
    }

    /// Puts a text that could not be sent back, before what was typed since.
    pub fn put_back(&mut self, text: &str) {
        let now = self.text();
        let text = if now.is_empty() { text.to_owned() } else { format!("{text}\n{now}") };
        *self = Self { dirty: true, touched: true, ..Self::new(&text) };
    }

    /// Lines that the text takes at this width.
    #[must_use]
    pub fn height(&self, width: usize) -> usize {
        // The cursor stands behind the last character and may need a cell of its own.
        self.area.lines().iter().map(|line| crate::app::wrap::width(line) / width.max(1) + 1).sum()
    }

    fn note(&mut self, changed: bool) {
        self.dirty |= changed;
        self.touched |= changed;
    }
}
