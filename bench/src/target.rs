//! The servers that are measured, each on fresh files.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::task;
use xtask::services::{Options, Postgres};

use crate::chance::Chance;
use crate::failed::{Outcome, failed};
use crate::people::{self, People, Storage};
use crate::process::{self, Server, Used};
use crate::socket::Socket;
use crate::voice::Voice;

/// Connections that are opened at once.
const AT_ONCE: usize = 32;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// This relay on SQLite.
    Sqlite,
    /// This relay on a PostgreSQL server of its own, on the same machine and disk.
    Postgres,
    /// A server that forwards and stores nothing.
    Forwarder,
    /// A server that stores with group commit and checks nothing.
    Writer,
}

/// The programs and the folder that measurements need.
pub struct Ground {
    /// `susurro-server`.
    pub relay: PathBuf,
    /// This program.
    pub own: PathBuf,
    /// Where files may lie: on the disk that is to be measured.
    pub folder: PathBuf,
}

/// A server with its people.
pub struct Target {
    /// Its process.
    pub server: Server,
    kind: Kind,
    people: People,
    seeds: Vec<Chance>,
    _files: Files,
    postgres: Option<Postgres>,
}

/// An end of a pair: socket and voice.
pub type End = (Socket, Voice);

struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever owns the folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Kind {
    /// Those of a table unless others are asked for, in its order.
    pub const USUAL: [Self; 4] = [Self::Forwarder, Self::Writer, Self::Sqlite, Self::Postgres];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "susurro, SQLite",
            Self::Postgres => "susurro, PostgreSQL",
            Self::Forwarder => "bare forwarder",
            Self::Writer => "bare group-commit writer",
        }
    }

    /// Whether `Stored` is said by the server, after a commit.
    #[must_use]
    pub fn stores(self) -> bool {
        self != Self::Forwarder
    }
}

impl Target {
    /// Starts a server for that many pairs.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start(ground: &Ground, kind: Kind, pairs: usize) -> Outcome<Self> {
        let files = Files(ground.folder.join(format!("{:016x}", Chance::new().number())));
        std::fs::create_dir_all(&files.0)?;
        let path = |name: &str| files.0.join(name).to_string_lossy().into_owned();
        let mut postgres = None;
        let (server, people) = match kind {
            Kind::Forwarder => {
                (Server::start(&ground.own, &["forwarder"], &[])?, People { relay_key: [0; 32], all: Vec::new() })
            }
            Kind::Writer => {
                let file = path("writer.db");
                (Server::start(&ground.own, &["writer", &file], &[])?, People { relay_key: [0; 32], all: Vec::new() })
            }
            Kind::Sqlite | Kind::Postgres => {
                let data = path("data");
                let (storage, environment) = if kind == Kind::Sqlite {
                    (Storage::Sqlite, Vec::new())
                } else {
                    // Waits for the disk before it answers, as the relay's promise needs; otherwise as it comes.
                    let usual = [("shared_buffers", "128MB"), ("max_wal_size", "1GB")];
                    let settings = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
                    let durable = Options { durable: true, settings, ..Options::default() };
                    let server = task::block_in_place(|| Postgres::start(&durable))?;
                    let url = server.url();
                    postgres = Some(server);
                    (Storage::Postgres { url: url.clone() }, vec![("SUSURRO_DATABASE", url)])
                };
                let people = people::settle(Path::new(&data), &storage, 2 * pairs).await?;
                // What is measured is how fast it can be, not how fast one device may be.
                let most = u32::MAX.to_string();
                let paces = ["--message-rate", &most, "--traffic-rate-kib", &most];
                let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir", &data];
                arguments.extend(paces);
                (Server::start(&ground.relay, &arguments, &environment)?, people)
            }
        };
        let seeds = (0..pairs).map(|_| Chance::new()).collect();
        Ok(Self { server, kind, people, seeds, _files: files, postgres })
    }

    /// What a database server beside it has used up; nothing when there is none.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn database_used(&self) -> Outcome<Used> {
        let Some(postgres) = &self.postgres else { return Ok(Used::default()) };
        let pid = std::fs::read_to_string(postgres.data().join("postmaster.pid"))?;
        match pid.lines().next().and_then(|line| line.trim().parse().ok()) {
            Some(pid) => process::family(pid),
            None => failed("the database server does not say which process it is"),
        }
    }

    /// Connects the even one of each pair (`side` 0) or the odd one.
    ///
    /// # Errors
    ///
    /// When one of them cannot.
    pub async fn connect(&self, side: usize, pairs: std::ops::Range<usize>) -> Outcome<Vec<End>> {
        stream::iter(pairs).map(|pair| self.end(pair, side)).buffered(AT_ONCE).try_collect().await
    }

    /// Connects one end of a pair.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub async fn end(&self, pair: usize, side: usize) -> Outcome<End> {
        let (me, peer) = (2 * pair + side, 2 * pair + 1 - side);
        let address = self.server.address();
        if matches!(self.kind, Kind::Sqlite | Kind::Postgres) {
            let (me, peer) = (&self.people.all[me], &self.people.all[peer]);
            Voice::open(address, self.people.relay_key, me, peer, &self.seeds[pair]).await
        } else {
            Voice::open_bare(address, me as u32, peer as u32, self.kind == Kind::Writer).await
        }
    }
}
