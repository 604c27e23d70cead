//! What the cryptography costs: medians in microseconds and in units of one X25519 agreement
//! measured in the same run, beside vodozemac in the same run.
//!
//! `cargo bench -p susurro-client-core --bench crypto`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark reports on stdout")]

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use getrandom::SysRng;
use rand_core::{CryptoRng, UnwrapErr};
use susurro_client_core::crypto::dh::{DhSecret, agree};
use susurro_client_core::crypto::kem::{Kem as _, MlKem768};
use susurro_client_core::crypto::{AccountKey, LocalDevice, PeerSessions, Prekeys, Secret};
use susurro_protocol::keys::PrekeyBundle;
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

const NOW: u64 = 1_800_000_000;
const SAMPLES: usize = 301;
/// Content that fills one padding bucket of 1 KiB exactly.
const PADDED_TO_1_KIB: usize = 1023;
const SKIPPED: usize = 1000;

/// Median of `SAMPLES` runs of `run` on what `prepare` gives, in microseconds for each of
/// `operations`.
fn median<T, R>(operations: usize, mut prepare: impl FnMut() -> T, mut run: impl FnMut(T) -> R) -> f64 {
    let mut times: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let input = prepare();
            let start = Instant::now();
            let output = black_box(run(black_box(input)));
            let time = start.elapsed();
            drop(output);
            time.as_secs_f64() * 1e6 / operations as f64
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[SAMPLES / 2]
}

struct Person {
    device: LocalDevice,
    prekeys: Prekeys,
    bundle: PrekeyBundle,
}

impl Person {
    fn new(rng: &mut dyn CryptoRng) -> Self {
        let device = LocalDevice::generate(&AccountKey::generate(rng), NOW, rng);
        let prekeys = Prekeys::generate(&device, NOW, rng);
        let published = prekeys.publication(&device);
        let bundle = PrekeyBundle {
            device: device.device(),
            signed_prekey: published.signed_prekey.read().unwrap(),
            pq_prekey: published.pq_one_time[0].read().unwrap(),
            pq_kind: 2,
            one_time_prekey: Some(published.one_time[0]),
        };
        Self { device, prekeys, bundle }
    }

    fn decrypt(&self, sessions: &PeerSessions, from: &Self, envelope: &[u8]) -> PeerSessions {
        let rng = &mut UnwrapErr(SysRng);
        let remote = from.device.certificate();
        sessions.decrypt(&self.device, &self.prekeys, remote, envelope, NOW, rng).unwrap().sessions
    }
}

/// Two people after a message each way.
fn acquainted(alice: &Person, bob: &Person) -> (PeerSessions, PeerSessions) {
    let rng = &mut UnwrapErr(SysRng);
    let sessions = PeerSessions::new().start(&alice.device, bob.device.certificate(), &bob.bundle, NOW, rng).unwrap();
    let (alices, hello) = sessions.encrypt(b"hello", NOW, rng).unwrap();
    let bobs = bob.decrypt(&PeerSessions::new(), alice, &hello);
    let (bobs, answer) = bobs.encrypt(b"hello", NOW, rng).unwrap();
    (alice.decrypt(&alices, bob, &answer), bobs)
}

/// Encrypts `count` contents of `size` bytes.
fn batch(sessions: &PeerSessions, count: usize, size: usize) -> (PeerSessions, Vec<Vec<u8>>) {
    let rng = &mut UnwrapErr(SysRng);
    let content = vec![7; size];
    let mut envelopes = Vec::with_capacity(count);
    let (mut sessions, first) = sessions.encrypt(&content, NOW, rng).unwrap();
    envelopes.push(first);
    for _ in 1..count {
        let (next, envelope) = sessions.encrypt(&content, NOW, rng).unwrap();
        sessions = next;
        envelopes.push(envelope);
    }
    (sessions, envelopes)
}

fn ours() -> Vec<(&'static str, f64)> {
    let mut rng = UnwrapErr(SysRng);
    let (alice, bob) = (Person::new(&mut rng), Person::new(&mut rng));
    let certificate = bob.device.certificate();

    let establish = median(
        1,
        || (),
        |()| {
            let rng = &mut UnwrapErr(SysRng);
            let sessions = PeerSessions::new().start(&alice.device, certificate, &bob.bundle, NOW, rng).unwrap();
            let (alices, hello) = sessions.encrypt(b"hello", NOW, rng).unwrap();
            (alices, bob.decrypt(&PeerSessions::new(), &alice, &hello))
        },
    );
    let (alices, bobs) = acquainted(&alice, &bob);
    let mut results = vec![("establish, both sides", establish)];
    for (names, size) in [
        (
            ["encrypt 1 KiB (1,023 bytes, padded to 1 KiB)", "decrypt 1 KiB (1,023 bytes, padded to 1 KiB)"],
            PADDED_TO_1_KIB,
        ),
        (["encrypt 1,024 bytes (padded to 2 KiB)", "decrypt 1,024 bytes (padded to 2 KiB)"], 1024),
    ] {
        let content = vec![7; size];
        let (started, _) = batch(&alices, 1, size);
        let encrypt = median(
            20,
            || (),
            |()| {
                let rng = &mut UnwrapErr(SysRng);
                let (mut sessions, _) = started.encrypt(&content, NOW, rng).unwrap();
                for _ in 1..20 {
                    sessions = black_box(sessions.encrypt(&content, NOW, rng).unwrap()).0;
                }
                sessions
            },
        );
        let (_, envelopes) = batch(&alices, 21, size);
        let before = bob.decrypt(&bobs, &alice, &envelopes[0]);
        let decrypt = median(
            20,
            || (),
            |()| {
                let mut sessions = bob.decrypt(&before, &alice, &envelopes[1]);
                for envelope in &envelopes[2..] {
                    sessions = bob.decrypt(&sessions, &alice, envelope);
                }
                sessions
            },
        );
        results.extend([(names[0], encrypt), (names[1], decrypt)]);
    }

    // From here each side answers the other: a new ratchet key for every message.
    let ping_pong = median(
        2,
        || (),
        |()| {
            let rng = &mut UnwrapErr(SysRng);
            let (alices, there) = alices.encrypt(b"ping", NOW, rng).unwrap();
            let bobs = bob.decrypt(&bobs, &alice, &there);
            let (bobs, back) = bobs.encrypt(b"pong", NOW, rng).unwrap();
            (alice.decrypt(&alices, &bob, &back), bobs)
        },
    );

    let (_, envelopes) = batch(&alices, SKIPPED + 1, 16);
    let (last, missed) = envelopes.split_last().unwrap();
    let skipped = median(1, || (), |()| bob.decrypt(&bobs, &alice, last));
    missed.iter().fold(bob.decrypt(&bobs, &alice, last), |sessions, envelope| bob.decrypt(&sessions, &alice, envelope));
    results.extend([("ping-pong, a message", ping_pong), ("decrypt after 1,000 skipped, all recoverable", skipped)]);
    results
}

fn olm_start(alice: &Account, bob: &RefCell<Account>, key: Curve25519PublicKey) -> (Session, Session) {
    let config = SessionConfig::version_1();
    let identity = bob.borrow().curve25519_key();
    let mut alices = alice.create_outbound_session(config, identity, key).unwrap();
    let OlmMessage::PreKey(hello) = alices.encrypt("hello").unwrap() else { unreachable!("the first message") };
    let created = bob.borrow_mut().create_inbound_session(config, alice.curve25519_key(), &hello);
    (alices, created.unwrap().session)
}

fn olm_copy(session: &Session) -> Session {
    Session::from_pickle(session.pickle())
}

fn vodozemac() -> Vec<(&'static str, f64)> {
    let (alice, bob) = (Account::new(), RefCell::new(Account::new()));
    let new_key = || bob.borrow_mut().generate_one_time_keys(1).created[0];
    let establish = median(1, new_key, |key| olm_start(&alice, &bob, key));

    let (mut alices, mut bobs) = olm_start(&alice, &bob, new_key());
    let answer = bobs.encrypt("hello").unwrap();
    alices.decrypt(&answer).unwrap();
    let content = vec![7; 1024];
    let mut started = olm_copy(&alices);
    started.encrypt(&content).unwrap();
    let encrypt = median(
        20,
        || olm_copy(&started),
        |mut session| {
            for _ in 0..20 {
                black_box(session.encrypt(&content).unwrap());
            }
            session
        },
    );
    let mut sender = olm_copy(&alices);
    let envelopes: Vec<_> = (0..21).map(|_| sender.encrypt(&content).unwrap()).collect();
    let mut before = olm_copy(&bobs);
    before.decrypt(&envelopes[0]).unwrap();
    let decrypt = median(
        20,
        || olm_copy(&before),
        |mut session| {
            for envelope in &envelopes[1..] {
                black_box(session.decrypt(envelope).unwrap());
            }
            session
        },
    );
    let ping_pong = median(
        2,
        || (olm_copy(&alices), olm_copy(&bobs)),
        |(mut alices, mut bobs)| {
            let there = alices.encrypt("ping").unwrap();
            bobs.decrypt(&there).unwrap();
            let back = bobs.encrypt("pong").unwrap();
            alices.decrypt(&back).unwrap();
            (alices, bobs)
        },
    );
    let mut sender = olm_copy(&alices);
    let last = (0..=SKIPPED).map(|_| sender.encrypt("late").unwrap()).last().unwrap();
    let skipped = median(
        1,
        || olm_copy(&bobs),
        |mut session| {
            session.decrypt(&last).unwrap();
            session
        },
    );
    vec![
        ("establish, both sides", establish),
        ("encrypt 1 KiB (1,023 bytes, padded to 1 KiB)", encrypt),
        ("decrypt 1 KiB (1,023 bytes, padded to 1 KiB)", decrypt),
        ("ping-pong, a message", ping_pong),
        ("decrypt after 1,000 skipped, all recoverable", skipped),
    ]
}

/// The parts that the sums above are made of.
fn primitives(rng: &mut dyn CryptoRng) -> Vec<(&'static str, f64)> {
    let (own, other) = (DhSecret::generate(rng), DhSecret::generate(rng));
    let seed = Secret::random(rng);
    let public = MlKem768::public_key(&seed);
    let randomness = Secret::random(rng);
    let (ciphertext, _) = MlKem768::encapsulate(&public, &randomness).unwrap();
    vec![
        (
            "X25519 agreement",
            median(10, || (), |()| (0..10).for_each(|_| drop(black_box(agree(&own, other.public()))))),
        ),
        ("X25519 key pair", median(1, || UnwrapErr(SysRng), |mut rng| DhSecret::generate(&mut rng))),
        ("ML-KEM-768 encapsulate", median(1, || (), |()| MlKem768::encapsulate(&public, &randomness))),
        ("ML-KEM-768 decapsulate, from the seed", median(1, || (), |()| MlKem768::decapsulate(&seed, &ciphertext))),
    ]
}

fn main() {
    let primitives = primitives(&mut UnwrapErr(SysRng));
    let unit = primitives[0].1;
    println!("{:<48} {:>10} {:>8}   {:>12} {:>8}", "", "µs", "X25519", "vodozemac µs", "X25519");
    for (name, time) in primitives {
        println!("{name:<48} {time:>10.2} {:>8.3}", time / unit);
    }
    println!();
    let olm = vodozemac();
    for (name, time) in ours() {
        let other = olm.iter().find(|(other, _)| *other == name);
        let other = other.map_or(String::new(), |(_, time)| format!("   {time:>12.2} {:>8.3}", time / unit));
        println!("{name:<48} {time:>10.2} {:>8.3}{other}", time / unit);
    }
    println!("\nMedians of {SAMPLES}. vodozemac: Olm sessions, 1,024 bytes without padding, keeps 40 skipped keys.");
}
