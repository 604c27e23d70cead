//! Keys of messages that have not come yet (Double Ratchet, section 2.6).
//!
//! Keys skipped in one step form a run of consecutive numbers. A run is shared between copies of
//! the state and replaced when a key is taken from it, so that a copy costs a few pointers.

use std::sync::Arc;

use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::{ChainKey, KEPT_SECONDS, MessageKey};
use crate::crypto::secret::Secret;
use crate::crypto::state::{BadState, Reader, Writer};

/// The skipped keys of one receiving chain.
#[derive(Default)]
pub(crate) struct SkippedKeys {
    runs: Vec<Arc<Run>>,
    /// Some key below this number was deleted unused.
    lost_below: u32,
}

/// Keys of the consecutive messages from `first`.
struct Run {
    first: u32,
    since: u64,
    keys: Vec<[u8; 32]>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl ZeroizeOnDrop for Run {}

impl Run {
    fn part(&self, from: usize, to: usize) -> Option<Arc<Self>> {
        let keys = self.keys.get(from..to).filter(|keys| !keys.is_empty())?.to_vec();
        Some(Arc::new(Self { first: self.first + u32::try_from(from).ok()?, since: self.since, keys }))
    }

    fn index_of(&self, n: u32) -> Option<usize> {
        n.checked_sub(self.first).map(|index| index as usize).filter(|index| *index < self.keys.len())
    }

    /// The number behind the last key.
    fn end(&self) -> u32 {
        u32::try_from(self.keys.len()).map_or(u32::MAX, |length| self.first.saturating_add(length))
    }
}

/// Steps `chain` from number `from` to `to` and gives the keys on the way.
pub(crate) struct Walk {
    run: Run,
    pub(crate) chain: ChainKey,
}

impl Walk {
    /// The caller has checked that the way is at most [`super::SKIP_MAX`] long.
    pub(crate) fn new(chain: &ChainKey, from: u32, to: u32, now: u64) -> Self {
        // Exactly as many as needed: a vector that moves would leave keys behind.
        let mut keys = Vec::with_capacity(to.saturating_sub(from) as usize);
        let mut chain = chain.duplicate();
        for _ in from..to {
            let (next, message) = chain.step();
            keys.push(*message.0.expose());
            chain = next;
        }
        Self { run: Run { first: from, since: now, keys }, chain }
    }
}

impl SkippedKeys {
    /// Keeps the keys of a walk and gives the chain key at its end.
    pub(crate) fn keep(&mut self, walk: Walk) -> ChainKey {
        if !walk.run.keys.is_empty() {
            self.runs.push(Arc::new(walk.run));
        }
        walk.chain
    }

    /// Takes a key out; `None` when it was never kept, used before or deleted.
    pub(crate) fn take(&mut self, n: u32) -> Option<MessageKey> {
        let (position, index) =
            self.runs.iter().enumerate().find_map(|(position, run)| Some((position, run.index_of(n)?)))?;
        let run = self.runs.remove(position);
        let key = MessageKey(Secret::copy_of(run.keys.get(index)?));
        let parts = [run.part(0, index), run.part(index + 1, run.keys.len())];
        self.runs.splice(position..position, parts.into_iter().flatten());
        Some(key)
    }

    /// Whether a missing key below this number may have been deleted unused.
    pub(crate) fn may_have_lost(&self, n: u32) -> bool {
        n < self.lost_below
    }

    /// Keys kept.
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.keys.len()).sum()
    }

    /// Deletes what is older than [`KEPT_SECONDS`].
    pub(crate) fn expire(&mut self, now: u64) {
        let expired = |run: &Run| now.saturating_sub(run.since) > KEPT_SECONDS;
        if self.runs.iter().any(|run| expired(run)) {
            for run in self.runs.iter().filter(|run| expired(run)) {
                self.lost_below = self.lost_below.max(run.end());
            }
            self.runs.retain(|run| !expired(run));
        }
    }

    /// Deletes the `excess` oldest keys, or all; gives how many are still too many.
    pub(crate) fn shrink(&mut self, mut excess: usize) -> usize {
        while excess > 0 && !self.runs.is_empty() {
            let run = self.runs.remove(0);
            let dropped = excess.min(run.keys.len());
            excess -= dropped;
            if let Some(rest) = run.part(dropped, run.keys.len()) {
                self.lost_below = self.lost_below.max(rest.first);
                self.runs.insert(0, rest);
            } else {
                self.lost_below = self.lost_below.max(run.end());
            }
        }
        excess
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self { runs: self.runs.clone(), lost_below: self.lost_below }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.u32(self.lost_below).count(self.runs.len());
        for run in &self.runs {
            out.u32(run.first).u64(run.since).count(run.keys.len()).raw(run.keys.as_flattened());
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, BadState> {
        let lost_below = reader.u32()?;
        let count = reader.count(16)?;
        let mut runs = Vec::with_capacity(count);
        for _ in 0..count {
            let (first, since, length) = (reader.u32()?, reader.u64()?, reader.count(32)?);
            let keys = reader.take(length * 32)?.as_chunks().0.to_vec();
            if keys.is_empty() || u32::try_from(length).ok().and_then(|length| first.checked_add(length)).is_none() {
                return Err(BadState);
            }
            runs.push(Arc::new(Run { first, since, keys }));
        }
        Ok(Self { runs, lost_below })
    }
}
