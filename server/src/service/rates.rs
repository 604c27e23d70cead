//! Counting over all nodes, and over this one when they do not reach each other.

use std::sync::Arc;

use crate::domain::rate::{Allowance, PerMinute};
use crate::ports::{Answer, Asker, Rates};

/// Counters that are shared as long as that works.
pub struct SharedRates {
    /// Of all nodes.
    pub shared: Arc<dyn Rates>,
    /// Of this node.
    pub local: Arc<dyn Rates>,
}

impl Rates for SharedRates {
    fn take(&self, asker: Asker, rate: PerMinute, now: u64) -> Answer<'_, Allowance> {
        Box::pin(async move {
            match self.shared.take(asker, rate, now).await {
                Ok(allowance) => Ok(allowance),
                // Whoever counts has said so in the log. Nobody is locked out, and nobody let in without count.
                Err(_) => self.local.take(asker, rate, now).await,
            }
        })
    }
}
