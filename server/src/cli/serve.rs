//! `susurro-server serve`.

use serde_json::json;

use super::exit::{Exit, Failure};
use super::flags::AllFlags;
use super::output::Output;
use crate::compose;
use crate::config::Config;

#[derive(clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    flags: AllFlags,
}

pub(super) fn run(command: Serve, output: Output) -> Result<(), Failure> {
    let config = command.flags.start()?;
    super::block_on(serve(config, output))
}

async fn serve(config: Config, output: Output) -> Result<(), Failure> {
    // Listened to before anything is said: whoever reads the line may stop the relay at once.
    let stop = stop_signal().map_err(|error| Failure::new(Exit::Failed, error))?;
    let relay = compose::start(config).await?;
    let url = relay.url();
    if let Err(failure) = output.say(&json!({ "listening": url }), format_args!("listening on {url}")) {
        // Nobody reads the line; the relay works all the same.
        tracing::warn!(error = failure.message, "cannot write to stdout");
    }
    stop.await;
    if relay.shutdown().await {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "the relay did not end in time; what it had called stored is stored"))
}

#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
