//! Asking a shim: a program around another implementation, a JSON object a line.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Bytes of the longest answer: ten times the longest vector. A shim that babbles ends here.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// Time for a shim to end after its last request.
const LEAVE: Duration = Duration::from_secs(5);

/// What an implementation has answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It is done, with this output.
    Done(Value),
    /// It is refused with this short name.
    Refused(String),
    /// The implementation has no such operation.
    Unsupported,
}

/// A shim that does not do what shims do.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The program is not there.
    #[error("it cannot be started: {0}")]
    NotStarted(std::io::Error),
    /// It is gone.
    #[error("it has ended without an answer")]
    Ended,
    /// It does not answer.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// What it writes is no answer.
    #[error("a line that is no answer ({why}): {line}")]
    Babble {
        /// The beginning of the line.
        line: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The pipe is broken.
    #[error("it cannot be spoken to: {0}")]
    Pipe(std::io::Error),
}

/// A running shim.
#[derive(Debug)]
pub struct Shim {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    deadline: Duration,
    asked: u64,
}

impl Shim {
    /// Starts the program; each of its answers has to come within `deadline`.
    ///
    /// # Errors
    ///
    /// [`Broken::NotStarted`].
    pub fn start(command: &[OsString], deadline: Duration) -> Result<Self, Broken> {
        let missing = || Broken::NotStarted(std::io::ErrorKind::NotFound.into());
        let (program, arguments) = command.split_first().ok_or_else(missing)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Broken::NotStarted)?;
        let requests = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        Ok(Self { child, requests, answers, deadline, asked: 0 })
    }

    /// Asks for one operation. After an error the shim is of no more use.
    ///
    /// # Errors
    ///
    /// [`Broken`] says what it does instead of answering.
    pub async fn ask(&mut self, op: &str, input: &Value) -> Result<Seen, Broken> {
        self.asked += 1;
        let mut request = json!({ "id": self.asked, "op": op, "input": input }).to_string();
        request.push('\n');
        let deadline = self.deadline;
        // A shim that writes without reading must not hold us up either: the deadline covers both.
        let line =
            timeout(deadline, self.exchange(request.as_bytes())).await.map_err(|_| Broken::Silent(deadline))??;
        read(&line, self.asked)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>, Broken> {
        match self.requests.write_all(request).await.and(self.requests.flush().await) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Err(Broken::Ended),
            Err(error) => return Err(Broken::Pipe(error)),
        }
        let mut line = Vec::new();
        (&mut self.answers).take(ANSWER_MAX).read_until(b'\n', &mut line).await.map_err(Broken::Pipe)?;
        if line.is_empty() { Err(Broken::Ended) } else { Ok(line) }
    }

    /// Says that there is nothing more, and waits for the end of the program.
    pub async fn leave(self) {
        let Self { mut child, requests, .. } = self;
        drop(requests);
        if timeout(LEAVE, child.wait()).await.is_err() {
            // It does not look at its input any more.
            let _ = child.kill().await;
        }
    }
}

fn read(line: &[u8], asked: u64) -> Result<Seen, Broken> {
    let babble = |why| {
        let start: String = String::from_utf8_lossy(line).chars().take(200).collect();
        Broken::Babble { line: start.escape_debug().to_string(), why }
    };
    if !line.ends_with(b"\n") {
        return Err(babble("cut off, or too long"));
    }
    let answer: Value = serde_json::from_slice(line).map_err(|_| babble("not JSON"))?;
    if answer.get("id").and_then(Value::as_u64) != Some(asked) {
        return Err(babble("not the id that was asked"));
    }
    match (answer.get("ok"), answer.get("error"), answer.get("unsupported")) {
        (Some(output), None, None) => Ok(Seen::Done(output.clone())),
        (None, Some(Value::String(name)), None) => Ok(Seen::Refused(name.clone())),
        (None, None, Some(Value::Bool(true))) => Ok(Seen::Unsupported),
        _ => Err(babble("not one of ok, error and unsupported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_answer_is_read_and_everything_else_is_babble() {
        let seen = |line: &str| read(line.as_bytes(), 7).map_err(|broken| broken.to_string());
        assert_eq!(seen("{\"id\":7,\"ok\":{\"a\":1}}\n"), Ok(Seen::Done(json!({ "a": 1 }))));
        assert_eq!(seen("{\"id\":7,\"error\":\"bad-tag\"}\n"), Ok(Seen::Refused("bad-tag".into())));
        assert_eq!(seen("{\"id\":7,\"unsupported\":true}\n"), Ok(Seen::Unsupported));
        for babble in [
            "{\"id\":7,\"ok\":{}}",
            "{\"id\":8,\"ok\":{}}\n",
            "{\"ok\":{}}\n",
            "{\"id\":7}\n",
            "{\"id\":7,\"ok\":{},\"error\":\"x\"}\n",
            "{\"id\":7,\"error\":5}\n",
            "{\"id\":7,\"unsupported\":false}\n",
            "Traceback (most recent call last):\n",
            "\n",
        ] {
            assert!(seen(babble).is_err(), "{babble}");
        }
    }
}
