//! `structures.json` and `requests.json`.

use serde_json::{Map, Value, json};

use super::{Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::msgpack::{Msgpack, wide};
use crate::vectors::random::Named;
use crate::vectors::schema::{self, Type};

/// A value of a structure, the same at each run.
pub(super) fn sample(structure: &str) -> Value {
    of_structure(structure, &mut Named::of(&format!("structure/{structure}")))
}

fn of_structure(structure: &str, random: &mut Named) -> Value {
    let fields = schema::structures().get(structure).into_iter().flatten();
    Value::Object(fields.map(|(name, kind)| (name.clone(), of_type(kind, random))).collect::<Map<_, _>>())
}

fn of_type(kind: &Type, random: &mut Named) -> Value {
    match kind {
        Type::Uint(most) => {
            // Small numbers are the ones of which every field has some; a byte long so that both widths occur.
            let [byte] = random.bytes();
            u64::from(byte).min(*most).into()
        }
        Type::Bin(Some(size)) => {
            let bytes: Vec<u8> = (0..*size).flat_map(|_| random.bytes::<1>()).collect();
            hex::encode(bytes).into()
        }
        Type::Bin(None) => hex::encode(random.bytes::<20>()).into(),
        Type::Str => "café ☕".into(),
        Type::List(inner) => Value::Array((0..2).map(|_| of_type(inner, random)).collect()),
        Type::Structure(name) => of_structure(name, random),
        Type::Optional(inner) => of_type(inner, random),
    }
}

/// The msgpack of [`sample`], as its elements.
pub(super) fn elements(structure: &str) -> Vec<Msgpack> {
    match schema::from_json(structure, &sample(structure)) {
        Some(Msgpack::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// A structure's name as part of an identifier: `DeviceListBody` becomes `device-list-body`.
pub(super) fn dashed(structure: &str) -> String {
    let mut name = String::new();
    for letter in structure.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn widened(value: &Msgpack) -> Msgpack {
    match value {
        Msgpack::Uint(number) => wide(*number),
        Msgpack::Bin(bytes) => {
            let length = (bytes.len() as u64).to_be_bytes();
            Msgpack::Raw([&[0xc6], &length[4..], bytes].concat())
        }
        // A structure in it keeps its form: only its integers and byte strings are wide.
        Msgpack::Array(items) => Msgpack::Array(items.iter().map(widened).collect()),
        other => other.clone(),
    }
}

pub(super) fn file() -> Made<File> {
    let mut maker =
        Maker::new("structures", "Every msgpack structure: written, read, and read as later versions write it.");
    for structure in schema::structures().keys() {
        let name = dashed(structure);
        let input = json!({ "structure": structure, "fields": sample(structure) });
        let id = format!("{name}/encode");
        let what = "all fields in order, in the shortest form";
        let written = maker.done(&id, &["ENC-1", "ENC-5"], what, "structure.encode", input)?;
        let bytes = text(&maker, &written, "bytes")?;
        let items = elements(structure);
        let longer = [&items[..], &[Msgpack::Raw(vec![0x82, 1, 0x91, 2, 0xa1, b'x', 0xc0]), Msgpack::Nil]].concat();
        let wide = Msgpack::Array(items.iter().map(widened).collect());
        for (id, covers, what, bytes) in [
            ("decode", &["ENC-4"][..], "the bytes of the case before", bytes),
            (
                "wide",
                &["ENC-5", "ENC-6"],
                "every integer in eight bytes, every length of a byte string in four",
                hex::encode(wide.to_bytes()),
            ),
            (
                "longer",
                &["ENC-2"],
                "two elements of a later version behind the last one, a map and nil",
                hex::encode(Msgpack::Array(longer).to_bytes()),
            ),
        ] {
            let given = json!({ "structure": structure, "bytes": bytes });
            let case = (given, json!({ "fields": sample(structure) }));
            maker.known(&format!("{name}/{id}"), covers, what, "structure.decode", case);
        }
    }
    let mut bundle = sample("PrekeyBundle");
    bundle["one_time_prekey"] = Value::Null;
    let input = json!({ "structure": "PrekeyBundle", "fields": bundle });
    let what = "nil where there is no one-time prekey";
    maker.done("prekey-bundle/without-one-time", &["ENC-1"], what, "structure.encode", input)?;
    for (id, number) in [
        ("1-byte-most", 127),
        ("2-bytes-least", 128),
        ("2-bytes-most", 255),
        ("3-bytes-least", 256),
        ("3-bytes-most", 65_535),
        ("5-bytes-least", 65_536),
        ("5-bytes-most", u64::from(u32::MAX)),
        ("9-bytes-least", 1 << 32),
        ("9-bytes-most", u64::MAX),
    ] {
        let input = json!({ "structure": "Ping", "fields": { "nonce": number } });
        maker.done(
            &format!("integer/{id}"),
            &["ENC-5"],
            "an integer at a limit of its form",
            "structure.encode",
            input,
        )?;
    }
    let deepest = [&[0x92, 5][..], &[0x91; 15], &[0xc0]].concat();
    let case = (json!({ "structure": "Ping", "bytes": hex::encode(deepest) }), json!({ "fields": { "nonce": 5 } }));
    let what = "an unknown element nested so that there are sixteen levels, the structure included";
    maker.known("ping/deepest", &["ENC-2", "ENC-4"], what, "structure.decode", case);
    for (id, number, bytes) in [
        ("unsigned-8", 5, "91cc05"),
        ("unsigned-16", 5, "91cd0005"),
        ("unsigned-32", 5, "91ce00000005"),
        ("unsigned-64", 5, "91cf0000000000000005"),
        ("signed-8", 5, "91d005"),
        ("signed-16", 300, "91d1012c"),
        ("signed-32", 5, "91d200000005"),
        ("signed-64", 5, "91d30000000000000005"),
    ] {
        let case = (json!({ "structure": "Ping", "bytes": bytes }), json!({ "fields": { "nonce": number } }));
        let what = "the same number in another width";
        maker.known(&format!("integer/read-{id}"), &["ENC-5"], what, "structure.decode", case);
    }
    Ok(maker.finish())
}

/// A body of each request, with the value that it is read as when that is another one.
pub(super) fn bodies() -> Vec<(&'static str, Value)> {
    let random = &mut Named::of("requests");
    let base64 = |bytes: &[u8]| susurro_protocol::bytes::to_base64(bytes);
    let id = |random: &mut Named| hex::encode(random.bytes::<16>());
    let (account, other, device, message) = (id(random), id(random), id(random), id(random));
    let signed = base64(&[0x92, 0xc4, 1, 7].into_iter().chain([0xc4, 64]).chain([9; 64]).collect::<Vec<_>>());
    let auth = base64(&random.bytes::<32>());
    let one_time = json!({ "id": 5, "key": base64(&random.bytes::<32>()) });
    vec![
        (
            "RegisterRequest",
            json!({
                "username": "alice", "scheme": "argon2id-v1", "salt": base64(&random.bytes::<16>()),
                "memory_kib": 65_536, "passes": 3, "lanes": 1, "auth": auth, "device_list": signed,
            }),
        ),
        (
            "LoginRequest",
            json!({
                "username": "alice", "auth": auth, "device": device, "nonce": base64(&random.bytes::<40>()),
                "proof": base64(&random.bytes::<64>()),
            }),
        ),
        ("RefreshRequest", json!({ "refresh_token": base64(&random.bytes::<32>()) })),
        ("UpdateMe", json!({ "display_name": "Alice ☕" })),
        (
            "PublishKeys",
            json!({
                "signed_prekey": signed, "pq_last_resort": signed, "one_time": [one_time], "pq_one_time": [signed],
            }),
        ),
        ("ClaimRequest", json!({ "account": account, "devices": [device] })),
        ("OpenChat", json!({ "peer": "bob" })),
        (
            "PostMessage",
            json!({
                "message": message,
                "lists": [{ "account": account, "version": 1 }, { "account": other, "version": 3 }],
                "deposits": [{ "device": device, "ciphertext": base64(&random.bytes::<32>()) }],
                "time_to_live": 3600,
            }),
        ),
        ("AcknowledgeMessages", json!({ "up_to": 300, "proof": base64(&random.bytes::<64>()) })),
        ("ConfigureChat", json!({ "version": 3, "suite": 1, "disappear_after": 86_400 })),
        ("NewBlob", json!({ "blob": id(random), "size": 104_883_216, "expires_after": 86_400 })),
    ]
}

pub(super) fn requests() -> Made<File> {
    let mut maker = Maker::new("requests", "Bodies of requests in JSON, as their reader takes them.");
    for (structure, value) in bodies() {
        let name = dashed(structure);
        let case =
            |text: String, value: &Value| (json!({ "structure": structure, "text": text }), json!({ "value": value }));
        let what = "a body as it should be";
        maker.known(&format!("{name}/plain"), &["HTTP-1"], what, "json.read", case(value.to_string(), &value));
        let mut later = value.clone();
        later["later"] = json!({ "version": [2, null] });
        let what = "with a member of a later version";
        maker.known(&format!("{name}/later"), &["ENC-8"], what, "json.read", case(later.to_string(), &value));
        let spaced = serde_json::to_string_pretty(&value).unwrap_or_default();
        let what = "with spaces and line breaks";
        maker.known(&format!("{name}/spaced"), &["HTTP-1"], what, "json.read", case(spaced, &value));
    }
    let read = |structure: &str, given: &Value, read: Value| {
        (json!({ "structure": structure, "text": given.to_string() }), json!({ "value": read }))
    };
    for (structure, value) in bodies() {
        let optional = match structure {
            "ClaimRequest" => ("devices", json!([])),
            "PostMessage" => ("time_to_live", json!(0)),
            _ => continue,
        };
        let mut short = value.clone();
        if let Value::Object(members) = &mut short {
            members.remove(optional.0);
        }
        let mut filled = value.clone();
        filled[optional.0] = optional.1;
        let id = format!("{}/without-{}", dashed(structure), optional.0.replace('_', "-"));
        let case = read(structure, &short, filled);
        maker.known(&id, &["ENC-8"], "an optional member is left out", "json.read", case);
    }
    let null = json!({ "display_name": null });
    let case = read("UpdateMe", &null, null.clone());
    maker.known("update-me/null", &["PROF-2"], "null takes the name away", "json.read", case);
    Ok(maker.finish())
}
