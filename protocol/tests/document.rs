//! `docs/protocol.md` held against the code: its tables are the code's, and its worked examples
//! are computed anew, the keys and tags by the formulas of the document and not by the crate.
//!
//! `UPDATE_DOCUMENT=1 cargo test -p susurro-protocol --test document` writes the examples anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use sha2::{Digest as _, Sha256};
use support::people;
use support::samples::{self, samples};
use susurro_protocol::event::Pong;
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::signed::Label;
use susurro_protocol::{ErrorCode, content, limits};
use x25519_dalek::{PublicKey, StaticSecret};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md")
}

fn document() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// The rows of the table whose heading begins with `heading`, as their cells.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    assert!(lines.next().is_some(), "docs/protocol.md has no table {heading}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|c| c.trim().replace('`', "")).collect();
    rows.map(cells).collect()
}

#[test]
fn the_limits_are_those_of_the_code() {
    macro_rules! limits {
        ($($name:ident)+) => { [$((stringify!($name), limits::$name as u64)),+] };
    }
    let mut code: BTreeMap<_, _> = limits!(
        FRAME_MAX CIPHERTEXT_MAX TEXT_MAX NAME_MIN NAME_MAX DISPLAY_NAME_MAX PAGE_MAX DEVICES_MAX ONE_TIME_PREKEYS_MAX
        ONE_TIME_PREKEYS_TARGET ONE_TIME_PREKEYS_LOW TIME_TO_LIVE_MAX DELIVERY_WINDOW DELIVERY_WINDOW_BYTES
        HANDSHAKE_SECONDS IDLE_SECONDS PING_SECONDS REST_BODY_MAX MAILBOX_MESSAGES_MAX PASSWORD_MEMORY_KIB_MIN
        PASSWORD_MEMORY_KIB_MAX PASSWORD_PASSES_MIN PASSWORD_PASSES_MAX PASSWORD_LANES_MAX PASSWORD_MIN INVITE_MAX
        INVITE_USES_MAX INVITE_NOTE_MAX ACCESS_SECONDS
        REFRESH_SECONDS REFRESH_GRACE_SECONDS LOGIN_NONCE_SECONDS BLOB_CHUNK BLOB_MAX ATTACHMENT_MAX BLOB_UPLOAD_SECONDS WHISPER_MAX WHISPER_PADDED
        TYPING_EVERY_SECONDS TYPING_SECONDS TYPING_SECONDS_MAX WHISPERS_A_MINUTE WHISPERS_WAITING
        PRESENCE_MAX ANNOUNCEMENT_MAX ANNOUNCEMENT_SECONDS_MAX ANNOUNCEMENTS_MAX
    )
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // None may be left out here either.
    let source = include_str!("../src/limits.rs");
    let constants =
        source.lines().filter_map(|line| line.strip_prefix("pub const ")).map(|l| l.split(':').next().unwrap());
    assert_eq!(constants.collect::<BTreeSet<_>>(), code.keys().map(String::as_str).collect());
    code.insert("RECEIPT_MESSAGES_MAX".into(), content::RECEIPT_MESSAGES_MAX as u64);
    code.insert("REPAIR_MESSAGES_MAX".into(), content::REPAIR_MESSAGES_MAX as u64);

    let rows = table(&document(), "limit");
    let written: BTreeMap<_, _> = rows.iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    assert_eq!(written, code);
}

#[test]
fn frame_kinds_labels_and_errors_are_those_of_the_code() {
    let text = document();
    let kinds: Vec<_> = table(&text, "number | kind").iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let code: Vec<_> = FrameKind::ALL.iter().map(|kind| (kind.number().to_string(), format!("{kind:?}"))).collect();
    assert_eq!(kinds, code);

    let labels: Vec<_> = table(&text, "label").iter().map(|row| row[0].clone()).collect();
    assert_eq!(labels, Label::ALL.map(Label::as_str));

    let errors: Vec<_> = table(&text, "number | short name").iter().map(|row| row[..3].to_vec()).collect();
    let code = |c: &ErrorCode| vec![c.number().to_string(), c.slug().to_owned(), c.close_code().to_string()];
    assert_eq!(errors, ErrorCode::ALL.iter().map(code).collect::<Vec<_>>());
}

/// The members of a JSON object in the order of the text, which is that of the structure's fields.
fn members(json: &[u8]) -> Vec<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    serde_json::Deserializer::from_slice(json).deserialize_map(Names).unwrap()
}

#[test]
fn the_fields_of_every_structure_are_those_of_the_code_in_their_order() {
    let text = document();
    for (structure, json) in samples::as_json() {
        let rows = table(&text, &format!("field of `{structure}`"));
        let written: Vec<_> = rows.into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(written, members(&json), "field of `{structure}`");
    }
    let described = text.lines().filter_map(|line| line.strip_prefix("| field of `")?.split('`').next());
    let known: BTreeSet<_> = samples::as_json().into_iter().map(|(name, _)| name).collect();
    assert_eq!(described.collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_members_of_requests_and_answers_are_those_of_the_code() {
    let text = document();
    let names = [
        ("problem", "Problem"),
        ("relay-info", "RelayInfo"),
        ("auth-params", "AuthParams"),
        ("register", "RegisterRequest"),
        ("login", "LoginRequest"),
        ("tokens", "TokenResponse"),
        ("refresh", "RefreshRequest"),
        ("update-me", "UpdateMe"),
        ("devices", "UserDevices"),
        ("publish-keys", "PublishKeys"),
        ("claim", "ClaimRequest"),
        ("claimed", "ClaimResponse"),
        ("chat", "Chat"),
        ("post-message", "PostMessage"),
        ("chat-config", "ChatConfig"),
        ("configure-chat", "ConfigureChat"),
        ("new-blob", "NewBlob"),
        ("blob-state", "BlobState"),
        ("acknowledge-messages", "AcknowledgeMessages"),
    ];
    for sample in samples().iter().filter(|sample| sample.target == "rest") {
        let Some((_, structure)) = names.iter().find(|(name, _)| *name == sample.name) else { continue };
        let rows = table(&text, &format!("member of `{structure}`"));
        let optional = |row: &Vec<String>| row[1].contains("optional");
        let written: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
        let needed: BTreeSet<_> = rows.iter().filter(|row| !optional(row)).map(|row| row[0].clone()).collect();
        let sent: BTreeSet<_> = members(&sample.input[1..]).into_iter().collect();
        assert!(sent.is_subset(&written) && needed.is_subset(&sent), "{structure}: {sent:?} is not {written:?}");
    }
}

/// The items of lists that begin with an identifier: its group, its number, its words.
fn requirements(text: &str) -> Vec<(&str, u32, String)> {
    let mut found: Vec<(&str, u32, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some((id, words)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("** ")) {
            let (group, number) = id.rsplit_once('-').unwrap_or_else(|| panic!("{id} is no identifier"));
            assert!(group.bytes().all(|b| b.is_ascii_uppercase()), "{id}");
            found.push((group, number.parse().unwrap(), words.to_owned()));
            inside = true;
        } else {
            inside &= line.starts_with("  ");
            if inside && let Some((_, _, words)) = found.last_mut() {
                words.push_str(line);
            }
        }
    }
    found
}

/// What is wrong with the requirements of a document, one line each.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut numbers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (group, number, words) in requirements(text) {
        numbers.entry(group).or_default().push(number);
        if !words.contains("MUST") && !words.contains("SHOULD") {
            faults.push(format!("{group}-{number} has no level"));
        }
    }
    for (group, mut numbers) in numbers {
        numbers.sort_unstable();
        if !numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()) {
            faults.push(format!("{group} is not numbered from 1 without gap and repetition: {numbers:?}"));
        }
    }
    faults
}

#[test]
fn requirements_have_a_level_and_an_identifier_of_their_own() {
    let text = document();
    assert_eq!(faults(&text), Vec::<String>::new());
    assert!(requirements(&text).len() > 200, "only {} requirements were found", requirements(&text).len());
    // An identifier in bold that does not begin an item would be seen by people alone.
    let is_id = |word: &str| word.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    let bold = text.split("**").skip(1).step_by(2).filter(|word| is_id(word)).count();
    assert_eq!(bold, requirements(&text).len() + 1, "the first bold identifier is the example of the introduction");
    for wrong in [
        "- **A-1** It does.",
        "- **A-1** It MUST.\n- **A-1** It MUST.",
        "- **A-1** It MUST.\n- **A-3** It MUST.",
        "- **A-2** It MUST.",
    ] {
        assert_eq!(faults(wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn every_error_has_a_line_that_says_what_a_client_does() {
    let text = document();
    let rows = table(&text, "error | as `Error`, `GoingAway` or close code");
    let named: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(named, ErrorCode::ALL.iter().map(|code| code.slug().to_owned()).collect::<Vec<_>>());
    let actions: BTreeSet<_> = requirements(&text)
        .into_iter()
        .filter(|(group, ..)| *group == "ACT")
        .filter_map(|(_, _, words)| Some(words.strip_prefix('*')?.split_once('*')?.0.to_owned()))
        .collect();
    assert_eq!(actions.len(), 8);
    for row in rows {
        let said = row[1..].iter().flat_map(|cell| cell.split("; ")).map(|part| part.rsplit(": ").next().unwrap());
        for action in said.filter(|action| !["nothing", "not before the next session"].contains(action)) {
            assert!(actions.contains(action), "{}: {action} is no action", row[0]);
        }
    }
}

/// The examples of sections 9.1 and 20 by name, those of section 9.1 computed by the formulas there.
fn examples() -> Vec<(String, Vec<u8>)> {
    let mut played = people::handshake();
    let hello = RawFrame::decode(&played.hello).unwrap();
    let welcome = RawFrame::decode(&played.welcome).unwrap();

    let mut transcript = Sha256::new();
    transcript.update(b"susurro/v1/handshake\0");
    for body in [&hello.body, &welcome.body] {
        transcript.update((body.len() as u64).to_be_bytes());
        transcript.update(body);
    }
    let transcript: [u8; 32] = transcript.finalize().into();

    let relay_ephemeral = PublicKey::from(&StaticSecret::from([0x66; 32]));
    let shared = StaticSecret::from([0x55; 32]).diffie_hellman(&relay_ephemeral);
    let mut keys = [0; 64];
    Hkdf::<Sha256>::new(Some(&transcript), shared.as_bytes()).expand(b"susurro/v1/session-keys", &mut keys).unwrap();

    let ack = samples::first_frame(&mut played);
    let pong: Bytes = played.relay.sealer.seal(FrameKind::Pong, &Pong { nonce: 5 }).unwrap().into();
    for (message, key) in [(&ack, &keys[..32]), (&pong, &keys[32..])] {
        let frame = RawFrame::decode(message).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(b"susurro/v1/frame\0");
        mac.update(&[frame.version]);
        mac.update(&frame.kind.number().to_be_bytes());
        mac.update(&frame.seq.to_be_bytes());
        mac.update(&frame.body);
        assert_eq!(frame.tag, mac.finalize().into_bytes()[..], "the formula of section 10");
    }
    assert_eq!((hello.tag.len(), welcome.tag.len()), (64, 64));

    let mut examples = structure_examples();
    examples.extend(
        [
            ("hello-body", hello.body.to_vec()),
            ("hello-frame", played.hello.to_vec()),
            ("welcome-body", welcome.body.to_vec()),
            ("transcript", transcript.to_vec()),
            ("welcome-frame", played.welcome.to_vec()),
            ("session-keys", keys.to_vec()),
            ("ack-frame", ack.to_vec()),
            ("pong-frame", pong.to_vec()),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes)),
    );
    examples
}

/// The examples of section 20: one of each structure.
fn structure_examples() -> Vec<(String, Vec<u8>)> {
    let of = |(name, _, bytes): (&str, _, Vec<u8>)| (format!("structure {name}"), bytes);
    samples::structures().into_iter().filter(|(name, ..)| !["Hello", "Welcome"].contains(name)).map(of).collect()
}

#[test]
fn the_worked_examples_are_what_the_code_does() {
    let mut text = document();
    for (name, bytes) in examples() {
        let opening = format!("```hex {name}\n");
        let start = text.find(&opening).unwrap_or_else(|| panic!("no example {name}")) + opening.len();
        let end = start + text[start..].find("```").unwrap();
        if std::env::var_os("UPDATE_DOCUMENT").is_some() {
            let lines = bytes.chunks(32).map(|line| format!("{}\n", hex::encode(line)));
            text.replace_range(start..end, &lines.collect::<String>());
            std::fs::write(path(), &text).unwrap();
        } else {
            let written: String = text[start..end].split_whitespace().collect();
            assert_eq!(written, hex::encode(bytes), "example {name}");
        }
    }
}

#[test]
fn the_diagrams_name_frames_and_requests_that_there_are() {
    let text = document();
    let requests: BTreeSet<_> = table(&text, "request | token").into_iter().map(|row| row[0].clone()).collect();
    let requests: BTreeSet<_> =
        requests.iter().map(|request| request.split('?').next().unwrap_or_default()).chain(["GET /ws"]).collect();
    let frames: BTreeSet<_> = FrameKind::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    let mut diagrams = 0;
    for diagram in text.split("```mermaid\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        assert!(diagram.starts_with("sequenceDiagram\n"), "{diagram}");
        diagrams += 1;
        for line in diagram.lines() {
            let Some((arrow, label)) = line.trim().split_once(": ") else { continue };
            let from_client = ["->>R", "--xR"].iter().any(|end| arrow.ends_with(end));
            if arrow.contains("-->>") || arrow.starts_with("Note") || label.starts_with("close ") {
                continue;
            }
            let words: Vec<_> = label.split([' ', ',']).collect();
            if ["GET", "POST", "PUT", "DELETE"].contains(&words[0]) {
                assert!(from_client && requests.contains(words[..2].join(" ").as_str()), "{line}");
            } else {
                assert!(frames.contains(words[0]) || label.starts_with("any request"), "{line}");
            }
        }
    }
    assert!(diagrams >= 10, "only {diagrams} diagrams");
}

#[test]
fn sections_are_numbered_in_turn() {
    let text = document();
    let numbers: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(' '))
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    // Two of the same number would make a reference lead to either.
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    assert!(numbers.len() > 20, "{} sections", numbers.len());
}
