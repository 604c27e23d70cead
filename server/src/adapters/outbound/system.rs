//! The system's clock and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Error;
use crate::ports::{Clock, Entropy};

/// The clock on the wall.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The operating system's generator.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|why| Error::Internal(format!("no randomness: {why}")))
    }
}
