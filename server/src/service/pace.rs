//! How much a device brings: remembered between its connections, so that coming again gives nothing back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use susurro_protocol::DeviceId;

use super::Relay;
use crate::domain::Error;
use crate::domain::rate::{Pace, Spent};
use crate::domain::token::Claims;

/// Devices that are remembered. Only those that lately brought something are.
const DEVICES_MAX: usize = 100_000;

/// What the devices of this node have spent.
pub(super) struct Paces {
    pace: Pace,
    spent: Mutex<HashMap<DeviceId, Spent>>,
}

impl Paces {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, spent: Mutex::default() }
    }

    fn spent(&self) -> MutexGuard<'_, HashMap<DeviceId, Spent>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, device: DeviceId, spent: Spent, now: u64) {
        let mut all = self.spent();
        if all.len() >= DEVICES_MAX {
            all.retain(|_, spent| !self.pace.is_fresh(spent, now));
        }
        // Who finds no room among a hundred thousand busy devices is forgotten; a node cannot count everybody.
        if all.len() < DEVICES_MAX && !self.pace.is_fresh(&spent, now) {
            all.insert(device, spent);
        } else {
            all.remove(&device);
        }
    }
}

impl Relay {
    /// What a device has left, for a connection that counts by itself and gives it back at its end.
    #[must_use]
    pub fn left(&self, device: DeviceId) -> Spent {
        let known = self.paces.spent().get(&device).copied();
        known.unwrap_or_else(|| self.paces.pace.fresh(self.now()))
    }

    /// Counts what came in on a connection. Gives the milliseconds that it has to wait before more is read.
    pub fn spend(&self, spent: &mut Spent, messages: u64, bytes: usize) -> u64 {
        self.paces.pace.spend(spent, messages, bytes as u64, self.now())
    }

    /// Remembers what a connection has left at its end.
    pub fn keep(&self, device: DeviceId, spent: Spent) {
        self.paces.keep(device, spent, self.now());
    }

    /// Counts a message that comes in by a request.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`] while the device has still to wait for what it brought before.
    pub fn pace_request(&self, claims: &Claims, bytes: usize) -> Result<(), Error> {
        let mut spent = self.left(claims.device);
        let wait = self.spend(&mut spent, 0, 0);
        if wait > 0 {
            return Err(Error::RateLimited(wait.div_ceil(1000)));
        }
        self.spend(&mut spent, 1, bytes);
        self.keep(claims.device, spent);
        Ok(())
    }
}
