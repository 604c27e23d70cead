//! The receiving path of a session: envelopes of every kind, changed in some bytes, and sessions
//! whose stored state was changed.
//!
//! A changed envelope is refused and leaves no trace; afterwards the genuine one is read.

use std::sync::OnceLock;

use susurro_client_core::crypto::{PeerSessions, Prekeys};
use susurro_protocol::keys::DeviceCertificate;

use crate::common::{NOW, Person, TestRng, acquainted, strangers};
use crate::edits::apply;

/// An envelope that is good for its recipient as that stands.
pub struct Case {
    recipient: Person,
    sender: DeviceCertificate,
    /// The envelope.
    pub envelope: Vec<u8>,
    content: &'static [u8],
}

// The randomness of a person is in no shared state.
fn case(recipient: Person, sender: &Person, envelope: Vec<u8>, content: &'static [u8]) -> Case {
    Case { recipient, sender: sender.certificate().clone(), envelope, content }
}

/// One of each kind.
pub fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| vec![first(), last_resort(), second(), next(), skipped(), turned(), late(), crossed()])
}

fn first() -> Case {
    let (mut alice, mut bob, mut rng) = strangers(1);
    alice.start(&mut bob, &mut rng);
    let envelope = alice.send(b"the first", &mut rng);
    case(bob, &alice, envelope, b"the first")
}

fn last_resort() -> Case {
    let (mut alice, bob, mut rng) = strangers(2);
    let started = alice.sessions.start(&alice.device, bob.certificate(), &bob.last_resort(), NOW, &mut rng);
    alice.sessions = started.unwrap();
    let envelope = alice.send(b"with the last resort", &mut rng);
    case(bob, &alice, envelope, b"with the last resort")
}

fn second() -> Case {
    let (mut alice, mut bob, mut rng) = strangers(3);
    alice.start(&mut bob, &mut rng);
    let one = alice.send(b"one", &mut rng);
    bob.receive(&alice, &one).unwrap();
    let envelope = alice.send(b"two, with the header still", &mut rng);
    case(bob, &alice, envelope, b"two, with the header still")
}

fn next() -> Case {
    let (mut alice, bob, mut rng) = acquainted(4);
    let envelope = alice.send(b"in order", &mut rng);
    case(bob, &alice, envelope, b"in order")
}

fn skipped() -> Case {
    let (mut alice, bob, mut rng) = acquainted(5);
    for _ in 0..5 {
        let _ = alice.send(b"lost", &mut rng);
    }
    let envelope = alice.send(b"behind five others", &mut rng);
    case(bob, &alice, envelope, b"behind five others")
}

fn turned() -> Case {
    let (mut alice, mut bob, mut rng) = acquainted(6);
    let question = bob.send(b"a new chain, please", &mut rng);
    alice.receive(&bob, &question).unwrap();
    let envelope = alice.send(b"here it is", &mut rng);
    case(bob, &alice, envelope, b"here it is")
}

fn late() -> Case {
    let (mut alice, mut bob, mut rng) = acquainted(7);
    let envelope = alice.send(b"of the chain before", &mut rng);
    let question = bob.send(b"a new chain, please", &mut rng);
    alice.receive(&bob, &question).unwrap();
    let answer = alice.send(b"new chain", &mut rng);
    bob.receive(&alice, &answer).unwrap();
    case(bob, &alice, envelope, b"of the chain before")
}

fn crossed() -> Case {
    let (mut alice, mut bob, mut rng) = strangers(8);
    alice.start(&mut bob, &mut rng);
    bob.start(&mut alice, &mut rng);
    let _ = bob.send(b"at the same time", &mut rng);
    let envelope = alice.send(b"both have begun", &mut rng);
    case(bob, &alice, envelope, b"both have begun")
}

/// Plays an input: the case and the mode in the first byte, then edits.
///
/// # Panics
///
/// When something changed was believed, or something genuine was not.
pub fn run(input: &[u8]) {
    let Some((first, edits)) = input.split_first() else { return };
    let case = &cases()[usize::from(first & 0x1f) % cases().len()];
    match first >> 5 {
        0..=3 => changed_envelope(case, edits),
        4 => is_refused(case, edits),
        5 => changed_sessions(case, edits),
        _ => changed_prekeys(case, edits),
    }
}

fn changed_envelope(case: &Case, edits: &[u8]) {
    let mut envelope = case.envelope.clone();
    apply(&mut envelope, edits);
    is_refused(case, &envelope);
}

/// Refused, unless it is the genuine one after all.
fn is_refused(case: &Case, envelope: &[u8]) {
    let before = case.recipient.state();
    let received = case.recipient.peek(&case.sender, envelope, NOW);
    assert_eq!(received.is_ok(), envelope == case.envelope, "something changed was believed");
    assert!(case.recipient.state() == before, "a refused envelope leaves a trace");
    let genuine = case.recipient.peek(&case.sender, &case.envelope, NOW).expect("the genuine one is still good");
    assert_eq!(genuine.content.as_slice(), case.content);
}

/// State that was changed is refused as a whole, or is one that can be written and read again, and
/// does no harm whatever comes.
fn changed_sessions(case: &Case, edits: &[u8]) {
    let mut bytes = case.recipient.sessions.to_bytes().to_vec();
    apply(&mut bytes, edits);
    let Ok(sessions) = PeerSessions::from_bytes(&bytes) else { return };
    let again = PeerSessions::from_bytes(&sessions.to_bytes()).expect("what was written can be read");
    assert!(again.to_bytes() == sessions.to_bytes());
    let mut rng = TestRng::new(9);
    let Person { device, prekeys, .. } = &case.recipient;
    if let Ok(received) = sessions.decrypt(device, prekeys, &case.sender, &case.envelope, NOW, &mut rng) {
        assert_eq!(received.content.as_slice(), case.content);
        let _ = received.sessions.encrypt(b"an answer", NOW, &mut rng);
    }
    let _ = sessions.encrypt(b"a message", NOW, &mut rng);
}

fn changed_prekeys(case: &Case, edits: &[u8]) {
    let mut bytes = case.recipient.prekeys.to_bytes().to_vec();
    apply(&mut bytes, edits);
    let Ok(prekeys) = Prekeys::from_bytes(&bytes) else { return };
    let again = Prekeys::from_bytes(&prekeys.to_bytes()).expect("what was written can be read");
    assert!(again.to_bytes() == prekeys.to_bytes());
    let mut rng = TestRng::new(9);
    let Person { device, sessions, .. } = &case.recipient;
    if let Ok(received) = sessions.decrypt(device, &prekeys, &case.sender, &case.envelope, NOW, &mut rng) {
        assert_eq!(received.content.as_slice(), case.content);
    }
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("genuine", vec![0]),
        ("kind", vec![0, 0, 40, 3]),
        ("certificate-hash", vec![0, 0, 200, 1]),
        ("last-resort", vec![1, 24, 0, 1]),
        ("header-again", vec![2, 0x80, 0, 1]),
        ("tag", vec![3, 0xff, 0xff, 1]),
        ("cut", vec![4, 0x80, 0, 0]),
        ("turned", vec![5, 0x40, 0, 1]),
        ("late", vec![6, 0x20, 0, 1]),
        ("crossed", vec![7, 0x10, 0, 1]),
        ("nothing", vec![4 << 5]),
        ("sessions", vec![(5 << 5) | 3, 0x10, 0, 1]),
        ("sessions-cut", vec![(5 << 5) | 4, 0x80, 0, 0]),
        ("prekeys", vec![6 << 5, 0x10, 0, 1]),
    ]
}
