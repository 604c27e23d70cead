//! `contents.json`.

use serde_json::{Value, json};

use super::structures::sample;
use super::{Flaw, Made, Maker};
use crate::vectors::case::File;
use crate::vectors::msgpack::Msgpack;
use crate::vectors::schema;

const TYPES: [(u16, &str); 5] = [(1, "Text"), (2, "Receipt"), (3, "Repair"), (4, "Resent"), (5, "Attachment")];

fn packed(structure: &str, fields: &Value) -> Made<Vec<u8>> {
    let bytes = schema::from_json(structure, fields).map(|value| value.to_bytes());
    bytes.ok_or_else(|| Flaw { id: format!("contents/{structure}"), why: "these are not its fields".into() })
}

/// A content of this type with this body, as its fields.
fn content(kind: u16, body: &[u8]) -> Value {
    let mut fields = sample("Content");
    (fields["kind"], fields["body"]) = (kind.into(), hex::encode(body).into());
    fields
}

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("contents", "What is inside a ciphertext: each type, and types of later versions.");
    let inner = packed("Content", &content(1, &packed("Text", &json!({ "text": "again" }))?))?;
    let ids: Vec<_> = (1..=3_u8).map(|n| hex::encode([n; 16])).collect();
    for (kind, structure, id, what, body) in [
        (1, "Text", "text", "a text", json!({ "text": "Hello, Bob." })),
        (1, "Text", "text-not-ascii", "a text in UTF-8", json!({ "text": "¿Qué tal? ☕ 👩‍🚀" })),
        (
            1,
            "Text",
            "text-control",
            "control characters travel; a screen must not see them",
            json!({ "text": "\u{1b}[2J\u{7}" }),
        ),
        (
            2,
            "Receipt",
            "receipt-stored",
            "a receipt for messages that are durable",
            json!({ "state": 1, "messages": ids, "at": 1_790_000_000_000_u64 }),
        ),
        (
            2,
            "Receipt",
            "receipt-read",
            "a receipt for a message that was shown",
            json!({ "state": 2, "messages": [ids[0]], "at": 1_790_000_000_001_u64 }),
        ),
        (
            2,
            "Receipt",
            "receipt-saved",
            "a receipt for an attachment that was written out",
            json!({ "state": 3, "messages": [ids[0]], "at": 1_790_000_000_002_u64 }),
        ),
        (3, "Repair", "repair", "a request to send again", json!({ "messages": ids })),
        (4, "Resent", "resent", "a message that is sent again", json!({ "content": hex::encode(&inner) })),
        (
            5,
            "Attachment",
            "attachment",
            "a file",
            json!({
                "name": "señal ☕.pdf", "media_type": "application/pdf", "size": 104_857_600,
                "blob": hex::encode([3; 16]), "key": hex::encode([4; 32]), "hash": hex::encode([5; 32]),
            }),
        ),
    ] {
        let fields = content(kind, &packed(structure, &body)?);
        let input = json!({ "bytes": hex::encode(packed("Content", &fields)?) });
        let expected = json!({ "fields": fields, "body": { "structure": structure, "fields": body } });
        maker.known(id, &["ENC-4"], what, "content.read", (input, expected));
    }
    for (id, kind, body) in
        [("unknown-77", 77, &[0xc0][..]), ("unknown-0", 0, &[]), ("unknown-65535", 65_535, &[1, 2, 3])]
    {
        let fields = content(kind, body);
        let input = json!({ "bytes": hex::encode(packed("Content", &fields)?) });
        let expected = json!({ "fields": fields, "body": { "unknown": kind } });
        maker.known(
            id,
            &["CON-2"],
            "a type of a later version is kept, whatever its body",
            "content.read",
            (input, expected),
        );
    }
    let longer = {
        let mut text = packed("Text", &json!({ "text": "later" }))?;
        text[0] += 1;
        text.push(0xc0);
        text
    };
    let fields = content(1, &longer);
    let input = json!({ "bytes": hex::encode(packed("Content", &fields)?) });
    let expected = json!({ "body": { "structure": "Text", "fields": { "text": "later" } } });
    maker.known("text-longer", &["ENC-2"], "a text with a field of a later version", "content.read", (input, expected));
    for (kind, structure) in TYPES {
        let name = structure.to_lowercase();
        for (id, what, body) in [
            ("empty-body", "no body", Vec::new()),
            ("nil-body", "nil as body", vec![0xc0]),
            (
                "other-body",
                "the body of another type",
                packed(if kind == 3 { "Text" } else { "Repair" }, &sample(if kind == 3 { "Text" } else { "Repair" }))?,
            ),
            ("body-behind", "a byte behind the body", [packed(structure, &sample(structure))?, vec![0]].concat()),
        ] {
            let input = json!({ "bytes": hex::encode(packed("Content", &content(kind, &body))?) });
            let case = (input, "malformed-body");
            maker.refused(&format!("refused/{name}-{id}"), &["ENC-4"], what, "content.read", case);
        }
    }
    let not_utf8 = Msgpack::Array(vec![Msgpack::Raw(vec![0xa2, 0xc3, 0x28])]).to_bytes();
    let input = json!({ "bytes": hex::encode(packed("Content", &content(1, &not_utf8))?) });
    maker.refused(
        "refused/text-not-utf-8",
        &["ENC-4"],
        "a text that is not UTF-8",
        "content.read",
        (input, "malformed-body"),
    );
    Ok(maker.finish())
}
