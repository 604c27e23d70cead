//! The terminal: set up, restored, and driven.

mod perform;
mod screen;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use susurro_client_core::Secret;
use susurro_client_core::client::Client;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::MissedTickBehavior;

pub use perform::{Performer, me};
pub use screen::Terminal;

use crate::app::model::{Look, Screen, Unlock, Wizard};
use crate::app::{Effect, Model, Msg, update};
use crate::i18n::{Language, Texts};
use crate::sanitize;
use crate::ui;

/// Messages taken in before the screen is drawn again: a backlog of thousands costs a few screens, and none waits long.
const BATCH: usize = 512;

/// How the interface begins.
pub enum Start {
    /// With the first-start wizard if there is no profile, else by asking for its passphrase.
    Ask {
        /// Address of the relay, if it is known already.
        relay: Option<String>,
        /// Name of the account, if it is known already.
        name: Option<String>,
    },
    /// With this passphrase; asks again if it is wrong.
    Passphrase(Secret),
    /// With an open profile.
    Open(Client),
}

/// Runs the full-screen interface on the profile in this directory until it is left.
///
/// # Errors
/// If the terminal cannot be used.
pub async fn run(profile: PathBuf, start: Start) -> io::Result<()> {
    let (sender, mut inbox) = unbounded_channel();
    let performer = Performer::new(profile.clone(), sender);
    let shown = sanitize::line(&profile.display().to_string());
    let mut first = Vec::new();
    let screen = match start {
        Start::Open(client) => {
            first.push(performer.adopt(client));
            Screen::Unlock(Unlock::new(&shown))
        }
        Start::Passphrase(passphrase) => {
            let mut unlock = Unlock::new(&shown);
            unlock.busy = true;
            let passphrase = crate::app::field::Hidden::new(passphrase.expose());
            performer.perform(Effect::Unlock { passphrase });
            Screen::Unlock(unlock)
        }
        Start::Ask { .. } if Client::exists(&profile).await => Screen::Unlock(Unlock::new(&shown)),
        Start::Ask { relay, name } => {
            let (relay, name) = (relay.unwrap_or_default(), name.unwrap_or_default());
            Screen::Wizard(Box::new(Wizard::new(&relay, &name)))
        }
    };
    let mut model = new_model(screen);
    let mut terminal = Terminal::open()?;
    model.size = terminal.size()?;
    for msg in first {
        perform_all(&performer, update(&mut model, msg));
    }
    let outcome = drive(&mut terminal, &mut model, &performer, &mut inbox).await;
    // The screen is given back before the profile closes, so that leaving feels immediate.
    drop(terminal);
    performer.finish().await;
    outcome
}

/// A model for this terminal and environment: language, colours and time zone.
#[must_use]
pub fn new_model(screen: Screen) -> Model {
    let texts = Arc::new(Texts::new(Language::from_environment()));
    Model::new(texts, look_from_environment(), TimeZone::system(), now(), screen)
}

/// Whether colours are wanted: `NO_COLOR` and terminals that say they are dumb ask for none.
#[must_use]
pub fn look_from_environment() -> Look {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb" || term == "linux-m");
    if is_set("NO_COLOR") || dumb { Look::Mono } else { Look::Color }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What a terminal event means to the interface.
#[must_use]
pub fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => Some(Msg::Key(key)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::FocusGained => Some(Msg::Focus(true)),
        Event::FocusLost => Some(Msg::Focus(false)),
        Event::Mouse(_) => None,
    }
}

async fn drive(
    terminal: &mut Terminal,
    model: &mut Model,
    performer: &Performer,
    inbox: &mut UnboundedReceiver<Msg>,
) -> io::Result<()> {
    let mut events = EventStream::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut ended = std::pin::pin!(ended());
    loop {
        terminal.draw(|frame| ui::draw(frame, frame.area(), model))?;
        let msg = tokio::select! {
            event = events.next() => match event {
                Some(event) => translate(event?),
                // The terminal is gone.
                None => Some(Msg::Terminate),
            },
            msg = inbox.recv() => msg,
            _ = clock.tick() => Some(Msg::Tick(now())),
            () = &mut ended => Some(Msg::Terminate),
        };
        let more = std::iter::from_fn(|| inbox.try_recv().ok()).take(BATCH);
        for msg in msg.into_iter().chain(more) {
            let effects = update(model, msg);
            if effects.contains(&Effect::Redraw) {
                terminal.refresh()?;
            }
            perform_all(performer, effects);
        }
        if model.quitting {
            return Ok(());
        }
    }
}

fn perform_all(performer: &Performer, effects: Vec<Effect>) {
    for effect in effects {
        performer.perform(effect);
    }
}

/// Ends when the system asks the program to: terminated, or its terminal closed.
#[cfg(unix)]
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn ended() {
    std::future::pending().await
}
