//! `identifiers.json`.

use serde_json::json;

use super::people::{Person, verifying};
use super::{Made, Maker};
use crate::vectors::case::File;

pub(super) fn file() -> Made<File> {
    let mut maker =
        Maker::new("identifiers", "Identifiers of accounts and chats, and how identifiers and names are read.");
    let people = ["alice", "bob", "carol"].map(|name| (name, Person::of(name)));
    for (name, person) in &people {
        let input = json!({ "account_key": hex::encode(verifying(&person.account_key)) });
        maker.done(
            &format!("account/{name}"),
            &["ID-2"],
            "the account id of an account key",
            "identifier.account",
            input,
        )?;
    }
    for (one, other) in [(0, 1), (1, 0), (1, 2), (2, 0)] {
        let [(one_name, one), (other_name, other)] = [&people[one], &people[other]];
        let id = format!("chat/{one_name}-{other_name}");
        let input = json!({ "one": one.account().to_string(), "other": other.account().to_string() });
        maker.done(&id, &["ID-4", "REST-9"], "the chat of two accounts, whoever asks", "identifier.chat", input)?;
    }
    let (low, high) = ("7f".repeat(16), "80".repeat(16));
    for (id, one, other) in [("chat/signed-bytes", &low, &high), ("chat/signed-bytes-reversed", &high, &low)] {
        let input = json!({ "one": one, "other": other });
        maker.done(id, &["ID-4"], "bytes from 0x80 are larger than those below", "identifier.chat", input)?;
    }
    let zeros = "0".repeat(32);
    for (id, text) in [("id/digits", "0123456789abcdef0123456789abcdef"), ("id/zeros", &zeros)] {
        let input = json!({ "kind": "id", "text": text });
        maker.done(id, &["ID-1"], "an identifier in text", "identifier.parse", input)?;
    }
    let longest = "x".repeat(50);
    for (id, text) in [
        ("shortest", "bob"),
        ("longest", &longest),
        ("digits-first", "4lice"),
        ("hyphen-first", "-a-"),
        ("underscores", "___"),
        ("mixed", "alice_b-9"),
    ] {
        let input = json!({ "kind": "name", "text": text });
        maker.done(&format!("name/{id}"), &["ID-3"], "a name that an account may have", "identifier.parse", input)?;
    }
    Ok(maker.finish())
}
