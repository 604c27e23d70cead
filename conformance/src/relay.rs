//! A relay as a process, to be killed and started again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::binaries;

/// How long a relay may take to say that it listens: generous, since tests share two cores.
const START: Duration = Duration::from_secs(60);

/// Everything that anybody could make the relay log: of the libraries as well, since some write whole
/// requests at their lowest level. (The relay takes a bare `trace` to mean its own code only.)
const EVERYTHING: &str = "trace,susurro_server=trace";

/// A relay that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The program is missing.
    #[error(transparent)]
    NotBuilt(#[from] binaries::NotBuilt),
    /// The operating system refused.
    #[error("the relay's process: {0}")]
    Io(#[from] std::io::Error),
    /// It did not print where it listens; what it said instead.
    #[error("the relay did not start: {0}")]
    Silent(String),
}

/// A running relay. Dropping it kills it.
pub struct Relay {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Relay {
    /// Starts a relay on its files in `folder` at `listen` (`127.0.0.1:0` chooses a port), logging
    /// everything to `folder/../relay.log`, which grows over restarts.
    ///
    /// # Errors
    ///
    /// [`RelayError`] when it does not come up.
    pub fn start(folder: &Path, listen: &str, more: &[&str]) -> Result<Self, RelayError> {
        Self::start_program(&binaries::relay()?, folder, listen, more, &[])
    }

    /// [`start`](Self::start) of another program that understands the same arguments, with more in its environment.
    ///
    /// # Errors
    ///
    /// [`RelayError`] when it does not come up.
    pub fn start_program(
        program: &Path,
        folder: &Path,
        listen: &str,
        more: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, RelayError> {
        let log = log_of(folder);
        let mut arguments = vec!["--listen", listen];
        // What is given comes in place of the usual, since each may stand once.
        for usual in [
            ["--log", EVERYTHING],
            ["--auth-rate", "10000"],
            ["--rest-rate", "100000"],
            ["--search-rate", "100000"],
            ["--message-rate", "100000000"],
        ] {
            if !more.contains(&usual[0]) {
                arguments.extend(usual);
            }
        }
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--data-dir")
            .arg(folder)
            .args(arguments)
            .args(more)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()?;
        let line = first_line(&mut child);
        let Some(url) = line.as_deref().and_then(|line| line.trim_end().strip_prefix("listening on ")) else {
            let _ = child.kill();
            let _ = child.wait();
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let tail: Vec<_> = said.lines().rev().take(5).collect();
            return Err(RelayError::Silent(format!("{line:?}; {}", tail.join(" | "))));
        };
        Ok(Self { url: url.to_owned(), child, folder: folder.to_owned() })
    }

    /// Where it listens, as it printed it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Address and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `kill -9`, at once.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(mut self) -> Result<(), RelayError> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits; its exit code.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn terminate(mut self) -> Result<Option<i32>, RelayError> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log of the relay on this folder.
#[must_use]
pub fn log_of(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}

fn first_line(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        let _ = reader.read_line(&mut line).map(|_| tell.send(line));
        // Read on, so that a relay that prints more never blocks.
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    });
    told.recv_timeout(START).ok()
}
