//! `devices`: those of the account.

use susurro_tui::key;

use super::args::Devices;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Data;
use super::plain::Plain;

pub(crate) fn run(context: &Context, options: &Devices) -> Result<(), Failure> {
    let remove = options.remove;
    let devices = context.with_client(|client| async move {
        client.go_online();
        Ok(match remove {
            Some(device) => client.remove_device(device).await?,
            None => client.devices().await?,
        })
    })?;
    if remove.is_some() {
        context.say(key!("cli-device-removed"));
    }
    let mut data = Data::stdout();
    for device in &devices {
        let line = if options.json { json::device(device) } else { Plain::new(&context.texts).device(device) };
        data.line(&line)?;
    }
    Ok(())
}
