//! A bounded number of places for each of many, given back by themselves.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::crowd::Crowd;

/// Places of each asker.
pub(in crate::adapters::inbound) struct Places<K> {
    crowd: Arc<Mutex<Crowd<K>>>,
}

/// One place; given back when dropped.
pub(in crate::adapters::inbound) struct Place<K: Hash + Eq + Copy> {
    crowd: Arc<Mutex<Crowd<K>>>,
    who: K,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { crowd: Arc::default() }
    }
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self { crowd: self.crowd.clone() }
    }
}

impl<K: Hash + Eq + Copy> Places<K> {
    /// One more place for `who`, who may have `most` at once.
    pub(in crate::adapters::inbound) fn take(&self, who: K, most: u32) -> Option<Place<K>> {
        let entered = self.crowd.lock().unwrap_or_else(PoisonError::into_inner).enter(who, most);
        entered.then(|| Place { crowd: self.crowd.clone(), who })
    }
}

impl<K: Hash + Eq + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner).leave(self.who);
    }
}
