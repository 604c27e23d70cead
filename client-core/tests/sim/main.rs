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

mod announcements;
mod attachments;
mod attacks;
mod dice;
mod faults;
mod forger;
mod histories;
mod network;
mod people;
mod prekeys;
mod presence;
mod promise;
mod relay;
mod rules;
mod solo;
mod store;
mod trust;
mod whispers;
mod world;
