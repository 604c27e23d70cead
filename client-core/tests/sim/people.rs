//! Three people, made once: their keys cost more than a whole history.

use std::sync::OnceLock;

use susurro_client_core::crypto::{AccountKey, LocalDevice, Prekeys};
use susurro_client_core::store::port::{Relay, Tokens};
use susurro_protocol::keys::DeviceList;
use susurro_protocol::rest::{PublishKeys, SignedText};
use susurro_protocol::{AccountId, AccountName, DeviceId};
use zeroize::Zeroizing;

use crate::dice::Dice;
use crate::relay::RELAY_KEY;
use crate::store::Store;

/// 2027-01-15, in milliseconds since 1970.
pub const START: u64 = 1_800_000_000_000;

pub struct Person {
    pub name: AccountName,
    pub account_key: AccountKey,
    pub device: LocalDevice,
    pub list: DeviceList,
    pub publication: PublishKeys,
    prekeys: Zeroizing<Vec<u8>>,
}

impl Person {
    pub fn new(name: &str, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let account_key = AccountKey::generate(&mut dice);
        let device = LocalDevice::generate(&account_key, START / 1000, &mut dice);
        let list = account_key.issue_list(None, START / 1000, vec![device.certificate().clone()]);
        let prekeys = Prekeys::generate(&device, START / 1000, &mut dice);
        Self {
            name: name.parse().unwrap(),
            publication: prekeys.publication(&device),
            prekeys: prekeys.mark_published().to_bytes(),
            account_key,
            device,
            list,
        }
    }

    pub fn account(&self) -> AccountId {
        self.device.account()
    }

    pub fn device_id(&self) -> DeviceId {
        self.device.device()
    }

    /// The store of this person right after registration.
    pub fn store(&self, tokens: Tokens) -> Store {
        Store {
            name: self.name.clone(),
            relay: Relay { url: "http://relay.test".into(), key: RELAY_KEY.verifying_key().to_bytes() },
            account_key: self.account_key.to_bytes(),
            device: self.device.to_bytes(),
            prekeys: self.prekeys.clone(),
            tokens: Some(tokens),
            cursor: 0,
            contacts: Default::default(),
            lists: [(self.account(), SignedText::of(self.list.signed()).0.as_slice().to_vec())].into(),
            sessions: Default::default(),
            outbox: Default::default(),
            seen: Default::default(),
            chats: Default::default(),
            undecryptable: Default::default(),
            send_log: Default::default(),
            messages: Default::default(),
            typing_notices: true,
            presence: false,
            announcements: Default::default(),
        }
    }
}

/// Alice, Bob and Carol.
pub fn people() -> &'static [Person] {
    static PEOPLE: OnceLock<Vec<Person>> = OnceLock::new();
    PEOPLE.get_or_init(|| vec![Person::new("alice", 1), Person::new("bob", 2), Person::new("carol", 3)])
}
