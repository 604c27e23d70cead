//! `save`: the file of a message becomes a file here.

use std::path::{Path, PathBuf};

use susurro_client_core::Error;
use susurro_protocol::MessageId;

use super::args::Save;
use super::context::Context;
use super::failure::Failure;
use super::output::Data;

pub(crate) fn run(context: &Context, options: &Save) -> Result<(), Failure> {
    let message: MessageId = options.message.parse().map_err(|_| Error::UnknownMessage)?;
    let (to, patience) = (options.path.clone().unwrap_or_else(|| PathBuf::from(".")), options.timeout.0);
    context.with_client(|client| async move {
        client.go_online();
        let path = client.save(message, &to, patience).await?;
        Data::stdout().line(&shown(&path))?;
        // The file is here; that its sender does not hear of it yet, waits in the outbox.
        if let Err(error) = client.synced(patience).await {
            tracing::debug!(%error, "nothing more was sent");
        }
        Ok(())
    })
}

/// The path as it is: what reads it, opens it. A name from others has nothing in it that a terminal would take for
/// more than a name.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
