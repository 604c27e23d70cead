//! Taking the terminal over, and giving it back as it was, whatever happens.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Stdout, Write};
use std::sync::Once;

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, KeyboardEnhancementFlags,
    PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Frame;
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::Buffer;

/// What a window list may show: the program, never a name or a text.
const TITLE: &str = "Susurro";

/// The terminal in full-screen mode; dropping it restores the terminal.
pub struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Stdout>>,
    /// Rows with characters of several parts, by a hash of what they held.
    composed: HashMap<u16, u64>,
}

impl Terminal {
    /// Takes the terminal over. No mouse: selecting text stays the terminal's business.
    ///
    /// # Errors
    /// If standard output is no terminal, or it cannot be switched.
    pub fn open() -> io::Result<Self> {
        restore_on_panic();
        // With NO_COLOR crossterm drops bold and reverse too, and the selected line would vanish. Which colours
        // to use is decided by the theme.
        crossterm::style::force_color_output(true);
        enable_raw_mode()?;
        let mut out = io::stdout();
        let switched = execute!(
            out,
            EnterAlternateScreen,
            SetTitle(TITLE),
            EnableBracketedPaste,
            EnableFocusChange,
            // Tells Shift-Enter from Enter where the terminal can; others ignore it.
            PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES),
        );
        let terminal = switched.and_then(|()| ratatui::Terminal::new(CrosstermBackend::new(out)));
        match terminal {
            Ok(inner) => Ok(Self { inner, composed: HashMap::new() }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one screen, as a whole.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, mut draw: impl FnMut(&mut Frame)) -> io::Result<()> {
        execute!(io::stdout(), BeginSynchronizedUpdate)?;
        let composed = composed_rows(self.inner.draw(&mut draw)?.buffer);
        // Terminals disagree on the cells of an emoji of several parts. Where one stood and something changed,
        // cells may be left over that only a fresh screen takes away.
        if self.composed.iter().any(|(row, hash)| composed.get(row) != Some(hash)) {
            self.refresh()?;
            self.inner.draw(&mut draw)?;
        }
        self.composed = composed;
        execute!(io::stdout(), EndSynchronizedUpdate)
    }

    /// Draws everything anew the next time, whatever another program left on the screen.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn refresh(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: it asks the terminal for its cursor, and the answer would be read as keys.
        self.inner.backend_mut().clear_region(ClearType::All)?;
        self.inner.swap_buffers();
        Ok(())
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.inner.size()?;
        Ok((size.width, size.height))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

fn composed_rows(buffer: &Buffer) -> HashMap<u16, u64> {
    let mut rows = HashMap::new();
    let width = usize::from(buffer.area.width.max(1));
    for (row, cells) in (0..).zip(buffer.content().chunks(width)) {
        if cells.iter().any(|cell| cell.symbol().chars().nth(1).is_some()) {
            let mut hash = DefaultHasher::new();
            cells.iter().for_each(|cell| cell.symbol().hash(&mut hash));
            rows.insert(row, hash.finish());
        }
    }
    rows
}

/// Everything back; what cannot be restored is left, there is nobody to tell.
fn restore() {
    let mut out = io::stdout();
    let _ = execute!(
        out,
        PopKeyboardEnhancementFlags,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        SetTitle(""),
        cursor::Show,
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// A panic message on a screen that is about to vanish helps nobody.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
    });
}
