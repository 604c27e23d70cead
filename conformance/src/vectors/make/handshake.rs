//! `handshake.json`.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use susurro_protocol::AccountId;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::handshake::{Hello, Welcome, token_hash, transcript};
use susurro_protocol::signed::{self, Label};

use super::frames::frame;
use super::people::{public, verifying};
use super::structures::elements;
use super::{Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::msgpack::Msgpack;
use crate::vectors::random::Named;

/// The keys of the worked example in the document.
struct Connection {
    relay: SigningKey,
    device: SigningKey,
    account: AccountId,
    device_id: [u8; 16],
    client_ephemeral: [u8; 32],
    relay_ephemeral: [u8; 32],
    token: &'static str,
    cursor: u64,
    time: u64,
    head: u64,
}

impl Connection {
    fn of_the_document() -> Self {
        let account = SigningKey::from_bytes(&[0x22; 32]);
        Self {
            relay: SigningKey::from_bytes(&[0x11; 32]),
            device: SigningKey::from_bytes(&[0x33; 32]),
            account: AccountId::of_account_key(&verifying(&account)),
            device_id: [0x44; 16],
            client_ephemeral: [0x55; 32],
            relay_ephemeral: [0x66; 32],
            token: "example-token",
            cursor: 7,
            time: 1_790_000_000_000,
            head: 9,
        }
    }

    fn named(name: &str) -> Self {
        let random = &mut Named::of(name);
        Self {
            relay: SigningKey::from_bytes(&random.bytes()),
            device: SigningKey::from_bytes(&random.bytes()),
            account: AccountId::from_bytes(random.bytes()),
            device_id: random.bytes(),
            client_ephemeral: random.bytes(),
            relay_ephemeral: random.bytes(),
            token: "eyJhbGciOiJFZERTQSJ9.e30.c2ln",
            cursor: 0,
            time: 1_795_239_008_530,
            head: 0,
        }
    }

    /// `HELLO` of the operations.
    fn client(&self) -> Value {
        json!({
            "signing_key": hex::encode(self.device.to_bytes()),
            "account": self.account.to_string(),
            "device": hex::encode(self.device_id),
            "relay_key": hex::encode(verifying(&self.relay)),
            "token": self.token,
            "cursor": self.cursor,
            "ephemeral": hex::encode(self.client_ephemeral),
        })
    }

    /// The input of the relay, for this message.
    fn relay(&self, hello: &str) -> Value {
        json!({
            "hello": hello,
            "relay_key": hex::encode(self.relay.to_bytes()),
            "token": self.token,
            "device_key": hex::encode(verifying(&self.device)),
            "ephemeral": hex::encode(self.relay_ephemeral),
            "time": self.time,
            "mailbox_head": self.head,
        })
    }

    fn hello(&self) -> Hello {
        Hello {
            min_version: 1,
            max_version: 1,
            account: self.account,
            device: susurro_protocol::DeviceId::from_bytes(self.device_id),
            relay_key: Fixed(verifying(&self.relay)),
            ephemeral: Fixed(public(&self.client_ephemeral)),
            token_hash: Fixed(token_hash(self.token)),
            cursor: self.cursor,
        }
    }

    fn welcome(&self) -> Welcome {
        let (relay, ephemeral) = (verifying(&self.relay), public(&self.relay_ephemeral));
        Welcome::of_relay(1, relay, ephemeral, self.time, self.head)
    }

    /// A `Hello` with this body, signed by the device.
    fn signed_hello(&self, body: &[u8]) -> Vec<u8> {
        frame(1, 1, 0, body, &signed::sign(&self.device, Label::Hello, body))
    }

    /// A `Welcome` with this body, signed by the relay for [`hello`](Self::hello).
    fn signed_welcome(&self, body: &[u8]) -> Vec<u8> {
        let transcript = transcript(&codec::encode(&self.hello()), body);
        frame(1, 2, 0, body, &signed::sign(&self.relay, Label::Welcome, &transcript))
    }
}

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("handshake", "Opening a connection: both sides, the keys, and what each side refuses.");
    for (name, connection) in [
        ("document", Connection::of_the_document()),
        ("first", Connection::named("handshake/first")),
        ("second", Connection::named("handshake/second")),
    ] {
        let id = |part: &str| format!("{name}/{part}");
        let hello =
            maker.done(&id("hello"), &["HS-2"], "what the client sends", "handshake.hello", connection.client())?;
        let (hello_body, hello_frame) = (text(&maker, &hello, "body")?, text(&maker, &hello, "frame")?);
        let input = connection.relay(&hello_frame);
        let covers = &["HS-2", "SES-1"];
        let welcome = maker.done(&id("welcome"), covers, "what the relay answers", "handshake.welcome", input)?;
        let welcome_frame = text(&maker, &welcome, "frame")?;
        let input = json!({ "hello": hello_body, "welcome": text(&maker, &welcome, "body")? });
        maker.done(&id("transcript"), &["HS-4"], "the hash of both bodies", "handshake.transcript", input)?;
        let transcript = text(&maker, &welcome, "transcript")?;
        let input = json!({
            "private": hex::encode(connection.relay_ephemeral),
            "public": hex::encode(public(&connection.client_ephemeral)),
            "transcript": transcript,
        });
        maker.done(&id("keys"), &["SES-1"], "the keys of both directions", "handshake.keys", input)?;
        let input = json!({ "client": connection.client(), "welcome": welcome_frame });
        let covers = &["HS-4", "ACK-1"];
        maker.done(
            &id("finish"),
            covers,
            "what the client makes of it, and its first frame",
            "handshake.finish",
            input,
        )?;
    }
    negotiation(&mut maker)?;
    hello_variants(&mut maker)?;
    refused_hellos(&mut maker);
    refused_welcomes(&mut maker);
    Ok(maker.finish())
}

fn negotiation(maker: &mut Maker) -> Made {
    for (id, min, max) in [("one", 1, 1), ("wide", 1, 255), ("from-zero", 0, 1)] {
        let input = json!({ "min_version": min, "max_version": max });
        maker.done(&format!("version/{id}"), &["VER-2"], "the highest common version", "version.negotiate", input)?;
    }
    for (id, min, max) in [("later", 2, 9), ("earlier", 0, 0), ("reversed", 2, 1), ("reversed-far", 255, 0)] {
        let case = (json!({ "min_version": min, "max_version": max }), "unsupported-version");
        maker.refused(&format!("version/{id}"), &["VER-2"], "no common version", "version.negotiate", case);
    }
    Ok(())
}

fn hello_variants(maker: &mut Maker) -> Made {
    let connection = Connection::of_the_document();
    let later = Hello { max_version: 9, ..connection.hello() };
    let longer = {
        let mut bytes = codec::encode(&connection.hello());
        bytes[0] += 1;
        bytes.push(0xc0);
        bytes
    };
    let body = codec::encode(&connection.hello());
    let other_version = {
        let tag = signed::sign(&connection.device, Label::Hello, &body);
        frame(9, 1, 0, &body, &tag)
    };
    for (id, covers, what, hello) in [
        ("speaks-later-versions", &["VER-2"][..], "versions 1 to 9", connection.signed_hello(&codec::encode(&later))),
        ("longer", &["ENC-2"], "a field of a later version in the body", connection.signed_hello(&longer)),
        ("frame-version", &["HS-10"], "the version of the frame counts for nothing", other_version),
    ] {
        let input = connection.relay(&hex::encode(hello));
        maker.done(&format!("hello/{id}"), covers, what, "handshake.welcome", input)?;
    }
    let longer = {
        let mut bytes = codec::encode(&connection.welcome());
        bytes[0] += 1;
        bytes.push(0xc0);
        bytes
    };
    let restored = codec::encode(&Welcome { mailbox_head: 3, ..connection.welcome() });
    let smaller =
        codec::encode(&Welcome { frame_max: 70_000, ciphertext_max: 1000, window: 1, ..connection.welcome() });
    for (id, covers, what, body) in [
        ("longer", &["ENC-2"][..], "a field of a later version in the body", longer),
        ("restored", &["HS-9"], "a head below the cursor: the relay was restored from a backup", restored),
        ("smaller", &["LIM-2"], "smaller limits than those of the document", smaller),
    ] {
        let welcome = hex::encode(connection.signed_welcome(&body));
        let input = json!({ "client": connection.client(), "welcome": welcome });
        maker.done(&format!("welcome/{id}"), covers, what, "handshake.finish", input)?;
    }
    Ok(())
}

fn refused_hellos(maker: &mut Maker) {
    let own = Connection::of_the_document();
    let other = Connection::named("handshake/other");
    let good = codec::encode(&own.hello());
    let tag = signed::sign(&own.device, Label::Hello, &good);
    let with = |change: &dyn Fn(&mut Hello)| {
        let mut hello = own.hello();
        change(&mut hello);
        own.signed_hello(&codec::encode(&hello))
    };
    let flipped = {
        let mut tag = tag;
        tag[10] ^= 4;
        tag
    };
    let as_login = signed::sign(&own.device, Label::Login, &good);
    let by_other = signed::sign(&other.device, Label::Hello, &good);
    let body_changed = codec::encode(&Hello { cursor: 8, ..own.hello() });
    let welcome = codec::encode(&own.welcome());
    for (id, what, hello, error) in [
        ("no-frame", "not a frame", vec![0x93, 1, 2, 3], "malformed-frame"),
        ("other-kind", "Ack in place of Hello", frame(1, 17, 0, &[0x91, 7], &tag), "unexpected-frame"),
        ("welcome", "Welcome in place of Hello", own.signed_welcome(&welcome), "unexpected-frame"),
        ("unknown-kind", "a kind that nobody knows", frame(1, 999, 0, &good, &tag), "unexpected-frame"),
        ("seq", "a sequence number", frame(1, 1, 1, &good, &tag), "unexpected-frame"),
        ("body", "a body that is not Hello", own.signed_hello(&[0x91, 1]), "malformed-body"),
        ("empty-body", "no body", own.signed_hello(&[]), "malformed-body"),
        ("body-behind", "a byte behind the body", own.signed_hello(&[&good[..], &[0]].concat()), "malformed-body"),
        ("later-version", "versions 2 to 3", with(&|h| (h.min_version, h.max_version) = (2, 3)), "unsupported-version"),
        ("reversed-version", "versions 2 to 1", with(&|h| h.min_version = 2), "unsupported-version"),
        ("version-zero", "versions 0 to 0", with(&|h| (h.min_version, h.max_version) = (0, 0)), "unsupported-version"),
        ("relay-key", "another relay's key", with(&|h| h.relay_key.0 = verifying(&other.relay)), "relay-key-mismatch"),
        ("token", "the hash of another token", with(&|h| h.token_hash.0 = [9; 32]), "unauthenticated"),
        ("ephemeral-zeros", "an ephemeral key of zeros", with(&|h| h.ephemeral.0 = [0; 32]), "bad-signature"),
        ("ephemeral-order-8", "an ephemeral key of order 8", with(&|h| h.ephemeral.0 = ORDER_8), "bad-signature"),
        ("flipped", "a bit of the signature", frame(1, 1, 0, &good, &flipped), "bad-signature"),
        ("other-label", "a signature for a login", frame(1, 1, 0, &good, &as_login), "bad-signature"),
        ("other-signer", "a signature of another device", frame(1, 1, 0, &good, &by_other), "bad-signature"),
        ("other-body", "a signature of another Hello", frame(1, 1, 0, &body_changed, &tag), "bad-signature"),
        ("empty-tag", "no signature", frame(1, 1, 0, &good, &[]), "bad-signature"),
        ("short-tag", "half a signature", frame(1, 1, 0, &good, &tag[..32]), "bad-signature"),
        ("long-tag", "a signature and a byte", frame(1, 1, 0, &good, &[&tag[..], &[0]].concat()), "bad-signature"),
    ] {
        let covers: &[&str] = match error {
            "malformed-frame" => &["FRAME-1", "HS-2"],
            "unsupported-version" => &["HS-2", "VER-2"],
            _ if id.starts_with("ephemeral") => &["HS-5"],
            _ => &["HS-2"],
        };
        let case = (own.relay(&hex::encode(hello)), error);
        maker.refused(&format!("hello/refused-{id}"), covers, what, "handshake.welcome", case);
    }
    for (point, public) in super::keys::SMALL_ORDER_X25519 {
        let input = json!({
            "private": hex::encode(own.relay_ephemeral),
            "public": public,
            "transcript": hex::encode([0; 32]),
        });
        let what = "an ephemeral key that decides the result alone";
        maker.refused(&format!("keys/{point}"), &["HS-5"], what, "handshake.keys", (input, "bad-signature"));
    }
}

/// A point of order 8 on the Montgomery curve.
const ORDER_8: [u8; 32] = [
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d,
    0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
];

fn refused_welcomes(maker: &mut Maker) {
    let own = Connection::of_the_document();
    let other = Connection::named("handshake/other");
    let good = codec::encode(&own.welcome());
    let hash = transcript(&codec::encode(&own.hello()), &good);
    let tag = signed::sign(&own.relay, Label::Welcome, &hash);
    let with = |change: &dyn Fn(&mut Welcome)| {
        let mut welcome = own.welcome();
        change(&mut welcome);
        own.signed_welcome(&codec::encode(&welcome))
    };
    let flipped = {
        let mut tag = tag;
        tag[63] ^= 1;
        tag
    };
    let impostor = signed::sign(&other.relay, Label::Welcome, &hash);
    let of_other_hello = signed::sign(&own.relay, Label::Welcome, &transcript(&codec::encode(&other.hello()), &good));
    let announced = signed::sign(&own.relay, Label::Announcement, &hash);
    let refusal = frame(1, 42, 0, &Msgpack::Array(elements("ErrorNotice")).to_bytes(), &[]);
    let other_body = codec::encode(&Welcome { mailbox_head: 10, ..own.welcome() });
    for (id, what, welcome, error, requirement) in [
        ("no-frame", "not a frame", vec![0xc0], "malformed-frame", "FRAME-1"),
        ("error", "a refusal is read before this, and is no Welcome", refusal, "unexpected-frame", "HS-6"),
        ("seq", "a sequence number", frame(1, 2, 1, &good, &tag), "unexpected-frame", "FRAME-4"),
        ("other-kind", "Pong in place of Welcome", frame(1, 37, 0, &[0x91, 1], &tag), "unexpected-frame", "FRAME-4"),
        ("body", "a body that is not Welcome", own.signed_welcome(&[0x90]), "malformed-body", "FRAME-5"),
        (
            "relay-key",
            "another key than the pinned one",
            with(&|w| w.relay_key.0 = verifying(&other.relay)),
            "relay-key-mismatch",
            "HS-3",
        ),
        ("impostor", "a signature of another relay", frame(1, 2, 0, &good, &impostor), "bad-signature", "HS-4"),
        ("flipped", "a bit of the signature", frame(1, 2, 0, &good, &flipped), "bad-signature", "HS-4"),
        (
            "other-connection",
            "the answer to another Hello",
            frame(1, 2, 0, &good, &of_other_hello),
            "bad-signature",
            "HS-4",
        ),
        ("other-label", "a signature under another label", frame(1, 2, 0, &good, &announced), "bad-signature", "SIG-2"),
        ("other-body", "a signature of another Welcome", frame(1, 2, 0, &other_body, &tag), "bad-signature", "HS-4"),
        ("empty-tag", "no signature", frame(1, 2, 0, &good, &[]), "bad-signature", "HS-4"),
        ("ephemeral-zeros", "an ephemeral key of zeros", with(&|w| w.ephemeral.0 = [0; 32]), "bad-signature", "HS-5"),
        ("version-2", "a version that was not offered", with(&|w| w.version = 2), "unsupported-version", "VER-3"),
        ("version-0", "a version that was not offered", with(&|w| w.version = 0), "unsupported-version", "VER-3"),
    ] {
        let input = json!({ "client": own.client(), "welcome": hex::encode(welcome) });
        maker.refused(&format!("welcome/refused-{id}"), &[requirement], what, "handshake.finish", (input, error));
    }
}
