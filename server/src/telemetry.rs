//! Logs: on stderr, structured, without names, addresses or tokens.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, its fields at the top.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// How much of the relay's own work: a level.
    pub level: String,
    /// A level or directives, in place of `level`.
    pub filter: Option<String>,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for Logs {
    fn default() -> Self {
        Self { level: "info".to_owned(), filter: None, format: LogFormat::Text }
    }
}

/// A level, if the text is one.
///
/// # Errors
///
/// What it should be.
pub fn check_level(text: &str) -> Result<String, String> {
    let level = text.trim().to_ascii_lowercase();
    let known = ["off", "error", "warn", "info", "debug", "trace"].contains(&level.as_str());
    if known { Ok(level) } else { Err("give off, error, warn, info, debug or trace".to_owned()) }
}

/// A filter, if the text is one.
///
/// # Errors
///
/// What it should be.
pub fn check_filter(text: &str) -> Result<String, String> {
    let read = EnvFilter::try_new(text);
    read.map(|_| text.to_owned()).map_err(|_| BadFilter.to_string())
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("give a level such as info, or directives such as susurro_server=debug,warn")]
pub struct BadFilter;

/// Sends the logs of this process to stderr.
///
/// A bare level is that of the relay's own code; libraries then log warnings only,
/// since some of them write whole frames at their lowest levels.
///
/// # Errors
///
/// [`BadFilter`].
pub fn start(logs: &Logs) -> Result<(), BadFilter> {
    let filter = logs.filter.as_deref().unwrap_or(&logs.level);
    let is_level = filter.parse::<tracing::level_filters::LevelFilter>().is_ok();
    let directives = if is_level { format!("warn,susurro_server={filter}") } else { filter.to_owned() };
    let filter = EnvFilter::try_new(directives).map_err(|_| BadFilter)?;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match logs.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Libraries show whole requests, headers and statements at their lower levels: names, tokens and
    // addresses. Those levels are for the relay's own code, whatever the filter says.
    let bounded = filter_fn(|about| about.target().starts_with("susurro") || *about.level() <= Level::INFO);
    // Set directly, without the bridge from the `log` crate: what libraries log there is not for us.
    // A second relay in one process keeps the first one's log.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(filter).with(bounded).with(lines));
    Ok(())
}
