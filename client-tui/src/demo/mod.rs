//! The demonstration: two people, and what the relay between them sees.

mod pane;
mod people;
mod play;
mod relay;
mod screen;
mod script;
mod search;
mod seen;
mod text;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use susurro_client_core::Error;
use susurro_client_core::model::Connection;
use susurro_tui::i18n::Texts;
use susurro_tui::key;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::cli::{Data, Failure, block_on, signal, talk};
use people::{People, Who};
use relay::{Relay, RelayError};
use screen::{Screen, Turn};
use search::{Marker, Searched};
use seen::Seen;

/// How long the scripted demonstration may take: many times what it needs on a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// Between two messages of the script when people watch.
const PACE: Duration = Duration::from_millis(700);

/// Something to show.
#[derive(Debug)]
pub(crate) enum Show {
    /// Somebody wrote a message.
    Said { from: Who, text: &'static str },
    /// It arrived.
    Arrived { to: Who, text: String },
    /// The relay did something with a ciphertext.
    Seen(Seen),
    /// The script goes on.
    Stage(Stage),
}

/// Where the script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Connected,
    BobAway,
    BobBack,
    RelayKilled,
    RelayBack,
}

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error(transparent)]
    Client(#[from] Error),
    #[error("{0}")]
    Wrong(String),
    #[error("it was stopped before its end")]
    Stopped,
    #[error("it was not done after {} seconds", DEADLINE.as_secs())]
    Late,
    #[error("the temporary directory: {0}")]
    Files(#[from] io::Error),
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        Self::Demo(error.to_string())
    }
}

/// Runs the demonstration with the relay's program at `server`, or beside this program.
pub(crate) fn run(texts: &Arc<Texts>, script: bool, server: Option<&Path>) -> Result<(), Failure> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !script && !terminal {
        return Err(Failure::NoTerminal);
    }
    let program = server.map_or_else(beside, Path::to_owned);
    let folder = tempfile::Builder::new().prefix("susurro-demo-").tempdir().map_err(DemoError::from)?;
    block_on(async {
        tokio::select! {
            outcome = demonstrate(texts, &program, folder.path(), script, terminal) => outcome,
            number = signal::received() => Err(Failure::Signal(number)),
        }
    })
}

/// The relay's program beside this one, else wherever the system finds it.
fn beside() -> PathBuf {
    let name = format!("susurro-server{}", std::env::consts::EXE_SUFFIX);
    match std::env::current_exe() {
        Ok(own) if own.with_file_name(&name).exists() => own.with_file_name(name),
        _ => PathBuf::from(name),
    }
}

/// Starts relay and people, and shows them in one of the three ways.
async fn demonstrate(
    texts: &Arc<Texts>,
    program: &Path,
    folder: &Path,
    script: bool,
    terminal: bool,
) -> Result<(), Failure> {
    let (show, shown) = mpsc::unbounded_channel();
    if !script {
        return Ok(by_hand(texts, program, folder, show, shown).await?);
    }
    let played = async {
        let summary = if terminal {
            scripted_on_screen(texts, program, folder, show, shown).await?
        } else {
            scripted_as_text(texts, program, folder, show, shown).await?
        };
        Data::stdout().line(&format!("\n{summary}"))
    };
    tokio::time::timeout(DEADLINE, played).await.unwrap_or_else(|_| Err(DemoError::Late.into()))
}

/// Both sides can be typed in until somebody leaves.
async fn by_hand(
    texts: &Arc<Texts>,
    program: &Path,
    folder: &Path,
    show: UnboundedSender<Show>,
    shown: UnboundedReceiver<Show>,
) -> Result<(), DemoError> {
    let (mut relay, people) = start(texts, program, folder, &show).await?;
    let mut screen = Screen::open(texts, &people, shown, false)?;
    let mut runs = true;
    loop {
        match screen.turn().await? {
            Turn::On => {}
            Turn::Quit => break,
            Turn::Relay => {
                let stage = if runs { Stage::RelayKilled } else { Stage::RelayBack };
                if runs {
                    relay.kill().await?
                } else {
                    relay.restart().await?
                }
                runs = !runs;
                let _ = show.send(Show::Stage(stage));
            }
        }
    }
    screen.close().await;
    Ok(())
}

/// The script types, and people can watch.
async fn scripted_on_screen(
    texts: &Arc<Texts>,
    program: &Path,
    folder: &Path,
    show: UnboundedSender<Show>,
    shown: UnboundedReceiver<Show>,
) -> Result<String, DemoError> {
    let (mut relay, people) = start(texts, program, folder, &show).await?;
    let mut screen = Screen::open(texts, &people, shown, true)?;
    let played = {
        let mut play = std::pin::pin!(play::play(&people, &mut relay, &show, PACE));
        loop {
            tokio::select! {
                outcome = &mut play => break outcome,
                turn = screen.turn() => if turn? == Turn::Quit {
                    break Err(DemoError::Stopped);
                },
            }
        }
    };
    screen.close().await;
    finish(texts, relay, &people, played?).await
}

/// Prints what happens.
async fn scripted_as_text(
    texts: &Arc<Texts>,
    program: &Path,
    folder: &Path,
    show: UnboundedSender<Show>,
    shown: UnboundedReceiver<Show>,
) -> Result<String, Failure> {
    let printing = tokio::spawn(print(Arc::clone(texts), shown));
    let played = async {
        let (mut relay, people) = start(texts, program, folder, &show).await?;
        for who in [Who::Alice, Who::Bob] {
            text::arrivals(who, people.client(who).events(), show.clone());
        }
        let count = play::play(&people, &mut relay, &show, Duration::ZERO).await?;
        people.close().await;
        finish(texts, relay, &people, count).await
    }
    .await;
    // Nothing more is shown from here on; what was shown is printed to its end.
    drop(show);
    printing.await.map_err(|error| Failure::Demo(error.to_string()))??;
    Ok(played?)
}

async fn print(texts: Arc<Texts>, mut shown: UnboundedReceiver<Show>) -> Result<(), Failure> {
    let mut data = Data::stdout();
    while let Some(show) = shown.recv().await {
        data.line(&text::lines(&texts, &show))?;
    }
    Ok(())
}

/// A relay, and two people who are connected and know each other.
async fn start(
    texts: &Texts,
    program: &Path,
    folder: &Path,
    show: &UnboundedSender<Show>,
) -> Result<(Relay, People), DemoError> {
    talk(&texts.get(key!("demo-starting")));
    let relay = Relay::start(program, &folder.join("relay"), show.clone()).await?;
    let people = People::register(folder, relay.url()).await?;
    for who in [Who::Alice, Who::Bob] {
        people.client(who).go_online();
        people.until(who, "to be connected", |now| *now == Connection::Connected).await?;
    }
    for who in [Who::Alice, Who::Bob] {
        people.client(who).start_chat(who.other().name()).await?;
    }
    let _ = show.send(Show::Stage(Stage::Connected));
    Ok((relay, people))
}

/// Kills the relay and looks through its files as they stand on the disk after a crash: database,
/// write-ahead log and log file. Gives the summary.
async fn finish(texts: &Texts, mut relay: Relay, people: &People, count: usize) -> Result<String, DemoError> {
    relay.kill().await?;
    let searched = search(relay.folder(), people)?;
    Ok(texts.with(
        key!("demo-summary"),
        &[
            ("count", (count as u64).into()),
            ("files", (searched.files as u64).into()),
            ("bytes", searched.bytes.into()),
        ],
    ))
}

/// Looks for all words and secrets in the files of the relay, and for the names, which it knows:
/// a search that does not find those finds nothing at all.
fn search(folder: &Path, people: &People) -> Result<Searched, DemoError> {
    let texts = script::all().map(|(from, text)| Marker::new(format!("a text of {}", from.name()), text));
    let secrets = people.secrets.iter().map(|(what, secret)| Marker::new(what.clone(), secret));
    let markers: Vec<Marker> = texts.chain(secrets).collect();
    let searched = search::search(folder, &markers)?;
    if let Some((what, file)) = searched.found.first() {
        return Err(DemoError::Wrong(format!("{what} is in {} of the relay", file.display())));
    }
    let known = search::search(folder, &[Marker::known("the name of Alice", Who::Alice.name())])?;
    if known.found.is_empty() {
        return Err(DemoError::Wrong("the search does not even find what the relay knows".to_owned()));
    }
    Ok(searched)
}
