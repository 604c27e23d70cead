//! What every suite shares: requirements, checks, and how findings are told.

pub mod check;
pub mod report;
pub mod requirement;

pub use check::{About, Check, Outcome, Stop};
pub use report::{Finding, Reporter};
pub use requirement::{Level, Requirement, requirements};
