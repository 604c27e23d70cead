//! The relay of the demonstration: the real program, as a child process on a free port of this
//! machine.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::Show;
use super::seen::Seen;

/// How long a relay may take to listen: generous, for machines with much else to do.
const START: Duration = Duration::from_secs(30);

/// What it prints before its address.
const LISTENING: &str = "listening on ";

/// A relay that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// There is no such program.
    #[error("{0} cannot be started ({1}): build it with `cargo build -p susurro-server`, or name it with --server")]
    Program(PathBuf, io::Error),
    /// Its files or its process.
    #[error("the relay's process or files: {0}")]
    Io(#[from] io::Error),
    /// It ended or said something else.
    #[error("the relay did not start; the end of its log: {0}")]
    Silent(String),
}

/// The running relay. Its process is killed when this is dropped.
pub(crate) struct Relay {
    program: PathBuf,
    folder: PathBuf,
    show: UnboundedSender<Show>,
    running: Running,
}

struct Running {
    child: Child,
    url: String,
    reading: JoinHandle<()>,
}

impl Relay {
    /// Starts the program on new files in `folder`. What it sees goes to `show`.
    pub(crate) async fn start(program: &Path, folder: &Path, show: UnboundedSender<Show>) -> Result<Self, RelayError> {
        tokio::fs::create_dir_all(folder).await?;
        let running = start(program, folder, "127.0.0.1:0", &show).await?;
        Ok(Self { program: program.to_owned(), folder: folder.to_owned(), show, running })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.running.url
    }

    /// Where all its files are, its log included.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `kill -9`: no chance to tidy up. Returns once it is gone and its log is read to the end.
    pub(crate) async fn kill(&mut self) -> Result<(), RelayError> {
        self.running.child.kill().await?;
        let _ = (&mut self.running.reading).await;
        Ok(())
    }

    /// Starts it again on the same port and files.
    pub(crate) async fn restart(&mut self) -> Result<(), RelayError> {
        let address = self.running.url.trim_start_matches("http://").to_owned();
        let deadline = Instant::now() + START;
        loop {
            match start(&self.program, &self.folder, &address, &self.show).await {
                Ok(running) => {
                    self.running = running;
                    return Ok(());
                }
                // A connection that is on its way out may hold the port for a moment.
                Err(RelayError::Silent(_)) if Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn start(
    program: &Path,
    folder: &Path,
    listen: &str,
    show: &UnboundedSender<Show>,
) -> Result<Running, RelayError> {
    let mut child = Command::new(program)
        .arg("serve")
        .arg("--data-dir")
        .arg(folder)
        .args(["--listen", listen, "--log", "trace", "--log-format", "json"])
        // Nothing of this program's environment concerns a relay, its passwords least of all.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| RelayError::Program(program.to_owned(), error))?;
    let log_path = folder.join("relay.log");
    let log = OpenOptions::new().create(true).append(true).open(&log_path).await?;
    let stderr = child.stderr.take();
    let show = show.clone();
    let reading = tokio::spawn(async move {
        if let Some(stderr) = stderr {
            read_log(BufReader::new(stderr), log, &show).await;
        }
    });
    let mut first = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let _ = tokio::time::timeout(START, stdout.read_line(&mut first)).await;
    }
    let Some(url) = first.trim_end().strip_prefix(LISTENING) else {
        child.kill().await?;
        let _ = reading.await;
        let log = tokio::fs::read_to_string(&log_path).await.unwrap_or_default();
        return Err(RelayError::Silent(log.lines().next_back().unwrap_or("nothing").to_owned()));
    };
    Ok(Running { url: url.to_owned(), child, reading })
}

/// Keeps every line of the log for the search at the end, and shows what concerns messages.
async fn read_log(mut lines: impl tokio::io::AsyncBufRead + Unpin, mut log: File, show: &UnboundedSender<Show>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                if let Some(seen) = Seen::parse(&line) {
                    let _ = show.send(Show::Seen(seen));
                }
                if log.write_all(&line).await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = log.flush().await;
}
