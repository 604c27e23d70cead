//! Waiting before another try: exponential, with jitter, so that clients which lost a relay
//! together do not come back together.

use rand_core::Rng;

/// The shortest wait in milliseconds: a relay that restarts is back after about that time.
pub(super) const SHORTEST: u64 = 500;
/// The longest wait in milliseconds: a person looks at the screen again after about a minute.
pub(super) const LONGEST: u64 = 60_000;

/// Milliseconds before try number `attempt` (from 0): random between [`SHORTEST`] and a bound
/// that starts at a second and doubles up to [`LONGEST`].
pub(super) fn delay(attempt: u32, rng: &mut (impl Rng + ?Sized)) -> u64 {
    let bound = (2 * SHORTEST).saturating_mul(1 << attempt.min(16)).min(LONGEST);
    SHORTEST + rng.next_u64() % (bound - SHORTEST + 1)
}

/// Whether a time has come. One so far ahead that no wait can have meant it was set before the
/// clock was put back, and has come too.
pub(super) fn is_due(at: u64, now: u64, longest: u64) -> bool {
    now >= at || at - now > longest
}
