//! Everything a Susurro client needs but a face: identity, sessions, encrypted store, sync engine.
//!
//! Layers, each using only what stands to its right:
//! `client` (the facade) → `driver` → `store`, `transport`, `sync` → `crypto`, `model` → `susurro-protocol`.

pub mod model;
pub mod store;
