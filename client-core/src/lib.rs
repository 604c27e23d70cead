//! Everything a Susurro client needs but a face: identity, sessions, encrypted store, sync engine.
//!
//! Layers, each using only what stands to its right:
//! `client` (the facade) → `driver` → `store`, `transport`, `sync` → `crypto`, `model` → `susurro-protocol`.

pub mod client;
pub mod crypto;
pub mod doctor;
mod driver;
pub mod error;
pub mod model;
pub mod profile;
pub mod secret;
pub mod store;
pub mod sync;
pub mod transport;

pub use client::Client;
pub use error::{Error, Fault};
pub use secret::Secret;
