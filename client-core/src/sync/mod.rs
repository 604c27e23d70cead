//! The sync engine: a machine without input or output.
//!
//! It takes [`Input`]s with the time of day and gives a [`Step`]: one transaction to be made
//! durable, then effects to be performed in order. It holds no clock, socket, thread or store,
//! which is what makes loss, delay, duplication and crashes testable in a simulated world.

mod types;

pub use types::{
    Answer, Command, ConnectFailure, Effect, EngineError, Input, Refused, Request, RequestFailure, RequestId, SocketId,
    Step, Token,
};
