//! The prekeys that the relay holds for a device.

use std::collections::BTreeMap;

use susurro_protocol::keys::{OneTimePrekey, PrekeyBody};
use susurro_protocol::limits::ONE_TIME_PREKEYS_LOW;
use susurro_protocol::rest::{BundleText, KeyCount, PublishKeys, SignedText, prekey_digest};
use susurro_protocol::{DeviceId, codec};

#[derive(Clone)]
pub struct Keys {
    signed: SignedText,
    last_resort: SignedText,
    pub one_time: BTreeMap<u64, OneTimePrekey>,
    pub pq: BTreeMap<u64, SignedText>,
    highest: u64,
}

impl Keys {
    pub fn new(publication: &PublishKeys) -> Self {
        let mut keys = Self {
            signed: publication.signed_prekey.clone(),
            last_resort: publication.pq_last_resort.clone(),
            one_time: BTreeMap::new(),
            pq: BTreeMap::new(),
            highest: 0,
        };
        keys.publish(publication);
        keys
    }

    /// An identifier that was seen before is not taken again: it may have been given out.
    pub fn publish(&mut self, publication: &PublishKeys) {
        self.signed = publication.signed_prekey.clone();
        self.last_resort = publication.pq_last_resort.clone();
        let highest = self.highest;
        for key in publication.one_time.iter().filter(|key| key.id > highest) {
            self.one_time.insert(key.id, *key);
            self.highest = self.highest.max(key.id);
        }
        for key in &publication.pq_one_time {
            if prekey_id(key) > highest {
                self.pq.insert(prekey_id(key), key.clone());
                self.highest = self.highest.max(prekey_id(key));
            }
        }
    }

    pub fn count(&self) -> KeyCount {
        let fixed = [(1, prekey_id(&self.signed)), (3, prekey_id(&self.last_resort))];
        let one_time = self.one_time.keys().map(|id| (0, *id));
        let ids = fixed.into_iter().chain(one_time).chain(self.pq.keys().map(|id| (2, *id)));
        KeyCount {
            one_time: self.one_time.len() as u32,
            pq_one_time: self.pq.len() as u32,
            digest: susurro_protocol::bytes::Fixed(prekey_digest(ids)),
        }
    }

    pub fn claim(&mut self, device: DeviceId) -> BundleText {
        let (pq_prekey, pq_kind) = match self.pq.pop_first() {
            Some((_, key)) => (key, 2),
            None => (self.last_resort.clone(), 3),
        };
        BundleText {
            device,
            signed_prekey: self.signed.clone(),
            pq_prekey,
            pq_kind,
            one_time_prekey: self.one_time.pop_first().map(|(_, key)| key),
        }
    }

    pub fn is_low(&self) -> bool {
        self.one_time.len() < ONE_TIME_PREKEYS_LOW || self.pq.len() < ONE_TIME_PREKEYS_LOW
    }
}

fn prekey_id(text: &SignedText) -> u64 {
    codec::decode::<PrekeyBody>(text.read().unwrap().body.as_slice()).unwrap().id
}
