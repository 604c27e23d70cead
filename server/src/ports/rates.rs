//! How often somebody may ask.

use super::Answer;
use crate::domain::rate::{Allowance, PerMinute};

/// Counters of requests, shared by all nodes of a relay as far as they reach each other.
pub trait Rates: Send + Sync {
    /// Counts one request of an asker, of whom `rate` are allowed, at `now` in milliseconds since 1970.
    fn take(&self, asker: Asker, rate: PerMinute, now: u64) -> Answer<'_, Allowance>;
}

/// Who asks, for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asker {
    /// What is counted together.
    pub counted: Counted,
    /// The account, or the address as IPv6.
    pub who: [u8; 16],
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Attempts to come in, of an address.
    Auth,
    /// What an address asks without a token.
    Address,
    /// What an account asks.
    Account,
    /// Its searches.
    Search,
}
