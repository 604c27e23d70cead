//! How often somebody may ask: token buckets, bounded in number.

use std::collections::HashMap;
use std::hash::Hash;

/// How many may come in one minute, all at once or spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerMinute(pub u32);

/// What a request costs and leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in a minute.
    pub limit: u32,
    /// Requests that are left now.
    pub remaining: u32,
    /// Seconds until all of them are back, rounded up.
    pub reset: u64,
    /// Seconds until the next one, when this one was refused.
    pub retry_after: Option<u64>,
}

/// Milliseconds in which an empty bucket fills up.
const WINDOW_MS: u64 = 60_000;

/// Buckets of many askers. An asker that comes when there is no room takes the place of the one
/// with the most left, which loses least by being forgotten.
pub struct Buckets<K> {
    rate: PerMinute,
    most: usize,
    buckets: HashMap<K, Bucket>,
}

/// Thousandths of a request per millisecond would round: a level counts in units of
/// 1 / `WINDOW_MS` request, of which `rate` come back each millisecond.
#[derive(Clone, Copy)]
struct Bucket {
    level: u64,
    at: u64,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    /// Empty, for at most `most` askers.
    #[must_use]
    pub fn new(rate: PerMinute, most: usize) -> Self {
        Self { rate, most: most.max(1), buckets: HashMap::new() }
    }

    /// Counts one request of `asker` at `now` (milliseconds).
    pub fn take(&mut self, asker: K, now: u64) -> Allowance {
        let (rate, full) = (u64::from(self.rate.0), u64::from(self.rate.0) * WINDOW_MS);
        if !self.buckets.contains_key(&asker) && self.buckets.len() >= self.most {
            self.make_room(now);
        }
        let bucket = self.buckets.entry(asker).or_insert(Bucket { level: full, at: now });
        bucket.level = level(bucket, rate, now);
        bucket.at = now;
        let granted = bucket.level >= WINDOW_MS;
        if granted {
            bucket.level -= WINDOW_MS;
        }
        let wait_ms = |units: u64| units.div_ceil(rate.max(1));
        Allowance {
            limit: self.rate.0,
            remaining: u32::try_from(bucket.level / WINDOW_MS).unwrap_or(u32::MAX),
            reset: wait_ms(full - bucket.level).div_ceil(1000),
            retry_after: (!granted).then(|| wait_ms(WINDOW_MS - bucket.level).div_ceil(1000).max(1)),
        }
    }

    fn make_room(&mut self, now: u64) {
        let (rate, full) = (u64::from(self.rate.0), u64::from(self.rate.0) * WINDOW_MS);
        self.buckets.retain(|_, bucket| level(bucket, rate, now) < full);
        if self.buckets.len() < self.most {
            return;
        }
        // Half at once, so that a flood of new askers does not scan everything for each of them.
        let mut levels: Vec<u64> = self.buckets.values().map(|bucket| level(bucket, rate, now)).collect();
        let middle = levels.len() / 2;
        let (_, median, _) = levels.select_nth_unstable(middle);
        let median = *median;
        let mut excess = self.buckets.len() - middle;
        self.buckets.retain(|_, bucket| {
            let goes = excess > 0 && level(bucket, rate, now) >= median;
            excess -= usize::from(goes);
            !goes
        });
    }
}

fn level(bucket: &Bucket, rate: u64, now: u64) -> u64 {
    let gained = now.saturating_sub(bucket.at).min(WINDOW_MS) * rate;
    (bucket.level + gained).min(rate * WINDOW_MS)
}

/// How much one device may bring in a minute, all at once or spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages.
    pub messages: PerMinute,
    /// KiB of frames and bodies.
    pub kib: PerMinute,
}

/// What a frame counts at least, so that the smallest cost something.
const LEAST_BYTES: u64 = 256;

/// What one device has left of its pace. It may take more at once than it has and waits for it afterwards: what came is
/// never refused for it, only what follows comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    messages: i64,
    bytes: i64,
    at: u64,
}

impl Pace {
    /// With nothing spent.
    #[must_use]
    pub fn fresh(&self, now: u64) -> Spent {
        Spent { messages: full(self.messages), bytes: full(self.kib).saturating_mul(1024), at: now }
    }

    /// Spends messages and bytes at `now` (milliseconds). Gives the milliseconds until the next may come; 0 for at once.
    pub fn spend(&self, spent: &mut Spent, messages: u64, bytes: u64, now: u64) -> u64 {
        let passed = signed(now.saturating_sub(spent.at).min(WINDOW_MS));
        spent.at = now;
        let kinds = [
            (&mut spent.messages, i64::from(self.messages.0), messages),
            (&mut spent.bytes, i64::from(self.kib.0).saturating_mul(1024), bytes.max(LEAST_BYTES)),
        ];
        let mut wait = 0;
        for (level, rate, cost) in kinds {
            let most = rate.saturating_mul(signed(WINDOW_MS));
            let gained = level.saturating_add(passed.saturating_mul(rate)).min(most);
            *level = gained.saturating_sub(signed(cost.saturating_mul(WINDOW_MS)));
            if *level < 0 {
                wait = wait.max(level.unsigned_abs().div_ceil(rate.max(1).unsigned_abs()));
            }
        }
        wait
    }

    /// Whether a device has everything back at `now`: it need not be remembered.
    #[must_use]
    pub fn is_fresh(&self, spent: &Spent, now: u64) -> bool {
        let passed = signed(now.saturating_sub(spent.at).min(WINDOW_MS));
        let back = |level: i64, rate: i64| {
            level.saturating_add(passed.saturating_mul(rate)) >= rate.saturating_mul(signed(WINDOW_MS))
        };
        back(spent.messages, i64::from(self.messages.0))
            && back(spent.bytes, i64::from(self.kib.0).saturating_mul(1024))
    }
}

fn full(rate: PerMinute) -> i64 {
    i64::from(rate.0).saturating_mul(signed(WINDOW_MS))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_granted_then_one_at_a_time_as_the_bucket_fills() {
        let mut buckets = Buckets::new(PerMinute(20), 10);
        for left in (0..20).rev() {
            let allowance = buckets.take(1, 0);
            assert_eq!((allowance.remaining, allowance.retry_after), (left, None));
        }
        assert_eq!(buckets.take(1, 0).retry_after, Some(3));
        assert_eq!(buckets.take(2, 0).retry_after, None, "others are not touched");
        assert_eq!(buckets.take(1, 2_999).retry_after, Some(1));
        assert_eq!(buckets.take(1, 3_000).retry_after, None);
        assert_eq!(buckets.take(1, 3_000).retry_after, Some(3));
    }

    #[test]
    fn a_flood_of_askers_is_bounded_and_does_not_free_the_exhausted() {
        let mut buckets = Buckets::new(PerMinute(2), 8);
        assert_eq!((buckets.take(0, 0).retry_after, buckets.take(0, 0).retry_after), (None, None));
        for asker in 1..1_000 {
            buckets.take(asker, 0);
            assert!(buckets.buckets.len() <= 8);
        }
        assert!(buckets.take(0, 0).retry_after.is_some());
    }

    #[test]
    fn a_clock_that_goes_back_grants_nothing() {
        let mut buckets = Buckets::new(PerMinute(1), 8);
        assert_eq!(buckets.take(0, 60_000).retry_after, None);
        assert!(buckets.take(0, 0).retry_after.is_some());
    }

    #[test]
    fn a_device_that_brings_too_much_waits_until_it_has_it_back() {
        let pace = Pace { messages: PerMinute(60), kib: PerMinute(60) };
        let mut spent = pace.fresh(0);
        for _ in 0..60 {
            assert_eq!(pace.spend(&mut spent, 1, 300, 0), 0);
        }
        assert_eq!(pace.spend(&mut spent, 1, 300, 0), 1_000, "one a second");
        assert_eq!(pace.spend(&mut spent, 0, 300, 1_000), 0, "what is no message is not held up by messages");
        // A frame that is larger than all that is left comes in, and the next waits for it.
        let mut spent = pace.fresh(0);
        assert_eq!(pace.spend(&mut spent, 1, 120 * 1024, 0), 60_000);
        assert!(!pace.is_fresh(&spent, 119_999));
        assert_eq!(pace.spend(&mut spent, 1, 1, 60_000), 250, "the smallest frame costs something");
        // Going back in time gives nothing.
        let mut spent = pace.fresh(60_000);
        assert_eq!(pace.spend(&mut spent, 61, 0, 0), 1_000);
    }

    #[test]
    fn a_device_that_has_everything_back_is_fresh() {
        let pace = Pace { messages: PerMinute(60), kib: PerMinute(60) };
        let mut spent = pace.fresh(0);
        assert!(pace.is_fresh(&spent, 0));
        pace.spend(&mut spent, 30, 0, 0);
        assert!(!pace.is_fresh(&spent, 29_999) && pace.is_fresh(&spent, 30_000));
    }
}
