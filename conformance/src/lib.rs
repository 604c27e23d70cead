//! Whole programs put to the test.
//!
//! What stands here starts the real `susurro-server` and the real `susurro` as processes, puts a
//! recording wire between them, and searches every byte for what nobody but the two people may
//! ever see. The tests of this crate hold the programs to what the README promises.

pub mod binaries;
pub mod clients;
pub mod command;
pub mod list;
pub mod relay;
pub mod relays;
pub mod search;
pub mod suite;
pub mod terminal;
pub mod vectors;
pub mod wire;
