//! The attacks of `docs/crypto.md`, section 9, that need no more than what an attacker has: the
//! wire, the relay, an account, an old copy of the state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod crypto_common;

use std::collections::HashSet;

use crypto_common::{NOW, Person, TestRng, acquainted, strangers};
use ed25519_dalek::SigningKey;
use susurro_client_core::crypto::dh::{DhSecret, WeakKey, agree};
use susurro_client_core::crypto::kem::{Kem as _, MlKem768};
use susurro_client_core::crypto::{
    ARCHIVED_MAX, AccountKey, CryptoError, DecryptError, Envelope, GENERATION_STEP_MAX, LocalDevice, PasswordError,
    PeerSessions, Prekeys, Secret, StretchCost, new_params, stretch_password, unwrap_database_key, wrap_database_key,
};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{KeyError, OneTimePrekey, Prekey, PrekeyBundle, PrekeyKind};
use susurro_protocol::signed::{Label, SignedBytes, sign};

/// Where things stand in an initial envelope.
const CERTIFICATE: usize = 2;
const GENERATION: usize = 34;
const EPHEMERAL: usize = 42;
const SIGNED_PREKEY: usize = 74;
const ONE_TIME_PREKEY: usize = 82;
const PQ_KIND: usize = 90;
const PQ_PREKEY: usize = 91;
const KEM_CIPHERTEXT: usize = 99;
const INITIAL_END: usize = 99 + 1088;

/// Where things stand in a message envelope.
const NONCE: usize = 2;
const HEADER: usize = 26;
const BODY: usize = 26 + 57;

/// Every point of small order and its non-canonical encodings (RFC 7748, section 7;
/// <https://cr.yp.to/ecdh.html#validate>).
fn small_order_points() -> Vec<[u8; 32]> {
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]
    .iter()
    .flat_map(|point| {
        let point: [u8; 32] = hex::decode(point).unwrap().try_into().unwrap();
        // The top bit is ignored (RFC 7748, section 5).
        let mut high = point;
        high[31] |= 0x80;
        [point, high]
    })
    .collect()
}

fn flip(envelope: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = envelope.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

fn put(envelope: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = envelope.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

/// Alice has started with Bob's bundle as `change` has left it; gives what Bob says.
fn bundle_changed(
    seed: u64,
    change: impl FnOnce(&mut PrekeyBundle, &Person, &mut TestRng),
) -> Result<Vec<u8>, Result<CryptoError, DecryptError>> {
    let (alice, mut bob, mut rng) = strangers(seed);
    let mut bundle = bob.claim();
    change(&mut bundle, &bob, &mut rng);
    let sessions = alice.sessions.start(&alice.device, bob.certificate(), &bundle, NOW, &mut rng).map_err(Ok)?;
    let (_, envelope) = sessions.encrypt(b"hello", NOW, &mut rng).unwrap();
    let before = bob.state();
    let outcome = bob.receive(&alice, &envelope).map_err(Err);
    assert_eq!(outcome.is_err(), bob.state() == before, "an error changes nothing");
    outcome
}

#[test]
fn attack_1_zero_and_small_order_x25519_keys_are_refused_at_each_input() {
    let mut rng = TestRng::new(10);
    let own = DhSecret::generate(&mut rng);
    for point in small_order_points() {
        assert_eq!(agree(&own, &point).err(), Some(WeakKey), "{}", hex::encode(point));

        // As the one-time prekey, which nobody signs.
        let one_time = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| {
            bundle.one_time_prekey = Some(OneTimePrekey { id: 3, key: Fixed(point) });
        };
        assert_eq!(bundle_changed(10, one_time), Err(Ok(CryptoError::WeakKey)));

        // As a signed prekey, signed by a hostile device.
        let signed = |bundle: &mut PrekeyBundle, bob: &Person, _: &mut TestRng| {
            let owner = (bob.device.account(), bob.device.device());
            let prekey = Prekey::issue(bob.device.signing_key(), owner, PrekeyKind::Signed, 1, NOW, &point);
            bundle.signed_prekey = prekey.signed().clone();
        };
        assert_eq!(bundle_changed(10, signed), Err(Ok(CryptoError::WeakKey)));

        // As the identity key of a certificate, for the one who starts and the one who answers.
        let (mut alice, mut bob, mut rng) = strangers(11);
        let body = bob.certificate().body();
        let weak = bob.account.certify(body.device, body.signing_key.0, point, NOW);
        let bundle = bob.claim();
        let started = alice.sessions.start(&alice.device, &weak, &bundle, NOW, &mut rng);
        assert_eq!(started.err(), Some(CryptoError::WeakKey));
        alice.start(&mut bob, &mut rng);
        let hello = alice.send(b"hello", &mut rng);
        let body = alice.certificate().body();
        let weak = alice.account.certify(body.device, body.signing_key.0, point, NOW);
        let hello = put(&hello, CERTIFICATE, &weak.hash());
        assert_eq!(bob.peek(&weak, &hello, NOW).err(), Some(DecryptError::WeakKey));

        // As the ephemeral of a handshake. The ratchet key of a header is tried beside the ratchet.
        let weak = put(&hello, EPHEMERAL, &point);
        let weak = put(&weak, CERTIFICATE, &alice.certificate().hash());
        assert_eq!(bob.peek(alice.certificate(), &weak, NOW).err(), Some(DecryptError::WeakKey));
    }
}

#[test]
fn attack_2_malleable_and_small_order_signatures_of_prekeys_are_refused() {
    // The group order, little-endian (RFC 8032, section 5.1).
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let malleable = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| {
        let mut carry = 0;
        for (byte, l) in bundle.signed_prekey.signature.0[32..].iter_mut().zip(&order) {
            let sum = u16::from(*byte) + u16::from(*l) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
    };
    assert_eq!(bundle_changed(20, malleable), Err(Ok(CryptoError::Bundle(KeyError::Signature))));

    // A device whose signing key is the neutral element, with a signature that fits every body.
    let (alice, mut bob, mut rng) = strangers(21);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let body = bob.certificate().body();
    let weak = bob.account.certify(body.device, neutral, body.identity_key.0, NOW);
    let mut bundle = bob.claim();
    let mut signature = [0; 64];
    signature[0] = 1;
    bundle.signed_prekey.signature = Fixed(signature);
    bundle.pq_prekey.signature = Fixed(signature);
    let started = alice.sessions.start(&alice.device, &weak, &bundle, NOW, &mut rng);
    assert_eq!(started.err(), Some(CryptoError::Bundle(KeyError::Signature)));
}

#[test]
fn attack_3_empty_short_and_long_envelopes_and_tags_are_refused() {
    let (mut alice, mut bob, mut rng) = strangers(30);
    alice.start(&mut bob, &mut rng);
    let initial = alice.send(b"hello", &mut rng);
    let before = bob.state();
    for length in (0..INITIAL_END + 98).chain(initial.len() - 20..initial.len()) {
        assert!(bob.receive(&alice, &initial[..length]).is_err(), "{length} bytes");
    }
    assert!(bob.receive(&alice, &[initial.clone(), vec![0]].concat()).is_err());
    assert_eq!(bob.state(), before);

    let (mut alice, mut bob, mut rng) = acquainted(31);
    let message = alice.send(b"hello", &mut rng);
    let before = bob.state();
    for length in 0..message.len() {
        assert!(bob.receive(&alice, &message[..length]).is_err(), "{length} bytes");
    }
    for more in [1, 16, 1 << 16] {
        assert!(bob.receive(&alice, &[message.clone(), vec![0; more]].concat()).is_err());
    }
    // The tag left out of the header: what follows moves up.
    let no_header_tag = [&message[..HEADER + 41], &message[BODY..]].concat();
    assert!(bob.receive(&alice, &no_header_tag).is_err());
    assert_eq!(bob.state(), before);
    assert_eq!(bob.receive(&alice, &message).unwrap(), b"hello");
}

#[test]
fn attack_4_any_flipped_bit_is_refused_and_the_state_stays_byte_identical() {
    let (mut alice, mut bob, mut rng) = strangers(40);
    alice.start(&mut bob, &mut rng);
    let initial = alice.send(b"hello", &mut rng);
    let before = bob.state();
    // One bit of each byte of the handshake, every bit of the message behind it.
    let bits = (0..INITIAL_END).map(|byte| byte * 8 + byte % 8).chain(INITIAL_END * 8..initial.len() * 8);
    for bit in bits {
        assert!(bob.receive(&alice, &flip(&initial, bit)).is_err(), "bit {bit}");
    }
    assert_eq!(bob.state(), before);
    assert_eq!(bob.receive(&alice, &initial).unwrap(), b"hello");

    // Again, when the session is known already.
    let second = alice.send(b"again", &mut rng);
    let before = bob.state();
    for bit in (0..second.len()).map(|byte| byte * 8 + byte % 8) {
        assert!(bob.receive(&alice, &flip(&second, bit)).is_err(), "bit {bit}");
    }
    assert_eq!(bob.state(), before);

    let (mut alice, mut bob, mut rng) = acquainted(41);
    let message = alice.send(b"hello", &mut rng);
    let before = bob.state();
    for bit in 0..message.len() * 8 {
        assert!(bob.receive(&alice, &flip(&message, bit)).is_err(), "bit {bit}");
    }
    assert_eq!(bob.state(), before);
    assert_eq!(bob.receive(&alice, &message).unwrap(), b"hello");
}

#[test]
fn attack_5_a_header_spliced_from_another_message_is_refused() {
    let (mut alice, mut bob, mut rng) = acquainted(50);
    let one = alice.send(b"one", &mut rng);
    let two = alice.send(b"two", &mut rng);
    let before = bob.state();
    for cut in [HEADER, BODY] {
        for (head, tail) in [(&one, &two), (&two, &one)] {
            let spliced = [&head[..cut], &tail[cut..]].concat();
            assert!(bob.receive(&alice, &spliced).is_err(), "cut at {cut}");
        }
    }
    let swapped = [&one[..NONCE], &two[NONCE..HEADER], &one[HEADER..]].concat();
    assert!(bob.receive(&alice, &swapped).is_err());
    assert_eq!(bob.state(), before);
}

#[test]
fn attack_6_replays_of_messages_are_refused_also_after_a_restart() {
    let (mut alice, mut bob, mut rng) = acquainted(60);
    let envelopes: Vec<_> = (0..5_u8).map(|n| alice.send(&[n], &mut rng)).collect();
    for envelope in [&envelopes[4], &envelopes[1]] {
        bob.receive(&alice, envelope).unwrap();
        assert_eq!(bob.receive(&alice, envelope), Err(DecryptError::Duplicate));
        bob.restart();
        assert_eq!(bob.receive(&alice, envelope), Err(DecryptError::Duplicate));
    }
    // And after the chain was left.
    let answer = bob.send(b"answer", &mut rng);
    alice.receive(&bob, &answer).unwrap();
    let next = alice.send(b"next", &mut rng);
    bob.receive(&alice, &next).unwrap();
    assert_eq!(bob.receive(&alice, &envelopes[4]), Err(DecryptError::Duplicate));
    assert_eq!(alice.receive(&bob, &answer), Err(DecryptError::Duplicate));
}

#[test]
fn attack_6_replays_of_handshakes_are_refused_also_after_the_session_is_gone() {
    let (mut alice, mut bob, mut rng) = strangers(61);
    alice.start(&mut bob, &mut rng);
    let hello = alice.send(b"hello", &mut rng);
    bob.receive(&alice, &hello).unwrap();
    assert_eq!(bob.receive(&alice, &hello), Err(DecryptError::Duplicate));
    bob.sessions = PeerSessions::new();
    bob.restart();
    assert_eq!(bob.receive(&alice, &hello), Err(DecryptError::UnknownPrekey));
}

#[test]
fn attack_6_replays_of_last_resort_handshakes_are_refused_also_after_a_restart() {
    for with_one_time in [false, true] {
        let (mut alice, mut bob, mut rng) = strangers(62);
        let mut bundle = bob.last_resort();
        bundle.one_time_prekey = bob.claim().one_time_prekey.filter(|_| with_one_time);
        alice.sessions = alice.sessions.start(&alice.device, bob.certificate(), &bundle, NOW, &mut rng).unwrap();
        let hello = alice.send(b"hello", &mut rng);
        bob.receive(&alice, &hello).unwrap();
        bob.sessions = PeerSessions::new();
        let refused = if with_one_time { DecryptError::UnknownPrekey } else { DecryptError::Duplicate };
        assert_eq!(bob.receive(&alice, &hello), Err(refused));
        bob.restart();
        assert_eq!(bob.receive(&alice, &hello), Err(refused));

        // After rotations, while the keys still live.
        let week = 7 * 24 * 3600;
        for rotation in 1..=4 {
            bob.prekeys = bob.prekeys.rotate_if_due(&bob.device, NOW + rotation * week, &mut rng).unwrap();
            bob.restart();
            let outcome = bob.receive_at(alice.certificate(), &hello, NOW + rotation * week);
            assert_eq!(outcome, Err(refused), "rotation {rotation}");
        }
        // And when they are destroyed, so is the memory.
        bob.prekeys = bob.prekeys.rotate_if_due(&bob.device, NOW + 6 * week, &mut rng).unwrap();
        let outcome = bob.receive_at(alice.certificate(), &hello, NOW + 6 * week);
        assert_eq!(outcome, Err(DecryptError::UnknownPrekey));
    }
}

#[test]
fn attack_7_a_reflected_message_is_refused() {
    let (mut alice, mut bob, mut rng) = strangers(70);
    alice.start(&mut bob, &mut rng);
    let hello = alice.send(b"hello", &mut rng);
    // As from Bob, and as from herself.
    assert_eq!(alice.receive(&bob, &hello), Err(DecryptError::WrongSender));
    let from_bob = put(&hello, CERTIFICATE, &bob.certificate().hash());
    assert!(alice.receive(&bob, &from_bob).is_err());
    assert!(alice.peek(alice.certificate(), &hello, NOW).is_err());

    let (mut alice, bob, mut rng) = acquainted(71);
    let message = alice.send(b"hello", &mut rng);
    let before = alice.state();
    assert_eq!(alice.receive(&bob, &message), Err(DecryptError::NoSession));
    assert_eq!(alice.state(), before);
}

#[test]
fn attack_8_swapped_accounts_and_devices_are_refused() {
    let (mut alice, mut bob, mut rng) = acquainted(80);
    let mallory = Person::new(&mut rng);
    let message = alice.send(b"hello", &mut rng);
    let before = bob.state();
    // Delivered as Mallory's, and as of another device of Alice.
    assert_eq!(bob.receive(&mallory, &message), Err(DecryptError::WrongSender));
    let body = alice.certificate().body();
    let other = LocalDevice::generate(&alice.account, NOW, &mut rng);
    assert_eq!(bob.peek(other.certificate(), &message, NOW).err(), Some(DecryptError::WrongSender));
    // As of the same device with other keys: its old session is not the new device's.
    let renewed = alice.account.certify(body.device, body.signing_key.0, *DhSecret::generate(&mut rng).public(), NOW);
    assert_eq!(bob.peek(&renewed, &message, NOW).err(), Some(DecryptError::NoSession));
    // Another account that certifies the same device identifier.
    let stolen = mallory.account.certify(body.device, body.signing_key.0, body.identity_key.0, NOW);
    assert_eq!(bob.peek(&stolen, &message, NOW).err(), Some(DecryptError::WrongSender));
    // State of Bob in the hands of another device of his.
    let second = LocalDevice::generate(&bob.account, NOW, &mut rng);
    let outcome = bob.sessions.decrypt(&second, &bob.prekeys, alice.certificate(), &message, NOW, &mut rng);
    assert_eq!(outcome.err(), Some(DecryptError::WrongRecipient));
    assert_eq!(bob.state(), before);
}

#[test]
fn attack_8_an_unknown_key_share_gives_no_session() {
    // Mallory certifies Alice's identity key as her own and passes Alice's handshake on.
    let (mut alice, mut bob, mut rng) = strangers(81);
    let mallory = AccountKey::generate(&mut rng);
    let body = alice.certificate().body();
    let stolen = mallory.certify(body.device, body.signing_key.0, body.identity_key.0, NOW);
    alice.start(&mut bob, &mut rng);
    let hello = alice.send(b"hello", &mut rng);
    assert_eq!(bob.peek(&stolen, &hello, NOW).err(), Some(DecryptError::WrongSender));
    let hello = put(&hello, CERTIFICATE, &stolen.hash());
    assert_eq!(bob.peek(&stolen, &hello, NOW).err(), Some(DecryptError::Tampered));
}

#[test]
fn attack_9_mixed_bundles_and_confused_key_kinds_are_refused() {
    let mut rng = TestRng::new(90);
    let mut other = Person::new(&mut rng);
    let foreign = other.claim();
    let bad = |error| Err(Ok(CryptoError::Bundle(error)));
    let signed = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| {
        bundle.signed_prekey = foreign.signed_prekey.clone();
    };
    assert_eq!(bundle_changed(90, signed), bad(KeyError::Signature));
    let pq = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| bundle.pq_prekey = foreign.pq_prekey.clone();
    assert_eq!(bundle_changed(90, pq), bad(KeyError::Signature));
    let device = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| bundle.device = foreign.device;
    assert_eq!(bundle_changed(90, device), Err(Ok(CryptoError::WrongRecipient)));
    // The last-resort key as a one-time one and the other way round, or as no KEM key at all.
    for kind in [0, 1, 3, 4] {
        let confused = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| bundle.pq_kind = kind;
        assert!(matches!(bundle_changed(90, confused), Err(Ok(CryptoError::Bundle(_)))), "kind {kind}");
    }
    let last_resort = |bundle: &mut PrekeyBundle, bob: &Person, _: &mut TestRng| {
        bundle.pq_prekey = bob.last_resort().pq_prekey;
    };
    assert_eq!(bundle_changed(90, last_resort), bad(KeyError::Signature));
    let swapped = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| {
        std::mem::swap(&mut bundle.signed_prekey, &mut bundle.pq_prekey);
    };
    assert_eq!(bundle_changed(90, swapped), bad(KeyError::Signature));
    // Identifier 0 stands for "none".
    let zero = |bundle: &mut PrekeyBundle, _: &Person, _: &mut TestRng| {
        bundle.one_time_prekey = bundle.one_time_prekey.map(|prekey| OneTimePrekey { id: 0, ..prekey });
    };
    assert_eq!(bundle_changed(90, zero), bad(KeyError::Malformed));
    // An encapsulation key that fails the modulus check.
    let no_key = |bundle: &mut PrekeyBundle, bob: &Person, _: &mut TestRng| {
        let owner = (bob.device.account(), bob.device.device());
        let key = Prekey::issue(bob.device.signing_key(), owner, PrekeyKind::PqOneTime, 9, NOW, &[0xff; 1184]);
        bundle.pq_prekey = key.signed().clone();
    };
    assert_eq!(bundle_changed(90, no_key), Err(Ok(CryptoError::InvalidKemKey)));
    assert_eq!(bundle_changed(90, |_, _, _| ()).unwrap(), b"hello");
}

#[test]
fn attack_9_a_one_time_key_that_the_relay_swaps_or_strips_on_the_way_gives_no_session() {
    // The relay gives out a one-time key of its own under Bob's identifier.
    let swapped = |bundle: &mut PrekeyBundle, _: &Person, rng: &mut TestRng| {
        let own = DhSecret::generate(rng);
        bundle.one_time_prekey =
            bundle.one_time_prekey.map(|prekey| OneTimePrekey { key: Fixed(*own.public()), ..prekey });
    };
    assert_eq!(bundle_changed(91, swapped), Err(Err(DecryptError::Tampered)));

    let (mut alice, mut bob, mut rng) = strangers(92);
    alice.start(&mut bob, &mut rng);
    let hello = alice.send(b"hello", &mut rng);
    let before = bob.state();
    let tampered = Err(DecryptError::Tampered);
    // Stripped, or named another.
    assert_eq!(bob.receive(&alice, &put(&hello, ONE_TIME_PREKEY, &0_u64.to_be_bytes())), tampered);
    assert_eq!(bob.receive(&alice, &put(&hello, ONE_TIME_PREKEY, &7_u64.to_be_bytes())), tampered);
    // Another one-time KEM key, the last-resort one instead, no KEM key.
    let pq = u64::from_be_bytes(hello[PQ_PREKEY..PQ_PREKEY + 8].try_into().unwrap());
    assert_eq!(bob.receive(&alice, &put(&hello, PQ_PREKEY, &(pq + 1).to_be_bytes())), tampered);
    let last_resort = put(&put(&hello, PQ_KIND, &[3]), PQ_PREKEY, &2_u64.to_be_bytes());
    assert_eq!(bob.receive(&alice, &last_resort), tampered);
    assert_eq!(bob.receive(&alice, &put(&hello, PQ_KIND, &[1])), Err(DecryptError::Malformed));
    assert_eq!(bob.receive(&alice, &put(&hello, PQ_KIND, &[0])), Err(DecryptError::Malformed));
    // Re-encapsulated to the same key.
    let public: [u8; 1184] = {
        let text = &bob.prekeys.publication(&bob.device).pq_one_time[0];
        let key = Prekey::verify(text.read().unwrap(), bob.certificate().body(), PrekeyKind::PqOneTime).unwrap();
        assert_eq!(key.body().id, pq);
        key.body().key.as_slice().try_into().unwrap()
    };
    let (ciphertext, _) = MlKem768::encapsulate(&public, &Secret::random(&mut rng)).unwrap();
    assert_eq!(bob.receive(&alice, &put(&hello, KEM_CIPHERTEXT, &ciphertext)), tampered);
    // A signed prekey that is not there, and another generation.
    let unknown = Err(DecryptError::UnknownPrekey);
    assert_eq!(bob.receive(&alice, &put(&hello, SIGNED_PREKEY, &9_u64.to_be_bytes())), unknown);
    assert_eq!(bob.receive(&alice, &put(&hello, GENERATION, &2_u64.to_be_bytes())), tampered);
    assert_eq!(bob.state(), before);
    assert_eq!(bob.receive(&alice, &hello).unwrap(), b"hello");
}

#[test]
fn attack_13_reordered_dropped_and_duplicated_messages_do_no_harm() {
    let (mut alice, mut bob, mut rng) = strangers(130);
    alice.start(&mut bob, &mut rng);
    let mut late = Vec::new();
    for turn in 0..6_u8 {
        for n in 0..10_u8 {
            let envelope = alice.send(&[turn, n], &mut rng);
            match n % 3 {
                0 => {
                    assert_eq!(bob.receive(&alice, &envelope).unwrap(), [turn, n]);
                    assert_eq!(bob.receive(&alice, &envelope), Err(DecryptError::Duplicate));
                }
                1 => late.push((turn, n, envelope)),
                _ => {}
            }
        }
        let answer = bob.send(&[turn], &mut rng);
        assert_eq!(alice.receive(&bob, &answer).unwrap(), [turn]);
    }
    for (turn, n, envelope) in late.into_iter().rev() {
        // Five chains are kept: those of the first turn are too old.
        let outcome = bob.receive(&alice, &envelope);
        if turn >= 1 {
            assert_eq!(outcome.unwrap(), [turn, n]);
        } else {
            assert_eq!(outcome, Err(DecryptError::OldKey));
        }
    }
}

#[test]
fn attack_14_no_signature_of_a_device_serves_as_that_of_a_prekey() {
    for label in Label::ALL {
        for kind in [PrekeyKind::Signed, PrekeyKind::PqOneTime] {
            let forged = |bundle: &mut PrekeyBundle, bob: &Person, _: &mut TestRng| {
                let prekey = if kind == PrekeyKind::Signed { &mut bundle.signed_prekey } else { &mut bundle.pq_prekey };
                let signature = sign(bob.device.signing_key(), label, prekey.body.as_slice());
                *prekey = SignedBytes { body: prekey.body.clone(), signature: Fixed(signature) };
            };
            let right = match kind {
                PrekeyKind::Signed => label == Label::SignedPrekey,
                _ => label == Label::PqOneTimePrekey,
            };
            assert_eq!(bundle_changed(140, forged).is_ok(), right, "{label:?} for {kind:?}");
        }
    }
    // Nor does one of the account key.
    let account = |bundle: &mut PrekeyBundle, bob: &Person, _: &mut TestRng| {
        let key = SigningKey::from_bytes(&bob.account.to_bytes());
        bundle.signed_prekey.signature = Fixed(sign(&key, Label::SignedPrekey, bundle.signed_prekey.body.as_slice()));
    };
    assert_eq!(bundle_changed(140, account), Err(Ok(CryptoError::Bundle(KeyError::Signature))));
}

#[test]
fn attack_15_lengths_tell_only_the_bucket_and_content_is_not_compressed() {
    let (alice, _, mut rng) = acquainted(150);
    let mut length = |content: &[u8]| alice.sessions.encrypt(content, NOW, &mut rng).unwrap().1.len();
    let shortest = length(b"");
    for size in [1, 100, 255] {
        assert_eq!(length(&vec![0; size]), shortest);
        let varied: Vec<u8> = (0..size).map(|byte| byte.to_le_bytes()[0]).collect();
        assert_eq!(length(&varied), shortest);
    }
    assert_eq!(length(&[0; 256]), shortest + 256);
    let lengths: HashSet<usize> = (0..4096).step_by(7).chain([4096]).map(|size| length(&vec![b'a'; size])).collect();
    assert_eq!(lengths.len(), 6, "256, 512, 1,024, 2,048, 4,096 and one above");
}

#[test]
fn attack_16_what_is_wrong_with_a_message_does_not_show_before_its_tags_are_checked() {
    let (mut alice, mut bob, mut rng) = acquainted(160);
    let near = alice.send(b"near", &mut rng);
    for _ in 0..998 {
        alice.send(b"lost", &mut rng);
    }
    let far = alice.send(b"far", &mut rng);
    alice.send(b"lost", &mut rng);
    let too_far = alice.send(b"too far", &mut rng);
    let outcomes = |envelope: &[u8], bytes: std::ops::Range<usize>| -> HashSet<_> {
        let bits = bytes.flat_map(|byte| [0, 3, 7].map(|bit| byte * 8 + bit));
        bits.map(|bit| bob.peek(alice.certificate(), &flip(envelope, bit), NOW).err()).collect()
    };
    for envelope in [&near, &far, &too_far] {
        // Nonce and header: nothing of the header is believed, so all three look alike.
        assert_eq!(outcomes(envelope, NONCE..BODY), HashSet::from([Some(DecryptError::NoSession)]));
    }
    for envelope in [&near, &far] {
        // Body and tag, padding included: one error, whatever is wrong behind the tag.
        let end = envelope.len();
        assert_eq!(outcomes(envelope, BODY..BODY + 8), HashSet::from([Some(DecryptError::Tampered)]));
        assert_eq!(outcomes(envelope, end - 24..end), HashSet::from([Some(DecryptError::Tampered)]));
    }
    assert_eq!(bob.receive(&alice, &too_far), Err(DecryptError::TooFarAhead));
    assert_eq!(bob.receive(&alice, &far).unwrap(), b"far");
}

#[test]
fn attack_17_a_recipient_changed_between_choosing_and_encrypting_is_noticed() {
    let (mut alice, mut bob, mut rng) = acquainted(170);
    let mut carol = Person::new(&mut rng);
    let wrong = Some(CryptoError::WrongRecipient);
    assert_eq!(alice.sessions.encrypt_to(carol.certificate(), b"for Carol", NOW, &mut rng).err(), wrong);
    // Bob's device with a new certificate: a new session is due.
    let body = bob.certificate().body();
    let renewed = bob.account.certify(body.device, body.signing_key.0, body.identity_key.0, NOW + 1);
    assert!(!alice.sessions.can_send_to(&renewed));
    assert_eq!(alice.sessions.encrypt_to(&renewed, b"for Bob", NOW, &mut rng).err(), wrong);
    // Carol's bundle never enters Bob's sessions, nor one of Bob's device those of another.
    let bundle = carol.claim();
    let started = alice.sessions.start(&alice.device, carol.certificate(), &bundle, NOW, &mut rng);
    assert_eq!(started.err(), wrong);
    let started = alice.sessions.start(&alice.device, bob.certificate(), &bundle, NOW, &mut rng);
    assert_eq!(started.err(), wrong);
    // And what was encrypted for Bob is nothing to Carol.
    let (sessions, envelope) = alice.sessions.encrypt_to(bob.certificate(), b"for Bob", NOW, &mut rng).unwrap();
    alice.sessions = sessions;
    assert!(carol.receive(&alice, &envelope).is_err());
    assert_eq!(bob.receive(&alice, &envelope).unwrap(), b"for Bob");
    // A device does not start with itself.
    let bundle = alice.claim();
    let itself = PeerSessions::new().start(&alice.device, alice.certificate(), &bundle, NOW, &mut rng);
    assert_eq!(itself.err(), Some(CryptoError::SameDevice));
}

#[test]
fn attack_18_starts_settle_in_whatever_order_they_come() {
    // Both start twice, neither knowing of the other's; the relay delivers in every order.
    for order in 0..24 {
        let (mut alice, mut bob, mut rng) = strangers(1850 + order);
        let mut sent = Vec::new();
        for _ in 0..2 {
            alice.start(&mut bob, &mut rng);
            sent.push((true, alice.send(b"of Alice", &mut rng)));
            bob.start(&mut alice, &mut rng);
            sent.push((false, bob.send(b"of Bob", &mut rng)));
        }
        let mut code = order as usize;
        while !sent.is_empty() {
            let (of_alice, envelope) = sent.remove(code % sent.len());
            code /= sent.len() + 1;
            let came = if of_alice { bob.receive(&alice, &envelope) } else { alice.receive(&bob, &envelope) };
            assert!(came.is_ok());
        }
        for _ in 0..2 {
            if !alice.sessions.can_send() {
                alice.start(&mut bob, &mut rng);
            }
            let there = alice.send(b"there", &mut rng);
            bob.receive(&alice, &there).unwrap();
            if !bob.sessions.can_send() {
                bob.start(&mut alice, &mut rng);
            }
            let back = bob.send(b"back", &mut rng);
            alice.receive(&bob, &back).unwrap();
        }
        assert!(alice.sessions.sends_with().is_some());
        assert_eq!(alice.sessions.sends_with(), bob.sessions.sends_with(), "order {order}");
    }
}

#[test]
fn attack_18_nobody_names_a_generation_that_nobody_can_go_beyond() {
    for (generation, sends) in [(GENERATION_STEP_MAX, true), (GENERATION_STEP_MAX + 1, false), (u64::MAX, false)] {
        let (mut alice, mut bob, mut rng) = strangers(186);
        let bundle = bob.claim();
        let started = alice.sessions.start_as(generation, &alice.device, bob.certificate(), &bundle, NOW, &mut rng);
        alice.sessions = started.unwrap();
        let hello = alice.send(b"hello", &mut rng);
        assert_eq!(bob.receive(&alice, &hello).unwrap(), b"hello", "read in any case");
        assert_eq!(bob.sessions.can_send(), sends, "generation {generation}");
        // The device itself, which knows nothing of that, and Bob go on to read one another.
        bob.restart();
        alice.sessions = PeerSessions::new();
        for _ in 0..3 {
            if !bob.sessions.can_send() {
                bob.start(&mut alice, &mut rng);
            }
            let there = bob.send(b"there", &mut rng);
            // The first may be in a session that only a thief has: Alice's next shows that she has not.
            assert!(alice.receive(&bob, &there).is_ok() || sends);
            if !alice.sessions.can_send() {
                alice.start(&mut bob, &mut rng);
            }
            let back = alice.send(b"back", &mut rng);
            assert_eq!(bob.receive(&alice, &back).unwrap(), b"back");
        }
        let last = bob.send(b"last", &mut rng);
        assert_eq!(alice.receive(&bob, &last).unwrap(), b"last");
        if !sends {
            assert_eq!(alice.sessions.sends_with(), bob.sessions.sends_with());
        }
    }
}

#[test]
fn attack_18_dropped_sessions_still_count() {
    let (mut alice, mut bob, mut rng) = acquainted(187);
    let lost = PeerSessions::from_bytes(&alice.sessions.to_bytes()).unwrap();
    for _ in 0..2 * ARCHIVED_MAX {
        bob.start(&mut alice, &mut rng);
        let reset = bob.send(b"reset", &mut rng);
        alice.receive(&bob, &reset).unwrap();
    }
    // A restored Alice begins below sessions that Bob remembers by their number alone.
    alice.sessions = lost;
    alice.start(&mut bob, &mut rng);
    let restored = alice.send(b"restored", &mut rng);
    bob.restart();
    assert_eq!(bob.receive(&alice, &restored).unwrap(), b"restored");
    // Nothing came back in Bob's last session, so that this may be a crossed start: he goes on with it. She
    // has used the prekeys, and asks for repair beyond what its header names.
    assert!(bob.sessions.can_send());
    let unread = bob.send(b"unread", &mut rng);
    assert_eq!(alice.receive(&bob, &unread), Err(DecryptError::UnknownPrekey));
    let claimed = Envelope::read(&unread).unwrap().claimed_generation().unwrap();
    assert_eq!(claimed, 1 + 2 * ARCHIVED_MAX as u64);
    let (bundle, certificate) = (bob.claim(), bob.certificate());
    let started = alice.sessions.start_beyond(claimed, &alice.device, certificate, &bundle, NOW, &mut rng);
    alice.sessions = started.unwrap();
    settle(&mut alice, &mut bob, &mut rng);
    assert_eq!(alice.sessions.sends_with(), bob.sessions.sends_with());
}

/// Sends one message each way; both have to arrive, and both sides to have settled on a session.
fn settle(alice: &mut Person, bob: &mut Person, rng: &mut TestRng) {
    for _ in 0..2 {
        let there = alice.send(b"there", rng);
        assert_eq!(bob.receive(alice, &there).unwrap(), b"there");
        let back = bob.send(b"back", rng);
        assert_eq!(alice.receive(bob, &back).unwrap(), b"back");
    }
    assert!(alice.sessions.is_acknowledged() && bob.sessions.is_acknowledged());
}

#[test]
fn attack_18_crossed_starts_settle_on_one_session() {
    let mut winners = HashSet::new();
    for seed in 0..8 {
        let (mut alice, mut bob, mut rng) = strangers(1800 + seed);
        alice.start(&mut bob, &mut rng);
        bob.start(&mut alice, &mut rng);
        let from_alice: Vec<_> = (0..3_u8).map(|n| alice.send(&[n], &mut rng)).collect();
        let from_bob: Vec<_> = (0..3_u8).map(|n| bob.send(&[n], &mut rng)).collect();
        for n in 0..3_u8 {
            assert_eq!(bob.receive(&alice, &from_alice[usize::from(n)]).unwrap(), [n]);
            assert_eq!(alice.receive(&bob, &from_bob[usize::from(n)]).unwrap(), [n]);
        }
        // Exactly one side still has to show its handshake: the one whose start sends.
        let (one, other) = (alice.send(b"", &mut rng)[1], bob.send(b"", &mut rng)[1]);
        assert_eq!(HashSet::from([one, other]), HashSet::from([1, 2]));
        winners.insert(one);
        settle(&mut alice, &mut bob, &mut rng);

        // The same when both give up a session that works.
        alice.start(&mut bob, &mut rng);
        bob.start(&mut alice, &mut rng);
        let (one, other) = (alice.send(b"one", &mut rng), bob.send(b"other", &mut rng));
        assert_eq!(alice.receive(&bob, &other).unwrap(), b"other");
        assert_eq!(bob.receive(&alice, &one).unwrap(), b"one");
        let (one, other) = (alice.send(b"", &mut rng)[1], bob.send(b"", &mut rng)[1]);
        assert_eq!(HashSet::from([one, other]), HashSet::from([1, 2]));
        settle(&mut alice, &mut bob, &mut rng);
    }
    assert_eq!(winners.len(), 2, "neither side is always the one");
}

#[test]
fn attack_18_a_reset_replaces_the_session_and_a_late_start_does_not() {
    let (mut alice, mut bob, mut rng) = acquainted(181);
    let in_flight = bob.send(b"in flight", &mut rng);
    alice.start(&mut bob, &mut rng);
    let first = alice.send(b"first", &mut rng);
    alice.start(&mut bob, &mut rng);
    let second = alice.send(b"second", &mut rng);
    // The later start comes first; the earlier one must not become the one that sends.
    assert_eq!(bob.receive(&alice, &second).unwrap(), b"second");
    assert_eq!(bob.receive(&alice, &first).unwrap(), b"first");
    assert_eq!(alice.receive(&bob, &in_flight).unwrap(), b"in flight");
    // Late, or Alice has lost the second: Bob goes beyond both.
    assert!(!bob.sessions.can_send());
    bob.start(&mut alice, &mut rng);
    let answer = bob.send(b"answer", &mut rng);
    assert_eq!(alice.receive(&bob, &answer).unwrap(), b"answer");
    assert_eq!(alice.sessions.sends_with(), bob.sessions.sends_with());
    settle(&mut alice, &mut bob, &mut rng);

    // Bob answers Alice's unanswered start with one of his own.
    alice.start(&mut bob, &mut rng);
    let start = alice.send(b"start", &mut rng);
    bob.receive(&alice, &start).unwrap();
    bob.start(&mut alice, &mut rng);
    let repair = bob.send(b"repair", &mut rng);
    assert_eq!(alice.receive(&bob, &repair).unwrap(), b"repair");
    assert_eq!(alice.send(b"", &mut rng)[1], 2, "the repair sends on both sides");
    settle(&mut alice, &mut bob, &mut rng);
}

#[test]
fn attack_18_a_flood_of_resets_is_bounded_and_promotes_nothing_old() {
    let (mut alice, mut bob, mut rng) = acquainted(182);
    let old = alice.sessions.to_bytes();
    let mut largest = 0;
    for _ in 0..3 * ARCHIVED_MAX {
        alice.start(&mut bob, &mut rng);
        let reset = alice.send(b"reset", &mut rng);
        bob.receive(&alice, &reset).unwrap();
        largest = largest.max(bob.sessions.to_bytes().len());
    }
    assert!(largest < 10_000, "{largest} bytes");
    // A message of a session that was dropped long ago opens nothing.
    let (_, ancient) = PeerSessions::from_bytes(&old).unwrap().encrypt(b"ancient", NOW, &mut rng).unwrap();
    assert_eq!(bob.receive(&alice, &ancient), Err(DecryptError::NoSession));
    settle(&mut alice, &mut bob, &mut rng);

    // One of an archived session is read, and the answer still goes through the present one.
    let archived = alice.sessions.to_bytes();
    alice.start(&mut bob, &mut rng);
    let reset = alice.send(b"reset", &mut rng);
    bob.receive(&alice, &reset).unwrap();
    let (_, late) = PeerSessions::from_bytes(&archived).unwrap().encrypt(b"late", NOW, &mut rng).unwrap();
    assert_eq!(bob.receive(&alice, &late).unwrap(), b"late");
    let answer = bob.send(b"answer", &mut rng);
    alice.sessions = PeerSessions::from_bytes(&alice.sessions.to_bytes()).unwrap();
    assert!(PeerSessions::from_bytes(&archived).is_ok_and(|old| {
        old.decrypt(&alice.device, &alice.prekeys, bob.certificate(), &answer, NOW, &mut rng).is_err()
    }));
    assert_eq!(alice.receive(&bob, &answer).unwrap(), b"answer");
}

#[test]
fn attack_19_cloned_state_never_uses_a_key_stream_twice() {
    // Within a chain, where both copies have the same message key, and before a new ratchet key.
    for same_chain in [true, false] {
        let (mut alice, mut bob, mut rng) = acquainted(190);
        if same_chain {
            let begin = alice.send(b"begin", &mut rng);
            bob.receive(&alice, &begin).unwrap();
        }
        let (one, other) = ([0x11; 200], [0x22; 200]);
        let (_, first) = alice.sessions.encrypt(&one, NOW, &mut rng).unwrap();
        let clone = PeerSessions::from_bytes(&alice.sessions.to_bytes()).unwrap();
        let (_, second) = clone.encrypt(&other, NOW, &mut rng).unwrap();
        for (part, plain) in [(HEADER..HEADER + 41, 0), (BODY..BODY + 200, 0x33)] {
            let same = part.clone().filter(|at| first[*at] ^ second[*at] == plain).count();
            assert!(same < 20, "the key streams differ: {same} of {} bytes agree", part.len());
        }
        // The receiver takes one of them.
        assert_eq!(bob.receive(&alice, &first).unwrap(), one);
        let refused = if same_chain { DecryptError::Duplicate } else { DecryptError::NoSession };
        assert_eq!(bob.receive(&alice, &second), Err(refused));
    }
}

#[test]
fn attack_20_a_crash_before_the_commit_loses_nothing_and_repeats_nothing() {
    let (mut alice, mut bob, mut rng) = strangers(200);
    alice.start(&mut bob, &mut rng);
    for turn in 0..6_u8 {
        // Sending: the step is lost with the crash, the message is encrypted anew.
        let before = alice.state();
        let _lost = alice.sessions.encrypt(b"lost", NOW, &mut rng).unwrap();
        assert_eq!(alice.state(), before);
        alice.restart();
        let envelope = alice.send(&[turn], &mut rng);
        // Receiving: decrypted, but not stored; it comes again and decrypts again.
        let before = bob.state();
        assert_eq!(*bob.peek(alice.certificate(), &envelope, NOW).unwrap().content, [turn]);
        assert_eq!(bob.state(), before);
        bob.restart();
        assert_eq!(bob.state(), before);
        assert_eq!(bob.receive(&alice, &envelope).unwrap(), [turn]);
        // After the commit, it comes again and is known.
        bob.restart();
        assert_eq!(bob.receive(&alice, &envelope), Err(DecryptError::Duplicate));
        std::mem::swap(&mut alice, &mut bob);
    }
}

#[test]
fn attack_21_used_one_time_keys_are_gone_and_identifiers_never_come_back() {
    let (mut alice, mut bob, mut rng) = strangers(210);
    let mut seen: HashSet<_> = bob.prekeys.published().collect();
    assert_eq!(seen.len(), 202);
    alice.start(&mut bob, &mut rng);
    let hello = alice.send(b"hello", &mut rng);
    bob.receive(&alice, &hello).unwrap();
    assert_eq!(bob.prekeys.published().count(), 200);
    // What the relay says it has left is the newest.
    assert_eq!(bob.prekeys.published_when_left(29, 40).count(), 71);
    assert!(bob.prekeys.refill(&bob.device, 30, 30, NOW, &mut rng).is_none());
    bob.prekeys = bob.prekeys.mark_published();
    assert!(!bob.prekeys.has_unpublished());
    for _ in 0..3 {
        bob.prekeys = bob.prekeys.refill(&bob.device, 29, 40, NOW, &mut rng).unwrap();
        bob.restart();
        let new = bob.prekeys.publication(&bob.device);
        assert_eq!((new.one_time.len(), new.pq_one_time.len()), (71, 0));
        for key in new.one_time {
            assert!(seen.insert((0, key.id)), "{} is new", key.id);
        }
        bob.prekeys = bob.prekeys.mark_published();
    }
}

#[test]
fn attack_24_no_secret_shows_in_debug() {
    let (alice, bob, mut rng) = acquainted(240);
    let secret = Secret::<32>::copy_of(&[0xab; 32]);
    let received = {
        let (_, envelope) = bob.sessions.encrypt(b"a plain text", NOW, &mut rng).unwrap();
        alice.peek(bob.certificate(), &envelope, NOW).unwrap()
    };
    let shown = format!(
        "{:?} {:?} {:?} {:?} {secret:?} {received:?} {:?} {:#?}",
        alice.account,
        alice.device,
        alice.prekeys,
        alice.sessions,
        DhSecret::generate(&mut rng),
        bob.sessions
    );
    assert!(!shown.contains("plain text") && !shown.contains("171, 171") && !shown.contains("abab"));
    let state = [&alice.account.to_bytes()[..], &alice.device.to_bytes(), &alice.state()].concat();
    for window in state.windows(8).filter(|window| window.iter().any(|byte| *byte != 0)) {
        let forms = [hex::encode(window), format!("{window:?}").trim_matches(['[', ']']).to_owned()];
        let id = [alice.device.device().to_string(), alice.device.account().to_string()].concat();
        assert!(forms.iter().all(|form| id.contains(form.as_str()) || !shown.contains(form.as_str())));
    }
}

#[test]
fn attack_25_no_bytes_make_a_decoder_panic() {
    let (mut alice, mut bob, mut rng) = acquainted(250);
    let late = alice.send(b"late", &mut rng);
    let message = alice.send(b"hello", &mut rng);
    bob.receive(&alice, &message).unwrap();
    drop(late);
    let (sessions, prekeys) = (bob.sessions.to_bytes(), bob.prekeys.to_bytes());
    let device = bob.device.to_bytes();
    for length in 0..sessions.len() {
        assert!(PeerSessions::from_bytes(&sessions[..length]).is_err());
    }
    for length in 0..prekeys.len() {
        assert!(Prekeys::from_bytes(&prekeys[..length]).is_err());
    }
    for length in 0..device.len() {
        assert!(LocalDevice::from_bytes(&device[..length]).is_err());
    }
    let more = |bytes: &[u8]| [bytes, &[0]].concat();
    assert!(PeerSessions::from_bytes(&more(&sessions)).is_err());
    assert!(Prekeys::from_bytes(&more(&prekeys)).is_err());
    assert!(LocalDevice::from_bytes(&more(&device)).is_err());
    // Every byte turned to its extremes: huge counts allocate nothing and whatever is read works
    // or fails, but ends.
    for at in 0..sessions.len() {
        for value in [0, 0x7f, 0xff] {
            if let Ok(read) = PeerSessions::from_bytes(&put(&sessions, at, &[value])) {
                let _ = read.encrypt(b"x", NOW, &mut rng);
                let _ = read.decrypt(&bob.device, &bob.prekeys, alice.certificate(), &message, NOW, &mut rng);
            }
        }
    }
    for at in 0..64 {
        let _ = Prekeys::from_bytes(&put(&prekeys, at, &[0xff; 4]));
    }
    for kind in 0..=255 {
        for length in [0, 1, 96, 97, 98, 1305, 1306, 2000] {
            let envelope = [vec![1, kind], vec![0xff; length]].concat();
            assert!(bob.receive(&alice, &envelope).is_err());
        }
    }
    for version in (0..=255).filter(|version| *version != 1) {
        assert_eq!(bob.receive(&alice, &put(&message, 0, &[version])), Err(DecryptError::UnknownVersion));
    }
}

#[test]
fn attack_26_weak_and_ruinous_password_parameters_are_refused() {
    let good = new_params(&mut TestRng::new(260));
    let outcome = |change: &dyn Fn(&mut susurro_protocol::rest::StretchParams)| {
        let mut params = good.clone();
        change(&mut params);
        stretch_password("correct horse", &params).err()
    };
    assert_eq!(outcome(&|params| params.memory_kib = 64 * 1024 - 1), Some(PasswordError::TooWeak));
    assert_eq!(outcome(&|params| params.passes = 2), Some(PasswordError::TooWeak));
    assert_eq!(outcome(&|params| params.lanes = 0), Some(PasswordError::TooWeak));
    assert_eq!(outcome(&|params| params.memory_kib = 1024 * 1024 + 1), Some(PasswordError::TooCostly));
    assert_eq!(outcome(&|params| params.passes = 17), Some(PasswordError::TooCostly));
    assert_eq!(outcome(&|params| params.lanes = 17), Some(PasswordError::TooCostly));
    assert_eq!(outcome(&|params| params.scheme = "argon2i".into()), Some(PasswordError::UnknownScheme));
    assert_eq!(outcome(&|_| ()), None);
}

#[test]
fn a_wrong_passphrase_is_told_from_a_damaged_key_file() {
    use susurro_client_core::crypto::UnwrapError;
    let mut rng = TestRng::new(270);
    let key = [0x5a; 32];
    let wrapped = wrap_database_key("correct horse", &key, StretchCost::INSECURE, &mut rng).unwrap();
    assert_eq!(unwrap_database_key("correct horse", &wrapped).as_deref(), Ok(&key));
    assert_eq!(unwrap_database_key("wrong horse", &wrapped).err(), Some(UnwrapError::WrongPassphrase));
    for bit in 0..wrapped.len() * 8 {
        let damaged = unwrap_database_key("correct horse", &flip(&wrapped, bit));
        assert_eq!(damaged.err(), Some(UnwrapError::Damaged), "bit {bit}");
    }
    for length in 0..wrapped.len() {
        assert_eq!(unwrap_database_key("correct horse", &wrapped[..length]).err(), Some(UnwrapError::Damaged));
    }
    // The same passphrase in another Unicode form.
    let composed = wrap_database_key("caf\u{e9}", &key, StretchCost::INSECURE, &mut rng).unwrap();
    assert!(unwrap_database_key("cafe\u{301}", &composed).is_ok());
}
