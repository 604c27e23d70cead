//! `cargo xtask bench relay`: the relay next to servers that do less, in one run on one machine.
//!
//! The load generator speaks the real protocol with real signatures and tags and checks every
//! answer; what it uses of the processor is shown apart. Nothing of this is shipped.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "figures for people; counts stay far below the limits"
)]

pub mod backlog;
pub mod bare;
pub mod chance;
pub mod failed;
pub mod idle;
pub mod load;
pub mod people;
pub mod plot;
pub mod process;
pub mod report;
pub mod run;
pub mod socket;
pub mod target;
pub mod voice;
