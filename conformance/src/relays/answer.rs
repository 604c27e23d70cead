//! Answers over HTTP, and what the document says of each error.

use std::collections::HashMap;
use std::sync::OnceLock;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use susurro_protocol::ErrorCode;

use crate::suite::requirement::DOCUMENT;
use crate::suite::{Outcome, Stop};

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A row of the table of errors in section 14.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its short name.
    pub(super) name: String,
    /// The code of a close frame.
    pub(super) close: u16,
    /// The HTTP status.
    pub(super) status: u16,
}

/// What the document says of an error.
pub(super) fn row(code: ErrorCode) -> Row {
    static ROWS: OnceLock<HashMap<u16, Row>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| {
        let rows = DOCUMENT.lines().filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let [number, name, close, status] = cells[..] else { return None };
            let name = name.strip_prefix('`')?.strip_suffix('`')?.to_owned();
            Some((number.parse().ok()?, Row { name, close: close.parse().ok()?, status: status.parse().ok()? }))
        });
        rows.collect()
    });
    rows.get(&code.number()).cloned().unwrap_or(Row { name: "other".to_owned(), close: 4999, status: 500 })
}

impl Answer {
    pub(super) async fn of(answer: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Self { status, headers, body: answer.bytes().await? })
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A header as a number.
    pub(super) fn number(&self, name: &str) -> Result<u64, Stop> {
        let value = self.header(name);
        value
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| Stop::failed(format!("{name}: a number"), format!("{value:?}")))
    }

    /// What came, for a report.
    pub(super) fn seen(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(300).collect();
        format!("{} {body}", self.status)
    }

    /// Passes with this status.
    pub(super) fn is(&self, status: u16) -> Outcome {
        if self.status == status { Ok(()) } else { Err(Stop::failed(format!("status {status}"), self.seen())) }
    }

    /// The body as JSON.
    pub(super) fn json(&self, status: u16) -> Result<Value, Stop> {
        self.read(status)
    }

    /// The body as the structure that the document names.
    pub(super) fn read<T: DeserializeOwned>(&self, status: u16) -> Result<T, Stop> {
        self.is(status)?;
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Err(Stop::failed("Content-Type: application/json", kind));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Stop::failed("the documented body", format!("{error}: {}", self.seen())))
    }

    /// Passes when it is the problem of this code, in every part that the document fixes; the problem itself.
    pub(super) fn problem(&self, code: ErrorCode) -> Result<Value, Stop> {
        let row = row(code);
        let expected = format!("{} {} ({})", row.status, row.name, code.number());
        let failed = |seen: String| Err(Stop::failed(expected.clone(), seen));
        if self.status != row.status {
            return failed(self.seen());
        }
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.starts_with("application/problem+json") {
            return failed(format!("Content-Type: {kind}"));
        }
        let Ok(problem) = serde_json::from_slice::<Value>(&self.body) else { return failed(self.seen()) };
        let fixed = [
            ("type", Value::from(format!("urn:susurro:error:{}", row.name))),
            ("title", code.text().into()),
            ("status", row.status.into()),
            ("code", code.number().into()),
        ];
        match fixed.iter().find(|(member, value)| problem[member] != *value) {
            Some((member, value)) => failed(format!("{member} is not {value}: {}", self.seen())),
            None => Ok(problem),
        }
    }

    /// Passes when it is the problem of this code.
    pub(super) fn refused(&self, code: ErrorCode) -> Outcome {
        self.problem(code).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_row() {
        for code in ErrorCode::ALL {
            let row = row(*code);
            assert_eq!((row.name.as_str(), row.close), (code.slug(), code.close_code()), "{code:?}");
        }
        assert_eq!(row(ErrorCode::MailboxFull).status, 507);
    }
}
