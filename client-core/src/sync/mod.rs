//! The sync engine: a machine without input or output.
//!
//! It takes [`Input`]s with the time of day and gives a [`Step`]: one transaction to be made
//! durable, then effects to be performed in order. It holds no clock, socket, thread or store,
//! which is what makes loss, delay, duplication and crashes testable in a simulated world.

mod announcements;
mod backoff;
mod connect;
mod draft;
mod engine;
mod inbox;
mod jobs;
mod order;
mod outbox;
mod people;
mod prekeys;
mod presence;
mod receipts;
mod repair;
mod tokens;
mod trust;
pub mod types;
mod uploads;
mod whispers;

pub use engine::Engine;
pub use trust::{
    NOTE_DEVICE_LIST_REFUSED, NOTE_KEY_ACCEPTED, NOTE_KEY_CHANGED, NOTE_KEY_CHANGED_AFTER_VERIFICATION,
    NOTE_KEY_RESTORED, NOTE_KEY_VERIFIED,
};
pub use types::{
    Answer, Command, ConnectFailure, Effect, EngineError, Input, Refused, Request, RequestFailure, RequestId, SocketId,
    Step, Token,
};
