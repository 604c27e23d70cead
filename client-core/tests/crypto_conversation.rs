//! Conversations as they should go.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod crypto_common;

use crypto_common::{NOW, acquainted, strangers};
use susurro_client_core::crypto::{DecryptError, INITIAL_OVERHEAD_BYTES, OVERHEAD_BYTES};

#[test]
fn a_conversation_runs_through_many_turns_and_restarts() {
    let (mut alice, mut bob, mut rng) = acquainted(1);
    for turn in 0..40_u8 {
        let (from, to) = if turn % 3 == 0 { (&mut bob, &mut alice) } else { (&mut alice, &mut bob) };
        for count in 0..3 {
            let envelope = from.send(&[turn, count], &mut rng);
            assert_eq!(to.receive(from, &envelope).unwrap(), [turn, count]);
        }
        from.restart();
        to.restart();
    }
}

#[test]
fn the_initial_header_goes_with_every_message_until_the_first_answer() {
    let (mut alice, mut bob, mut rng) = strangers(2);
    alice.start(&mut bob, &mut rng);
    let first = alice.send(b"one", &mut rng);
    let second = alice.send(b"two", &mut rng);
    assert_eq!(first.len(), OVERHEAD_BYTES + INITIAL_OVERHEAD_BYTES + 256);
    assert_eq!(OVERHEAD_BYTES, 99);
    // The second comes first, and the one-time keys are gone when the first comes.
    assert_eq!(bob.receive(&alice, &second).unwrap(), b"two");
    assert_eq!(bob.receive(&alice, &first).unwrap(), b"one");
    assert!(!alice.sessions.is_acknowledged());
    let answer = bob.send(b"three", &mut rng);
    assert_eq!(answer.len(), OVERHEAD_BYTES + 256);
    assert_eq!(alice.receive(&bob, &answer).unwrap(), b"three");
    assert!(alice.sessions.is_acknowledged());
    assert_eq!(alice.send(b"four", &mut rng).len(), OVERHEAD_BYTES + 256);
}

#[test]
fn messages_arrive_in_any_order_and_once() {
    let (mut alice, mut bob, mut rng) = acquainted(3);
    let envelopes: Vec<_> = (0..50_u8).map(|n| alice.send(&[n], &mut rng)).collect();
    for n in (0..50_u8).rev() {
        assert_eq!(bob.receive(&alice, &envelopes[usize::from(n)]).unwrap(), [n]);
        assert_eq!(bob.receive(&alice, &envelopes[usize::from(n)]), Err(DecryptError::Duplicate));
    }
}

#[test]
fn a_skipped_key_is_kept_for_thirty_days() {
    let (mut alice, mut bob, mut rng) = acquainted(4);
    let late: Vec<_> = (0..2_u8).map(|n| alice.send(&[n], &mut rng)).collect();
    let last = alice.send(b"last", &mut rng);
    bob.receive(&alice, &last).unwrap();
    let month = 30 * 24 * 3600;
    assert_eq!(bob.receive_at(alice.certificate(), &late[0], NOW + month).unwrap(), [0]);
    // Any receipt after that deletes the key.
    let next = alice.send(b"next", &mut rng);
    bob.receive_at(alice.certificate(), &next, NOW + month + 1).unwrap();
    assert_eq!(bob.receive(&alice, &late[1]), Err(DecryptError::OldKey));
}
