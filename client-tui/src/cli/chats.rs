//! `chats`.

use super::args::Chats;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Data;
use super::plain::Plain;

pub(crate) fn run(context: &Context, options: &Chats) -> Result<(), Failure> {
    let chats = context.with_client(|client| async move { Ok(client.chats().await?) })?;
    let mut data = Data::stdout();
    if options.json {
        for chat in &chats {
            data.line(&json::chat(chat))?;
        }
        Ok(())
    } else {
        data.text(&Plain::new(&context.texts).chats(&chats))
    }
}
