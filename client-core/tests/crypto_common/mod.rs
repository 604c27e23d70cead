//! Two people, a bundle service and reproducible randomness for the tests of `crypto`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by several test programs"
)]

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};
use susurro_client_core::crypto::{AccountKey, DecryptError, LocalDevice, PeerSessions, Prekeys, Received};
use susurro_protocol::keys::{DeviceCertificate, PrekeyBundle, PrekeyKind};
use susurro_protocol::rest::PublishKeys;

/// The time at which the tests begin.
pub const NOW: u64 = 1_800_000_000;

/// SHA-256 of seed and counter: the same in every run.
pub struct TestRng {
    seed: u64,
    counter: u64,
}

impl TestRng {
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let block =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(self.counter.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// One device with its state, and what a relay hands out for it.
pub struct Person {
    pub account: AccountKey,
    pub device: LocalDevice,
    pub prekeys: Prekeys,
    pub sessions: PeerSessions,
    pub published: PublishKeys,
}

impl Person {
    pub fn new(rng: &mut TestRng) -> Self {
        let account = AccountKey::generate(rng);
        let device = LocalDevice::generate(&account, NOW, rng);
        let prekeys = Prekeys::generate(&device, NOW, rng);
        let published = prekeys.publication(&device);
        Self { account, device, prekeys, sessions: PeerSessions::new(), published }
    }

    pub fn certificate(&self) -> &DeviceCertificate {
        self.device.certificate()
    }

    /// Hands out the oldest one-time keys, each once, as a relay does.
    pub fn claim(&mut self) -> PrekeyBundle {
        let one_time = (!self.published.one_time.is_empty()).then(|| self.published.one_time.remove(0));
        let pq = (!self.published.pq_one_time.is_empty()).then(|| self.published.pq_one_time.remove(0));
        let (pq_prekey, kind) = match pq {
            Some(pq) => (pq, PrekeyKind::PqOneTime),
            None => (self.published.pq_last_resort.clone(), PrekeyKind::PqLastResort),
        };
        PrekeyBundle {
            device: self.device.device(),
            signed_prekey: self.published.signed_prekey.read().unwrap(),
            pq_prekey: pq_prekey.read().unwrap(),
            pq_kind: kind.number(),
            one_time_prekey: one_time,
        }
    }

    /// A bundle of the last-resort key without any one-time key.
    pub fn last_resort(&self) -> PrekeyBundle {
        PrekeyBundle {
            device: self.device.device(),
            signed_prekey: self.published.signed_prekey.read().unwrap(),
            pq_prekey: self.published.pq_last_resort.read().unwrap(),
            pq_kind: PrekeyKind::PqLastResort.number(),
            one_time_prekey: None,
        }
    }

    pub fn start(&mut self, other: &mut Self, rng: &mut TestRng) {
        let bundle = other.claim();
        self.sessions = self.sessions.start(&self.device, other.certificate(), &bundle, NOW, rng).unwrap();
    }

    pub fn send(&mut self, text: &[u8], rng: &mut TestRng) -> Vec<u8> {
        let (sessions, envelope) = self.sessions.encrypt(text, NOW, rng).unwrap();
        self.sessions = sessions;
        envelope
    }

    /// Decrypts without keeping the new state.
    pub fn peek(&self, from: &DeviceCertificate, envelope: &[u8], now: u64) -> Result<Received, DecryptError> {
        self.sessions.decrypt(&self.device, &self.prekeys, from, envelope, now, &mut TestRng::new(0))
    }

    pub fn receive_at(&mut self, from: &DeviceCertificate, envelope: &[u8], now: u64) -> Result<Vec<u8>, DecryptError> {
        let received = self.peek(from, envelope, now)?;
        self.sessions = received.sessions;
        if let Some(prekeys) = received.prekeys {
            self.prekeys = prekeys;
        }
        Ok(received.content.to_vec())
    }

    pub fn receive(&mut self, from: &Self, envelope: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.receive_at(&from.certificate().clone(), envelope, NOW)
    }

    /// What a crash and a start do to the state.
    pub fn restart(&mut self) {
        self.device = LocalDevice::from_bytes(&self.device.to_bytes()).unwrap();
        self.sessions = PeerSessions::from_bytes(&self.sessions.to_bytes()).unwrap();
        self.prekeys = Prekeys::from_bytes(&self.prekeys.to_bytes()).unwrap();
    }

    /// All secret state, to compare before and after.
    pub fn state(&self) -> Vec<u8> {
        [self.sessions.to_bytes().as_slice(), self.prekeys.to_bytes().as_slice()].concat()
    }
}

/// Alice and Bob, before they have met.
pub fn strangers(seed: u64) -> (Person, Person, TestRng) {
    let mut rng = TestRng::new(seed);
    (Person::new(&mut rng), Person::new(&mut rng), rng)
}

/// Alice and Bob after one message each way.
pub fn acquainted(seed: u64) -> (Person, Person, TestRng) {
    let (mut alice, mut bob, mut rng) = strangers(seed);
    alice.start(&mut bob, &mut rng);
    let hello = alice.send(b"hello", &mut rng);
    assert_eq!(bob.receive(&alice, &hello).as_deref(), Ok(&b"hello"[..]));
    let answer = bob.send(b"hello yourself", &mut rng);
    assert_eq!(alice.receive(&bob, &answer).as_deref(), Ok(&b"hello yourself"[..]));
    (alice, bob, rng)
}
