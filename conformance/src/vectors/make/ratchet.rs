//! `ratchet.json`: steps, envelopes and conversations.

use serde_json::{Map, Value, json};
use susurro_client_core::crypto::GENERATION_STEP_MAX;
use susurro_protocol::codec;
use susurro_protocol::keys::PrekeyBundle;

use super::keys::SMALL_ORDER_X25519;
use super::people::{FIRST_ONE_TIME, FIRST_PQ_ONE_TIME, NOW, Person, Pq, public};
use super::{Flaw, Made, Maker, ratchet_attacks};
use crate::vectors::case::File;
use crate::vectors::ops::{Input, Play, Refusal};
use crate::vectors::random::Named;

/// A conversation in the making.
pub(super) struct Script {
    id: String,
    people: Map<String, Value>,
    steps: Vec<Value>,
    told: Vec<Value>,
    play: Play,
    random: Named,
}

impl Script {
    /// Of these people, each under a name.
    pub(super) fn of(id: &str, people: &[(&str, &Person)]) -> Made<Self> {
        let keys = |person: &Person| json!({ "local": person.local(), "prekeys": person.prekeys() });
        let people: Map<_, _> = people.iter().map(|(name, person)| ((*name).to_owned(), keys(person))).collect();
        let input = json!({ "now": NOW, "people": people });
        let play = Play::of(&Input::of(&input)).map_err(|why| flaw(id, &why))?;
        let random = Named::of(&format!("ratchet/{id}"));
        Ok(Self { id: id.to_owned(), people, steps: Vec::new(), told: Vec::new(), play, random })
    }

    fn take(&mut self, step: Value) -> Made<Value> {
        let told = self.play.step(&Input::of(&step)).map_err(|why| flaw(&self.id, &why))?;
        self.steps.push(step);
        self.told.push(told.clone());
        Ok(told)
    }

    /// Starts a session; gives the private keys that were drawn: ephemeral, randomness, ratchet.
    pub(super) fn start(&mut self, by: &str, to: &str, bundle: &PrekeyBundle) -> Made<[[u8; 32]; 3]> {
        self.start_as(by, to, bundle, None)
    }

    /// As [`start`](Self::start), in a generation that an honest device would not name.
    fn start_as(&mut self, by: &str, to: &str, bundle: &PrekeyBundle, generation: Option<u64>) -> Made<[[u8; 32]; 3]> {
        let drawn = [self.random.bytes(), self.random.bytes(), self.random.bytes()];
        let [ephemeral, kem_randomness, ratchet] = drawn.map(hex::encode);
        let mut step = json!({
            "do": "start",
            "by": by,
            "to": to,
            "bundle": hex::encode(codec::encode(bundle)),
            "ephemeral": ephemeral,
            "kem_randomness": kem_randomness,
            "ratchet": ratchet,
        });
        if let Some(generation) = generation {
            step["generation"] = generation.into();
        }
        self.take(step)?;
        Ok(drawn)
    }

    /// Encrypts; gives the envelope and the private key of the chain if it began one.
    pub(super) fn say(&mut self, by: &str, to: &str, words: &str) -> Made<(String, Option<[u8; 32]>)> {
        let random: [u8; 24] = self.random.bytes();
        let mut step = json!({
            "do": "send", "by": by, "to": to, "content": hex::encode(words), "random": hex::encode(random),
        });
        // A step that begins a chain draws more than the random value; without it nothing changes.
        let (told, ratchet) = match self.play.step(&Input::of(&step)) {
            Ok(told) => (told, None),
            Err(Refusal::Input(_)) => {
                let drawn = self.random.bytes();
                step["ratchet"] = hex::encode(drawn).into();
                (self.play.step(&Input::of(&step)).map_err(|why| flaw(&self.id, &why))?, Some(drawn))
            }
            Err(why) => return Err(flaw(&self.id, &why)),
        };
        self.steps.push(step);
        self.told.push(told.clone());
        Ok((self.envelope(&told)?, ratchet))
    }

    fn envelope(&self, told: &Value) -> Made<String> {
        let envelope = told.get("envelope").and_then(Value::as_str).map(str::to_owned);
        envelope.ok_or_else(|| Flaw { id: self.id.clone(), why: "no envelope came of a step".into() })
    }

    /// As [`say`](Self::say), for the envelope alone.
    pub(super) fn send(&mut self, by: &str, to: &str, words: &str) -> Made<String> {
        self.say(by, to, words).map(|(envelope, _)| envelope)
    }

    /// Encrypts so many messages of a chain that has begun, which nobody gets.
    pub(super) fn lose(&mut self, by: &str, to: &str, count: u32) -> Made {
        self.take(json!({ "do": "lose", "by": by, "to": to, "count": count })).map(drop)
    }

    /// Decrypts an envelope that says `words`.
    pub(super) fn receive(&mut self, by: &str, from: &str, envelope: &str, words: &str) -> Made {
        let told = self.take(json!({ "do": "receive", "by": by, "from": from, "envelope": envelope }))?;
        let content = told.get("content").and_then(Value::as_str);
        if content == Some(hex::encode(words).as_str()) {
            return Ok(());
        }
        Err(Flaw { id: self.id.clone(), why: format!("{by} does not read {words}") })
    }

    /// Says something that is read at once.
    pub(super) fn exchange(&mut self, by: &str, to: &str, words: &str) -> Made {
        let envelope = self.send(by, to, words)?;
        self.receive(to, by, &envelope, words)
    }

    /// An envelope that has to be refused.
    pub(super) fn refuse(&mut self, by: &str, from: &str, envelope: &str, error: &str) {
        self.steps.push(json!({ "do": "receive", "by": by, "from": from, "envelope": envelope }));
        self.told.push(json!({ "error": error }));
    }

    /// As [`refuse`](Self::refuse), `seconds` later.
    pub(super) fn refuse_later(&mut self, by: &str, from: &str, envelope: &str, seconds: u64, error: &str) {
        let at = NOW + seconds;
        self.steps.push(json!({ "do": "receive", "by": by, "from": from, "envelope": envelope, "at": at }));
        self.told.push(json!({ "error": error }));
    }

    /// Decrypts `seconds` later.
    pub(super) fn receive_later(&mut self, by: &str, from: &str, envelope: &str, seconds: u64) -> Made {
        let at = NOW + seconds;
        self.take(json!({ "do": "receive", "by": by, "from": from, "envelope": envelope, "at": at })).map(drop)
    }

    /// Encrypts a signal; gives the whisper.
    pub(super) fn whisper(&mut self, by: &str, to: &str, chat: &str, signal: &str) -> Made<String> {
        let random = hex::encode(self.random.bytes::<24>());
        let step = json!({ "do": "whisper", "by": by, "to": to, "chat": chat, "signal": signal, "random": random });
        let told = self.take(step)?;
        let whisper = told.get("whisper").and_then(Value::as_str).map(str::to_owned);
        whisper.ok_or_else(|| Flaw { id: self.id.clone(), why: "no whisper came of a step".into() })
    }

    /// A signal that cannot be encrypted.
    pub(super) fn cannot_whisper(&mut self, by: &str, to: &str, chat: &str, signal: &str, error: &str) {
        let random = hex::encode([0; 24]);
        self.steps
            .push(json!({ "do": "whisper", "by": by, "to": to, "chat": chat, "signal": signal, "random": random }));
        self.told.push(json!({ "error": error }));
    }

    /// Decrypts a whisper that holds this signal.
    pub(super) fn hear(&mut self, by: &str, from: &str, chat: &str, whisper: &str, signal: &str) -> Made {
        let told = self.take(json!({ "do": "hear", "by": by, "from": from, "chat": chat, "whisper": whisper }))?;
        if told.get("signal").and_then(Value::as_str) == Some(signal) {
            return Ok(());
        }
        Err(Flaw { id: self.id.clone(), why: format!("{by} does not hear {signal}") })
    }

    /// A whisper that has to be ignored, and why.
    pub(super) fn ignore(&mut self, by: &str, from: &str, chat: &str, whisper: &str, error: &str) {
        self.steps.push(json!({ "do": "hear", "by": by, "from": from, "chat": chat, "whisper": whisper }));
        self.told.push(json!({ "error": error }));
    }

    /// The session with which the person of the last step sends.
    fn sends(&self) -> Option<&str> {
        self.told.last()?.get("sends")?.as_str()
    }

    /// The case that it is.
    pub(super) fn finish(self, maker: &mut Maker, covers: &[&str], what: &str) {
        let input = json!({ "now": NOW, "people": self.people, "steps": self.steps });
        maker.known(&self.id, covers, what, "ratchet.run", (input, json!({ "steps": self.told })));
    }
}

fn flaw(id: &str, why: &Refusal) -> Flaw {
    Flaw { id: format!("ratchet/{id}"), why: format!("{why:?}") }
}

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("ratchet", "The ratchet's steps alone, envelopes, and whole conversations.");
    steps(&mut maker)?;
    let (alice, bob) = (Person::of("alice"), Person::of("bob"));
    in_order(&mut maker, &alice, &bob)?;
    with_skips(&mut maker, &alice, &bob)?;
    last_resort(&mut maker, &alice, &bob)?;
    simultaneous(&mut maker, &alice, &bob)?;
    replaced(&mut maker, &alice, &bob)?;
    superseded(&mut maker, &alice, &bob)?;
    state_lost(&mut maker, &alice, &bob)?;
    other_certificate(&mut maker, &alice, &bob)?;
    three_starts(&mut maker, &alice, &bob)?;
    far_generation(&mut maker, &alice, &bob)?;
    kept_keys(&mut maker, &alice, &bob)?;
    ratchet_attacks::add(&mut maker, &alice, &bob)?;
    Ok(maker.finish())
}

pub(super) fn whole(person: &Person, number: u64) -> PrekeyBundle {
    person.bundle(Pq::OneTime(FIRST_PQ_ONE_TIME + number), Some(FIRST_ONE_TIME + number))
}

fn steps(maker: &mut Maker) -> Made {
    for (number, n, pn) in [(0, 0, 0), (1, 7, 300), (2, u32::MAX, u32::MAX)] {
        let random = &mut Named::of(&format!("ratchet/steps-{number}"));
        let (root, own, theirs): ([u8; 32], [u8; 32], [u8; 32]) = (random.bytes(), random.bytes(), random.bytes());
        let input = json!({
            "root_key": hex::encode(root), "private": hex::encode(own), "public": hex::encode(public(&theirs)),
        });
        maker.done(&format!("root-step/{number}"), &["RAT-9"], "a root step", "ratchet.root_step", input)?;
        let input = json!({ "chain_key": hex::encode(random.bytes::<32>()) });
        maker.done(&format!("chain-step/{number}"), &["RAT-9"], "a chain step", "ratchet.chain_step", input)?;
        let ad: Vec<u8> = (0..100).flat_map(|_| random.bytes::<1>()).collect();
        let input = json!({
            "header_key": hex::encode(random.bytes::<32>()),
            "message_key": hex::encode(random.bytes::<32>()),
            "ad": hex::encode(ad),
            "random": hex::encode(random.bytes::<24>()),
            "ratchet_key": hex::encode(public(&random.bytes())),
            "n": n,
            "pn": pn,
            "flags": 0,
            "padded": { "concat": ["6869", "80", { "repeat": "00", "times": 253 }] },
        });
        maker.done(&format!("seal/{number}"), &["RAT-9"], "header and body of a message", "ratchet.seal", input)?;
    }
    let random = &mut Named::of("ratchet/weak");
    for (point, public) in SMALL_ORDER_X25519 {
        let private = hex::encode(random.bytes::<32>());
        let input = json!({ "root_key": hex::encode([1; 32]), "private": private, "public": public });
        let what = "a ratchet key that decides the result alone";
        maker.refused(&format!("root-step/{point}"), &["KA-1"], what, "ratchet.root_step", (input, "weak-key"));
    }
    Ok(())
}

fn in_order(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("in-order", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    for (by, to, words) in [
        ("alice", "bob", "one"),
        ("alice", "bob", "two, with the initial header still"),
        ("alice", "bob", "three"),
        ("bob", "alice", "four, a new chain"),
        ("bob", "alice", "five"),
        ("alice", "bob", "six, without the initial header"),
        ("alice", "bob", ""),
        ("bob", "alice", "eight"),
        ("alice", "bob", &"nine is longer than the smallest padding. ".repeat(8)),
        ("bob", "alice", "ten"),
    ] {
        script.exchange(by, to, words)?;
    }
    script.finish(maker, &["KA-8", "RAT-9", "SEL-2"], "ten messages, each read before the next is written");
    Ok(())
}

fn with_skips(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("skips", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    let first: Vec<_> =
        ["a0", "a1", "a2", "a3", "a4"].iter().map(|words| script.send("alice", "bob", words)).collect::<Made<_>>()?;
    script.receive("bob", "alice", &first[2], "a2")?;
    script.receive("bob", "alice", &first[0], "a0")?;
    script.refuse("bob", "alice", &first[2], "duplicate");
    let answers: Vec<_> =
        ["b0", "b1", "b2"].iter().map(|words| script.send("bob", "alice", words)).collect::<Made<_>>()?;
    script.receive("alice", "bob", &answers[1], "b1")?;
    let second: Vec<_> =
        ["a5", "a6", "a7"].iter().map(|words| script.send("alice", "bob", words)).collect::<Made<_>>()?;
    // The new chain overtakes what is left of the old one.
    script.receive("bob", "alice", &second[1], "a6")?;
    script.receive("bob", "alice", &first[4], "a4")?;
    script.receive("bob", "alice", &first[1], "a1")?;
    script.receive("bob", "alice", &second[0], "a5")?;
    script.receive("alice", "bob", &answers[2], "b2")?;
    script.exchange("bob", "alice", "b3, a new chain of Bob")?;
    script.receive("alice", "bob", &answers[0], "b0")?;
    script.exchange("alice", "bob", "a8")?;
    script.receive("bob", "alice", &second[2], "a7")?;
    script.receive("bob", "alice", &first[3], "a3")?;
    for (by, from, envelope) in [
        ("bob", "alice", &first[1]),
        ("bob", "alice", &second[0]),
        ("alice", "bob", &answers[0]),
        ("bob", "alice", &first[3]),
    ] {
        script.refuse(by, from, envelope, "duplicate");
    }
    script.exchange("bob", "alice", "b4")?;
    let covers = &["RAT-6", "RAT-9", "RAT-10", "KA-4"];
    script.finish(maker, covers, "messages that overtake one another, within chains and across them, both ways");
    Ok(())
}

/// 600 messages of one chain are skipped and 600 of the next: of 1,200 keys the 200 oldest go.
fn kept_keys(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("kept-keys", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    script.exchange("alice", "bob", "number 0")?;
    let oldest = script.send("alice", "bob", "number 1")?;
    script.lose("alice", "bob", 198)?;
    let last_gone = script.send("alice", "bob", "number 200")?;
    let first_kept = script.send("alice", "bob", "number 201")?;
    script.lose("alice", "bob", 399)?;
    script.exchange("alice", "bob", "number 601")?;
    script.exchange("bob", "alice", "an answer")?;
    let in_next = script.send("alice", "bob", "number 0 of the next chain")?;
    script.lose("alice", "bob", 599)?;
    script.exchange("alice", "bob", "number 600 of the next chain")?;
    script.refuse("bob", "alice", &oldest, "old-key");
    script.refuse("bob", "alice", &last_gone, "old-key");
    script.receive("bob", "alice", &first_kept, "number 201")?;
    script.receive("bob", "alice", &in_next, "number 0 of the next chain")?;
    script.refuse("bob", "alice", &first_kept, "duplicate");
    script.finish(maker, &["RAT-3"], "1,000 skipped keys are kept and the oldest go first");
    Ok(())
}

fn last_resort(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("last-resort", &[("alice", alice), ("bob", bob), ("alice-again", alice)])?;
    script.start("alice", "bob", &bob.bundle(Pq::LastResort, None))?;
    let first = script.send("alice", "bob", "one")?;
    let second = script.send("alice", "bob", "two")?;
    script.receive("bob", "alice", &second, "two")?;
    script.receive("bob", "alice", &first, "one")?;
    script.refuse("bob", "alice", &first, "duplicate");
    script.exchange("bob", "alice", "three")?;
    script.exchange("alice", "bob", "four")?;
    script.start("alice-again", "bob", &bob.bundle(Pq::LastResort, Some(FIRST_ONE_TIME)))?;
    let again = script.send("alice-again", "bob", "five, of another handshake with the same prekeys")?;
    script.receive("bob", "alice", &again, "five, of another handshake with the same prekeys")?;
    script.start("alice-again", "bob", &bob.bundle(Pq::LastResort, Some(FIRST_ONE_TIME)))?;
    let used = script.send("alice-again", "bob", "six")?;
    script.refuse("bob", "alice", &used, "unknown-prekey");
    let covers = &["KA-2", "KA-3", "KA-4", "RAT-6"];
    script.finish(maker, covers, "the last-resort prekey serves twice, a one-time prekey once");
    Ok(())
}

fn simultaneous(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    // Whose session wins follows from hashes, so each outcome is looked for.
    for winner in ["alice", "bob"] {
        let mut number = 0;
        loop {
            let id = format!("simultaneous-{winner}-{number}");
            let mut script = Script::of(&id, &[("alice", alice), ("bob", bob)])?;
            script.start("alice", "bob", &whole(bob, 0))?;
            let of_alice = script.sends().unwrap_or_default().to_owned();
            script.start("bob", "alice", &whole(alice, 0))?;
            let of_bob = script.sends().unwrap_or_default().to_owned();
            number += 1;
            if (of_alice > of_bob) != (winner == "alice") {
                continue;
            }
            let from_alice = script.send("alice", "bob", "a0")?;
            let from_bob = script.send("bob", "alice", "b0")?;
            let late = script.send("bob", "alice", "b1, late")?;
            script.receive("bob", "alice", &from_alice, "a0")?;
            script.receive("alice", "bob", &from_bob, "b0")?;
            script.exchange("alice", "bob", "a1")?;
            script.exchange("bob", "alice", "b2")?;
            script.receive("alice", "bob", &late, "b1, late")?;
            script.exchange("alice", "bob", "a2")?;
            let what = "both start without knowing of the other: the larger transcript hash sends";
            script.id = format!("simultaneous-{winner}");
            script.finish(maker, &["SEL-2", "SEL-4"], what);
            break;
        }
    }
    Ok(())
}

fn replaced(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("replaced", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    script.exchange("alice", "bob", "a0")?;
    script.exchange("bob", "alice", "b0")?;
    let late = script.send("alice", "bob", "a1, in the old session and late")?;
    script.start("alice", "bob", &whole(bob, 1))?;
    let in_old = script.send("bob", "alice", "b1, in the old session")?;
    script.exchange("alice", "bob", "a2, in the new one")?;
    script.receive("alice", "bob", &in_old, "b1, in the old session")?;
    script.receive("bob", "alice", &late, "a1, in the old session and late")?;
    script.exchange("bob", "alice", "b2, in the new session")?;
    script.exchange("alice", "bob", "a3")?;
    // And the other side does the same.
    script.start("bob", "alice", &whole(alice, 0))?;
    script.exchange("bob", "alice", "b3, in a third")?;
    script.exchange("alice", "bob", "a4")?;
    let what = "a session is replaced in full knowledge of both, and still receives what is late";
    script.finish(maker, &["SEL-1", "SEL-2", "SEL-4"], what);
    Ok(())
}

fn superseded(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("superseded", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    let first = script.send("alice", "bob", "a0, in the first session")?;
    script.start("alice", "bob", &whole(bob, 1))?;
    let second = script.send("alice", "bob", "a1, in the second")?;
    script.receive("bob", "alice", &second, "a1, in the second")?;
    script.receive("bob", "alice", &first, "a0, in the first session")?;
    // Late, or Alice has lost the second: one above both serves in either case.
    script.start("bob", "alice", &whole(alice, 0))?;
    script.exchange("bob", "alice", "b0, in a third")?;
    script.exchange("alice", "bob", "a2")?;
    let what = "the first message of a replaced session comes after that of its successor";
    script.finish(maker, &["SEL-1", "SEL-2", "SEL-5"], what);
    Ok(())
}

fn state_lost(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let mut script = Script::of("state-lost", &[("alice", alice), ("alice-restored", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    script.exchange("alice", "bob", "a0")?;
    script.exchange("bob", "alice", "b0")?;
    let lost = script.send("bob", "alice", "b1, which nobody can read any more")?;
    script.refuse("alice-restored", "bob", &lost, "no-session");
    script.start("alice-restored", "bob", &whole(bob, 1))?;
    let again = script.send("alice-restored", "bob", "a1, of a device that has lost its sessions")?;
    script.receive("bob", "alice", &again, "a1, of a device that has lost its sessions")?;
    if script.sends().is_some() {
        return Err(maker.flaw("state-lost", "a session that the other side has lost still sends"));
    }
    script.start("bob", "alice", &whole(alice, 0))?;
    let answer = script.send("bob", "alice", "b2, above all that either knew")?;
    script.receive("alice-restored", "bob", &answer, "b2, above all that either knew")?;
    let back = script.send("alice-restored", "bob", "a2")?;
    script.receive("bob", "alice", &back, "a2")?;
    let what = "one side has lost its sessions and starts anew; the other starts one above both (`alice-restored` is \
                the same device)";
    script.finish(maker, &["SEL-1", "SEL-2", "SEL-5"], what);
    Ok(())
}

fn three_starts(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    for (id, order) in [("in-order", [0, 1]), ("reversed", [1, 0])] {
        let mut script = Script::of(&format!("three-starts-{id}"), &[("alice", alice), ("bob", bob)])?;
        script.start("bob", "alice", &whole(alice, 0))?;
        let crossed = script.send("bob", "alice", "b0, in Bob's")?;
        let mut sent = Vec::new();
        for number in 0..2 {
            script.start("alice", "bob", &whole(bob, number))?;
            sent.push(script.send("alice", "bob", &format!("a{number}"))?);
        }
        script.receive("alice", "bob", &crossed, "b0, in Bob's")?;
        for number in order {
            script.receive("bob", "alice", &sent[number], &format!("a{number}"))?;
        }
        if script.sends().is_none() {
            script.start("bob", "alice", &whole(alice, 1))?;
        }
        script.exchange("bob", "alice", "b1, in the highest generation")?;
        script.exchange("alice", "bob", "a2")?;
        let what = "one side starts twice while the other starts once: the highest generation sends on both sides";
        script.finish(maker, &["SEL-1", "SEL-2", "SEL-5"], what);
    }
    Ok(())
}

fn far_generation(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    for (id, beyond, sends) in [("far", GENERATION_STEP_MAX, true), ("too-far", GENERATION_STEP_MAX + 1, false)] {
        let id = format!("generation-{id}");
        let mut script = Script::of(&id, &[("alice", alice), ("bob", bob)])?;
        script.start_as("alice", "bob", &whole(bob, 0), Some(beyond))?;
        let first = script.send("alice", "bob", "a0")?;
        script.receive("bob", "alice", &first, "a0")?;
        if script.sends().is_some() != sends {
            return Err(maker.flaw(&id, "the bound is another one"));
        }
        if sends {
            script.exchange("bob", "alice", "b0, in the same session")?;
        } else {
            script.start("bob", "alice", &whole(alice, 0))?;
            script.exchange("bob", "alice", "b0, in a session of Bob's, of the generation that he knows")?;
        }
        script.exchange("alice", "bob", "a1, read in any case")?;
        let what = "the highest generation above the known one that may send, and the next, which only receives";
        script.finish(maker, &["SEL-2"], what);
    }
    Ok(())
}

fn other_certificate(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let renewed = alice.with_new_certificate("alice/renewed");
    let mut script = Script::of("other-certificate", &[("alice", alice), ("alice-renewed", &renewed), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    let first = script.send("alice", "bob", "a0")?;
    let second = script.send("alice", "bob", "a1")?;
    script.refuse("bob", "alice-renewed", &first, "wrong-sender");
    script.receive("bob", "alice", &first, "a0")?;
    script.exchange("bob", "alice", "b0")?;
    script.refuse("bob", "alice-renewed", &second, "wrong-sender");
    let third = script.send("alice", "bob", "a2")?;
    script.refuse("bob", "alice-renewed", &third, "no-session");
    script.receive("bob", "alice", &third, "a2")?;
    let what = "the device has another certificate now: its session is not used (`alice-renewed` has the same keys)";
    script.finish(maker, &["SEL-3", "KA-2"], what);
    Ok(())
}
