//! `susurro` as a process, from a shell's side.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::binaries;

/// How long one command may take before it counts as hanging.
const DEADLINE: Duration = Duration::from_secs(120);

/// A command that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program is missing.
    #[error(transparent)]
    NotBuilt(#[from] binaries::NotBuilt),
    /// The operating system refused.
    #[error("the client's process: {0}")]
    Io(#[from] std::io::Error),
    /// It did not end.
    #[error("`susurro {0}` hangs")]
    Hangs(String),
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Said {
    /// The lines of stdout, each read as JSON.
    #[must_use]
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// A person with a profile.
#[derive(Debug, Clone)]
pub struct Person {
    /// The profile's folder.
    pub profile: PathBuf,
    /// Password at the relay.
    pub password: String,
    /// Passphrase of the local store.
    pub passphrase: String,
    /// Further variables of the environment.
    pub variables: Vec<(String, OsString)>,
}

impl Person {
    /// Somebody with a profile in `folder` and secrets that are found again wherever they leak to.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        Self {
            profile: folder.join(name),
            password: format!("password-of-{name}-9d1f"),
            passphrase: format!("passphrase-of-{name}-3c7a"),
            variables: Vec::new(),
        }
    }

    /// The same person with a variable of the environment; of several with one name, the last counts.
    #[must_use]
    pub fn with(mut self, variable: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((variable.to_owned(), value.into()));
        self
    }

    /// Runs `susurro --profile … ARGS`.
    ///
    /// # Errors
    ///
    /// [`CommandError`] when it cannot be run or hangs.
    pub fn run(&self, args: &[&str]) -> Result<Said, CommandError> {
        self.run_with(args, b"")
    }

    /// [`run`](Self::run) with something on stdin.
    ///
    /// # Errors
    ///
    /// [`CommandError`] when it cannot be run or hangs.
    pub fn run_with(&self, args: &[&str], stdin: &[u8]) -> Result<Said, CommandError> {
        let mut child = Command::new(binaries::client()?)
            .arg("--profile")
            .arg(&self.profile)
            .args(args)
            .env("SUSURRO_PASSWORD", &self.password)
            .env("SUSURRO_PASSPHRASE", &self.passphrase)
            .env("SUSURRO_LANG", "en")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let id = child.id();
        let input = child.stdin.take();
        let stdin = stdin.to_vec();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            // A program that refuses early closes its input: that is no fault of the writer.
            let _ = input.map(|mut input| input.write_all(&stdin));
            let _ = tell.send(child.wait_with_output());
        });
        match told.recv_timeout(DEADLINE) {
            Ok(output) => {
                let output = output?;
                Ok(Said {
                    code: output.status.code(),
                    stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                    stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                })
            }
            Err(_) => {
                Command::new("kill").args(["-KILL", &id.to_string()]).status()?;
                Err(CommandError::Hangs(args.join(" ")))
            }
        }
    }
}
