//! Counters of one process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::rate::{Allowance, Buckets, PerMinute};
use crate::ports::{Answer, Asker, Counted, Rates};

/// Askers of each kind that are counted at once; each takes less than a hundred bytes.
const ASKERS_MAX: usize = 65_536;

/// The buckets of one kind at one rate.
type Kinds = HashMap<(Counted, u32), Buckets<[u8; 16]>>;

/// Counters in memory.
#[derive(Default)]
pub struct LocalRates {
    buckets: Mutex<Kinds>,
}

impl Rates for LocalRates {
    fn take(&self, asker: Asker, rate: PerMinute, now: u64) -> Answer<'_, Allowance> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = buckets.entry((asker.counted, rate.0)).or_insert_with(|| Buckets::new(rate, ASKERS_MAX));
        Box::pin(std::future::ready(Ok(of_kind.take(asker.who, now))))
    }
}
