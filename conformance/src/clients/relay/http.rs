//! HTTP/1.1 by hand: a scripted relay has to be able to break each byte of it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::Problem;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest head of a request that is read.
const HEAD_MAX: usize = 64 * 1024;

/// The longest body that is read: more than any relay takes.
const BODY_MAX: usize = 8 * 1024 * 1024;

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST` …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Behind the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// All bytes of it, head included.
    pub raw: Vec<u8>,
}

impl Asked {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The token behind `Bearer`.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// `POST /keys/claim`.
    #[must_use]
    pub fn is(&self, route: &str) -> bool {
        route.split_once(' ').is_some_and(|(method, path)| self.method == method && self.path == path)
    }

    /// `GET /users/bob/devices` as `GET /users/…/devices`, to tell steps apart by their names.
    #[must_use]
    pub fn route(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// 400 `invalid-request`, for a client that sends anything else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        serde_json::from_slice(&self.body).map_err(|_| Reply::problem(400, ErrorCode::InvalidRequest))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Beside length and connection.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Any body of any type.
    #[must_use]
    pub fn of(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: body.into() }
    }

    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        // What a relay answers are structures of the protocol, which JSON can always hold.
        Self::of(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
    }

    /// A refusal.
    #[must_use]
    pub fn problem(status: u16, code: ErrorCode) -> Self {
        let problem = Problem {
            kind: format!("urn:susurro:error:{}", code.slug()),
            title: code.text().to_owned(),
            status,
            code,
            detail: None,
            stale: Vec::new(),
            missing: Vec::new(),
            extra: Vec::new(),
        };
        Self::of(status, "application/problem+json", serde_json::to_vec(&problem).unwrap_or_default())
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Changes the body, when it is of this type.
    #[must_use]
    pub fn edit<T: DeserializeOwned + Serialize>(mut self, change: impl FnOnce(&mut T)) -> Self {
        if let Ok(mut value) = serde_json::from_slice::<T>(&self.body) {
            change(&mut value);
            self.body = serde_json::to_vec(&value).unwrap_or_default();
        }
        self
    }

    /// The bytes on the wire; the connection ends behind them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} X\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            out.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        out.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len()).into_bytes());
        out.extend(&self.body);
        out
    }
}

/// Reads one request; `None` when the other side went away or speaks something else.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut raw = Vec::new();
    let head = loop {
        if let Some(end) = memchr::memmem::find(&raw, b"\r\n\r\n") {
            break end + 4;
        }
        if raw.len() > HEAD_MAX || stream.read_buf(&mut raw).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&raw[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    while raw.len() < head + length.min(BODY_MAX) {
        if stream.read_buf(&mut raw).await.ok()? == 0 {
            return None;
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Asked { method, path: path.to_owned(), query: query.to_owned(), headers, body: raw[head..].to_vec(), raw })
}
