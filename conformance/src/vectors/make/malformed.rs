//! `malformed.json`: what no reader may take, each with its error.

use serde_json::{Value, json};
use susurro_protocol::limits::{CIPHERTEXT_MAX, FRAME_MAX};

use super::frames::frame;
use super::structures::{bodies, dashed, elements};
use super::{Made, Maker};
use crate::vectors::case::File;
use crate::vectors::msgpack::Msgpack;
use crate::vectors::schema::{self, Type};

pub(super) fn file() -> Made<File> {
    let mut maker = Maker::new("malformed", "Inputs that have to be refused, and with which error.");
    for (structure, fields) in schema::structures() {
        whole(&mut maker, structure, fields);
        field_by_field(&mut maker, structure, fields);
    }
    nested(&mut maker);
    frames(&mut maker);
    envelopes(&mut maker);
    identifiers(&mut maker);
    requests(&mut maker);
    Ok(maker.finish())
}

fn structure(maker: &mut Maker, structure: &str, id: &str, covers: &[&str], what: &str, bytes: &[u8]) {
    let id = format!("structure/{}/{id}", dashed(structure));
    let input = json!({ "structure": structure, "bytes": hex::encode(bytes) });
    maker.refused(&id, covers, what, "structure.decode", (input, "malformed-body"));
}

/// The array as a whole is wrong.
fn whole(maker: &mut Maker, name: &str, fields: &[(String, Type)]) {
    let items = elements(name);
    let good = Msgpack::Array(items.clone()).to_bytes();
    let short = items.get(..items.len() - 1).unwrap_or_default().to_vec();
    let mut map = vec![0x80 | fields.len().to_le_bytes()[0]];
    for ((name, _), item) in fields.iter().zip(&items) {
        map.extend(Msgpack::Str(name.clone()).to_bytes());
        map.extend(item.to_bytes());
    }
    for (id, what, bytes) in [
        ("missing-last", "the last field is missing", Msgpack::Array(short).to_bytes()),
        ("behind", "a byte behind the structure", [&good[..], &[0]].concat()),
        ("cut", "the last byte is missing", good.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default()),
        ("map", "a map of names and values in place of an array", map),
        ("in-bin", "the structure as a byte string", Msgpack::Bin(good.clone()).to_bytes()),
    ] {
        structure(maker, name, id, &["ENC-4"], what, &bytes);
    }
}

/// Each field in turn is of another type; which one changes from field to field.
fn field_by_field(maker: &mut Maker, name: &str, fields: &[(String, Type)]) {
    for (at, (field, kind)) in fields.iter().enumerate() {
        let good = elements(name);
        let wrong = wrong(kind, &good[at]);
        let Some((id, what, value)) = wrong.get(at % wrong.len().max(1)).cloned() else { continue };
        let mut items = good;
        items[at] = value;
        let id = format!("{}-{id}", field.replace('_', "-"));
        structure(maker, name, &id, &["ENC-4"], what, &Msgpack::Array(items).to_bytes());
    }
}

/// What stands in place of a good value: a short name, what it is, and the value.
fn wrong(kind: &Type, good: &Msgpack) -> Vec<(&'static str, &'static str, Msgpack)> {
    let as_text = |size: usize| Msgpack::Str("x".repeat(size));
    let resized = |by: isize| match good {
        Msgpack::Bin(bytes) => {
            let mut bytes = bytes.clone();
            bytes.resize(bytes.len().saturating_add_signed(by), 0);
            Msgpack::Bin(bytes)
        }
        other => other.clone(),
    };
    match kind {
        Type::Uint(most) => {
            let mut wrong = vec![
                ("negative", "a negative number", Msgpack::Raw(vec![0xff])),
                ("fraction", "a number with a point, though it is whole", Msgpack::Raw(vec![0xca, 0x3f, 0x80, 0, 0])),
                ("text", "a number as text", Msgpack::Str("1".into())),
                ("nil", "nil in place of a number", Msgpack::Nil),
                ("true", "a truth value in place of a number", Msgpack::Raw(vec![0xc3])),
            ];
            if let Some(more) = most.checked_add(1) {
                wrong.insert(0, ("too-large", "a number that is too large for its bits", Msgpack::Uint(more)));
            }
            wrong
        }
        Type::Bin(size) => {
            let text = ("text", "text in place of a byte string", as_text(size.unwrap_or(20)));
            let array = Msgpack::Array(vec![Msgpack::Uint(7); size.unwrap_or(20)]);
            let mut wrong = vec![text, ("array", "an array of numbers in place of a byte string", array)];
            if size.is_some() {
                wrong.insert(0, ("short", "a byte too few", resized(-1)));
                wrong.insert(2, ("long", "a byte too many", resized(1)));
            }
            wrong.push(("nil", "nil in place of a byte string", Msgpack::Nil));
            wrong
        }
        Type::Str => vec![
            ("bin", "a byte string in place of text", Msgpack::Bin(b"text".to_vec())),
            ("not-utf-8", "text that is not UTF-8", Msgpack::Raw(vec![0xa2, 0xc3, 0x28])),
            ("number", "a number in place of text", Msgpack::Uint(1)),
        ],
        Type::List(_) => vec![
            ("bin", "a byte string in place of a list", Msgpack::Bin(vec![1, 2])),
            ("nil", "nil in place of a list", Msgpack::Nil),
            ("element", "an element of another type", Msgpack::Array(vec![Msgpack::Raw(vec![0xc3])])),
            ("map", "a map in place of a list", Msgpack::Raw(vec![0x80])),
        ],
        Type::Structure(_) => vec![
            ("bin", "a byte string in place of a structure", Msgpack::Bin(good.to_bytes())),
            ("nil", "nil in place of a structure", Msgpack::Nil),
            ("empty", "an array without its fields", Msgpack::Array(Vec::new())),
        ],
        Type::Optional(_) => vec![
            ("zero", "a number in place of nil", Msgpack::Uint(0)),
            ("empty", "an array without its fields", Msgpack::Array(Vec::new())),
            ("false", "a truth value in place of nil", Msgpack::Raw(vec![0xc2])),
        ],
    }
}

/// A structure in another one: it has exactly its fields, and is no map.
fn nested(maker: &mut Maker) {
    let entry = elements("ListVersion");
    let map = {
        let mut map = vec![0x82];
        for (name, item) in ["account", "version"].iter().zip(&entry) {
            map.extend(Msgpack::Str((*name).to_owned()).to_bytes());
            map.extend(item.to_bytes());
        }
        Msgpack::Raw(map)
    };
    let longer = Msgpack::Array([&entry[..], &[Msgpack::Nil]].concat());
    let shorter = Msgpack::Array(entry[..1].to_vec());
    for (id, covers, what, inner) in [
        ("nested-map", &["ENC-4"][..], "a structure in a list as a map of its names", map),
        ("nested-longer", &["ENC-3"], "a structure in a list with an element more", longer),
        ("nested-shorter", &["ENC-4"], "a structure in a list with an element less", shorter),
    ] {
        let mut send = elements("Send");
        send[2] = Msgpack::Array(vec![inner]);
        structure(maker, "Send", id, covers, what, &Msgpack::Array(send).to_bytes());
    }
    let ping = [Msgpack::Uint(5)];
    let deep = |depth: usize| {
        let nested = Msgpack::Raw([vec![0x91; depth], vec![0xc0]].concat());
        Msgpack::Array([&ping[..], &[nested]].concat()).to_bytes()
    };
    for (id, what, depth) in [
        ("seventeen-deep", "an unknown element nested so that there are seventeen levels, the structure included", 16),
        ("deep", "an unknown element that is nested a hundred deep", 100),
        ("bottomless", "an unknown element that is nested ten thousand deep", 10_000),
    ] {
        structure(maker, "Ping", id, &["ENC-4"], what, &deep(depth));
    }
    for (id, what, bytes) in [
        ("empty", "nothing", &[][..]),
        ("empty-array", "an array without elements", &[0x90]),
        ("unused-marker", "a byte that msgpack does not use", &[0xc1]),
        ("number", "a number in place of an array", &[5]),
        (
            "length-without-bytes",
            "an array of four thousand million elements, and one",
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 5],
        ),
        ("unknown-cut", "an unknown element that is cut off", &[0x92, 5, 0xc4, 9, 1]),
        ("unknown-missing", "two elements said, one there", &[0x92, 5]),
    ] {
        structure(maker, "Ping", id, &["ENC-4"], what, bytes);
    }
    let claimed = [0x91, 0xc6, 0xff, 0xff, 0xff, 0xff, 1];
    structure(
        maker,
        "Repair",
        "bin-without-bytes",
        &["ENC-4"],
        "a byte string that is said to be 4 GiB long",
        &claimed,
    );
}

fn frames(maker: &mut Maker) {
    let good = frame(1, 20, 1, &[0x91, 5], &[7; 32]);
    let with =
        |head: [Msgpack; 3], body: Msgpack, tag: Msgpack| Msgpack::Array([&head[..], &[body, tag]].concat()).to_bytes();
    let [version, kind, seq] = [1, 20, 1].map(Msgpack::Uint);
    let (body, tag) = (Msgpack::Bin(vec![0x91, 5]), Msgpack::Bin(vec![7; 32]));
    let head = [version.clone(), kind.clone(), seq.clone()];
    let negative = Msgpack::Raw(vec![0xff]);
    let fraction = Msgpack::Raw(vec![0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    let mut four = good.clone();
    four[0] = 0x94;
    let mut six = good.clone();
    six[0] = 0x96;
    let map = [&[0x85][..], &good[1..], &good[1..]].concat();
    for (id, what, bytes) in [
        ("empty", "nothing", Vec::new()),
        ("nil", "nil", vec![0xc0]),
        ("text", "JSON", b"[1,20,1]".to_vec()),
        ("empty-array", "an array without elements", vec![0x90]),
        ("four-elements", "no tag", Msgpack::Array([&head[..], std::slice::from_ref(&body)].concat()).to_bytes()),
        ("said-four", "an array of four, and five elements", four),
        ("said-six", "an array of six, and five elements", six),
        ("map", "a map", map),
        ("bin", "the frame as a byte string", Msgpack::Bin(good.clone()).to_bytes()),
        ("behind", "a byte behind the array", [&good[..], &[0]].concat()),
        ("twice", "two frames in one message", [&good[..], &good].concat()),
        ("cut", "the last byte is missing", good[..good.len() - 1].to_vec()),
        ("cut-in-body", "it ends in the body", good[..5].to_vec()),
        (
            "version-256",
            "a version of nine bits",
            with([Msgpack::Uint(256), kind.clone(), seq.clone()], body.clone(), tag.clone()),
        ),
        (
            "version-negative",
            "a negative version",
            with([negative.clone(), kind.clone(), seq.clone()], body.clone(), tag.clone()),
        ),
        (
            "version-text",
            "a version as text",
            with([Msgpack::Str("1".into()), kind.clone(), seq.clone()], body.clone(), tag.clone()),
        ),
        (
            "kind-65536",
            "a kind of 17 bits",
            with([version.clone(), Msgpack::Uint(65_536), seq.clone()], body.clone(), tag.clone()),
        ),
        (
            "kind-negative",
            "a negative kind",
            with([version.clone(), negative.clone(), seq.clone()], body.clone(), tag.clone()),
        ),
        ("kind-nil", "nil as kind", with([version.clone(), Msgpack::Nil, seq.clone()], body.clone(), tag.clone())),
        (
            "seq-negative",
            "a negative sequence number",
            with([version.clone(), kind.clone(), negative], body.clone(), tag.clone()),
        ),
        (
            "seq-fraction",
            "a sequence number with a point",
            with([version.clone(), kind.clone(), fraction], body.clone(), tag.clone()),
        ),
        ("body-text", "a body as text", with(head.clone(), Msgpack::Str("x5".into()), tag.clone())),
        (
            "body-array",
            "the body as an array and not as bytes",
            with(head.clone(), Msgpack::Array(vec![Msgpack::Uint(5)]), tag.clone()),
        ),
        ("body-nil", "nil as body", with(head.clone(), Msgpack::Nil, tag.clone())),
        ("tag-text", "a tag as text", with(head.clone(), body.clone(), Msgpack::Str("x".repeat(32)))),
        ("tag-nil", "nil as tag", with(head.clone(), body.clone(), Msgpack::Nil)),
        (
            "body-without-bytes",
            "a body that is said to be 4 GiB long",
            [&[0x95, 1, 20, 1, 0xc6, 0xff, 0xff, 0xff, 0xff][..], &[1]].concat(),
        ),
        (
            "deep",
            "a sixth element that is nested a thousand deep",
            [&[0x96][..], &good[1..], &[0x91; 1000], &[0xc0]].concat(),
        ),
    ] {
        let input = json!({ "bytes": hex::encode(bytes) });
        maker.refused(&format!("frame/{id}"), &["FRAME-1"], what, "frame.decode", (input, "malformed-frame"));
    }
    let large = |times: usize| json!({ "bytes": { "repeat": "00", "times": times } });
    let covers: &[&str] = &["FRAME-1", "LIM-1"];
    let what = "a byte more than the largest message, whatever it holds";
    maker.refused("frame/too-large", covers, what, "frame.decode", (large(FRAME_MAX + 1), "frame-too-large"));
    let what = "as large as a message may be, and not a frame";
    maker.refused("frame/largest", covers, what, "frame.decode", (large(FRAME_MAX), "malformed-frame"));
}

fn envelopes(maker: &mut Maker) {
    let of = |first: &str, times: usize| json!({ "bytes": { "concat": [first, { "repeat": "11", "times": times }] } });
    let behind = CIPHERTEXT_MAX - 1;
    for (id, requirement, what, input, error) in [
        ("empty", "KA-7", "nothing", of("", 0), "malformed-message"),
        ("one-byte", "KA-7", "a version and nothing else", of("01", 0), "malformed-message"),
        ("preamble", "KA-7", "version and kind", of("0102", 0), "malformed-message"),
        ("short", "KA-7", "a byte too few for a message", of("0102", 96), "malformed-message"),
        (
            "short-initial",
            "KA-7",
            "a byte too few for a message with an initial header",
            of("0101", 1281),
            "malformed-message",
        ),
        (
            "initial-header-only",
            "KA-7",
            "an initial header and nothing behind it",
            of("0101", 1185),
            "malformed-message",
        ),
        ("initial-cut", "KA-7", "half an initial header", of("0101", 600), "malformed-message"),
        ("too-large", "KA-7", "a byte more than a ciphertext may have", of("0102", behind), "malformed-message"),
        ("too-large-initial", "KA-7", "the same with an initial header", of("0101", behind), "malformed-message"),
        ("version-0", "RAT-4", "version 0", of("0002", 400), "unknown-version"),
        ("version-2", "RAT-4", "a later version", of("0202", 400), "unknown-version"),
        ("version-255", "RAT-4", "the latest version that there can be", of("ff01", 2000), "unknown-version"),
        ("kind-0", "RAT-4", "kind 0", of("0100", 2000), "unknown-version"),
        ("kind-3", "RAT-4", "a kind of a later version", of("0103", 2000), "unknown-version"),
        ("kind-255", "RAT-4", "the last kind that there can be", of("01ff", 2000), "unknown-version"),
    ] {
        maker.refused(&format!("envelope/{id}"), &[requirement], what, "envelope.read", (input, error));
    }
}

fn identifiers(maker: &mut Maker) {
    let good = "0123456789abcdef0123456789abcdef";
    for (id, what, text) in [
        ("empty", "nothing", String::new()),
        ("short", "31 digits", good[1..].to_owned()),
        ("long", "33 digits", format!("{good}0")),
        ("half", "8 bytes", good[16..].to_owned()),
        ("twice", "32 bytes", good.repeat(2)),
        ("upper-case", "upper case", good.to_uppercase()),
        ("one-upper-case", "one digit in upper case", good.replacen('f', "F", 1)),
        ("not-a-digit", "a letter that is no digit", good.replacen('f', "g", 1)),
        ("prefix", "with 0x", format!("0x{}", &good[2..])),
        ("dashes", "as a UUID", "01234567-89ab-cdef-0123-456789abcdef".to_owned()),
        ("space", "a space in front", format!(" {}", &good[1..])),
        ("line-break", "a line break behind", format!("{good}\n")),
        ("base64url", "base64url", "ASNFZ4mrze8BI0VniavN7w".to_owned()),
        ("wide-digits", "full-width digits", "\u{ff10}".repeat(32)),
    ] {
        let case = (json!({ "kind": "id", "text": text }), "invalid-request");
        maker.refused(&format!("id/{id}"), &["ID-1"], what, "identifier.parse", case);
    }
    for (id, what, text) in [
        ("empty", "nothing", String::new()),
        ("short", "two characters", "bo".to_owned()),
        ("long", "51 characters", "x".repeat(51)),
        ("upper-case", "upper case", "Bob".to_owned()),
        ("space", "a space", "bob smith".to_owned()),
        ("space-behind", "a space behind", "bob ".to_owned()),
        ("line-break", "a line break behind", "bob\n".to_owned()),
        ("zero", "a zero byte", "bob\0".to_owned()),
        ("dot", "a dot", "bob.smith".to_owned()),
        ("at", "an at sign", "bob@host".to_owned()),
        ("slash", "a slash", "bob/me".to_owned()),
        ("percent", "a percent sign", "bob%20".to_owned()),
        ("umlaut", "a letter that is not ASCII", "j\u{f6}rg".to_owned()),
        ("cyrillic", "a Cyrillic letter that looks like a Latin one", "b\u{43e}b".to_owned()),
        ("wide", "full-width letters", "\u{ff42}\u{ff4f}\u{ff42}".to_owned()),
    ] {
        let case = (json!({ "kind": "name", "text": text }), "invalid-name");
        maker.refused(&format!("name/{id}"), &["ID-3"], what, "identifier.parse", case);
    }
}

/// Bodies of requests, each member wrong in turn.
fn requests(maker: &mut Maker) {
    let mut refuse = |id: String, covers: &[&str], what: &str, structure: &str, text: String| {
        let case = (json!({ "structure": structure, "text": text }), "invalid-request");
        maker.refused(&format!("request/{id}"), covers, what, "json.read", case);
    };
    for (structure, value) in bodies() {
        let name = dashed(structure);
        let members = value.as_object().cloned().unwrap_or_default();
        for member in members.keys() {
            let optional =
                matches!(member.as_str(), "devices" | "time_to_live" | "suite" | "disappear_after" | "expires_after");
            let part = member.replace('_', "-");
            if !optional {
                let mut short = members.clone();
                short.remove(member);
                let text = Value::Object(short).to_string();
                refuse(format!("{name}/without-{part}"), &["ENC-8", "HTTP-1"], "a member is missing", structure, text);
            }
            let mut changed = members.clone();
            let (id, what, wrong) = wrong_json(&members[member]);
            changed.insert(member.clone(), wrong);
            let text = Value::Object(changed).to_string();
            refuse(format!("{name}/{part}-{id}"), &["HTTP-1"], what, structure, text);
        }
    }
    for (structure, value) in bodies() {
        let values: Vec<_> = value.as_object().into_iter().flat_map(|members| members.values().cloned()).collect();
        let id = format!("{}/array", dashed(structure));
        let what = "an array of the members in place of an object";
        refuse(id, &["HTTP-1"], what, structure, Value::Array(values).to_string());
    }
    let mut nested = bodies().into_iter().find(|(name, _)| *name == "PostMessage").map(|(_, post)| post);
    if let Some(post) = &mut nested {
        post["lists"] = json!([[post["lists"][0]["account"], 1]]);
        let what = "an array in place of an object in a list";
        refuse("post-message/nested-array".into(), &["HTTP-1"], what, "PostMessage", post.to_string());
    }
    for (structure, value) in answers() {
        let name = dashed(structure);
        let members = value.as_object().cloned().unwrap_or_default();
        let array = Value::Array(members.values().cloned().collect());
        let what = "an answer that is an array of the members in place of an object";
        refuse(format!("{name}/array"), &["ENC-8"], what, structure, array.to_string());
        for member in members.keys() {
            let part = member.replace('_', "-");
            let again = format!("{{\"{member}\":{},", members[member]);
            let text = value.to_string().replacen('{', &again, 1);
            refuse(format!("{name}/{part}-twice"), &["ENC-8"], "a member twice", structure, text);
            let mut short = members.clone();
            short.remove(member);
            let text = Value::Object(short).to_string();
            refuse(format!("{name}/without-{part}"), &["ENC-8"], "a member is missing", structure, text);
        }
    }
    for (id, what, text) in [
        ("empty", "nothing", ""),
        ("null", "null", "null"),
        ("text", "a text", "\"bob\""),
        ("number", "a number", "1"),
        ("cut", "cut off", "{\"peer\":\"bo"),
        ("behind", "something behind the object", "{\"peer\":\"bob\"}}"),
        ("single-quotes", "single quotes", "{'peer':'bob'}"),
        ("comma", "a comma behind the last member", "{\"peer\":\"bob\",}"),
        ("no-quotes", "a name without quotes", "{peer:\"bob\"}"),
        ("surrogate", "half a surrogate pair", "{\"peer\":\"\\ud800\"}"),
        ("control", "a control character that is not escaped", "{\"peer\":\"b\nb\"}"),
        ("twice", "a member twice", "{\"peer\":\"bob\",\"peer\":\"bob\"}"),
    ] {
        refuse(format!("open-chat/{id}"), &["HTTP-1"], what, "OpenChat", text.to_owned());
    }
    for (name, text) in [
        ("fraction", "1.0"),
        ("exponent", "1e3"),
        ("negative", "-1"),
        ("signed", "+1"),
        ("hexadecimal", "0x10"),
        ("leading-zero", "01"),
        ("too-large", "18446744073709551616"),
    ] {
        let what = "a number that is not written in digits alone, or is too large";
        let Some((_, post)) = bodies().into_iter().find(|(name, _)| *name == "PostMessage") else { return };
        let text = post.to_string().replace("3600", text);
        refuse(format!("post-message/number-{name}"), &["ENC-8", "HTTP-1"], what, "PostMessage", text);
    }
    let Some((_, register)) = bodies().into_iter().find(|(name, _)| *name == "RegisterRequest") else { return };
    let salt = register["salt"].as_str().unwrap_or_default();
    let standard = format!("{}+/", &salt[..salt.len() - 2]);
    for member in ["username", "salt", "lanes", "auth"] {
        let again = format!("{{\"{member}\":{},", register[member]);
        let text = register.to_string().replacen('{', &again, 1);
        refuse(format!("register-request/{member}-twice"), &["ENC-8"], "a member twice", "RegisterRequest", text);
    }
    for (id, what, salt) in [
        ("padded", "base64 with padding", format!("{salt}==")),
        ("standard", "the characters + and /", standard),
        ("hexadecimal", "hexadecimal digits: 24 bytes", "0123456789abcdef0123456789abcdef".to_owned()),
        ("one-more", "a character too many: no whole number of bytes", format!("{salt}A")[..21].to_owned()),
        ("short", "15 bytes", salt[..20].to_owned()),
        // The last of 22 characters has two bits of the sixteenth byte and four that belong to none.
        ("trailing-bit", "the lowest bit that belongs to no byte is 1", format!("{}B", &salt[..21])),
        ("trailing-bits", "all bits that belong to no byte are 1", format!("{}P", &salt[..21])),
        ("spaces", "spaces in it", format!("{} {}", &salt[..10], &salt[11..])),
    ] {
        let mut changed = register.clone();
        changed["salt"] = salt.into();
        refuse(format!("register-request/salt-{id}"), &["ENC-7"], what, "RegisterRequest", changed.to_string());
    }
}

/// Answers of a relay, which a client reads as strictly as the relay reads its requests.
fn answers() -> [(&'static str, Value); 3] {
    let digest = susurro_protocol::bytes::to_base64(&[7; 32]);
    let message = "0123456789abcdef0123456789abcdef";
    [
        ("KeyCount", json!({ "one_time": 3, "pq_one_time": 100, "digest": digest })),
        ("PostedMessage", json!({ "message": message, "stored_at": 1_790_000_000_000_u64 })),
        (
            "TokenResponse",
            json!({
                "account": message, "device": message, "access_token": "a.b.c", "access_expires_in": 3600,
                "refresh_token": "r", "refresh_expires_in": 2_592_000,
            }),
        ),
    ]
}

/// What stands in place of a good value of JSON.
fn wrong_json(good: &Value) -> (&'static str, &'static str, Value) {
    match good {
        Value::String(_) => ("number", "a number in place of a text", json!(5)),
        Value::Number(_) => ("text", "a number as text", json!("5")),
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            ("element", "an element that is not the structure", json!([{}]))
        }
        Value::Array(_) => ("text", "a text in place of a list", json!("x")),
        _ => ("list", "a list in place of something else", json!([])),
    }
}
