//! The sync engine in a simulated world, and each of its rules by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod dice;
mod histories;
mod people;
mod relay;
mod store;
mod world;
