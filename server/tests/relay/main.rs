//! A real relay, real sockets, and a small client that can also behave badly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed test may stop anywhere"
)]

mod accounts;
mod administration;
mod announcements;
mod browser;
mod bucket;
mod check;
mod devices;
mod keys;
mod limits;
mod matrix;
mod messages;
mod nodes;
mod openapi;
mod presence;
mod program;
mod recovery;
mod seen;
mod sockets;
mod stolen;
mod storage;
mod support;
mod tls;
mod watching;
