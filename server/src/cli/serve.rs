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
    let mut hangup = Hangup::new().map_err(|error| Failure::new(Exit::Failed, error))?;
    let stop = stop_signal().map_err(|error| Failure::new(Exit::Failed, error))?;
    let relay = compose::start(config).await?;
    let url = relay.url();
    let metrics = relay.metrics_addr.map(|addr| format!("http://{addr}/metrics"));
    let said = json!({ "listening": url, "metrics": metrics });
    if let Err(failure) = output.say(&said, format_args!("listening on {url}")) {
        // Nobody reads the line; the relay works all the same.
        tracing::warn!(error = failure.message, "cannot write to stdout");
    }
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = hangup.next() => relay.reload(),
        }
    }
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

/// SIGHUP: the operator has changed files and does not want to wait.
#[cfg(unix)]
struct Hangup(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangup {
    fn new() -> std::io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self)
    }

    async fn next(&mut self) {
        // `None` means that no further signal can come.
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
