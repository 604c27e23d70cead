//! Logs: on stderr, structured, without names, addresses or tokens.

use std::io::IsTerminal as _;

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

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log filter is malformed: {0}; give a level such as info, or directives such as susurro_server=debug")]
pub struct BadFilter(String);

/// Sends the logs of this process to stderr.
///
/// A bare level in `filter` is that of the relay's own code; libraries then log warnings only,
/// since some of them write whole frames at their lowest levels.
///
/// # Errors
///
/// [`BadFilter`].
pub fn start(filter: &str, format: LogFormat) -> Result<(), BadFilter> {
    let is_level = filter.parse::<tracing::level_filters::LevelFilter>().is_ok();
    let directives = if is_level { format!("warn,susurro_server={filter}") } else { filter.to_owned() };
    let filter = EnvFilter::try_new(directives).map_err(|why| BadFilter(why.to_string()))?;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Set directly, without the bridge from the `log` crate: what libraries log there is not for us.
    // A second relay in one process keeps the first one's log.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(filter).with(lines));
    Ok(())
}
