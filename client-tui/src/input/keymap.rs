//! Which key does what, and where.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::Command;

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere that is not a text.
    Anywhere,
    /// The list of conversations.
    List,
    /// The messages.
    Timeline,
    /// What is being written.
    Composer,
    /// The verification screen.
    Verify,
    /// Help and message times.
    Window,
    /// A list to choose from with a line of input.
    Palette,
    /// A line of input.
    Prompt,
}

/// A key with what is held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// A key, where it counts, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// Which key.
    pub chord: Chord,
    /// What.
    pub command: Command,
}

/// All bindings. The first that fits counts; those of a place come before those of everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap(Vec<Binding>);

impl Default for Keymap {
    /// Insert first: in the composer every plain key is text.
    fn default() -> Self {
        use Context::{Anywhere, Composer, List, Palette, Prompt, Timeline, Verify, Window};
        use KeyCode::{BackTab, Char, Down, End, Enter, Esc, F, Home, PageDown, PageUp, Tab, Up};
        let plain = KeyModifiers::NONE;
        let (ctrl, alt, shift) = (KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::SHIFT);
        let mut all = Vec::new();
        let mut bind = |context, modifiers, code, command| {
            all.push(Binding { context, chord: Chord { code, modifiers }, command });
        };
        bind(Composer, plain, Enter, Command::Send);
        bind(Composer, alt, Enter, Command::Newline);
        bind(Composer, shift, Enter, Command::Newline);
        bind(Composer, ctrl, Char('j'), Command::Newline);
        bind(Composer, plain, PageUp, Command::PageUp);
        bind(Composer, plain, PageDown, Command::PageDown);
        bind(Composer, ctrl, End, Command::Bottom);

        for context in [List, Timeline, Window, Verify] {
            bind(context, plain, Up, Command::Up);
            bind(context, plain, Char('k'), Command::Up);
            bind(context, plain, Down, Command::Down);
            bind(context, plain, Char('j'), Command::Down);
        }
        for context in [List, Timeline] {
            bind(context, plain, PageUp, Command::PageUp);
            bind(context, plain, PageDown, Command::PageDown);
            bind(context, plain, Home, Command::Top);
            bind(context, plain, Char('g'), Command::Top);
            bind(context, plain, End, Command::Bottom);
            bind(context, shift, Char('G'), Command::Bottom);
            bind(context, plain, Char('v'), Command::Verify);
            bind(context, plain, Char('n'), Command::NewChat);
            bind(context, plain, Char('?'), Command::Help);
            bind(context, plain, Char(':'), Command::Palette);
        }
        bind(List, plain, Enter, Command::Open);
        bind(Timeline, plain, Enter, Command::Info);
        bind(Timeline, plain, Char('i'), Command::Info);
        bind(Timeline, plain, Char('r'), Command::Retry);
        bind(Timeline, plain, Char('s'), Command::Save);

        bind(Verify, plain, Char('c'), Command::Confirm);
        bind(Verify, plain, Char('a'), Command::Accept);
        bind(Window, plain, PageUp, Command::PageUp);
        bind(Window, plain, PageDown, Command::PageDown);
        bind(Window, plain, Char('q'), Command::Back);
        bind(Window, plain, Enter, Command::Back);
        bind(Window, plain, Char('?'), Command::Back);
        bind(Verify, plain, Char('q'), Command::Back);

        for context in [Palette, Prompt] {
            bind(context, plain, Enter, Command::Open);
        }
        for context in [Palette, Prompt] {
            bind(context, plain, Up, Command::Up);
            bind(context, plain, Down, Command::Down);
        }
        bind(Palette, ctrl, Char('n'), Command::Down);
        bind(Palette, ctrl, Char('p'), Command::Up);
        bind(Prompt, plain, Tab, Command::Down);
        bind(Prompt, plain, BackTab, Command::Up);

        bind(Anywhere, plain, F(1), Command::Help);
        bind(Anywhere, ctrl, Char('p'), Command::Palette);
        bind(Anywhere, ctrl, Char('n'), Command::NewChat);
        bind(Anywhere, plain, F(4), Command::Verify);
        bind(Anywhere, plain, F(5), Command::Reconnect);
        bind(Anywhere, ctrl, Char('l'), Command::Redraw);
        bind(Anywhere, plain, F(6), Command::NextUnread);
        bind(Anywhere, alt, Char('u'), Command::NextUnread);
        bind(Anywhere, alt, Down, Command::NextChat);
        bind(Anywhere, alt, Up, Command::PreviousChat);
        bind(Anywhere, alt, Char('r'), Command::Retry);
        bind(Anywhere, alt, Char('s'), Command::Save);
        bind(Anywhere, plain, Tab, Command::FocusNext);
        bind(Anywhere, plain, BackTab, Command::FocusPrevious);
        bind(Anywhere, plain, Esc, Command::Back);
        bind(Anywhere, ctrl, Char('q'), Command::Quit);
        bind(Anywhere, ctrl, Char('c'), Command::Quit);
        Self(all)
    }
}

impl Keymap {
    /// What a key does in a place.
    #[must_use]
    pub fn command(&self, context: Context, key: KeyEvent) -> Option<Command> {
        let chord = Chord::of(key);
        let find = |context| self.0.iter().find(|b| b.context == context && b.chord == chord).map(|b| b.command);
        find(context).or_else(|| find(Context::Anywhere))
    }

    /// The keys of a place, those of everywhere last.
    pub fn bindings(&self, context: Context) -> impl Iterator<Item = &Binding> {
        let of = move |wanted| self.0.iter().filter(move |b| b.context == wanted);
        of(context).chain(of(Context::Anywhere))
    }

    /// The keys of a place, each command once with all its keys, in the order of the bindings.
    #[must_use]
    pub fn help(&self, context: Context) -> Vec<(Command, Vec<Chord>)> {
        let mut out: Vec<(Command, Vec<Chord>)> = Vec::new();
        for binding in self.bindings(context) {
            match out.iter_mut().find(|(command, _)| *command == binding.command) {
                Some((_, chords)) if !chords.contains(&binding.chord) => chords.push(binding.chord),
                Some(_) => {}
                None => out.push((binding.command, vec![binding.chord])),
            }
        }
        out
    }
}

impl Chord {
    /// Of a key press, made comparable: terminals disagree on whether shift is told with a capital letter or back-tab.
    #[must_use]
    pub fn of(key: KeyEvent) -> Self {
        let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = key.code;
        match code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                code = KeyCode::Char(c.to_ascii_lowercase());
            }
            KeyCode::Char(c) if c.is_ascii_uppercase() => modifiers |= KeyModifiers::SHIFT,
            KeyCode::Char(_) => modifiers -= KeyModifiers::SHIFT,
            KeyCode::BackTab => modifiers -= KeyModifiers::SHIFT,
            KeyCode::Tab if modifiers == KeyModifiers::SHIFT => {
                code = KeyCode::BackTab;
                modifiers = KeyModifiers::NONE;
            }
            _ => {}
        }
        Self { code, modifiers }
    }
}

impl std::fmt::Display for Chord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")]
        {
            let capital = matches!(self.code, KeyCode::Char(c) if c.is_ascii_uppercase());
            if self.modifiers.contains(modifier) && !(capital && modifier == KeyModifiers::SHIFT) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(c) if self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_bound_twice_in_a_place() {
        let keymap = Keymap::default();
        for (at, one) in keymap.0.iter().enumerate() {
            for other in &keymap.0[at + 1..] {
                assert!(one.context != other.context || one.chord != other.chord, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn in_the_composer_no_plain_letter_is_a_command() {
        let keymap = Keymap::default();
        for c in (' '..='~').chain("ñ¿é".chars()) {
            for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
                assert_eq!(keymap.command(Context::Composer, KeyEvent::new(KeyCode::Char(c), modifiers)), None, "{c}");
            }
        }
    }

    #[test]
    fn each_way_to_a_new_line_works() {
        let keymap = Keymap::default();
        for (code, modifiers) in [
            (KeyCode::Enter, KeyModifiers::ALT),
            (KeyCode::Enter, KeyModifiers::SHIFT),
            (KeyCode::Char('j'), KeyModifiers::CONTROL),
        ] {
            assert_eq!(keymap.command(Context::Composer, KeyEvent::new(code, modifiers)), Some(Command::Newline));
        }
    }
}
