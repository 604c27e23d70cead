//! The demonstration on a screen: Alice on the left, Bob on the right, each with the interface of
//! the real program, and what the relay sees between them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use susurro_protocol::AccountName;
use susurro_tui::app::model::{Screen as Face, Unlock};
use susurro_tui::app::{Effect, Model, Msg, update};
use susurro_tui::i18n::Texts;
use susurro_tui::term::{Performer, Terminal, new_model, now, translate};
use susurro_tui::{key, ui};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Interval, MissedTickBehavior};

use super::pane::{self, Rows};
use super::people::{People, Who};
use super::{Show, text};

/// Columns and rows from which both sides fit beside each other.
const BESIDE: (u16, u16) = (80, 12);

/// Columns of the relay: room for a mailbox, a position and a size, and no more than helps.
const MIDDLE: (u16, u16) = (20, 60);

/// Messages taken in before the screen is drawn again.
const BATCH: usize = 256;

/// What came of waiting for one thing to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Go on.
    On,
    /// Kill the relay, or start it.
    Relay,
    /// Leave.
    Quit,
}

/// The screen and what is on it.
pub(crate) struct Screen {
    terminal: Terminal,
    texts: Arc<Texts>,
    alice: Side,
    bob: Side,
    typing: Who,
    /// The script types: keys only leave.
    scripted: bool,
    rows: Rows,
    news: String,
    shown: UnboundedReceiver<Show>,
    events: EventStream,
    clock: Interval,
}

struct Side {
    model: Model,
    performer: Performer,
    inbox: UnboundedReceiver<Msg>,
}

/// What happened.
enum Happened {
    Event(Option<io::Result<Event>>),
    Told(Who, Msg),
    Show(Show),
    Second,
}

impl Screen {
    /// Takes the terminal over. Both know each other already.
    pub(crate) fn open(
        texts: &Arc<Texts>,
        people: &People,
        shown: UnboundedReceiver<Show>,
        scripted: bool,
    ) -> io::Result<Self> {
        let alice = Side::new(people, Who::Alice);
        let bob = Side::new(people, Who::Bob);
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut screen = Self {
            terminal: Terminal::open()?,
            texts: Arc::clone(texts),
            alice,
            bob,
            typing: Who::Alice,
            scripted,
            rows: Rows::default(),
            news: String::new(),
            shown,
            events: EventStream::new(),
            clock,
        };
        let (columns, rows) = screen.terminal.size()?;
        screen.resize(columns, rows)?;
        for who in [Who::Alice, Who::Bob] {
            let peer = name(people, who.other());
            screen.take(who, Msg::ChatStarted(peer))?;
        }
        Ok(screen)
    }

    /// Draws, waits for something to happen and takes it in. Can be dropped while it waits.
    pub(crate) async fn turn(&mut self) -> io::Result<Turn> {
        self.draw()?;
        let happened = tokio::select! {
            event = self.events.next() => Happened::Event(event),
            Some(msg) = self.alice.inbox.recv() => Happened::Told(Who::Alice, msg),
            Some(msg) = self.bob.inbox.recv() => Happened::Told(Who::Bob, msg),
            Some(show) = self.shown.recv() => Happened::Show(show),
            _ = self.clock.tick() => Happened::Second,
        };
        let turn = self.happened(happened)?;
        for _ in 0..BATCH {
            let more = if let Ok(msg) = self.alice.inbox.try_recv() {
                Happened::Told(Who::Alice, msg)
            } else if let Ok(msg) = self.bob.inbox.try_recv() {
                Happened::Told(Who::Bob, msg)
            } else if let Ok(show) = self.shown.try_recv() {
                Happened::Show(show)
            } else {
                break;
            };
            self.happened(more)?;
        }
        Ok(if self.alice.model.quitting || self.bob.model.quitting { Turn::Quit } else { turn })
    }

    /// Gives the terminal back and closes both clients.
    pub(crate) async fn close(self) {
        drop(self.terminal);
        tokio::join!(self.alice.performer.finish(), self.bob.performer.finish());
    }

    fn happened(&mut self, happened: Happened) -> io::Result<Turn> {
        match happened {
            Happened::Event(None) => return Ok(Turn::Quit),
            Happened::Event(Some(event)) => return self.pressed(event?),
            Happened::Told(who, msg) => self.take(who, msg)?,
            Happened::Show(Show::Seen(seen)) => self.rows.push(seen),
            Happened::Show(Show::Stage(stage)) => self.news = text::stage(&self.texts, stage),
            // The sides show these themselves.
            Happened::Show(Show::Said { .. } | Show::Arrived { .. }) => {}
            Happened::Second => {
                for who in [Who::Alice, Who::Bob] {
                    self.take(who, Msg::Tick(now()))?;
                }
            }
        }
        Ok(Turn::On)
    }

    fn pressed(&mut self, event: Event) -> io::Result<Turn> {
        match event {
            Event::Resize(columns, rows) => self.resize(columns, rows)?,
            Event::Key(key) if key.kind == KeyEventKind::Release => {}
            Event::Key(key) if self.scripted => {
                if leaves(key) {
                    return Ok(Turn::Quit);
                }
            }
            Event::Key(KeyEvent { code: KeyCode::F(2), .. }) => self.typing = self.typing.other(),
            Event::Key(KeyEvent { code: KeyCode::F(3), .. }) => return Ok(Turn::Relay),
            // Both sides can be seen, whatever else the window system thinks.
            Event::FocusGained | Event::FocusLost => {}
            event => {
                if let Some(msg) = translate(event)
                    && !self.scripted
                {
                    self.take(self.typing, msg)?;
                }
            }
        }
        Ok(Turn::On)
    }

    fn take(&mut self, who: Who, msg: Msg) -> io::Result<()> {
        if self.side_mut(who).take(msg) { self.terminal.refresh() } else { Ok(()) }
    }

    fn side_mut(&mut self, who: Who) -> &mut Side {
        match who {
            Who::Alice => &mut self.alice,
            Who::Bob => &mut self.bob,
        }
    }

    fn resize(&mut self, columns: u16, rows: u16) -> io::Result<()> {
        let areas = areas(Rect::new(0, 0, columns, rows));
        for who in [Who::Alice, Who::Bob] {
            let area = body(areas.of(who));
            self.take(who, Msg::Resize(area.width, area.height))?;
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let Self { terminal, texts, alice, bob, typing, rows, news, scripted, .. } = self;
        let texts: &Texts = texts;
        terminal.draw(|frame| {
            let areas = areas(frame.area());
            let title = texts.get(key!("demo-relay-sees"));
            titled(frame, areas.relay, &title, Style::new().add_modifier(Modifier::BOLD));
            let keys = texts.get(if *scripted { key!("demo-keys-script") } else { key!("demo-keys") });
            pane::draw(frame, body(areas.relay), texts, rows, news, &keys);
            // Who types comes last and gets the cursor.
            for who in [typing.other(), *typing] {
                if who != *typing && !areas.beside {
                    continue;
                }
                let side = if who == Who::Alice { &*alice } else { &*bob };
                ui::draw(frame, body(areas.of(who)), &side.model);
                let types = who == *typing && !*scripted;
                let title = if types { key!("demo-types") } else { key!("demo-watches") };
                let title = texts.with(title, &[("name", who.name().into())]);
                let bold = Style::new().add_modifier(Modifier::BOLD);
                titled(frame, areas.of(who), &title, if types { bold.add_modifier(Modifier::REVERSED) } else { bold });
            }
        })
    }
}

impl Side {
    fn new(people: &People, who: Who) -> Self {
        let (sender, inbox) = unbounded_channel();
        let performer = Performer::new(PathBuf::new(), sender);
        let model = new_model(Face::Unlock(Unlock::new("")));
        let opened = performer.adopt(people.client(who).clone());
        let mut side = Self { model, performer, inbox };
        side.take(opened);
        side
    }

    /// Takes it in; whether the screen is to be drawn anew.
    fn take(&mut self, msg: Msg) -> bool {
        let effects = update(&mut self.model, msg);
        let redraw = effects.contains(&Effect::Redraw);
        for effect in effects.into_iter().filter(|effect| *effect != Effect::Quit) {
            self.performer.perform(effect);
        }
        redraw
    }
}

/// Where everything goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Areas {
    alice: Rect,
    relay: Rect,
    bob: Rect,
    beside: bool,
}

impl Areas {
    const fn of(&self, who: Who) -> Rect {
        match who {
            Who::Alice => self.alice,
            Who::Bob => self.bob,
        }
    }
}

/// Three columns; on a small screen who types, and the relay below.
fn areas(area: Rect) -> Areas {
    if area.width >= BESIDE.0 && area.height >= BESIDE.1 {
        // Three tenths, unless the sides would become too narrow for that.
        let middle = (area.width / 10 * 3).min(area.width - 2 * ui::SMALLEST.0).clamp(MIDDLE.0, MIDDLE.1);
        let side = (area.width - middle) / 2;
        let middle = area.width - 2 * side;
        return Areas {
            alice: Rect { width: side, ..area },
            relay: Rect { x: area.x + side, width: middle, ..area },
            bob: Rect { x: area.x + side + middle, width: side, ..area },
            beside: true,
        };
    }
    let below = (area.height / 3).min(8);
    let above = Rect { height: area.height - below, ..area };
    let relay = Rect { y: area.y + above.height, height: below, ..area };
    Areas { alice: above, relay, bob: above, beside: false }
}

/// Below the title.
fn body(area: Rect) -> Rect {
    let title = area.height.min(1);
    Rect { y: area.y + title, height: area.height - title, ..area }
}

fn titled(frame: &mut Frame, area: Rect, title: &str, style: Style) {
    let line = Rect { height: area.height.min(1), ..area };
    frame.render_widget(Paragraph::new(Line::from(title.to_owned()).centered()).style(style), line);
}

fn leaves(key: KeyEvent) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'q'))
}

fn name(people: &People, who: Who) -> AccountName {
    people.client(who).me().name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighty_columns_hold_both_sides_and_the_relay() {
        let areas = areas(Rect::new(0, 0, 80, 24));
        assert!(areas.beside);
        assert_eq!((areas.alice.width, areas.relay.width, areas.bob.width), (30, 20, 30));
        assert!(areas.alice.width >= ui::SMALLEST.0 && body(areas.alice).height >= ui::SMALLEST.1);
    }

    #[test]
    fn three_columns_fill_any_wide_screen_and_never_overlap() {
        for columns in 80..=240 {
            let areas = areas(Rect::new(0, 0, columns, 40));
            assert_eq!(areas.alice.right(), areas.relay.x);
            assert_eq!(areas.relay.right(), areas.bob.x);
            assert_eq!(areas.bob.right(), columns);
            assert_eq!(areas.alice.width, areas.bob.width);
        }
    }

    #[test]
    fn a_small_screen_shows_who_types_and_the_relay_below() {
        let areas = areas(Rect::new(0, 0, 40, 18));
        assert!(!areas.beside);
        assert_eq!(areas.alice, areas.bob);
        assert_eq!((areas.alice.height, areas.relay.height, areas.relay.y), (12, 6, 12));
        let _ = super::areas(Rect::new(0, 0, 0, 0));
    }
}
