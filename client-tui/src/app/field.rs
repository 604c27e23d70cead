//! A line of input: for names, addresses and secrets.

use unicode_segmentation::UnicodeSegmentation;
use zeroize::Zeroizing;

/// Something typed that must not be shown or kept longer than needed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// Hides this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(redacted)")
    }
}

/// A single line with a cursor that steps over whole characters, as people see them.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    text: Zeroizing<String>,
    /// In bytes, always between two grapheme clusters.
    cursor: usize,
    secret: bool,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({} bytes)", self.text.len())
    }
}

impl Field {
    /// An open line that begins with this text.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        // Room for more, so that growing leaves fewer copies of a secret behind.
        let mut all = Zeroizing::new(String::with_capacity(256));
        all.push_str(text);
        Self { cursor: all.len(), text: all, secret: false }
    }

    /// An empty line whose characters are not shown.
    #[must_use]
    pub fn secret() -> Self {
        Self { secret: true, ..Self::plain("") }
    }

    /// What was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was typed, wrapped.
    #[must_use]
    pub fn hidden(&self) -> Hidden {
        Hidden::new(&self.text)
    }

    /// What to show: before the cursor, and from the cursor on.
    #[must_use]
    pub fn shown(&self) -> (String, String) {
        let (before, after) = self.text.split_at(self.cursor);
        let show = |part: &str| {
            if self.secret { "•".repeat(part.graphemes(true).count()) } else { crate::sanitize::line(part) }
        };
        (show(before), show(after))
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces everything.
    pub fn set(&mut self, text: &str) {
        self.clear();
        self.insert(text);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = if self.secret { Self::secret() } else { Self::plain("") };
    }

    /// Puts a text before the cursor; line breaks and control characters do not belong here and are left out.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Deletes the character before the cursor.
    pub fn backspace(&mut self) {
        let start = self.previous();
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    /// Deletes the character under the cursor.
    pub fn delete(&mut self) {
        let end = self.next();
        self.text.replace_range(self.cursor..end, "");
    }

    /// One character to the left.
    pub fn left(&mut self) {
        self.cursor = self.previous();
    }

    /// One character to the right.
    pub fn right(&mut self) {
        self.cursor = self.next();
    }

    /// Before the first character.
    pub fn home(&mut self) {
        self.cursor = 0;
    }

    /// Behind the last character.
    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    fn previous(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn next(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |g| self.cursor + g.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_steps_over_whole_characters() {
        let mut field = Field::plain("a👨‍👩‍👧e\u{301}");
        field.left();
        field.backspace();
        assert_eq!(field.text(), "ae\u{301}");
        field.home();
        field.right();
        field.delete();
        assert_eq!(field.text(), "a");
    }

    #[test]
    fn a_pasted_line_break_neither_ends_nor_enters_the_line() {
        let mut field = Field::plain("");
        field.insert("one\r\ntwo\x1b");
        assert_eq!(field.text(), "onetwo");
    }

    #[test]
    fn a_secret_is_neither_shown_nor_in_debug_output() {
        let mut field = Field::secret();
        field.insert("hunter2é");
        assert_eq!(field.shown(), ("••••••••".to_owned(), String::new()));
        assert!(!format!("{field:?} {:?}", field.hidden()).contains("hunter"));
    }
}
