//! What a ratchet has to refuse, and that it goes on afterwards.

use serde_json::json;
use susurro_client_core::crypto::dh::DhSecret;
use susurro_client_core::crypto::steps::{self, MessageHeader};
use susurro_client_core::crypto::{
    Agreed, CryptoError, KEPT_SECONDS, Secret32, VerifiedBundle, agree_as_initiator, padding,
};
use susurro_protocol::keys::PrekeyBundle;
use susurro_protocol::limits::CIPHERTEXT_MAX;

use super::people::{Person, public};
use super::ratchet::{Script, whole};
use super::{Flaw, Made, Maker};
use crate::vectors::ops::{Input, Refusal, local};
use crate::vectors::random::{Named, Tape};

/// Bytes of an envelope before its message header, with an initial header.
const INITIAL: usize = 2 + 1185;

pub(super) fn add(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    flipped(maker, alice, bob)?;
    forged(maker, alice, bob)?;
    forged_steps(maker, alice, bob)?;
    too_late(maker, alice, bob)?;
    envelopes(maker);
    Ok(())
}

/// `envelope` with a bit changed.
fn flip(envelope: &str, at: usize) -> String {
    let mut bytes = hex::decode(envelope).unwrap_or_default();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 0x10;
    }
    hex::encode(bytes)
}

fn cut(envelope: &str, bytes: usize) -> String {
    envelope.get(..envelope.len().saturating_sub(2 * bytes)).unwrap_or_default().to_owned()
}

fn flipped(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("changed-on-the-way", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    let first = script.send("alice", "bob", "a0")?;
    let last = first.len() / 2 - 1;
    for (at, error) in [
        (0, "unknown-version"),
        (1, "unknown-version"),
        (2, "wrong-sender"),
        (34, "tampered"),
        (42, "tampered"),
        (79, "unknown-prekey"),
        (87, "unknown-prekey"),
        (90, "malformed-message"),
        (98, "unknown-prekey"),
        (99, "tampered"),
        (INITIAL - 1, "tampered"),
        (INITIAL, "tampered"),
        (INITIAL + 24, "tampered"),
        (INITIAL + 24 + 41, "tampered"),
        (INITIAL + 24 + 57, "tampered"),
        (last, "tampered"),
    ] {
        script.refuse("bob", "alice", &flip(&first, at), error);
    }
    script.refuse("bob", "alice", &cut(&first, 1), "tampered");
    script.refuse("bob", "alice", &format!("{first}00"), "tampered");
    script.receive("bob", "alice", &first, "a0")?;
    script.refuse("bob", "alice", &first, "duplicate");
    let second = script.send("alice", "bob", "a1")?;
    // The initial header is known now: what is behind it belongs to its session or was changed.
    for at in [INITIAL, INITIAL + 24, INITIAL + 24 + 57, last] {
        script.refuse("bob", "alice", &flip(&second, at), "tampered");
    }
    script.receive("bob", "alice", &second, "a1")?;
    let answer = script.send("bob", "alice", "b0")?;
    for (at, error) in [(2, "no-session"), (26, "no-session"), (82, "no-session"), (83, "tampered"), (339, "tampered")]
    {
        script.refuse("alice", "bob", &flip(&answer, at), error);
    }
    script.refuse("alice", "bob", &format!("0101{}", answer.get(4..).unwrap_or_default()), "malformed-message");
    script.refuse("bob", "alice", &answer, "no-session");
    script.receive("alice", "bob", &answer, "b0")?;
    let covers = &["RAT-1", "RAT-4", "RAT-6", "KA-2", "KA-3"];
    script.finish(maker, covers, "a bit of every part is changed; the genuine message is read afterwards");
    Ok(())
}

/// A session of which all keys are known: what a faulty or hostile sender can make.
struct Forge {
    agreed: Agreed,
    /// Suite, transcript, sender and recipient.
    bound: Vec<u8>,
    ratchet: [u8; 32],
    root: Secret32,
    chain: Secret32,
    next_header: Secret32,
    random: Named,
}

impl Forge {
    /// Of the session that `alice` starts with these private keys.
    fn of(id: &str, alice: &Person, bob: &Person, bundle: &PrekeyBundle, drawn: [[u8; 32]; 3]) -> Made<Self> {
        let flaw = |why: CryptoError| Flaw { id: id.to_owned(), why: why.to_string() };
        let [ephemeral, kem_randomness, ratchet] = drawn;
        let refused = |why: Refusal| Flaw { id: id.to_owned(), why: format!("{why:?}") };
        let local = local(&Input::of(&alice.local())).map_err(refused)?;
        let bundle = VerifiedBundle::verify(bundle, &bob.certificate).map_err(flaw)?;
        let mut tape = Tape::of(&[&ephemeral, &kem_randomness]);
        let agreed = agree_as_initiator(&local, &bob.certificate, &bundle, 1, &mut tape).map_err(flaw)?;
        let own = DhSecret::from_secret(&Secret32::copy_of(&ratchet));
        let [root, chain, next_header, _] =
            steps::root_step(&agreed.root, &own, &bundle.signed_prekey.1).map_err(|why| flaw(why.into()))?;
        let parties = [alice, bob].map(|who| [*who.account().as_bytes(), *who.device().as_bytes()].concat());
        let bound = [&[0, 1], &agreed.transcript[..], &parties.concat()].concat();
        Ok(Self { agreed, bound, ratchet: public(&ratchet), root, chain, next_header, random: Named::of(id) })
    }

    /// The message key with this number in a chain.
    fn message_key(chain: &Secret32, n: u32) -> Secret32 {
        let mut chain = chain.duplicate();
        for _ in 0..n {
            let [_, next] = steps::chain_step(&chain);
            chain = next;
        }
        let [message, _] = steps::chain_step(&chain);
        message
    }

    /// An envelope whose header says `header`, sealed with these keys.
    fn envelope(&mut self, keys: [&Secret32; 2], initial: bool, header: MessageHeader, padded: &[u8]) -> Made<String> {
        let preamble = [1, if initial { 1 } else { 2 }];
        let random: [u8; 24] = self.random.bytes();
        let flaw = || Flaw { id: "ratchet".into(), why: "a forged message cannot be sealed".into() };
        let ad = [&self.bound[..], &preamble].concat().try_into().map_err(|_| flaw())?;
        let sealed = steps::seal_message(keys[0], keys[1], &ad, &random, header, padded).ok_or_else(flaw)?;
        let initial = if initial { &self.agreed.initial_header[..] } else { &[] };
        Ok(hex::encode([&preamble[..], initial, &random, &sealed.header, &sealed.body].concat()))
    }

    /// A message of the initiator's first chain.
    fn first_chain(&mut self, header: MessageHeader, padded: &[u8]) -> Made<String> {
        // A number that nobody can have reached needs no key of its own: it is refused before.
        let key = Self::message_key(&self.chain, header.n.min(1001));
        let header_key = self.agreed.initiator_header.duplicate();
        self.envelope([&header_key, &key], true, header, padded)
    }
}

fn padded(words: &str) -> Vec<u8> {
    let mut padded = Vec::new();
    padding::pad_into(words.as_bytes(), &mut padded);
    padded
}

fn forged(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("faulty-sender", &[("alice", alice), ("bob", bob)])?;
    let bundle = whole(bob, 0);
    let drawn = script.start("alice", "bob", &bundle)?;
    let mut forge = Forge::of("ratchet/faulty-sender", alice, bob, &bundle, drawn)?;
    let plain = MessageHeader { ratchet: forge.ratchet, n: 0, pn: 0, flags: 0 };
    let (good, zeros) = (padded("forged"), vec![0; 256]);
    let longer = [&padded("forged")[..], &[0; 256]].concat();
    let elsewhere = MessageHeader { ratchet: public(&[9; 32]), ..plain };
    let weak = MessageHeader { ratchet: [0; 32], ..plain };
    for first in [true, false] {
        for (header, body, error) in [
            (MessageHeader { flags: 1, ..plain }, &good, "unknown-version"),
            (MessageHeader { flags: 0x80, ..plain }, &good, "unknown-version"),
            (plain, &zeros, "malformed-message"),
            (plain, &longer, "malformed-message"),
            (MessageHeader { n: 1001, ..plain }, &good, "too-far-ahead"),
            (MessageHeader { n: u32::MAX, ..plain }, &good, "too-far-ahead"),
        ] {
            if first || header.n == 0 {
                let header = if first { header } else { MessageHeader { n: 1, ..header } };
                let envelope = forge.first_chain(header, body)?;
                script.refuse("bob", "alice", &envelope, error);
            }
        }
        if first {
            let envelope = forge.first_chain(MessageHeader { pn: 1, ..plain }, &good)?;
            script.refuse("bob", "alice", &envelope, "malformed-message");
            let envelope = forge.first_chain(weak, &good)?;
            script.refuse("bob", "alice", &envelope, "weak-key");
            let envelope = forge.first_chain(elsewhere, &good)?;
            script.refuse("bob", "alice", &envelope, "tampered");
            script.exchange("alice", "bob", "genuine")?;
        }
    }
    // The header key of the present chain, and another ratchet key in the header.
    let envelope = forge.first_chain(MessageHeader { n: 1, ..elsewhere }, &good)?;
    script.refuse("bob", "alice", &envelope, "tampered");
    let far = forge.first_chain(MessageHeader { n: 1002, ..plain }, &good)?;
    script.refuse("bob", "alice", &far, "too-far-ahead");
    let covers = &["RAT-2", "RAT-4", "RAT-5", "PAD-1", "KA-1"];
    script.finish(maker, covers, "messages that only the sender itself can make wrong");
    Ok(())
}

fn forged_steps(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("copied-state", &[("alice", alice), ("bob", bob)])?;
    let bundle = whole(bob, 0);
    let drawn = script.start("alice", "bob", &bundle)?;
    let mut forge = Forge::of("ratchet/copied-state", alice, bob, &bundle, drawn)?;
    let flaw = |_| Flaw { id: "ratchet/copied-state".into(), why: "a key is weak".into() };
    let pair = |private: &[u8; 32]| DhSecret::from_secret(&Secret32::copy_of(private));
    let good = padded("forged");
    script.exchange("alice", "bob", "a0")?;
    // Bob has not answered: a second ratchet key of Alice comes from a copy of her state.
    let next_header = forge.next_header.duplicate();
    let early = MessageHeader { ratchet: public(&[8; 32]), n: 0, pn: 1, flags: 0 };
    let any_key = Secret32::copy_of(&[3; 32]);
    let envelope = forge.envelope([&next_header, &any_key], false, early, &good)?;
    script.refuse("bob", "alice", &envelope, "no-session");
    let (answer, ratchet) = script.say("bob", "alice", "b0")?;
    let of_bob = ratchet.ok_or_else(|| Flaw { id: "ratchet/copied-state".into(), why: "Bob began no chain".into() })?;
    // Alice's side by hand: her receiving step, then her sending one.
    let [root, ..] = steps::root_step(&forge.root, &pair(&drawn[2]), &public(&of_bob)).map_err(flaw)?;
    let own = [0x0b; 32];
    let [_, chain, ..] = steps::root_step(&root, &pair(&own), &public(&of_bob)).map_err(flaw)?;
    let header = MessageHeader { ratchet: public(&own), n: 0, pn: 1, flags: 0 };
    let key = Forge::message_key(&chain, 0);
    for (header, error) in [
        (MessageHeader { pn: 0, ..header }, "no-session"),
        (MessageHeader { pn: 1002, ..header }, "too-far-ahead"),
        (MessageHeader { pn: 502, n: 500, ..header }, "too-far-ahead"),
        (MessageHeader { pn: u32::MAX, n: u32::MAX, ..header }, "too-far-ahead"),
        (MessageHeader { flags: 2, ..header }, "unknown-version"),
        (MessageHeader { ratchet: [0; 32], ..header }, "weak-key"),
    ] {
        let envelope = forge.envelope([&next_header, &key], false, header, &good)?;
        script.refuse("bob", "alice", &envelope, error);
    }
    let genuine = forge.envelope([&next_header, &key], false, header, &good)?;
    script.receive("bob", "alice", &genuine, "forged")?;
    // A chain that Alice has left grows no longer, and a message in the present chain has its ratchet key.
    let behind = MessageHeader { ratchet: forge.ratchet, n: 1, pn: 0, flags: 0 };
    let envelope = forge.first_chain(behind, &good)?;
    script.refuse("bob", "alice", &envelope, "old-key");
    let key = Forge::message_key(&chain, 1);
    let envelope = forge.envelope([&next_header, &key], false, MessageHeader { n: 1, ..early }, &good)?;
    script.refuse("bob", "alice", &envelope, "no-session");
    let most = MessageHeader { n: 1001, ..header };
    let key = Forge::message_key(&chain, 1001);
    let envelope = forge.envelope([&next_header, &key], false, most, &good)?;
    script.receive("bob", "alice", &envelope, "forged")?;
    let key = Forge::message_key(&chain, 1000);
    let kept = forge.envelope([&next_header, &key], false, MessageHeader { n: 1000, ..header }, &good)?;
    script.receive("bob", "alice", &kept, "forged")?;
    script.refuse("bob", "alice", &kept, "duplicate");
    script.receive("alice", "bob", &answer, "b0")?;
    let covers = &["RAT-2", "RAT-4", "RAT-5", "RAT-9", "KA-1"];
    script.finish(maker, covers, "what a copy of a state and a sender with its own mind can make");
    Ok(())
}

fn too_late(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("too-late", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    let [kept, first, second] =
        [script.send("alice", "bob", "a0")?, script.send("alice", "bob", "a1")?, script.send("alice", "bob", "a2")?];
    script.receive("bob", "alice", &second, "a2")?;
    script.receive_later("bob", "alice", &kept, KEPT_SECONDS)?;
    let after = script.send("alice", "bob", "a3")?;
    // Keys go with the next message that is read, and with time.
    script.receive_later("bob", "alice", &after, KEPT_SECONDS + 1)?;
    script.refuse_later("bob", "alice", &first, KEPT_SECONDS + 1, "old-key");
    let mut missed = Vec::new();
    for round in 0..6 {
        script.exchange("bob", "alice", &format!("b{round}"))?;
        missed.push(script.send("alice", "bob", &format!("missed in round {round}"))?);
        script.exchange("alice", "bob", &format!("read in round {round}"))?;
    }
    // Five chains can be read, the present one included.
    script.refuse("bob", "alice", &missed[0], "no-session");
    script.receive("bob", "alice", &missed[1], "missed in round 1")?;
    script.receive("bob", "alice", &missed[5], "missed in round 5")?;
    script.finish(maker, &["RAT-3"], "thirty days, and five chains");
    Ok(())
}

fn envelopes(maker: &mut Maker) {
    let random = &mut Named::of("ratchet/envelopes");
    let mut bytes = |count: usize| hex::encode((0..count).flat_map(|_| random.bytes::<1>()).collect::<Vec<_>>());
    for (id, kind, initial) in [("initial", 1, true), ("message", 2, false)] {
        let initial = initial.then(|| bytes(1185));
        let (random, header, body) = (bytes(24), bytes(57), bytes(256 + 16));
        let envelope = format!("010{kind}{}{random}{header}{body}", initial.clone().unwrap_or_default());
        let expected =
            json!({ "kind": kind, "initial_header": initial, "random": random, "header": header, "body": body });
        let what = "an envelope taken apart";
        maker.known(
            &format!("envelope/{id}"),
            &["KA-7"],
            what,
            "envelope.read",
            (json!({ "bytes": envelope }), expected),
        );
    }
    let empty = json!({ "kind": 2, "initial_header": null, "body": "ff".repeat(16) });
    let shortest = json!({ "bytes": { "concat": ["0102", { "repeat": "ff", "times": 97 }] } });
    let what = "the shortest that is taken apart: a tag and no content";
    maker.known("envelope/shortest", &["KA-7"], what, "envelope.read", (shortest, empty));
    let largest = json!({ "concat": ["0102", { "repeat": "00", "times": CIPHERTEXT_MAX - 2 }] });
    let what = "the largest";
    maker.known(
        "envelope/largest",
        &["KA-7"],
        what,
        "envelope.read",
        (json!({ "bytes": largest }), json!({ "kind": 2 })),
    );
}
