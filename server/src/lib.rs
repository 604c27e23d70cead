//! The blind relay of Susurro: it authenticates, stores ciphertext and forwards it, and can read
//! none of it.
//!
//! A hexagon: `domain` holds the rules, `service` the use cases, `ports` what they need, `adapters`
//! what connects them with the world, and [`compose`] puts them together.

mod acme;
pub mod adapters;
pub mod check;
pub mod cli;
pub mod compose;
pub mod config;
pub mod domain;
pub mod metrics;
pub mod ports;
mod reload;
pub mod service;
pub mod shutdown;
pub mod telemetry;
