//! `prekeys.json`.

use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::keys::{OneTimePrekey, PQ_PUBLIC_KEY_BYTES, PrekeyBody, PrekeyBundle, PrekeyKind};
use susurro_protocol::signed::{Label, SignedBytes};

use super::people::{FIRST_ONE_TIME, FIRST_PQ_ONE_TIME, LAST_RESORT, NOW, Person, Pq, SIGNED, packed};
use super::{Made, Maker, text};
use crate::vectors::case::File;

fn body_of(signed: &SignedBytes) -> Made<PrekeyBody> {
    let flaw = |_| super::Flaw { id: "prekeys".into(), why: "a prekey of our own cannot be read".into() };
    codec::decode(signed.body.as_slice()).map_err(flaw)
}

fn label(kind: PrekeyKind) -> Label {
    match kind {
        PrekeyKind::Signed => Label::SignedPrekey,
        PrekeyKind::PqOneTime => Label::PqOneTimePrekey,
        PrekeyKind::PqLastResort => Label::PqLastResortPrekey,
    }
}

pub(super) fn file() -> Made<File> {
    let mut maker =
        Maker::new("prekeys", "Prekeys, bundles and digests: issued, verified, and every part wrong in turn.");
    let alice = Person::of("alice");
    let kinds = [
        ("signed", PrekeyKind::Signed, SIGNED),
        ("pq-one-time", PrekeyKind::PqOneTime, FIRST_PQ_ONE_TIME),
        ("pq-last-resort", PrekeyKind::PqLastResort, LAST_RESORT),
    ];
    for (name, kind, id) in kinds {
        let signed = if kind == PrekeyKind::Signed { alice.signed_prekey() } else { alice.pq_prekey(kind, id) };
        let input = json!({
            "signing_key": hex::encode(alice.signing_key.to_bytes()),
            "account": alice.account().to_string(),
            "device": alice.device().to_string(),
            "kind": kind.number(),
            "id": id,
            "created": NOW,
            "key": hex::encode(body_of(&signed)?.key.as_slice()),
        });
        let issued = maker.done(&format!("issue/{name}"), &["KEY-5"], "a signed prekey", "prekey.issue", input)?;
        let issued = text(&maker, &issued, "signed")?;
        let input = json!({ "signed": issued, "certificate": alice.certificate(), "kind": kind.number() });
        maker.done(&format!("verify/{name}"), &["KEY-5"], "what it says", "prekey.verify", input)?;
        for (other_name, other, _) in kinds {
            if other != kind {
                let input = json!({ "signed": issued, "certificate": alice.certificate(), "kind": other.number() });
                let id = format!("refused/{name}-as-{other_name}");
                let what = "a prekey shown as one of another kind";
                maker.refused(&id, &["KEY-5", "SIG-2"], what, "prekey.verify", (input, "invalid-prekeys"));
            }
        }
    }
    for (id, what, kind, signed) in wrong_prekeys(&alice)? {
        let input = json!({ "signed": packed(&signed), "certificate": alice.certificate(), "kind": kind.number() });
        let covers: &[&str] = if id == "suite" { &["KEY-5", "VER-4"] } else { &["KEY-5"] };
        maker.refused(&format!("refused/{id}"), covers, what, "prekey.verify", (input, "invalid-prekeys"));
    }
    digests(&mut maker)?;
    bundles(&mut maker, &alice)?;
    Ok(maker.finish())
}

/// What is wrong, which kind is asked for, and the object.
fn wrong_prekeys(alice: &Person) -> Made<Vec<(&'static str, &'static str, PrekeyKind, SignedBytes)>> {
    let (bob, laptop) = (Person::of("bob"), alice.with_new_device("alice/laptop"));
    let good = alice.signed_prekey();
    let body = body_of(&good)?;
    let signed = |kind: PrekeyKind, change: &dyn Fn(&mut PrekeyBody)| {
        let mut body = body.clone();
        change(&mut body);
        SignedBytes::new(&alice.signing_key, label(kind), codec::encode(&body))
    };
    let flipped = {
        let mut signed = good.clone();
        signed.signature.0[0] ^= 1;
        signed
    };
    let swapped = SignedBytes { body: bob.signed_prekey().body, ..good.clone() };
    let by_account = SignedBytes::new(&alice.account_key, Label::SignedPrekey, good.body.as_slice().to_vec());
    let no_structure = SignedBytes::new(&alice.signing_key, Label::SignedPrekey, vec![0xc0]);
    let (own, pq) = (PrekeyKind::Signed, PrekeyKind::PqOneTime);
    let of_pq = |size: usize| signed(pq, &|body| (body.kind, body.key) = (2, vec![9; size].into()));
    Ok(vec![
        ("flipped", "a bit of the signature", own, flipped),
        ("swapped", "the body of another's prekey", own, swapped),
        ("by-account", "signed by the account key and not by the device", own, by_account),
        ("of-bob", "another person's prekey", own, bob.signed_prekey()),
        ("of-laptop", "a prekey of another device of the account", own, laptop.signed_prekey()),
        ("suite", "a suite of a later version", own, signed(own, &|body| body.suite = 2)),
        ("account", "another account in the body", own, signed(own, &|body| body.account = bob.account())),
        ("device", "another device in the body", own, signed(own, &|body| body.device = bob.device())),
        ("kind", "another kind in the body than that of the label", own, signed(own, &|body| body.kind = 2)),
        ("kind-0", "a kind that does not exist", own, signed(own, &|body| body.kind = 0)),
        ("short-key", "31 bytes of X25519", own, signed(own, &|body| body.key = vec![9; 31].into())),
        ("long-key", "33 bytes of X25519", own, signed(own, &|body| body.key = vec![9; 33].into())),
        ("no-key", "no key", own, signed(own, &|body| body.key = Vec::new().into())),
        ("short-pq-key", "1,183 bytes of ML-KEM", pq, of_pq(PQ_PUBLIC_KEY_BYTES - 1)),
        ("long-pq-key", "1,185 bytes of ML-KEM", pq, of_pq(PQ_PUBLIC_KEY_BYTES + 1)),
        ("x25519-as-pq", "32 bytes where ML-KEM is asked for", pq, of_pq(32)),
        ("no-structure", "a body that is not the structure", own, no_structure),
    ])
}

fn digests(maker: &mut Maker) -> Made {
    let keys = |keys: &[(u8, u64)]| {
        let prekeys: Vec<Value> = keys.iter().map(|(kind, id)| json!({ "kind": kind, "id": id })).collect();
        json!({ "prekeys": prekeys })
    };
    for (id, what, input) in [
        ("none", "no prekey", keys(&[])),
        ("two", "a signed and a last-resort one", keys(&[(1, 1), (3, 2)])),
        ("all", "all kinds, sorted", keys(&[(0, 10), (0, 11), (1, 1), (2, 20), (3, 2)])),
        ("unsorted", "the same in another order", keys(&[(3, 2), (2, 20), (0, 11), (1, 1), (0, 10)])),
        ("large", "the largest id", keys(&[(0, (1 << 63) - 1), (0, 256), (0, 255)])),
    ] {
        maker.done(&format!("digest/{id}"), &["PUB-6", "REST-8"], what, "prekey.digest", input)?;
    }
    Ok(())
}

fn bundles(maker: &mut Maker, alice: &Person) -> Made {
    let whole = alice.bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME));
    let input = |bundle: &PrekeyBundle| json!({ "bundle": hex::encode(codec::encode(bundle)), "certificate": alice.certificate() });
    for (id, what, bundle) in [
        ("whole", "a one-time prekey of both kinds", whole.clone()),
        ("no-one-time", "a one-time ML-KEM prekey only", alice.bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), None)),
        (
            "last-resort",
            "the last-resort prekey and a one-time X25519 one",
            alice.bundle(Pq::LastResort, Some(FIRST_ONE_TIME)),
        ),
        ("least", "the last-resort prekey and no one-time one", alice.bundle(Pq::LastResort, None)),
    ] {
        maker.done(&format!("bundle/{id}"), &["KA-6"], what, "bundle.verify", input(&bundle))?;
    }
    let bob = Person::of("bob").bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME));
    let laptop = alice.with_new_device("alice/laptop").bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME));
    let last_resort = alice.bundle(Pq::LastResort, None);
    let changed = |change: &dyn Fn(&mut PrekeyBundle)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        bundle
    };
    let flip = |signed: &mut SignedBytes| signed.signature.0[33] ^= 1;
    let nameless = Some(OneTimePrekey { id: 0, key: Fixed([9; 32]) });
    for (id, what, bundle) in [
        ("other-device", "the bundle of another device, whole", laptop.clone()),
        ("other-account", "another person's bundle, whole", bob.clone()),
        ("named-as-other", "a genuine bundle under another device id", changed(&|b| b.device = bob.device)),
        ("signed-prekey-flipped", "a bit of the signed prekey's signature", changed(&|b| flip(&mut b.signed_prekey))),
        (
            "signed-prekey-of-bob",
            "another person's signed prekey",
            changed(&|b| b.signed_prekey = bob.signed_prekey.clone()),
        ),
        (
            "signed-prekey-of-laptop",
            "the signed prekey of another device",
            changed(&|b| b.signed_prekey = laptop.signed_prekey.clone()),
        ),
        ("pq-flipped", "a bit of the ML-KEM prekey's signature", changed(&|b| flip(&mut b.pq_prekey))),
        ("pq-of-bob", "another person's ML-KEM prekey", changed(&|b| b.pq_prekey = bob.pq_prekey.clone())),
        ("pq-of-laptop", "the ML-KEM prekey of another device", changed(&|b| b.pq_prekey = laptop.pq_prekey.clone())),
        ("pq-kind-swapped", "a one-time prekey that is said to be the last-resort one", changed(&|b| b.pq_kind = 3)),
        (
            "last-resort-as-one-time",
            "a last-resort prekey that is said to be a one-time one",
            changed(&|b| b.pq_prekey = last_resort.pq_prekey.clone()),
        ),
        (
            "pq-kind-1",
            "the signed prekey in the place of the ML-KEM one",
            changed(&|b| (b.pq_kind, b.pq_prekey) = (1, b.signed_prekey.clone())),
        ),
        ("pq-kind-0", "a kind that does not exist", changed(&|b| b.pq_kind = 0)),
        ("pq-kind-4", "a kind of a later version", changed(&|b| b.pq_kind = 4)),
        (
            "swapped",
            "both prekeys in each other's place",
            changed(&|b| std::mem::swap(&mut b.signed_prekey, &mut b.pq_prekey)),
        ),
        (
            "one-time-id-0",
            "a one-time prekey with the id that stands for none",
            changed(&|b| b.one_time_prekey = nameless),
        ),
    ] {
        let covers: &[&str] = &["KEY-5", "KA-6"];
        maker.refused(
            &format!("bundle/refused-{id}"),
            covers,
            what,
            "bundle.verify",
            (input(&bundle), "invalid-prekeys"),
        );
    }
    for (id, what, bytes) in [
        ("empty", "nothing", Vec::new()),
        ("no-bundle", "a structure, but not a bundle", codec::encode(&whole.signed_prekey)),
        ("stripped", "without its last field", {
            let mut bytes = codec::encode(&alice.bundle(Pq::LastResort, None));
            bytes[0] -= 1;
            bytes.pop();
            bytes
        }),
    ] {
        let input = json!({ "bundle": hex::encode(bytes), "certificate": alice.certificate() });
        let covers: &[&str] = &["ENC-4", "KA-6"];
        maker.refused(&format!("bundle/refused-{id}"), covers, what, "bundle.verify", (input, "invalid-prekeys"));
    }
    Ok(())
}
