//! `frames.json`.

use serde_json::json;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::session::frame_tag;

use super::structures::{dashed, elements};
use super::{Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::msgpack::{Msgpack, wide};
use crate::vectors::random::Named;

/// A sequence number that needs all eight bytes.
const LARGE: u64 = 1 << 63;

/// The message of a frame, whose body and tag may be anything.
pub(super) fn frame(version: u8, kind: u16, seq: u64, body: &[u8], tag: &[u8]) -> Vec<u8> {
    frame_of(&[Msgpack::Uint(version.into()), Msgpack::Uint(kind.into()), Msgpack::Uint(seq)], body, tag)
}

fn frame_of(head: &[Msgpack], body: &[u8], tag: &[u8]) -> Vec<u8> {
    let rest = [Msgpack::Bin(body.to_vec()), Msgpack::Bin(tag.to_vec())];
    Msgpack::Array([head, &rest].concat()).to_bytes()
}

/// A frame whose tag holds under `key`.
fn tagged(key: [u8; 32], version: u8, kind: u16, seq: u64, body: &[u8]) -> Vec<u8> {
    frame(version, kind, seq, body, &frame_tag(key, version, FrameKind::of_number(kind), seq, body))
}

fn structure_of(kind: FrameKind) -> String {
    if kind == FrameKind::Error { "ErrorNotice".to_owned() } else { format!("{kind:?}") }
}

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("frames", "Frames, their tags, and what a receiver of a session does with them.");
    let key: [u8; 32] = Named::of("frames/key").bytes();
    let key_hex = hex::encode(key);
    for (seq, kind) in (1_u64..).zip(FrameKind::ALL.iter().skip(2)) {
        let name = dashed(&format!("{kind:?}"));
        let body = hex::encode(Msgpack::Array(elements(&structure_of(*kind))).to_bytes());
        let head = json!({ "version": 1, "kind": kind.number(), "seq": seq, "body": body });
        let with = |name: &str, value: &str| {
            let mut input = head.clone();
            input[name] = value.into();
            input
        };
        let id = format!("tag/{name}");
        let tag = maker.done(&id, &["SES-1"], "the tag of a frame", "frame.tag", with("key", &key_hex))?;
        let tag = text(&maker, &tag, "tag")?;
        let parts = with("tag", &tag);
        let id = format!("encode/{name}");
        let bytes = maker.done(&id, &["ENC-1"], "its bytes", "frame.encode", parts.clone())?;
        let bytes = text(&maker, &bytes, "bytes")?;
        let case = (json!({ "bytes": bytes }), parts);
        maker.known(&format!("decode/{name}"), &["FRAME-1"], "the five elements", "frame.decode", case);
        let input = json!({ "key": key_hex, "next": seq, "bytes": bytes });
        let id = format!("open/{name}");
        maker.done(&id, &["SES-1", "SES-2"], "a frame whose turn it is", "frame.open", input)?;
    }
    let tagged = |version, kind, seq, body: &[u8]| tagged(key, version, kind, seq, body);
    let (body, none): (&[u8], &[u8]) = (&[0x91, 5], &[]);
    for (id, covers, what, next, bytes) in [
        (
            "unknown-kind",
            &["FRAME-3"][..],
            "a kind of a later version is verified and counted",
            1,
            tagged(1, 999, 1, body),
        ),
        ("empty-body", &["FRAME-5"], "what the body is comes after the tag", 1, tagged(1, 20, 1, none)),
        ("large-number", &["SES-2"], "a number of eight bytes", LARGE, tagged(1, 20, LARGE, body)),
    ] {
        let input = json!({ "key": key_hex, "next": next, "bytes": hex::encode(bytes) });
        maker.done(&format!("open/{id}"), covers, what, "frame.open", input)?;
    }
    let later = {
        let mut longer = tagged(1, 20, 1, body);
        longer[0] = 0x97;
        longer.extend([0xc0, 0x92, 1, 0xa1, b'x']);
        longer
    };
    let deepest = {
        let mut longer = tagged(1, 20, 1, body);
        longer[0] = 0x96;
        longer.extend([&[0x91; 15][..], &[0xc0]].concat());
        longer
    };
    let head = [wide(1), wide(20), wide(1)];
    let tag = frame_tag(key, 1, FrameKind::Ping, 1, body);
    for (id, covers, what, bytes) in [
        ("later-elements", &["FRAME-1", "ENC-2"][..], "two elements behind the fifth are skipped", later),
        ("deepest", &["ENC-4"], "a sixth element nested so that there are sixteen levels, the frame included", deepest),
        (
            "wide",
            &["ENC-5"],
            "integers in eight bytes; the tag covers numbers, not their form",
            frame_of(&head, body, &tag),
        ),
    ] {
        let input = json!({ "key": key_hex, "next": 1, "bytes": hex::encode(bytes) });
        maker.done(&format!("open/{id}"), covers, what, "frame.open", input)?;
    }
    refused_frames(&mut maker, key);
    Ok(maker.finish())
}

fn refused_frames(maker: &mut Maker, secret: [u8; 32]) {
    let tagged = |version, kind, seq, body: &[u8]| tagged(secret, version, kind, seq, body);
    let key = &hex::encode(secret);
    let body: &[u8] = &[0x91, 5];
    let good = tagged(1, 20, 3, body);
    let tag = &good[good.len() - 32..];
    let with_tag = |tag: &[u8]| frame(1, 20, 3, body, tag);
    let changed = |at: usize| {
        let mut tag = tag.to_vec();
        tag[at] ^= 1;
        with_tag(&tag)
    };
    for (id, covers, what, bytes, error) in [
        ("replay", &["SES-2"][..], "the frame before once more", tagged(1, 20, 2, body), "bad-sequence"),
        ("first-again", &["SES-2"], "the first frame once more", tagged(1, 20, 1, body), "bad-sequence"),
        ("gap", &["SES-2"], "a frame is missing", tagged(1, 20, 4, body), "bad-sequence"),
        ("zero", &["SES-2"], "the number of the handshake", tagged(1, 20, 0, body), "bad-sequence"),
        ("tag-first-bit", &["SES-1"], "a bit of the tag's first byte", changed(0), "bad-tag"),
        ("tag-last-bit", &["SES-1"], "a bit of the tag's last byte", changed(31), "bad-tag"),
        ("tag-empty", &["SES-1"], "no tag", with_tag(&[]), "bad-tag"),
        ("tag-short", &["SES-1"], "half of the tag", with_tag(&tag[..16]), "bad-tag"),
        ("tag-long", &["SES-1"], "the tag and one byte", with_tag(&[tag, &[0]].concat()), "bad-tag"),
        ("tag-signature", &["SES-1"], "64 bytes as of the handshake", with_tag(&[7; 64]), "bad-tag"),
        ("other-body", &["SES-1"], "the tag of another body", frame(1, 20, 3, &[0x91, 6], tag), "bad-tag"),
        ("other-kind", &["SES-1"], "the tag of another kind", frame(1, 17, 3, body, tag), "bad-tag"),
        (
            "other-number",
            &["SES-1"],
            "the tag of another number: the tag comes first",
            frame(1, 20, 4, body, tag),
            "bad-tag",
        ),
        (
            "other-version",
            &["SES-3"],
            "version 2, with the tag of version 2",
            tagged(2, 20, 3, body),
            "unsupported-version",
        ),
        (
            "version-zero",
            &["SES-3"],
            "version 0, with the tag of version 0",
            tagged(0, 20, 3, body),
            "unsupported-version",
        ),
    ] {
        let input = json!({ "key": key, "next": 3, "bytes": hex::encode(bytes) });
        maker.refused(&format!("refused/{id}"), covers, what, "frame.open", (input, error));
    }
    let other = hex::encode(Named::of("frames/other-direction").bytes::<32>());
    let input = json!({ "key": other, "next": 3, "bytes": hex::encode(&good) });
    let what = "a frame under the key of the other direction";
    maker.refused("refused/reflected", &["SES-7"], what, "frame.open", (input, "bad-tag"));
}
