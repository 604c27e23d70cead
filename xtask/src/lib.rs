//! What stands behind `cargo xtask`. It has no dependencies, so that it builds in a second on a
//! fresh machine and says what it is about to do before anything long begins.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the parts of a command-line program")]

pub mod bench;
pub mod check;
pub mod configuration;
pub mod corpus;
pub mod demo;
pub mod image;
pub mod layering;
pub mod links;
pub mod model;
pub mod openapi;
pub mod python;
pub mod services;
pub mod step;
pub mod summary;
pub mod system;
pub mod test;
pub mod vectors;
