//! A server that speaks the protocol of S3, and is not ours; it keeps objects in memory.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::supervised::Supervised;
use crate::python;
use crate::step::{Failure, Outcome};

/// From the folder of the workspace.
const REQUIREMENTS: &str = "server/tests/s3/requirements.txt";

/// What the server writes before its address.
const SAYS: &str = "Running on ";

/// A signature of somebody, which the server does not verify.
const ANYBODY: &str =
    "AWS4-HMAC-SHA256 Credential=anybody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// A server of objects on this machine, ended when it is dropped.
pub struct Objects {
    supervised: Supervised,
    address: String,
}

impl Objects {
    /// Starts an empty server on a port that it chooses.
    ///
    /// # Errors
    ///
    /// A line that says what is missing, or what the server said.
    pub fn start() -> Outcome<Self> {
        let mut objects = Self { supervised: Supervised::new("objects", "TERM")?, address: String::new() };
        objects.start_at("0")?;
        Ok(objects)
    }

    fn start_at(&mut self, port: &str) -> Outcome {
        let python = python::ensure_venv(&[REQUIREMENTS])?.display().to_string();
        let command = ["env", "NO_COLOR=1", &python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port];
        let log = self.supervised.directory().join("log");
        // What an earlier run has said is not what this one says.
        let _ = fs::remove_file(&log);
        let said = || fs::read_to_string(&log).unwrap_or_default().lines().find_map(address_in);
        self.supervised.start(&command.map(str::to_owned), |_| said().is_some())?;
        self.address = said().unwrap_or_default();
        Ok(())
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes an empty bucket.
    ///
    /// # Errors
    ///
    /// What the server answered.
    pub fn make_bucket(&self, name: &str) -> Outcome {
        self.ask("PUT", name).map(drop)
    }

    /// The names of all objects of a bucket, of which there are at most a thousand.
    ///
    /// # Errors
    ///
    /// What the server answered.
    pub fn list(&self, bucket: &str) -> Outcome<Vec<String>> {
        let list = self.ask("GET", bucket)?;
        let keys = list.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        Ok(keys.map(str::to_owned).collect())
    }

    /// The bytes of an object.
    ///
    /// # Errors
    ///
    /// What the server answered.
    pub fn read(&self, bucket: &str, name: &str) -> Outcome<Vec<u8>> {
        self.request("GET", &format!("{bucket}/{name}"))
    }

    /// Ends the server with `SIGKILL`; what it held is gone.
    ///
    /// # Errors
    ///
    /// When it was not running.
    pub fn kill(&mut self) -> Outcome {
        self.supervised.kill()
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn restart(&mut self) -> Outcome {
        let port = self.address.rsplit(':').next().unwrap_or_default().to_owned();
        self.start_at(&port)
    }

    fn ask(&self, method: &str, path: &str) -> Outcome<String> {
        self.request(method, path).map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    /// One request over HTTP/1.0: the server ends its answer by closing the connection.
    fn request(&self, method: &str, path: &str) -> Outcome<Vec<u8>> {
        let mut answer = Vec::new();
        let asked = TcpStream::connect(&self.address).and_then(|mut stream| {
            write!(stream, "{method} /{path} HTTP/1.0\r\nhost: {}\r\nauthorization: {ANYBODY}\r\n", self.address)?;
            write!(stream, "content-length: 0\r\n\r\n")?;
            stream.read_to_end(&mut answer)
        });
        let failed = |why: String| Failure(format!("{method} {path} at the server of objects: {why}"));
        asked.map_err(|why| failed(why.to_string()))?;
        let head = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(answer.len());
        let status = String::from_utf8_lossy(&answer[..head]).lines().next().unwrap_or_default().to_owned();
        if !status.contains(" 200 ") {
            return Err(failed(status));
        }
        Ok(answer.split_off((head + 4).min(answer.len())))
    }
}

/// The address in a line of the server's log.
fn address_in(line: &str) -> Option<String> {
    let (_, url) = line.split_once(SAYS)?;
    Some(url.trim().strip_prefix("http://")?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_server_keeps_buckets_until_it_is_killed_and_comes_back_empty_at_its_port() {
        let mut objects = Objects::start().unwrap();
        let url = objects.url();
        objects.make_bucket("some").unwrap();
        assert_eq!(objects.list("some").unwrap(), [""; 0]);
        assert!(objects.list("other").is_err());
        objects.kill().unwrap();
        assert!(objects.list("some").is_err());
        objects.restart().unwrap();
        assert_eq!(objects.url(), url);
        assert!(objects.list("some").is_err(), "what it held is gone");
    }
}
