//! `susurro-server healthcheck`: one question to `/readyz`, without another program in the image.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::exit::{Exit, Failure};

/// How long each step of asking may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the relay counts as not ready.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    /// The address is no plain HTTP one.
    #[error("the address {0} cannot be asked; give http://HOST:PORT as seen from this machine")]
    Url(String),
    /// Nobody answers.
    #[error("the relay does not answer: {0}")]
    Silent(#[from] std::io::Error),
    /// The relay answers something else than yes.
    #[error("the relay is not ready: {0}")]
    Answered(String),
}

#[derive(clap::Args)]
pub(super) struct Healthcheck {
    /// The relay, by plain HTTP.
    #[arg(long, env = "SUSURRO_HEALTHCHECK_URL", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

pub(super) fn run(command: &Healthcheck) -> Result<(), Failure> {
    ask(&command.url).map_err(|error| Failure::new(Exit::Failed, error))
}

/// Asks the relay at `url`.
fn ask(url: &str) -> Result<(), NotReady> {
    let malformed = || NotReady::Url(url.to_owned());
    let host = url.strip_prefix("http://").ok_or_else(malformed)?.trim_end_matches('/');
    let address = host.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(malformed)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(NotReady::Answered(status.to_owned())) }
}
