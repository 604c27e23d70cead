//! `pqxdh.json`.

use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::keys::{
    CertificateBody, DeviceCertificate, OneTimePrekey, PQ_PUBLIC_KEY_BYTES, PrekeyBundle, PrekeyKind,
};

use super::keys::SMALL_ORDER_X25519;
use super::people::{FIRST_ONE_TIME, FIRST_PQ_ONE_TIME, Person, Pq, SIGNED, packed, public};
use super::{Made, Maker, text};
use crate::vectors::case::{File, satisfies};
use crate::vectors::random::Named;

pub(super) fn file() -> Made<File> {
    let mut maker =
        Maker::new("pqxdh", "Key agreement: X25519 and ML-KEM-768 alone, then PQXDH with every intermediate value.");
    primitives(&mut maker)?;
    let (alice, bob) = (Person::of("alice"), Person::of("bob"));
    for (id, what, pq, one_time, generation) in [
        ("whole", "one-time prekeys of both kinds", Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME), 1),
        ("no-one-time", "no one-time X25519 prekey: three results, not four", Pq::OneTime(FIRST_PQ_ONE_TIME), None, 1),
        ("last-resort", "the last-resort ML-KEM prekey", Pq::LastResort, Some(FIRST_ONE_TIME + 1), 1),
        ("least", "the last-resort prekey and no one-time one", Pq::LastResort, None, 1),
        (
            "generation",
            "beyond earlier sessions",
            Pq::OneTime(FIRST_PQ_ONE_TIME + 1),
            Some(FIRST_ONE_TIME + 2),
            0x0001_0203_0405_0607,
        ),
    ] {
        let random = &mut Named::of(&format!("pqxdh/{id}"));
        let (bundle, randomness) = (bob.bundle(pq, one_time), [random.bytes(), random.bytes()]);
        let input = initiate(&alice, &bob.certificate, &bundle, randomness, generation);
        let covers: &[&str] = if id == "generation" { &["KA-9", "SEL-1"] } else { &["KA-9"] };
        let agreed = maker.done(&format!("initiate/{id}"), covers, what, "pqxdh.initiate", input)?;
        let input = respond(&bob, &alice.certificate, &text(&maker, &agreed, "initial_header")?);
        let what = "the responder reaches the same";
        let responded = maker.done(&format!("respond/{id}"), covers, what, "pqxdh.respond", input)?;
        if !satisfies(&responded, &agreed) {
            return Err(maker.flaw(id, "both sides reach different keys"));
        }
    }
    let random = &mut Named::of("pqxdh/back");
    let bundle = alice.bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME));
    let input = initiate(&bob, &alice.certificate, &bundle, [random.bytes(), random.bytes()], 1);
    maker.done("initiate/back", &["KA-9"], "the other way round", "pqxdh.initiate", input)?;
    refused_bundles(&mut maker, &alice, &bob);
    refused_headers(&mut maker, &alice, &bob)?;
    Ok(maker.finish())
}

fn initiate(
    local: &Person,
    remote: &DeviceCertificate,
    bundle: &PrekeyBundle,
    [ephemeral, kem_randomness]: [[u8; 32]; 2],
    generation: u64,
) -> Value {
    json!({
        "local": local.local(),
        "remote": packed(remote.signed()),
        "bundle": hex::encode(codec::encode(bundle)),
        "generation": generation,
        "ephemeral": hex::encode(ephemeral),
        "kem_randomness": hex::encode(kem_randomness),
    })
}

fn respond(local: &Person, remote: &DeviceCertificate, initial_header: &str) -> Value {
    json!({
        "local": local.local(),
        "remote": packed(remote.signed()),
        "prekeys": local.prekeys(),
        "initial_header": initial_header,
    })
}

fn primitives(maker: &mut Maker) -> Made {
    let random = &mut Named::of("pqxdh/primitives");
    let (one, other): ([u8; 32], [u8; 32]) = (random.bytes(), random.bytes());
    for (id, own, theirs) in [("x25519/alice", one, other), ("x25519/bob", other, one)] {
        let input = json!({ "private": hex::encode(own), "public": hex::encode(public(&theirs)) });
        maker.done(id, &["KA-9"], "both sides get the same", "x25519.agree", input)?;
    }
    for (point, public) in SMALL_ORDER_X25519 {
        let input = json!({ "private": hex::encode(one), "public": public });
        let what = "a public key that decides the result alone";
        maker.refused(&format!("x25519/refused-{point}"), &["KA-1"], what, "x25519.agree", (input, "weak-key"));
    }
    for number in 0..3 {
        let (seed, randomness): ([u8; 64], [u8; 32]) = (random.bytes(), random.bytes());
        let id = |op: &str| format!("ml-kem/{op}-{number}");
        let seed = hex::encode(seed);
        let what = "the encapsulation key of a seed d | z";
        let made = maker.done(&id("key"), &["KA-9"], what, "kem.public", json!({ "seed": seed }))?;
        let input = json!({ "public": text(maker, &made, "public")?, "randomness": hex::encode(randomness) });
        let what = "FIPS 203, algorithm 17: encapsulation with the randomness m";
        let sealed = maker.done(&id("encapsulate"), &["KA-9"], what, "kem.encapsulate", input)?;
        let ciphertext = text(maker, &sealed, "ciphertext")?;
        let input = json!({ "seed": seed, "ciphertext": ciphertext });
        maker.done(&id("decapsulate"), &["KA-9"], "the same secret", "kem.decapsulate", input)?;
        let changed = format!("{}{}", if ciphertext.starts_with('0') { "1" } else { "0" }, &ciphertext[1..]);
        let what = "a changed ciphertext gives another secret and no error (implicit rejection)";
        let input = json!({ "seed": seed, "ciphertext": changed });
        maker.done(&id("reject"), &["KA-9"], what, "kem.decapsulate", input)?;
    }
    let randomness = hex::encode(random.bytes::<32>());
    let case = json!({ "public": { "repeat": "ff", "times": PQ_PUBLIC_KEY_BYTES }, "randomness": randomness });
    let what = "a key that fails the modulus check (FIPS 203, section 7.2)";
    maker.refused("ml-kem/modulus", &["KA-6"], what, "kem.encapsulate", (case, "invalid-prekeys"));
    Ok(())
}

fn refused_bundles(maker: &mut Maker, alice: &Person, bob: &Person) {
    let random = &mut Named::of("pqxdh/refused");
    let randomness = [random.bytes(), random.bytes()];
    let whole = bob.bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME));
    let changed = |change: &dyn Fn(&mut PrekeyBundle)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        bundle
    };
    let weak = [0; 32];
    let modulus = bob.issue(PrekeyKind::PqOneTime, FIRST_PQ_ONE_TIME, &[0xff; PQ_PUBLIC_KEY_BYTES]);
    let weak_identity = {
        let body = CertificateBody { identity_key: Fixed(weak), ..bob.certificate.body().clone() };
        DeviceCertificate::issue(&bob.account_key, body)
    };
    let (own, bobs) = (&alice.certificate, &bob.certificate);
    let own_bundle = alice.bundle(Pq::LastResort, None);
    for (id, requirement, what, remote, bundle, error) in [
        (
            "weak-signed-prekey",
            "KA-1",
            "a signed prekey of zeros",
            bobs,
            changed(&|b| b.signed_prekey = bob.issue(PrekeyKind::Signed, SIGNED, &weak)),
            "weak-key",
        ),
        (
            "weak-one-time",
            "KA-1",
            "a one-time prekey of zeros",
            bobs,
            changed(&|b| b.one_time_prekey = Some(OneTimePrekey { id: 7, key: Fixed(weak) })),
            "weak-key",
        ),
        ("weak-identity", "KA-1", "an identity key of zeros, certified", &weak_identity, whole.clone(), "weak-key"),
        (
            "modulus",
            "KA-6",
            "an ML-KEM key that is none, signed",
            bobs,
            changed(&|b| b.pq_prekey = modulus.clone()),
            "invalid-prekeys",
        ),
        (
            "of-another",
            "KA-6",
            "a bundle of another device",
            bobs,
            alice.bundle(Pq::LastResort, None),
            "invalid-prekeys",
        ),
        ("with-itself", "KA-5", "a session with itself", own, own_bundle, "same-device"),
    ] {
        let input = initiate(alice, remote, &bundle, randomness, 1);
        maker.refused(&format!("initiate/refused-{id}"), &[requirement], what, "pqxdh.initiate", (input, error));
    }
}

fn refused_headers(maker: &mut Maker, alice: &Person, bob: &Person) -> Made {
    let random = &mut Named::of("pqxdh/headers");
    let bundle = bob.bundle(Pq::OneTime(FIRST_PQ_ONE_TIME), Some(FIRST_ONE_TIME));
    let input = initiate(alice, &bob.certificate, &bundle, [random.bytes(), random.bytes()], 1);
    let agreed = maker.done("headers/good", &["KA-9"], "the header that is changed below", "pqxdh.initiate", input)?;
    let good = text(maker, &agreed, "initial_header")?;
    let good = hex::decode(good).map_err(|_| maker.flaw("headers", "not hexadecimal"))?;
    let with = |at: usize, bytes: &[u8]| {
        let mut header = good.clone();
        header.splice(at..at + bytes.len(), bytes.iter().copied());
        hex::encode(header)
    };
    let carol = Person::of("carol");
    let unknown = 999_u64.to_be_bytes();
    for (id, requirement, what, header, error) in [
        ("certificate", "KA-2", "another certificate hash", with(0, &carol.certificate.hash()), "wrong-sender"),
        ("signed-prekey", "KA-2", "a signed prekey that is not here", with(72, &unknown), "unknown-prekey"),
        (
            "signed-prekey-0",
            "KA-2",
            "id 0, which stands for none, as signed prekey",
            with(72, &[0; 8]),
            "unknown-prekey",
        ),
        ("one-time", "KA-2", "a one-time prekey that is not here", with(80, &unknown), "unknown-prekey"),
        ("pq", "KA-2", "an ML-KEM prekey that is not here", with(89, &unknown), "unknown-prekey"),
        ("pq-of-other-kind", "KA-2", "a one-time id as last-resort prekey", with(88, &[3]), "unknown-prekey"),
        ("pq-kind-0", "KA-2", "kind 0", with(88, &[0]), "malformed-message"),
        ("pq-kind-1", "KA-2", "kind 1, the signed prekey", with(88, &[1]), "malformed-message"),
        ("pq-kind-4", "KA-2", "a kind of a later version", with(88, &[4]), "malformed-message"),
        ("ephemeral", "KA-1", "an ephemeral key of zeros", with(40, &[0; 32]), "weak-key"),
        (
            "kind-first",
            "KA-2",
            "a wrong kind and another certificate: the kind comes first",
            {
                let mut header = good.clone();
                header.splice(..32, carol.certificate.hash());
                header[88] = 1;
                hex::encode(header)
            },
            "malformed-message",
        ),
        (
            "kind-before-prekeys",
            "KA-2",
            "a wrong kind and an unknown signed prekey: the kind comes first",
            {
                let mut header = good.clone();
                header.splice(72..80, unknown);
                header[88] = 1;
                hex::encode(header)
            },
            "malformed-message",
        ),
        (
            "certificate-before-prekeys",
            "KA-2",
            "another certificate and an unknown prekey: the certificate comes first",
            {
                let mut header = good.clone();
                header.splice(..32, carol.certificate.hash());
                header.splice(72..80, unknown);
                hex::encode(header)
            },
            "wrong-sender",
        ),
    ] {
        let case = (respond(bob, &alice.certificate, &header), error);
        maker.refused(&format!("respond/refused-{id}"), &[requirement], what, "pqxdh.respond", case);
    }
    for (id, what, header) in [
        ("generation", "another generation: other keys", with(32, &[7; 8])),
        ("stripped", "the one-time prekey taken out: other keys", with(80, &[0; 8])),
        ("kem-ciphertext", "another ML-KEM ciphertext: other keys", with(97, &[0; 32])),
    ] {
        let case = respond(bob, &alice.certificate, &header);
        let id = format!("respond/changed-{id}");
        let told = maker.done(&id, &["KA-9"], what, "pqxdh.respond", case)?;
        if told.get("root_key") == agreed.get("root_key") {
            return Err(maker.flaw(&id, "a changed header gives the same keys"));
        }
    }
    Ok(())
}
