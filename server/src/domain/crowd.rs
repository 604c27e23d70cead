//! How many of somebody are there at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Counts who is in, and lets nobody in more often than allowed. Holds an entry only for those who
/// are in, so that it is never larger than what it counts.
#[derive(Debug)]
pub struct Crowd<K> {
    inside: HashMap<K, u32>,
}

impl<K> Default for Crowd<K> {
    fn default() -> Self {
        Self { inside: HashMap::new() }
    }
}

impl<K: Hash + Eq> Crowd<K> {
    /// Lets one more of `who` in, unless `most` are in. Says whether it did.
    pub fn enter(&mut self, who: K, most: u32) -> bool {
        match self.inside.entry(who) {
            Entry::Occupied(inside) if *inside.get() >= most => false,
            Entry::Occupied(mut inside) => {
                *inside.get_mut() += 1;
                true
            }
            Entry::Vacant(_) if most == 0 => false,
            Entry::Vacant(vacant) => {
                vacant.insert(1);
                true
            }
        }
    }

    /// One of `who` is gone.
    pub fn leave(&mut self, who: K) {
        if let Entry::Occupied(mut inside) = self.inside.entry(who) {
            *inside.get_mut() -= 1;
            if *inside.get() == 0 {
                inside.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_in_more_often_than_allowed_and_who_left_may_come_again() {
        let mut crowd = Crowd::default();
        assert!(crowd.enter("alice", 2) && crowd.enter("alice", 2));
        assert!(!crowd.enter("alice", 2) && crowd.enter("bob", 2));
        crowd.leave("alice");
        assert!(crowd.enter("alice", 2) && !crowd.enter("alice", 2));
        assert!(!crowd.enter("carol", 0));
    }

    #[test]
    fn those_who_left_leave_nothing_behind() {
        let mut crowd = Crowd::default();
        for n in 0..1_000 {
            assert!(crowd.enter(n, 1));
            crowd.leave(n);
        }
        crowd.leave(5);
        assert!(crowd.inside.is_empty());
    }
}
