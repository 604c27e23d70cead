//! `logout`.

use susurro_tui::key;

use super::context::Context;
use super::failure::Failure;

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    context.with_client(|client| async move { Ok(client.logout().await?) })?;
    context.say(key!("cli-logged-out"));
    Ok(())
}
