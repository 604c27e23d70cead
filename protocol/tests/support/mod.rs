//! What the tests of this folder share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part, the fuzz targets too")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(test)]
pub mod abnf;
#[cfg(test)]
pub mod cddl;
pub mod decoders;
pub mod people;
pub mod samples;
