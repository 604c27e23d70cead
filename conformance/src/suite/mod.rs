//! What every suite shares: requirements, checks, how they are run, and how findings are told.

pub mod check;
pub mod files;
pub mod report;
pub mod requirement;
pub mod run;

pub use check::{About, Check, Outcome, Stop};
pub use report::{Finding, Reporter};
pub use requirement::{Level, Requirement, requirements};
pub use run::{Ending, Options, Plan};
