//! The client under test: a program with the documented command line (`docs/cli.md`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::suite::Stop;

/// How long one command may take before it counts as hanging. The slowest honest one needs a few seconds, on a
/// machine that does much else at the same time some more.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How a program is called.
#[derive(Debug, Clone)]
pub struct Subject {
    command: Vec<OsString>,
}

impl Subject {
    /// The program and the arguments that come before those of each command.
    #[must_use]
    pub fn new(command: Vec<OsString>) -> Self {
        Self { command }
    }

    /// Whether there is such a program.
    ///
    /// # Errors
    ///
    /// Why it cannot be started.
    pub async fn answers(&self) -> Result<(), String> {
        let (program, before) = self.command.split_first().ok_or("no client was named")?;
        let asked = Command::new(program)
            .args(before)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        let unable = |error: String| format!("{} cannot be started: {error}", program.display());
        match timeout(DEADLINE, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unable(error.to_string())),
            Err(_) => Err(unable("it does not end".to_owned())),
        }
    }
}

/// A person with a profile, in front of the client under test.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their program.
    pub subject: Arc<Subject>,
    /// The profile's folder.
    pub profile: PathBuf,
    /// Password at the relay.
    pub password: String,
    /// Passphrase of the local store.
    pub passphrase: String,
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Said {
    /// What was asked, for reports.
    pub asked: String,
    /// Exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Said {
    /// The lines of stdout, each read as JSON.
    #[must_use]
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// A field of each line that has it as a text.
    #[must_use]
    pub fn field(&self, name: &str) -> Vec<String> {
        self.json().iter().filter_map(|line| Some(line.get(name)?.as_str()?.to_owned())).collect()
    }

    /// Passes when it ended with one of these exit codes; every failure has to say something.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`].
    pub fn ended_with(&self, codes: &[i32]) -> Result<(), Stop> {
        let silent = self.code != Some(0) && self.stderr.trim().is_empty();
        if self.code.is_some_and(|code| codes.contains(&code)) && !silent {
            return Ok(());
        }
        let expected = format!("`{}` ends with {codes:?}, and says on stderr what is wrong", self.asked);
        let seen = format!("{:?}, stderr {:?}, stdout {:?}", self.code, short(&self.stderr), short(&self.stdout));
        Err(Stop::failed(expected, seen))
    }

    /// Passes when it succeeded.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`].
    pub fn done(&self) -> Result<(), Stop> {
        self.ended_with(&[0])
    }

    /// Passes when it did not succeed and said why.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`].
    pub fn refused(&self) -> Result<(), Stop> {
        self.ended_with(&[1, 2, 3, 4, 5, 6])
    }
}

fn short(text: &str) -> &str {
    text.char_indices().nth(600).map_or(text, |(end, _)| &text[..end])
}

/// A command that runs.
pub struct Running {
    asked: String,
    child: Child,
    since: Instant,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

impl Person {
    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it hangs, [`Stop::Skipped`] when it cannot be started.
    pub async fn run(&self, args: &[&str]) -> Result<Said, Stop> {
        self.run_with(args, b"").await
    }

    /// [`run`](Self::run) with something on stdin.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_with(&self, args: &[&str], stdin: &[u8]) -> Result<Said, Stop> {
        self.start(args, stdin).await?.end().await
    }

    /// Starts a command.
    ///
    /// # Errors
    ///
    /// [`Stop::Skipped`] when it cannot be started.
    pub async fn start(&self, args: &[&str], stdin: &[u8]) -> Result<Running, Stop> {
        let (program, before) =
            self.subject.command.split_first().ok_or_else(|| Stop::skipped("no client was named"))?;
        let mut child = Command::new(program)
            .args(before)
            .arg("--profile")
            .arg(&self.profile)
            .args(args)
            .env("SUSURRO_PASSWORD", &self.password)
            .env("SUSURRO_PASSPHRASE", &self.passphrase)
            .env("SUSURRO_LANG", "en")
            .env_remove("SUSURRO_PROFILE")
            .env_remove("SUSURRO_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Stop::skipped(format!("{} cannot be started: {error}", program.display())))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that refuses early closes its input: that is no fault.
            let _ = input.write_all(stdin).await;
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Running {
            asked: args.join(" "),
            child,
            since: Instant::now(),
            stdout: tokio::spawn(drain(stdout)),
            stderr: tokio::spawn(drain(stderr)),
        })
    }
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it hangs.
    pub async fn end(mut self) -> Result<Said, Stop> {
        match timeout(DEADLINE, self.child.wait()).await {
            Ok(Ok(status)) => self.said(status).await,
            Ok(Err(error)) => Err(Stop::failed("a command that can be waited for", error.to_string())),
            Err(_) => {
                let _ = self.child.kill().await;
                Err(Stop::failed(format!("`{}` ends", self.asked), format!("it hangs for {DEADLINE:?}")))
            }
        }
    }

    /// `kill -9`, at once; what it had said.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it cannot be killed.
    pub async fn kill(mut self) -> Result<Said, Stop> {
        let _ = self.child.start_kill();
        let status = self.child.wait().await;
        let status = status.map_err(|error| Stop::failed("a command that can be killed", error.to_string()))?;
        self.said(status).await
    }

    async fn said(self, status: ExitStatus) -> Result<Said, Stop> {
        let text = |bytes: Result<Vec<u8>, _>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        Ok(Said {
            asked: self.asked,
            code: status.code(),
            stdout: text(self.stdout.await),
            stderr: text(self.stderr.await),
            took: self.since.elapsed(),
        })
    }
}

async fn drain(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is what was said.
        let _ = pipe.read_to_end(&mut bytes).await;
    }
    bytes
}
