//! `whispers.json`.

use serde_json::{Value, json};

use super::people::Person;
use super::ratchet::{Script, whole};
use super::structures::sample;
use super::{Flaw, Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::random::Named;
use crate::vectors::schema;

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("whispers", "Signals, their encryption, and whispers in the middle of conversations.");
    signals(&mut maker)?;
    encryption(&mut maker)?;
    let (alice, bob) = (Person::of("alice"), Person::of("bob"));
    conversation(&mut maker, &alice, &bob)?;
    lost(&mut maker, &alice, &bob)?;
    replaced(&mut maker, &alice, &bob)?;
    Ok(maker.finish())
}

fn packed(structure: &str, fields: &Value) -> Made<Vec<u8>> {
    let bytes = schema::from_json(structure, fields).map(|value| value.to_bytes());
    bytes.ok_or_else(|| Flaw { id: format!("whispers/{structure}"), why: "these are not its fields".into() })
}

fn signal(counter: u64, kind: u16, body: &[u8]) -> Value {
    json!({ "counter": counter, "kind": kind, "body": hex::encode(body) })
}

/// That somebody types, as msgpack.
fn typing(counter: u64) -> Made<Vec<u8>> {
    packed("Signal", &signal(counter, 1, &packed("Typing", &json!({ "state": 1, "seconds": 10 }))?))
}

fn signals(maker: &mut Maker) -> Made {
    for (id, what, body) in [
        ("started", "somebody types", json!({ "state": 1, "seconds": 10 })),
        ("stopped", "somebody types no more", json!({ "state": 2, "seconds": 0 })),
        ("longest", "more seconds than are shown", json!({ "state": 1, "seconds": 255 })),
        ("later-state", "a state of a later version", json!({ "state": 77, "seconds": 1 })),
    ] {
        let fields = signal(1_790_000_000_000, 1, &packed("Typing", &body)?);
        let input = json!({ "bytes": hex::encode(packed("Signal", &fields)?) });
        let expected = json!({ "fields": fields, "body": { "structure": "Typing", "fields": body } });
        maker.known(&format!("signal/{id}"), &["TYPING-1"], what, "signal.read", (input, expected));
    }
    let fields = signal(u64::MAX, 77, &[0xc0]);
    let input = json!({ "bytes": hex::encode(packed("Signal", &fields)?) });
    let expected = json!({ "fields": fields, "body": { "unknown": 77 } });
    maker.known("signal/unknown", &["SIGNAL-2"], "a type of a later version", "signal.read", (input, expected));
    let mut longer = packed("Typing", &json!({ "state": 1, "seconds": 10 }))?;
    longer[0] += 1;
    longer.push(0xc0);
    let input = json!({ "bytes": hex::encode(packed("Signal", &signal(1, 1, &longer))?) });
    let expected = json!({ "body": { "structure": "Typing", "fields": { "state": 1, "seconds": 10 } } });
    let what = "a notice with a field of a later version";
    maker.known("signal/longer", &["ENC-2"], what, "signal.read", (input, expected));
    for (id, what, body) in [
        ("empty-body", "no body", Vec::new()),
        ("nil-body", "nil as body", vec![0xc0]),
        ("other-body", "the body of a content", packed("Text", &sample("Text"))?),
        ("large-seconds", "more seconds than eight bits hold", vec![0x92, 1, 0xcd, 1, 0]),
        ("negative", "a negative number of seconds", vec![0x92, 1, 0xff]),
        ("behind", "a byte behind the body", [packed("Typing", &sample("Typing"))?, vec![0]].concat()),
    ] {
        let input = json!({ "bytes": hex::encode(packed("Signal", &signal(1, 1, &body))?) });
        let covers = &["ENC-4", "SIGNAL-2"];
        maker.refused(&format!("signal/refused-{id}"), covers, what, "signal.read", (input, "malformed-body"));
    }
    Ok(())
}

fn padded(content: &[u8]) -> String {
    let mut padded = [content, &[0x80]].concat();
    padded.resize(256, 0);
    hex::encode(padded)
}

fn encryption(maker: &mut Maker) -> Made {
    let random = &mut Named::of("whispers/seal");
    let bytes =
        |random: &mut Named, count: usize| -> Vec<u8> { (0..count).flat_map(|_| random.bytes::<1>()).collect() };
    let (key, ad, nonce) = (bytes(random, 32), bytes(random, 116), bytes(random, 24));
    let seal = |padded: String| {
        let (key, ad, nonce) = (hex::encode(&key), hex::encode(&ad), hex::encode(&nonce));
        json!({ "whisper_key": key, "ad": ad, "random": nonce, "padded": padded })
    };
    let open = |whisper: &[u8]| json!({ "whisper_key": hex::encode(&key), "ad": hex::encode(&ad), "whisper": hex::encode(whisper) });
    let mut good = Vec::new();
    for (id, counter) in [("first", 1_790_000_000_000), ("lowest", 1), ("highest", u64::MAX)] {
        let signal = typing(counter)?;
        let covers = &["WKEY-2", "WKEY-4", "PAD-1"];
        let sealed =
            maker.done(&format!("seal/{id}"), covers, "a signal, encrypted", "whisper.seal", seal(padded(&signal)))?;
        good = hex::decode(text(maker, &sealed, "whisper")?).map_err(|_| maker.flaw(id, "not hexadecimal"))?;
        let case = (open(&good), json!({ "signal": hex::encode(&signal) }));
        maker.known(&format!("open/{id}"), covers, "and decrypted", "whisper.open", case);
    }
    let flipped = |at: usize| {
        let mut changed = good.clone();
        changed[at] ^= 1;
        changed
    };
    for (id, what, whisper, error) in [
        ("empty", "nothing", Vec::new(), "malformed-message"),
        ("one-byte", "a version and nothing else", vec![1], "malformed-message"),
        ("preamble", "version and kind", vec![1, 3], "malformed-message"),
        ("short", "a byte too few", good[..297].to_vec(), "malformed-message"),
        ("long", "a byte too many", [&good[..], &[0]].concat(), "malformed-message"),
        ("largest", "as large as the relay forwards", [&good[..], &[0; 726]].concat(), "malformed-message"),
        ("version-0", "version 0", [&[0], &good[1..]].concat(), "unknown-version"),
        ("version-2", "a later version", [&[2], &good[1..]].concat(), "unknown-version"),
        ("kind-1", "the kind of an initial message", [&[1, 1], &good[2..]].concat(), "unknown-version"),
        ("kind-2", "the kind of a message", [&[1, 2], &good[2..]].concat(), "unknown-version"),
        ("kind-4", "a kind of a later version", [&[1, 4], &good[2..]].concat(), "unknown-version"),
        ("flipped-random", "a flipped bit in the random value", flipped(2), "no-session"),
        ("flipped-body", "a flipped bit in the signal", flipped(26), "no-session"),
        ("flipped-padding", "a flipped bit in the padding", flipped(281), "no-session"),
        ("flipped-tag", "a flipped bit in the tag", flipped(297), "no-session"),
    ] {
        maker.refused(
            &format!("open/refused-{id}"),
            &["WKEY-3", "SIGNAL-1"],
            what,
            "whisper.open",
            (open(&whisper), error),
        );
    }
    for (id, what, part) in
        [("chat", "another chat", 115), ("recipient", "another recipient", 70), ("suite", "another suite", 0)]
    {
        let mut other = ad.clone();
        other[part] ^= 1;
        let mut input = open(&good);
        input["ad"] = hex::encode(other).into();
        maker.refused(
            &format!("open/refused-{id}"),
            &["WKEY-3", "SIGNAL-1"],
            what,
            "whisper.open",
            (input, "no-session"),
        );
    }
    let signal = typing(1)?;
    let short = {
        let mut padded = [&signal[..], &[0x80]].concat();
        padded.resize(255, 0);
        padded.push(1);
        padded
    };
    for (id, what, padded) in [
        ("no-padding", "no marker", hex::encode([0; 256])),
        ("wrong-padding", "something behind the marker", hex::encode(short)),
        ("other-marker", "another marker", padded(&signal).replacen("80", "81", 1)),
        ("no-signal", "what is no structure", padded(b"typing")),
        ("nothing", "an empty signal", padded(b"")),
        ("content", "the body alone", padded(&packed("Typing", &json!({ "state": 1, "seconds": 10 }))?)),
        ("signal-behind", "a byte behind the signal", padded(&[&signal[..], &[0xc0]].concat())),
    ] {
        let sealed = maker.done(&format!("seal/{id}"), &["WKEY-2"], what, "whisper.seal", seal(padded))?;
        let whisper = hex::decode(text(maker, &sealed, "whisper")?).map_err(|_| maker.flaw(id, "not hexadecimal"))?;
        let covers = &["WKEY-4", "SIGNAL-2"];
        maker.refused(
            &format!("open/refused-{id}"),
            covers,
            what,
            "whisper.open",
            (open(&whisper), "malformed-message"),
        );
    }
    Ok(())
}

fn chat() -> String {
    hex::encode(Named::of("whispers/chat").bytes::<16>())
}

fn conversation(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let (chat, other) = (chat(), hex::encode([9; 16]));
    let say = |counter: u64| typing(counter).map(hex::encode);
    let mut script = Script::of("conversation", &[("alice", alice), ("bob", bob)])?;
    script.cannot_whisper("alice", "bob", &chat, &say(1)?, "no-session");
    script.start("alice", "bob", &whole(bob, 0))?;
    script.cannot_whisper("alice", "bob", &chat, &say(1)?, "no-session");
    let first = script.send("alice", "bob", "a0")?;
    let one = script.whisper("alice", "bob", &chat, &say(10)?)?;
    script.ignore("bob", "alice", &chat, &one, "no-session");
    script.receive("bob", "alice", &first, "a0")?;
    script.ignore("bob", "alice", &other, &one, "no-session");
    script.hear("bob", "alice", &chat, &one, &say(10)?)?;
    script.ignore("bob", "alice", &chat, &one, "duplicate");
    let same = script.whisper("alice", "bob", &chat, &say(10)?)?;
    script.ignore("bob", "alice", &chat, &same, "duplicate");
    let lower = script.whisper("alice", "bob", &chat, &say(9)?)?;
    script.ignore("bob", "alice", &chat, &lower, "duplicate");
    script.cannot_whisper("bob", "alice", &chat, &say(1)?, "no-session");
    let answer = script.send("bob", "alice", "b0")?;
    let two = script.whisper("bob", "alice", &chat, &say(1)?)?;
    script.ignore("alice", "bob", &chat, &two, "no-session");
    script.receive("alice", "bob", &answer, "b0")?;
    script.hear("alice", "bob", &chat, &two, &say(1)?)?;
    script.ignore("bob", "alice", &chat, &two, "no-session");
    // Alice has a new ratchet key of Bob's and has sent nothing since: her chain of before still serves.
    let three = script.whisper("alice", "bob", &chat, &say(11)?)?;
    let late = script.whisper("alice", "bob", &chat, &say(13)?)?;
    script.hear("bob", "alice", &chat, &three, &say(11)?)?;
    let next = script.send("alice", "bob", "a1, in a new chain")?;
    let four = script.whisper("alice", "bob", &chat, &say(12)?)?;
    script.ignore("bob", "alice", &chat, &four, "no-session");
    script.receive("bob", "alice", &next, "a1, in a new chain")?;
    script.hear("bob", "alice", &chat, &four, &say(12)?)?;
    script.ignore("bob", "alice", &chat, &late, "no-session");
    script.exchange("alice", "bob", "a2")?;
    script.exchange("bob", "alice", "b1")?;
    let covers = &["WKEY-1", "WKEY-2", "WKEY-3", "SIGNAL-1", "SIGNAL-4", "RAT-9"];
    script.finish(maker, covers, "whispers between messages: early, late, again, misplaced, in chains of both sides");
    Ok(())
}

fn lost(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let chat = chat();
    let mut script = Script::of("lost", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    script.exchange("alice", "bob", "a0")?;
    script.exchange("bob", "alice", "b0")?;
    let mut last = String::new();
    for counter in 1..=20 {
        last = script.whisper("alice", "bob", &chat, &hex::encode(typing(counter)?))?;
    }
    script.hear("bob", "alice", &chat, &last, &hex::encode(typing(20)?))?;
    script.exchange("alice", "bob", "a1, its number is the next")?;
    script.exchange("bob", "alice", "b1")?;
    script.finish(maker, &["WKEY-3"], "nineteen whispers are lost and nothing is missed");
    Ok(())
}

fn replaced(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let chat = chat();
    let say = |counter: u64| typing(counter).map(hex::encode);
    let mut script = Script::of("replaced", &[("alice", alice), ("bob", bob)])?;
    script.start("alice", "bob", &whole(bob, 0))?;
    script.exchange("alice", "bob", "a0")?;
    script.exchange("bob", "alice", "b0")?;
    script.start("alice", "bob", &whole(bob, 1))?;
    script.cannot_whisper("alice", "bob", &chat, &say(1)?, "no-session");
    let in_old = script.whisper("bob", "alice", &chat, &say(1)?)?;
    script.hear("alice", "bob", &chat, &in_old, &say(1)?)?;
    script.exchange("alice", "bob", "a1, in the new session")?;
    let in_new = script.whisper("alice", "bob", &chat, &say(2)?)?;
    script.hear("bob", "alice", &chat, &in_new, &say(2)?)?;
    script.exchange("bob", "alice", "b1")?;
    let again = script.whisper("bob", "alice", &chat, &say(1)?)?;
    script.hear("alice", "bob", &chat, &again, &say(1)?)?;
    script.finish(maker, &["WKEY-2", "WKEY-3"], "whispers of a session that only receives, and of its successor");
    Ok(())
}
