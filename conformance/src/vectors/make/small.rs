//! `errors.json`, `passwords.json`, `padding.json` and `safety-numbers.json`.

use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::AUTH_SCHEME;

use super::people::{Person, verifying};
use super::{Made, Maker};
use crate::vectors::case::File;
use crate::vectors::random::Named;

pub(super) fn errors() -> Made<File> {
    let mut maker = Maker::new("errors", "Numbers, short names and close codes of errors.");
    for code in ErrorCode::ALL {
        let input = json!({ "number": code.number() });
        maker.done(code.slug(), &["SES-5"], code.text(), "error.describe", input)?;
    }
    for number in [0, 1000, 2999, 65_535] {
        let what = "a number of a later version: an error of no known cause";
        maker.done(&format!("unknown-{number}"), &["ERR-1"], what, "error.describe", json!({ "number": number }))?;
    }
    Ok(maker.finish())
}

pub(super) fn passwords() -> Made<File> {
    let mut maker = Maker::new("passwords", "Stretching a password for login, and costs that a client refuses.");
    let salt = hex::encode(Named::of("passwords/salt").bytes::<16>());
    let input = |password: &str, scheme: &str, [memory_kib, passes, lanes]: [u32; 3]| {
        let (scheme, salt) = (scheme.to_owned(), salt.clone());
        json!({
            "password": password,
            "scheme": scheme,
            "salt": salt,
            "memory_kib": memory_kib,
            "passes": passes,
            "lanes": lanes,
        })
    };
    let usual = [65_536, 3, 1];
    for (id, what, password, cost) in [
        ("usual", "the cost of a new password", "correct horse battery staple", usual),
        ("empty", "no password at all is stretched like any other", "", usual),
        ("not-ascii", "UTF-8, composed", "contraseña", usual),
        ("decomposed", "the same, with n and a combining tilde: NFKC makes them equal", "contrasen\u{303}a", usual),
        (
            "compatibility",
            "a ligature and full-width digits become fi and 123 in NFKC",
            "\u{fb01}\u{ff11}\u{ff12}\u{ff13}",
            usual,
        ),
        ("spaces", "spaces at both ends belong to it", " a password ", usual),
        ("lanes", "four lanes and one pass more", "correct horse battery staple", [65_536, 4, 4]),
        ("memory", "twice the memory", "correct horse battery staple", [131_072, 3, 2]),
    ] {
        maker.done(id, &["PWD-3"], what, "password.stretch", input(password, AUTH_SCHEME, cost))?;
    }
    for (id, what, key) in [
        ("recovery-zeros", "what a recovery key of zeros proves itself by", [0; 32]),
        ("recovery-ones", "another one", [0xff; 32]),
        ("recovery", "a random one", Named::of("passwords/recovery").bytes()),
    ] {
        maker.done(id, &["REC-1"], what, "recovery.auth", json!({ "key": hex::encode(key) }))?;
    }
    for (id, what, scheme, cost) in [
        ("other-scheme", "a scheme that is not known", "scrypt-v1", usual),
        ("no-scheme", "no scheme", "", usual),
        ("upper-case-scheme", "names of schemes are compared byte by byte", "ARGON2ID-V1", usual),
        ("little-memory", "one KiB less than the least", AUTH_SCHEME, [65_535, 3, 1]),
        ("no-memory", "no memory", AUTH_SCHEME, [0, 3, 1]),
        ("much-memory", "one KiB more than the most", AUTH_SCHEME, [1_048_577, 3, 1]),
        ("all-memory", "as much memory as can be asked for", AUTH_SCHEME, [u32::MAX, 3, 1]),
        ("few-passes", "one pass less than the least", AUTH_SCHEME, [65_536, 2, 1]),
        ("no-passes", "no pass", AUTH_SCHEME, [65_536, 0, 1]),
        ("many-passes", "one pass more than the most", AUTH_SCHEME, [65_536, 17, 1]),
        ("no-lane", "no lane", AUTH_SCHEME, [65_536, 3, 0]),
        ("many-lanes", "one lane more than the most", AUTH_SCHEME, [65_536, 3, 17]),
    ] {
        let case = (input("correct horse battery staple", scheme, cost), "unacceptable-stretching");
        maker.refused(id, &["PWD-2"], what, "password.stretch", case);
    }
    Ok(maker.finish())
}

pub(super) fn padding() -> Made<File> {
    let mut maker = Maker::new("padding", "Padding of contents, its lengths, and padding that is refused.");
    let lengths = [
        0_u32, 1, 254, 255, 256, 511, 512, 1023, 1024, 2047, 2048, 4095, 4096, 4351, 4352, 5000, 8191, 8192, 9000,
        16_383, 16_384, 32_768, 40_000, 60_000, 61_439, 61_440,
    ];
    for length in lengths {
        let id = format!("length-{length}");
        maker.done(
            &id,
            &["PAD-1"],
            "the padded length of a content",
            "padding.length",
            json!({ "content": length }),
        )?;
    }
    let of = |unit: &str, times: u32| json!({ "repeat": unit, "times": times });
    for (id, content, behind) in [
        ("empty", of("00", 0), 255),
        ("short", json!("68656c6c6f"), 250),
        ("fills-but-the-marker", of("61", 255), 0),
        ("one-more", of("61", 256), 255),
        ("ends-with-zeros", of("00", 3), 252),
        ("ends-like-padding", json!("0180000000"), 250),
        ("large", of("7a", 5000), 119),
    ] {
        let padded = json!({ "concat": [content, "80", of("00", behind)] });
        let [pad, unpad] = ["pad", "unpad"].map(|op| format!("{op}-{id}"));
        let given = (json!({ "content": content }), json!({ "padded": padded }));
        maker.known(&pad, &["PAD-1"], "content and padding", "padding.pad", given.clone());
        maker.known(&unpad, &["PAD-1"], "content without its padding", "padding.unpad", (given.1, given.0));
    }
    let wrong: [(&str, &str, Value); 10] = [
        ("nothing", "no byte at all", json!("")),
        ("no-marker", "zeros only", of("00", 256)),
        ("other-marker", "0x81 in place of 0x80", json!({ "concat": ["6162", "81", of("00", 253)] })),
        (
            "not-zeros",
            "a byte other than zero behind the marker",
            json!({ "concat": ["6162", "80", of("00", 252), "01"] }),
        ),
        ("too-short", "one byte less than the smallest length", json!({ "concat": ["6162", "80", of("00", 252)] })),
        ("too-long", "one byte more than the smallest length", json!({ "concat": ["6162", "80", of("00", 254)] })),
        (
            "next-length",
            "a length of the rule, but of longer contents",
            json!({ "concat": ["6162", "80", of("00", 509)] }),
        ),
        (
            "no-length-of-the-rule",
            "a length that no content has",
            json!({ "concat": [of("61", 300), "80", of("00", 299)] }),
        ),
        ("unpadded", "content without padding", of("61", 256)),
        ("doubled-above-4096", "8192 in place of 4352", json!({ "concat": [of("61", 4200), "80", of("00", 3991)] })),
    ];
    for (id, what, padded) in wrong {
        let case = (json!({ "padded": padded }), "malformed-message");
        maker.refused(&format!("wrong-{id}"), &["PAD-1"], what, "padding.unpad", case);
    }
    Ok(maker.finish())
}

pub(super) fn safety_numbers() -> Made<File> {
    let mut maker = Maker::new("safety-numbers", "Safety numbers of two people, and their QR codes.");
    let people = ["alice", "bob", "carol", "dave"].map(|name| (name, Person::of(name)));
    for (one, other) in [(0, 1), (1, 0), (0, 2), (2, 3), (3, 1)] {
        let [(one_name, one), (other_name, other)] = [&people[one], &people[other]];
        let side = |person: &Person| {
            json!({
                "account_key": hex::encode(verifying(&person.account_key)),
                "account": person.account().to_string(),
            })
        };
        let id = format!("{one_name}-{other_name}");
        let input = json!({ "one": side(one), "other": side(other) });
        maker.done(&id, &["SAFE-2"], "the number of two people, whoever asks", "safety.number", input)?;
    }
    Ok(maker.finish())
}
