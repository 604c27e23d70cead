//! `announcements.json`.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use susurro_protocol::AnnouncementId;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::limits::{ANNOUNCEMENT_MAX, ANNOUNCEMENT_SECONDS_MAX};
use susurro_protocol::signed::{Label, SignedBytes};

use super::people::{NOW, packed, verifying};
use super::{Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::random::Named;

const ISSUED: u64 = NOW * 1000;
const LONGEST: u64 = ANNOUNCEMENT_SECONDS_MAX * 1000;

fn said(text: &str) -> Announcement {
    let id = AnnouncementId::from_bytes(Named::of("announcements/id").bytes());
    Announcement { id, issued: ISSUED, expires: ISSUED + 3_600_000, text: text.to_owned() }
}

fn signed(key: &SigningKey, said: &Announcement) -> SignedBytes {
    Notice::sign(key, said).announcement
}

fn verifying_it(key: &SigningKey, signed: &SignedBytes) -> Value {
    json!({ "relay_key": hex::encode(verifying(key)), "signed": packed(signed) })
}

/// Signed objects that are no announcements of this relay: what is wrong, the object and the error.
fn wrong(key: &SigningKey) -> Vec<(&'static str, &'static str, SignedBytes, &'static str)> {
    let good = said("Down on Sunday at nine.");
    let by_relay = |body: Vec<u8>| SignedBytes::new(key, Label::Announcement, body);
    let mut flipped = signed(key, &good);
    flipped.signature.0[40] ^= 1;
    let mut other_body = signed(key, &good);
    other_body.body = codec::encode(&said("Send your password to this address.")).into();
    let nobody = SignedBytes { signature: Fixed([0; 64]), ..signed(key, &good) };
    let lasting = |issued, expires| signed(key, &Announcement { issued, expires, ..good.clone() });
    let mut behind = codec::encode(&good);
    behind.push(0);
    let long = "é".repeat(ANNOUNCEMENT_MAX + 1);
    vec![
        ("flipped", "a bit of the signature", flipped, "bad-signature"),
        ("other-body", "the signature of another text", other_body, "bad-signature"),
        ("nobody", "a signature of zeros", nobody, "bad-signature"),
        ("forged", "signed by another relay", signed(&other(), &good), "bad-signature"),
        (
            "other-label",
            "signed by the relay as a transcript of a handshake",
            SignedBytes::new(key, Label::Welcome, codec::encode(&good)),
            "bad-signature",
        ),
        ("no-structure", "a body that is not the structure", by_relay(vec![0x90]), "malformed-body"),
        ("behind", "a byte behind the body, signed as well", by_relay(behind), "malformed-body"),
        ("empty", "no text", signed(key, &said("")), "invalid-request"),
        ("white", "white space only", signed(key, &said(" \n\u{3000}")), "invalid-request"),
        ("long", "a character more than the most", signed(key, &said(&long)), "invalid-request"),
        ("escape", "a text that would draw on a terminal", signed(key, &said("\u{1b}[2J")), "invalid-request"),
        ("tab", "a tab is a control character", signed(key, &said("a\tb")), "invalid-request"),
        ("c1", "a control character of two bytes", signed(key, &said("a\u{85}b")), "invalid-request"),
        ("no-time", "it expires when it is made", lasting(ISSUED, ISSUED), "invalid-request"),
        ("backwards", "it expires before it is made", lasting(ISSUED, ISSUED - 1), "invalid-request"),
        ("too-lasting", "a millisecond more than the most", lasting(ISSUED, ISSUED + LONGEST + 1), "invalid-request"),
        ("without-end", "the largest time there is", lasting(0, u64::MAX), "invalid-request"),
    ]
}

/// The key of another relay.
fn other() -> SigningKey {
    SigningKey::from_bytes(&Named::of("announcements/other").bytes())
}

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("announcements", "Announcements of a relay: signed, verified, and refused.");
    let key = SigningKey::from_bytes(&Named::of("announcements").bytes());
    let most = "é".repeat(ANNOUNCEMENT_MAX);
    for (id, what, said) in [
        ("usual", "what it says", said("Down on Sunday at nine.")),
        ("lines", "several lines, and letters beyond ASCII", said("El domingo a las nueve\nmañana no.")),
        ("most", "as many characters as there may be, each of two bytes", said(&most)),
        ("longest", "for as long as can be", Announcement { expires: ISSUED + LONGEST, ..said("a month") }),
    ] {
        let input = json!({
            "relay_private": hex::encode(key.to_bytes()),
            "id": said.id.to_string(),
            "issued": said.issued,
            "expires": said.expires,
            "text": said.text,
        });
        let issued = maker.done(&format!("issue/{id}"), &["ANN-3"], what, "announcement.issue", input)?;
        let input = json!({
            "relay_key": hex::encode(verifying(&key)), "signed": text(&maker, &issued, "signed")?,
        });
        maker.done(&format!("verify/{id}"), &["ANN-3"], what, "announcement.verify", input)?;
    }
    let longer = {
        let mut body = codec::encode(&said("and a field of a later version"));
        body[0] += 1;
        body.push(0xa0);
        SignedBytes::new(&key, Label::Announcement, body)
    };
    let what = "a field of a later version";
    maker.done("verify/longer", &["ANN-3", "ENC-2"], what, "announcement.verify", verifying_it(&key, &longer))?;
    for (id, what, signed, error) in wrong(&key) {
        let covers: &[&str] = if id == "other-label" { &["ANN-3", "SIG-2"] } else { &["ANN-3"] };
        let case = (verifying_it(&key, &signed), error);
        maker.refused(&format!("refused/{id}"), covers, what, "announcement.verify", case);
    }
    Ok(maker.finish())
}
