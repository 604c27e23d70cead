//! Adapters that call the relay: the two doors, and what both need.

mod address;
mod bearer;
pub mod cors;
pub mod http;
pub mod listen;
mod patient;
mod places;
mod problem;
pub mod serve;
pub mod watch;
pub mod ws;
