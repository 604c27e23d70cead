//! From the commit to the connections that wait.

use std::sync::Arc;

use crate::domain::message::{self, Waiting};
use crate::ports::{Bus, Commits};

/// Hands committed messages to the bus.
pub struct Fanout(pub Arc<dyn Bus>);

impl Commits for Fanout {
    fn committed(&self, messages: Vec<Waiting>) {
        for message in &messages {
            seen("stored", message);
        }
        self.0.deliver(messages);
    }
}

/// Says what the relay can see of a message, for whoever wants to convince themselves: a mailbox,
/// a position, a size and the beginning of a ciphertext.
pub(super) fn seen(event: &'static str, waiting: &Waiting) {
    if !tracing::enabled!(target: "susurro_server::seen", tracing::Level::TRACE) {
        return;
    }
    tracing::trace!(
        target: "susurro_server::seen",
        event,
        mailbox = message::short(&waiting.mailbox),
        seq = waiting.seq,
        bytes = waiting.ciphertext.len(),
        head = message::head(&waiting.ciphertext),
    );
}
