//! Attacks by a peer that holds the session's keys, and the bounds it cannot push.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use getrandom::SysRng;
use rand_core::UnwrapErr;
use susurro_protocol::limits::WHISPER_PADDED;
use susurro_protocol::{AccountId, ChatId, DeviceId};

use super::*;
use crate::crypto::ratchet::{KEPT_SECONDS, SKIP_MAX};
use crate::crypto::secret::Secret32;
use crate::crypto::state::{Reader, Writer};

const NOW: u64 = 1_800_000_000;

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn keys() -> FirstKeys {
    let key = |byte| Secret32::copy_of(&[byte; 32]);
    FirstKeys {
        root: RootKey(key(0x41)),
        initiator_header: HeaderKey(key(0x42)),
        responder_header: HeaderKey(key(0x43)),
    }
}

fn binding(started_here: bool) -> Binding {
    let alice = (AccountId::from_bytes([1; 16]), DeviceId::from_bytes([1; 16]));
    let bob = (AccountId::from_bytes([2; 16]), DeviceId::from_bytes([2; 16]));
    let (local, remote) = if started_here { (alice, bob) } else { (bob, alice) };
    Binding {
        transcript: [7; 32],
        local,
        remote,
        remote_certificate: [0; 32],
        initial: [0; 32],
        generation: 1,
        started_here,
    }
}

fn send(session: &mut Session, body: &[u8]) -> Vec<u8> {
    let mut out = vec![1, 2];
    *session = session.seal(&mut out, |out| out.extend_from_slice(body), NOW, &mut rng()).unwrap();
    out
}

fn parts(envelope: &[u8]) -> Parts<'_> {
    Parts::read([1, 2], &envelope[2..]).unwrap()
}

fn receive_at(session: &mut Session, envelope: &[u8], now: u64) -> Result<Vec<u8>, DecryptError> {
    let before = bytes(session);
    match session.open(&parts(envelope), now) {
        Ok(opened) => {
            *session = opened.session;
            Ok(opened.body.to_vec())
        }
        Err(error) => {
            assert_eq!(bytes(session), before, "an error changes nothing");
            Err(error)
        }
    }
}

fn receive(session: &mut Session, envelope: &[u8]) -> Result<Vec<u8>, DecryptError> {
    receive_at(session, envelope, NOW)
}

fn bytes(session: &Session) -> Vec<u8> {
    let mut out = Writer::new(1);
    session.write(&mut out);
    out.finish().to_vec()
}

/// Alice and Bob after Alice's first message.
fn pair() -> (Session, Session) {
    let prekey = DhSecret::generate(&mut rng());
    let mut alice = Session::initiate(binding(true), keys(), *prekey.public(), &mut rng()).ok().unwrap();
    let first = send(&mut alice, b"first");
    let opened = Session::respond(binding(false), keys(), &prekey, &parts(&first), NOW).ok().unwrap();
    assert_eq!(*opened.body, b"first");
    (alice, opened.session)
}

fn turn(from: &mut Session, to: &mut Session) {
    let envelope = send(from, b"turn");
    assert_eq!(receive(to, &envelope).unwrap(), b"turn");
}

/// What `session` sends next, its header changed by someone who holds its keys.
fn forged(session: &Session, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut next = session.duplicate();
    let chain = match next.sending.take() {
        Some(chain) => chain,
        None => next.new_sending_chain(&mut rng()).unwrap(),
    };
    let mut header = Header { ratchet: *chain.ratchet.public(), n: chain.n, pn: next.previous_length, flags: 0 };
    change(&mut header);
    let (header_ad, nonce) = (session.binding.header_ad(true, [1, 2]), [9; NONCE_BYTES]);
    let sealed = chain.header_key.seal(header, &nonce, &header_ad).unwrap();
    let mut body = b"forged".to_vec();
    let key = chain.chain_key.step().1;
    let tag = key.seal(&nonce, &body_ad(&header_ad, &nonce, &sealed), &mut body).unwrap();
    [&[1, 2], &nonce[..], &sealed, &body, &tag].concat()
}

#[test]
fn attack_1_a_ratchet_key_of_small_order_is_refused() {
    let (mut alice, mut bob) = pair();
    turn(&mut bob, &mut alice);
    let mut one = [0; 32];
    one[0] = 1;
    for key in [[0; 32], one] {
        let weak = forged(&alice, |header| header.ratchet = key);
        assert_eq!(receive(&mut bob, &weak), Err(DecryptError::WeakKey));
    }
    turn(&mut alice, &mut bob);
}

#[test]
fn attack_5_huge_numbers_in_a_genuine_header_are_refused() {
    let (mut alice, mut bob) = pair();
    for _ in 0..2 {
        // The first time in a chain that Bob knows, then at the start of a new one.
        for n in [alice.sending.as_ref().map_or(0, |chain| chain.n) + SKIP_MAX + 1, u32::MAX - 1, u32::MAX] {
            let huge = forged(&alice, |header| header.n = n);
            assert_eq!(receive(&mut bob, &huge), Err(DecryptError::TooFarAhead), "n = {n}");
        }
        turn(&mut bob, &mut alice);
    }
    for (n, pn) in [(0, u32::MAX), (u32::MAX, u32::MAX), (1000, 1000), (0, 1002), (1001, 1)] {
        let huge = forged(&alice, |header| (header.n, header.pn) = (n, pn));
        assert_eq!(receive(&mut bob, &huge), Err(DecryptError::TooFarAhead), "n = {n}, pn = {pn}");
    }
    // Fewer than have come.
    let fewer = forged(&alice, |header| header.pn = 0);
    assert_eq!(receive(&mut bob, &fewer), Err(DecryptError::NoSession));
    turn(&mut alice, &mut bob);
}

#[test]
fn flags_of_a_later_version_are_refused() {
    let (alice, mut bob) = pair();
    for bit in 0..8 {
        let later = forged(&alice, |header| header.flags = 1 << bit);
        assert_eq!(receive(&mut bob, &later), Err(DecryptError::UnknownVersion));
    }
}

#[test]
fn a_step_skips_up_to_a_thousand_and_all_of_them_come_back() {
    let (mut alice, mut bob) = pair();
    let skipped: Vec<_> = (0..SKIP_MAX).map(|_| send(&mut alice, b"late")).collect();
    let last = send(&mut alice, b"last");
    assert_eq!(receive(&mut bob, &last).unwrap(), b"last");
    bob = Session::read(&mut Reader::new(&bytes(&bob), 1).unwrap(), true).ok().unwrap();
    for envelope in skipped.iter().rev() {
        assert_eq!(receive(&mut bob, envelope).unwrap(), b"late");
    }
    for envelope in &skipped {
        assert_eq!(receive(&mut bob, envelope), Err(DecryptError::Duplicate));
    }
}

#[test]
fn no_more_than_a_thousand_keys_are_kept_and_the_oldest_go_first() {
    let (mut alice, mut bob) = pair();
    let first: Vec<_> = (0..600).map(|_| send(&mut alice, b"first")).collect();
    turn(&mut alice, &mut bob);
    turn(&mut bob, &mut alice);
    let second: Vec<_> = (0..600).map(|_| send(&mut alice, b"second")).collect();
    turn(&mut alice, &mut bob);
    let kept = |bob: &Session| {
        bob.former.iter().map(|chain| chain.skipped.len()).sum::<usize>()
            + bob.receiving.as_ref().map_or(0, |chain| chain.skipped.len())
    };
    assert_eq!(kept(&bob), 1000);
    assert_eq!(receive(&mut bob, &first[199]), Err(DecryptError::OldKey));
    assert_eq!(receive(&mut bob, &first[200]).unwrap(), b"first");
    assert_eq!(receive(&mut bob, &second[0]).unwrap(), b"second");
    assert_eq!(kept(&bob), 998);
    // And none of them for longer than thirty days.
    let next = send(&mut alice, b"next");
    receive_at(&mut bob, &next, NOW + KEPT_SECONDS + 1).unwrap();
    assert_eq!(kept(&bob), 0);
    assert_eq!(receive(&mut bob, &second[1]), Err(DecryptError::OldKey));
}

#[test]
fn five_chains_can_be_read_and_no_more() {
    let (mut alice, mut bob) = pair();
    let mut late = Vec::new();
    for _ in 0..6 {
        late.push(send(&mut alice, b"late"));
        turn(&mut alice, &mut bob);
        turn(&mut bob, &mut alice);
    }
    assert_eq!(bob.former.len(), CHAINS_MAX - 1);
    assert_eq!(receive(&mut bob, &late[0]), Err(DecryptError::NoSession));
    for envelope in &late[1..] {
        assert_eq!(receive(&mut bob, envelope).unwrap(), b"late");
    }
}

#[test]
fn attack_23_old_keys_are_not_in_the_state_after_their_use() {
    let (mut alice, mut bob) = pair();
    let late = send(&mut alice, b"late");
    turn(&mut alice, &mut bob);
    let gone = |session: &Session, secrets: &[Vec<u8>]| {
        let state = bytes(session);
        for (index, secret) in secrets.iter().enumerate() {
            assert!(!state.windows(32).any(|window| window == secret), "secret {index} is still there");
        }
    };
    let of_receiving = |session: &Session| {
        session.receiving.as_ref().map(|chain| chain.chain_key.0.expose().to_vec()).unwrap_or_default()
    };
    // The key of a skipped message, while it is kept and after.
    let mut skipped = bob.receiving.as_ref().unwrap().skipped.duplicate();
    let message_key = skipped.take(1).unwrap().0.expose().to_vec();
    assert!(bytes(&bob).windows(32).any(|window| window == message_key));
    receive(&mut bob, &late).unwrap();
    gone(&bob, std::slice::from_ref(&message_key));

    // The chain keys on both sides after one message.
    let chain_key = of_receiving(&bob);
    let sending_key = alice.sending.as_ref().unwrap().chain_key.0.expose().to_vec();
    assert_eq!(chain_key, sending_key);
    turn(&mut alice, &mut bob);
    gone(&bob, std::slice::from_ref(&chain_key));
    gone(&alice, std::slice::from_ref(&chain_key));

    // Root key, ratchet secret and chain keys after a turn there and back.
    let old = |session: &Session| {
        let mut secrets = vec![session.root.0.expose().to_vec(), of_receiving(session)];
        if let Some(chain) = &session.sending {
            secrets.push(chain.ratchet.expose().to_vec());
            secrets.push(chain.chain_key.0.expose().to_vec());
            secrets.push(chain.header_key.0.expose().to_vec());
        }
        secrets.extend(session.whisper.as_ref().map(|key| key.0.expose().to_vec()));
        secrets.extend(session.receiving.as_ref().and_then(|chain| Some(chain.whisper.as_ref()?.0.expose().to_vec())));
        secrets.retain(|secret| !secret.is_empty());
        secrets
    };
    let (alices, bobs) = (old(&alice), old(&bob));
    for _ in 0..2 {
        turn(&mut bob, &mut alice);
        turn(&mut alice, &mut bob);
    }
    gone(&alice, &alices);
    gone(&bob, &bobs);
}

#[test]
fn a_chain_that_comes_to_its_end_sends_no_more() {
    let (mut alice, _) = pair();
    alice.sending.as_mut().unwrap().n = u32::MAX;
    let before = bytes(&alice);
    let outcome = alice.seal(&mut vec![1, 2], |_| (), NOW, &mut rng());
    assert_eq!(outcome.err(), Some(CryptoError::Exhausted));
    assert_eq!(bytes(&alice), before);
}

/// What `session` whispers next.
fn whisper(session: &Session) -> Vec<u8> {
    let mut out = vec![1, 3];
    session.seal_whisper(&mut out, &CHAT, &mut [7; WHISPER_PADDED], &mut rng()).unwrap();
    out
}

fn hear(session: &Session, whisper: &[u8]) -> Result<Vec<u8>, DecryptError> {
    let parts = WhisperParts::read(whisper).unwrap();
    session.open_whisper(&parts, &CHAT).map(|padded| padded.to_vec())
}

const CHAT: ChatId = ChatId::from_bytes([5; 16]);

#[test]
fn losing_a_hundred_thousand_whispers_costs_no_key_and_no_byte() {
    let (mut alice, mut bob) = pair();
    turn(&mut bob, &mut alice);
    let (alices, bobs) = (bytes(&alice), bytes(&bob));
    for _ in 0..100_000 {
        whisper(&alice);
    }
    assert_eq!((bytes(&alice), bytes(&bob)), (alices, bobs), "the state is the same to the byte");
    assert_eq!(hear(&bob, &whisper(&alice)).unwrap(), [7; WHISPER_PADDED]);
    turn(&mut alice, &mut bob);
    turn(&mut bob, &mut alice);
}

#[test]
fn a_whisper_is_heard_in_the_chain_that_it_belongs_to_and_in_no_other() {
    let (mut alice, mut bob) = pair();
    let first = whisper(&alice);
    assert!(hear(&bob, &first).is_ok());
    assert!(!bob.can_whisper(), "nothing was sent yet");
    turn(&mut bob, &mut alice);
    assert!(hear(&alice, &whisper(&bob)).is_ok());
    assert_eq!(hear(&bob, &whisper(&bob)).err(), Some(DecryptError::NoSession), "no reflection");
    // Alice has Bob's new ratchet key and sent nothing since: her chain of before still serves.
    assert!(hear(&bob, &whisper(&alice)).is_ok());
    let message = send(&mut alice, b"next");
    let early = whisper(&alice);
    assert_eq!(hear(&bob, &early).err(), Some(DecryptError::NoSession), "it overtook its chain");
    receive(&mut bob, &message).unwrap();
    assert!(hear(&bob, &early).is_ok());
    assert_eq!(hear(&bob, &first).err(), Some(DecryptError::NoSession), "the key of the chain before is gone");
}

#[test]
fn a_whisper_is_heard_once_and_no_older_one_after_it() {
    let (_, bob) = pair();
    let bob = bob.hears(7).unwrap();
    for old in [0, 6, 7] {
        assert!(bob.hears(old).is_none());
    }
    let stored = Session::read(&mut Reader::new(&bytes(&bob), 1).unwrap(), true).ok().unwrap();
    assert!(stored.hears(7).is_none() && stored.hears(8).is_some());
}
