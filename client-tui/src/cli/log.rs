//! Logs: off, unless `SUSURRO_LOG` names what to log (`debug`, `susurro_client_core=trace`).
//! They go to stderr, or to the file that `SUSURRO_LOG_FILE` names.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::Mutex;

use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::failure::Failure;

const FILTER: &str = "SUSURRO_LOG";
const FILE: &str = "SUSURRO_LOG_FILE";

/// Starts logging, if it is wanted. On a full screen it needs a file.
pub(crate) fn start(full_screen: bool) -> Result<(), Failure> {
    let Some(wanted) = std::env::var_os(FILTER).filter(|wanted| !wanted.is_empty()) else { return Ok(()) };
    let wanted = wanted.into_string().map_err(|_| Failure::VariableNotText(FILTER))?;
    let filter = EnvFilter::try_new(&wanted).map_err(|error| Failure::Log(error.to_string()))?;
    // Libraries below may log headers, statements and pragmas, with tokens and keys in them.
    let ours = filter_fn(|record| record.target().starts_with("susurro"));
    match std::env::var_os(FILE) {
        Some(path) => {
            let file = open(path.as_ref()).map_err(|error| Failure::Log(error.to_string()))?;
            let layer = fmt::layer().with_ansi(false).with_writer(Mutex::new(file)).with_filter(ours);
            let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
        }
        None if full_screen => return Err(Failure::Log(format!("on a full screen, {FILE} has to name a file"))),
        None => {
            let layer = fmt::layer().with_ansi(false).with_writer(io::stderr).with_filter(ours);
            let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
        }
    }
    Ok(())
}

#[cfg(unix)]
fn open(path: &std::path::Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn open(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
