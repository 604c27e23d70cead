//! `signatures.json`, `certificates.json` and `device-lists.json`.

use ed25519_dalek::SigningKey;
use serde_json::json;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList, DeviceListBody};
use susurro_protocol::signed::{Label, SignedBytes, sign};
use susurro_protocol::{AccountId, ChatId, DeviceId};

use super::people::{NOW, Person, packed, verifying};
use super::{Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::msgpack::Msgpack;
use crate::vectors::random::Named;

/// X25519 public keys of small order (RFC 7748, section 6.1), and forms of them that are not reduced.
pub(super) const SMALL_ORDER_X25519: [(&str, &str); 7] = [
    ("zero", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("one", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("order-8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    ("order-8-other", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ("minus-one", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("zero-not-reduced", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("one-not-reduced", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

/// The order of the base point of Ed25519, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same signature with S + L in place of S.
fn plus_order(signature: [u8; 64]) -> [u8; 64] {
    let mut forged = signature;
    let mut carry = 0;
    for (byte, l) in forged.iter_mut().skip(32).zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    forged
}

pub(super) fn signatures() -> Made<File> {
    let mut maker = Maker::new("signatures", "Labelled Ed25519 signatures, and how strictly they are verified.");
    let key = SigningKey::from_bytes(&Named::of("signatures").bytes());
    let (private, public) = (hex::encode(key.to_bytes()), hex::encode(verifying(&key)));
    let body = hex::encode("what is signed");
    for label in Label::ALL {
        let name = label.as_str().rsplit('/').next().unwrap_or_default();
        let input = json!({ "private": private, "label": label.as_str(), "body": body });
        let id = format!("sign/{name}");
        let signed = maker.done(&id, &["SIG-2"], "a signature under this label", "signature.sign", input)?;
        let input = json!({
            "public": public, "label": label.as_str(), "body": body, "signature": text(&maker, &signed, "signature")?,
        });
        maker.done(&format!("verify/{name}"), &["SIG-1"], "it holds", "signature.verify", input)?;
    }
    let input = json!({ "private": private, "label": "susurro/v1/login", "body": "" });
    maker.done("sign/empty", &["SIG-1"], "an empty body", "signature.sign", input)?;
    let hello = sign(&key, Label::Hello, b"what is signed");
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut identity_signature = [0; 64];
    identity_signature[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut not_reduced = [0xff; 32];
    (not_reduced[0], not_reduced[31]) = (0xee, 0x7f);
    let mut small_r = hello;
    small_r[..32].copy_from_slice(&identity);
    let mut last_bit = hello;
    last_bit[63] ^= 0x80;
    let key = verifying(&key);
    for (id, requirement, what, public, label, signature) in [
        ("other-label", "SIG-2", "shown under another label", key, Label::Login, hello),
        (
            "s-plus-l",
            "SIG-1",
            "S + L in place of S: a second form of the same signature",
            key,
            Label::Hello,
            plus_order(hello),
        ),
        ("s-high-bit", "SIG-1", "the highest bit of S is set", key, Label::Hello, last_bit),
        ("small-order-r", "SIG-1", "R of small order", key, Label::Hello, small_r),
        (
            "identity-key",
            "SIG-1",
            "the neutral element as key, which a lax check accepts for every body",
            identity,
            Label::Hello,
            identity_signature,
        ),
        ("order-2-key", "SIG-1", "a key of order 2", minus_one, Label::Hello, identity_signature),
        ("order-4-key", "SIG-1", "a key of order 4", [0; 32], Label::Hello, identity_signature),
        (
            "not-reduced-key",
            "SIG-1",
            "the neutral element as key, not reduced",
            not_reduced,
            Label::Hello,
            identity_signature,
        ),
        ("zeros", "SIG-1", "zeros as signature", key, Label::Hello, [0; 64]),
    ] {
        let input = json!({
            "public": hex::encode(public), "label": label.as_str(), "body": body, "signature": hex::encode(signature),
        });
        maker.refused(&format!("refused/{id}"), &[requirement], what, "signature.verify", (input, "bad-signature"));
    }
    for (id, what, body) in [
        ("other-body", "another body", hex::encode("what is Signed")),
        ("longer-body", "a byte behind the body", hex::encode("what is signed\0")),
        ("no-body", "no body", String::new()),
    ] {
        let input = json!({
            "public": hex::encode(key), "label": Label::Hello.as_str(), "body": body, "signature": hex::encode(hello),
        });
        maker.refused(&format!("refused/{id}"), &["SIG-1"], what, "signature.verify", (input, "bad-signature"));
    }
    let alice = Person::of("alice");
    let input = json!({
        "signing_key": hex::encode(alice.signing_key.to_bytes()),
        "relay_key": hex::encode(verifying(&SigningKey::from_bytes(&[0x11; 32]))),
        "account": alice.account().to_string(),
        "device": alice.device().to_string(),
        "nonce": hex::encode(Named::of("signatures/nonce").bytes::<40>()),
    });
    maker.done("login-proof", &["AUTH-10"], "what a device signs at login", "login.proof", input)?;
    let input = json!({
        "signing_key": hex::encode(alice.signing_key.to_bytes()),
        "relay_key": hex::encode(verifying(&SigningKey::from_bytes(&[0x11; 32]))),
        "account": alice.account().to_string(),
        "device": alice.device().to_string(),
        "chat": ChatId::direct(&alice.account(), &Person::of("bob").account()).to_string(),
        "up_to": 300,
    });
    let what = "what a device signs when it acknowledges over REST";
    maker.done("acknowledgement-proof", &["CHAT-8"], what, "acknowledgement.proof", input)?;
    Ok(maker.finish())
}

/// A certificate with whatever body, signed by `key`.
fn certificate(key: &SigningKey, body: &CertificateBody) -> SignedBytes {
    SignedBytes::new(key, Label::DeviceCertificate, codec::encode(body))
}

/// Signed objects that are no certificates of Alice: what is wrong, and the object.
fn wrong_certificates(alice: &Person) -> Vec<(&'static str, &'static str, String)> {
    let mallory = Person::of("mallory");
    let good = alice.certificate.body().clone();
    let key = &alice.account_key;
    let by_alice = |change: &dyn Fn(&mut CertificateBody)| {
        let mut body = good.clone();
        change(&mut body);
        packed(&certificate(key, &body))
    };
    let signed = alice.certificate.signed();
    let flipped = {
        let mut signed = signed.clone();
        signed.signature.0[5] ^= 0x10;
        signed
    };
    let other_body = SignedBytes {
        body: codec::encode(&CertificateBody { created: NOW + 1, ..good.clone() }).into(),
        ..signed.clone()
    };
    let other_label = SignedBytes::new(key, Label::DeviceList, codec::encode(&good));
    let small_order = {
        let mut key = [0; 32];
        key[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let body =
            CertificateBody { account_key: Fixed(key), account: AccountId::of_account_key(&key), ..good.clone() };
        SignedBytes { body: codec::encode(&body).into(), signature: Fixed(signature) }
    };
    let twice = SignedBytes { signature: Fixed(plus_order(signed.signature.0)), ..signed.clone() };
    let no_body = SignedBytes::new(key, Label::DeviceCertificate, vec![0x90]);
    let behind = SignedBytes::new(key, Label::DeviceCertificate, [&codec::encode(&good)[..], &[0]].concat());
    vec![
        ("flipped", "a bit of the signature", packed(&flipped)),
        ("other-body", "the signature of another body", packed(&other_body)),
        ("forged", "signed by somebody else", packed(&certificate(&mallory.account_key, &good))),
        ("by-device", "signed by the device itself", packed(&certificate(&alice.signing_key, &good))),
        ("other-label", "signed as a device list", packed(&other_label)),
        ("s-plus-l", "S + L in place of S", packed(&twice)),
        (
            "small-order-key",
            "an account key of small order, for which everything holds in a lax check",
            packed(&small_order),
        ),
        ("account-id", "another account id", by_alice(&|body| body.account = mallory.account())),
        ("suite-0", "suite 0", by_alice(&|body| body.suite = 0)),
        ("suite-2", "a suite of a later version", by_alice(&|body| body.suite = 2)),
        ("no-structure", "a body that is not the structure", packed(&no_body)),
        ("behind", "a byte behind the body, signed as well", packed(&behind)),
        ("no-signed-bytes", "not even a signed object", hex::encode([0xc4, 1, 0])),
        ("empty", "nothing", String::new()),
    ]
}

pub(super) fn certificates() -> Made<File> {
    let mut maker = Maker::new("certificates", "Device certificates: issued, verified, and refused.");
    for name in ["alice", "bob"] {
        let person = Person::of(name);
        let body = person.certificate.body();
        let input = json!({
            "account_key": hex::encode(person.account_key.to_bytes()),
            "device": body.device.to_string(),
            "signing_key": hex::encode(body.signing_key.0),
            "identity_key": hex::encode(body.identity_key.0),
            "created": body.created,
        });
        let what = "a certificate and its hash";
        let issued = maker.done(&format!("issue/{name}"), &["KEY-1"], what, "certificate.issue", input)?;
        let input = json!({ "signed": text(&maker, &issued, "signed")? });
        maker.done(&format!("verify/{name}"), &["KEY-1"], "what it says", "certificate.verify", input)?;
    }
    let alice = Person::of("alice");
    let longer = {
        let mut bytes = codec::encode(alice.certificate.body());
        bytes[0] += 1;
        bytes.push(0xa0);
        SignedBytes::new(&alice.account_key, Label::DeviceCertificate, bytes)
    };
    let input = json!({ "signed": packed(&longer) });
    let covers = &["ENC-2", "ENC-6"];
    let what = "a field of a later version: the hash is of the bytes that were signed";
    maker.done("verify/longer", covers, what, "certificate.verify", input)?;
    for (id, what, signed) in wrong_certificates(&alice) {
        let covers: &[&str] = match id {
            "suite-0" | "suite-2" => &["KEY-1", "VER-4"],
            "account-id" => &["KEY-1", "ID-2"],
            "other-label" => &["KEY-1", "SIG-2"],
            "s-plus-l" | "small-order-key" => &["KEY-1", "SIG-1"],
            _ => &["KEY-1"],
        };
        let case = (json!({ "signed": signed }), "invalid-device-list");
        maker.refused(&format!("refused/{id}"), covers, what, "certificate.verify", case);
    }
    Ok(maker.finish())
}

pub(super) fn lists() -> Made<File> {
    let mut maker = Maker::new("device-lists", "Device lists: issued, verified, forged, rolled back, forked.");
    let alice = Person::of("alice");
    let laptop = alice.with_new_device("alice/laptop");
    let (phone, laptop) = (&alice.certificate, &laptop.certificate);
    let first = alice.list(None, &[phone]);
    let second = alice.list(Some(&first), &[phone, laptop]);
    let third = alice.list(Some(&second), &[laptop]);
    for (id, list, previous, certificates) in [
        ("first", &first, None, vec![phone]),
        ("second", &second, Some(&first), vec![phone, laptop]),
        ("third", &third, Some(&second), vec![laptop]),
    ] {
        let input = json!({
            "account_key": hex::encode(alice.account_key.to_bytes()),
            "previous": previous.map(|list: &DeviceList| packed(list.signed())),
            "created": NOW,
            "certificates": certificates.iter().map(|c| packed(c.signed())).collect::<Vec<_>>(),
        });
        maker.done(&format!("issue/{id}"), &["KEY-2"], "a list and its hash", "list.issue", input)?;
        let input = json!({ "signed": packed(list.signed()) });
        maker.done(&format!("verify/{id}"), &["KEY-2"], "what it says", "list.verify", input)?;
    }
    let most: Vec<_> = devices(&alice, 16);
    let full = alice.list(None, &most.iter().collect::<Vec<_>>());
    let input = json!({ "signed": packed(full.signed()) });
    maker.done("verify/sixteen", &["KEY-2"], "as many devices as there may be", "list.verify", input)?;
    wrong_lists(&mut maker, &alice, &first);
    successions(&mut maker, &alice, [&first, &second, &third])?;
    Ok(maker.finish())
}

/// Certificates of so many devices with the same keys.
fn devices(person: &Person, count: usize) -> Vec<DeviceCertificate> {
    let random = &mut Named::of("device-lists/devices");
    let certificate = |_| {
        let device = DeviceId::from_bytes(random.bytes());
        DeviceCertificate::issue(&person.account_key, CertificateBody { device, ..person.certificate.body().clone() })
    };
    (0..count).map(certificate).collect()
}

fn wrong_lists(maker: &mut Maker, alice: &Person, first: &DeviceList) {
    let mallory = Person::of("mallory");
    let good = first.body().clone();
    let signed_by = |key: &SigningKey, change: &dyn Fn(&mut DeviceListBody)| {
        let mut body = good.clone();
        change(&mut body);
        packed(&SignedBytes::new(key, Label::DeviceList, codec::encode(&body)))
    };
    let by_alice = |change: &dyn Fn(&mut DeviceListBody)| signed_by(&alice.account_key, change);
    let certificate = alice.certificate.signed().clone();
    let flipped = {
        let mut signed = first.signed().clone();
        signed.signature.0[40] ^= 1;
        packed(&signed)
    };
    let bad_certificate = {
        let mut certificate = certificate.clone();
        certificate.signature.0[0] ^= 1;
        certificate
    };
    let unknown_suite = SignedBytes::new(
        &alice.account_key,
        Label::DeviceCertificate,
        codec::encode(&CertificateBody { suite: 2, ..alice.certificate.body().clone() }),
    );
    let seventeen: Vec<_> = devices(alice, 17).iter().map(|c| c.signed().clone()).collect();
    let as_certificate = SignedBytes::new(&alice.account_key, Label::DeviceCertificate, codec::encode(&good));
    let nested_longer = {
        let extra = Msgpack::Array(vec![
            Msgpack::Bin(certificate.body.as_slice().to_vec()),
            Msgpack::Bin(certificate.signature.0.to_vec()),
            Msgpack::Nil,
        ]);
        let body = Msgpack::Array(vec![
            Msgpack::Uint(1),
            Msgpack::Bin(good.account.as_bytes().to_vec()),
            Msgpack::Bin(good.account_key.0.to_vec()),
            Msgpack::Uint(1),
            Msgpack::Bin(vec![0; 32]),
            Msgpack::Uint(NOW),
            Msgpack::Array(vec![extra]),
        ]);
        packed(&SignedBytes::new(&alice.account_key, Label::DeviceList, body.to_bytes()))
    };
    let hash = first.hash();
    for (id, covers, what, signed) in [
        ("flipped", &["KEY-2"][..], "a bit of the signature", flipped),
        ("forged", &["KEY-2"], "signed by somebody else", signed_by(&mallory.account_key, &|_| ())),
        ("by-device", &["KEY-2"], "signed by a device", signed_by(&alice.signing_key, &|_| ())),
        ("other-label", &["KEY-2", "SIG-2"], "signed as a certificate", packed(&as_certificate)),
        ("account-id", &["KEY-2", "ID-2"], "another account id", by_alice(&|body| body.account = mallory.account())),
        ("suite-2", &["KEY-2", "VER-4"], "a suite of a later version", by_alice(&|body| body.suite = 2)),
        ("version-0", &["KEY-2"], "version 0", by_alice(&|body| body.version = 0)),
        (
            "version-0-with-previous",
            &["KEY-2"],
            "version 0 with a predecessor",
            by_alice(&|body| (body.version, body.previous.0) = (0, hash)),
        ),
        ("first-with-previous", &["KEY-2"], "version 1 with a predecessor", by_alice(&|body| body.previous.0 = hash)),
        ("second-without-previous", &["KEY-2"], "version 2 without a predecessor", by_alice(&|body| body.version = 2)),
        ("no-device", &["KEY-2"], "no device", by_alice(&|body| body.certificates.clear())),
        (
            "seventeen",
            &["KEY-2", "LIM-1"],
            "one device more than there may be",
            by_alice(&|body| body.certificates.clone_from(&seventeen)),
        ),
        ("twice", &["KEY-2"], "a device twice", by_alice(&|body| body.certificates.push(certificate.clone()))),
        (
            "other-account",
            &["KEY-2"],
            "a certificate of another account key, genuine by itself",
            by_alice(&|body| body.certificates.push(mallory.certificate.signed().clone())),
        ),
        (
            "bad-certificate",
            &["KEY-2"],
            "a certificate whose signature does not hold",
            by_alice(&|body| body.certificates = vec![bad_certificate.clone()]),
        ),
        (
            "certificate-suite",
            &["KEY-2", "VER-4"],
            "a certificate of a later suite",
            by_alice(&|body| body.certificates = vec![unknown_suite.clone()]),
        ),
        ("nested-longer", &["ENC-3"], "a signed object in the list has three elements", nested_longer),
        ("no-structure", &["KEY-2"], "not a signed object", "c0".to_owned()),
    ] {
        maker.refused(
            &format!("refused/{id}"),
            covers,
            what,
            "list.verify",
            (json!({ "signed": signed }), "invalid-device-list"),
        );
    }
}

fn successions(maker: &mut Maker, alice: &Person, [first, second, third]: [&DeviceList; 3]) -> Made {
    let phone = &alice.certificate;
    let tablet = alice.with_new_device("alice/tablet");
    let mallory = Person::of("mallory");
    let fork = alice.list(Some(first), &[&tablet.certificate]);
    let after_fork = alice.list(Some(&fork), &[&tablet.certificate]);
    let other_first = alice.list(None, &[&tablet.certificate]);
    let fourth = alice.list(Some(third), &[phone]);
    let foreign = mallory.list(None, &[&mallory.certificate]);
    let foreign_second = mallory.list(Some(&foreign), &[&mallory.certificate]);
    let pair = |known: &DeviceList, offered: &DeviceList| json!({ "known": packed(known.signed()), "offered": packed(offered.signed()) });
    for (id, what, known, offered) in [
        ("next", "the next list", first, second),
        ("same", "the same list", second, second),
        ("next-again", "the next but one after the next", second, third),
        ("later", "a later list, whose predecessors this side has not seen", first, third),
        ("much-later", "a still later one", first, &fourth),
    ] {
        maker.done(&format!("succeeds/{id}"), &["KEY-3"], what, "list.succeeds", pair(known, offered))?;
    }
    for (id, requirement, what, known, offered, error) in [
        ("rolled-back", "KEY-3", "the list before", second, first, "rolled-back"),
        ("rolled-back-far", "KEY-3", "the first list after the third", third, first, "rolled-back"),
        ("rolled-back-fork", "KEY-3", "an older list of another branch", third, &fork, "rolled-back"),
        ("forked", "KEY-3", "another list of the same version", second, &fork, "forked"),
        ("forked-first", "KEY-3", "another first list", first, &other_first, "forked"),
        ("wrong-previous", "KEY-3", "the next list of another branch", second, &after_fork, "forked"),
        ("changed-key", "KEY-4", "a list of another account key", first, &foreign, "changed-key"),
        ("changed-key-later", "KEY-4", "a later list of another account key", first, &foreign_second, "changed-key"),
        ("changed-key-earlier", "KEY-4", "an earlier list of another account key", third, &foreign, "changed-key"),
    ] {
        maker.refused(
            &format!("refused-as-next/{id}"),
            &[requirement],
            what,
            "list.succeeds",
            (pair(known, offered), error),
        );
    }
    let mut forged = second.signed().clone();
    forged.signature.0[1] ^= 2;
    let input = json!({ "known": packed(first.signed()), "offered": packed(&forged) });
    let what = "a next list whose signature does not hold";
    maker.refused("refused-as-next/forged", &["KEY-2"], what, "list.succeeds", (input, "invalid-device-list"));
    Ok(())
}
