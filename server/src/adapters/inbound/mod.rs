//! Adapters that call the relay: the two doors, and what both need.

mod bearer;
pub mod http;
pub mod listen;
mod problem;
pub mod ws;
