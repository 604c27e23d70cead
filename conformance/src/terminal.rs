//! `susurro` in a terminal of its own, read as a person reads it: from the screen.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::binaries;

/// How long a person would wait for something to appear, times many, since tests share two cores.
const DEADLINE: Duration = Duration::from_secs(90);

/// A terminal that could not be used, or a screen that never showed what it should.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// The program is missing.
    #[error(transparent)]
    NotBuilt(#[from] binaries::NotBuilt),
    /// The pseudo terminal failed.
    #[error("the terminal: {0}")]
    Pty(String),
    /// The keyboard failed.
    #[error("the terminal: {0}")]
    Io(#[from] std::io::Error),
    /// What was waited for, and the screen as it stood.
    #[error("waited in vain for {wanted}; the screen shows:\n{screen}")]
    InVain {
        /// What should have been there.
        wanted: String,
        /// What was there.
        screen: String,
    },
}

/// A running program and its screen. Dropping it kills the program.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    raw: Vec<u8>,
    ended: bool,
}

impl Terminal {
    /// Starts `susurro --profile PROFILE` on a screen of this many rows and columns.
    ///
    /// # Errors
    ///
    /// [`TerminalError`] when it cannot be started.
    pub fn open(profile: &Path, rows: NonZeroU16, columns: NonZeroU16) -> Result<Self, TerminalError> {
        let pty = |error: &dyn std::fmt::Display| TerminalError::Pty(error.to_string());
        let pair = native_pty_system().openpty(size(rows, columns)).map_err(|error| pty(&error))?;
        let mut command = CommandBuilder::new(binaries::client()?);
        command.arg("--profile");
        command.arg(profile);
        command.env("TERM", "xterm-256color");
        command.env("SUSURRO_LANG", "en");
        for unset in ["SUSURRO_PASSWORD", "SUSURRO_PASSPHRASE", "NO_COLOR"] {
            command.env_remove(unset);
        }
        let child = pair.slave.spawn_command(command).map_err(|error| pty(&error))?;
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().map_err(|error| pty(&error))?;
        let keyboard = pair.master.take_writer().map_err(|error| pty(&error))?;
        let state = State { parser: vt100::Parser::new(rows, columns, 0), raw: Vec::new(), ended: false };
        let screen = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = output.read(&mut buffer).unwrap_or(0);
                let mut state = shared.lock();
                state.parser.process(&buffer[..length]);
                state.raw.extend_from_slice(&buffer[..length]);
                state.ended = length == 0;
                shared.changed.notify_all();
                if state.ended {
                    return;
                }
            }
        });
        Ok(Self { child, master: pair.master, keyboard, screen })
    }

    /// Types, as from a keyboard. Control sequences stand for keys.
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn press(&mut self, keys: &str) -> Result<(), TerminalError> {
        self.keyboard.write_all(keys.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Pastes, as a terminal with bracketed paste does.
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn paste(&mut self, text: &str) -> Result<(), TerminalError> {
        self.press(&format!("\u{1b}[200~{text}\u{1b}[201~"))
    }

    /// Waits until `text` stands on the screen.
    ///
    /// # Errors
    ///
    /// [`TerminalError::InVain`] with the screen.
    pub fn wait_for(&self, text: &str) -> Result<(), TerminalError> {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// Waits until the screen's text fulfils a condition.
    ///
    /// # Errors
    ///
    /// [`TerminalError::InVain`] with the screen.
    pub fn wait_until(&self, wanted: &str, condition: impl Fn(&str) -> bool) -> Result<(), TerminalError> {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.screen.lock();
        loop {
            let text = state.parser.screen().contents();
            if condition(&text) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                return Err(TerminalError::InVain { wanted: wanted.to_owned(), screen: text });
            }
            state = self.screen.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The text on the screen now.
    #[must_use]
    pub fn text(&self) -> String {
        self.screen.lock().parser.screen().contents()
    }

    /// Every byte that the program has written to the terminal.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        self.screen.lock().raw.clone()
    }

    /// Gives the window another size.
    ///
    /// # Errors
    ///
    /// When the terminal refuses.
    pub fn resize(&self, rows: NonZeroU16, columns: NonZeroU16) -> Result<(), TerminalError> {
        self.screen.lock().parser.screen_mut().set_size(rows, columns);
        self.master.resize(size(rows, columns)).map_err(|error| TerminalError::Pty(error.to_string()))
    }

    /// Waits until the program has ended by itself; whether it succeeded.
    ///
    /// # Errors
    ///
    /// [`TerminalError::InVain`] when it goes on.
    pub fn wait_for_end(&mut self) -> Result<bool, TerminalError> {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.screen.lock();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let screen = state.parser.screen().contents();
                return Err(TerminalError::InVain { wanted: "the program's end".into(), screen });
            }
            state = self.screen.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        Ok(self.child.wait()?.success())
    }
}

fn size(rows: NonZeroU16, columns: NonZeroU16) -> PtySize {
    PtySize { rows: rows.get(), cols: columns.get(), pixel_width: 0, pixel_height: 0 }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
