//! `susurro-server check`: whether everything around a relay is as it should be, with a word on what to do.

mod clock;
mod local;
mod remote;

use std::path::PathBuf;

use serde::Serialize;

use crate::config::Config;

/// What is looked at besides what the configuration names.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The relay as clients reach it, through whatever stands in front of it.
    pub url: Option<String>,
    /// Certificates of a private authority, as PEM.
    pub ca: Option<PathBuf>,
    /// A time server: host and port.
    pub time_server: Option<String>,
}

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Works, but not for long or not well.
    Warn,
    /// Does not work.
    Fail,
    /// Not looked at, because nothing asks for it.
    Skip,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it was found.
    pub outcome: Outcome,
    /// What was found; no secret.
    pub found: String,
    /// What to do about it, if something.
    pub todo: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Ok, found: found.into(), todo: None }
    }

    fn skip(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Skip, found: found.into(), todo: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Warn, found: found.into(), todo: Some(todo.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Fail, found: found.into(), todo: Some(todo.into()) }
    }
}

/// Looks at everything, one after the other; what is broken holds up nothing else.
pub async fn all(config: &Config, asked: &Asked) -> Vec<Finding> {
    let mut findings = vec![
        local::settings(config),
        local::secrets(config),
        local::disk(config),
        local::certificate(config),
        local::database(config).await,
        local::redis(config).await,
        local::blobs(config).await,
    ];
    let reached = match &asked.url {
        Some(url) => remote::all(url, asked.ca.as_deref(), &mut findings).await,
        None => {
            for check in ["tls", "relay", "websocket"] {
                findings.push(Finding::skip(check, "give --url to look at the relay as clients reach it"));
            }
            None
        }
    };
    findings.push(clock::clock(asked.time_server.as_deref(), reached).await);
    findings
}
