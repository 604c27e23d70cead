//! Taking the terminal over, and giving it back as it was, whatever happens.

use std::io::{self, Stdout, Write};
use std::sync::Once;

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, KeyboardEnhancementFlags,
    PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;

/// What a window list may show: the program, never a name or a text.
const TITLE: &str = "Susurro";

/// The terminal in full-screen mode; dropping it restores the terminal.
pub struct Terminal(ratatui::Terminal<CrosstermBackend<Stdout>>);

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
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one screen.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.0.size()?;
        Ok((size.width, size.height))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
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
