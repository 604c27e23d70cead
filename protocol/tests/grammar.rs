//! `docs/protocol.cddl` and `docs/protocol.abnf` held against the tables of `docs/protocol.md` and
//! against what the code writes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use support::abnf;
use support::cddl::{self, Rules, Type, Value, fits};
use support::samples;
use susurro_protocol::{AccountName, ErrorCode, MessageId};

fn docs(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

fn rules() -> Rules {
    cddl::parse(&docs("protocol.cddl"))
}

/// The words of the document's tables for a type.
fn words(rules: &Rules, rule: &Type) -> String {
    match rule {
        Type::Name(name, _) if name.starts_with(|c: char| c.is_ascii_uppercase()) => format!("`{name}`"),
        Type::Name(name, arguments) => match cddl::resolve(rules, name, arguments) {
            Some(rule) => words(rules, &rule),
            None => [("uint", "uint"), ("bstr", "bin"), ("tstr", "str"), ("nil", "nil")]
                .into_iter()
                .find_map(|(cddl, word)| (cddl == name).then(|| word.to_owned()))
                .unwrap(),
        },
        Type::Range(..) => "uint".to_owned(),
        Type::Inside(_) => "bin".to_owned(),
        Type::Size(inner, low, high) => match (words(rules, inner).as_str(), low == high) {
            ("uint", _) => format!("uint, {} bits", 8 * high),
            ("bin", true) => format!("bin({low})"),
            (word, _) => word.to_owned(),
        },
        Type::List(_, _, item) => format!("list of {}", words(rules, item)),
        Type::Either(types) => {
            let either: Vec<_> = types.iter().map(|rule| words(rules, rule)).collect();
            // Byte strings of different lengths are byte strings.
            if either.iter().all(|word| word.starts_with("bin")) { "bin".to_owned() } else { either.join(" or ") }
        }
        Type::Record(_) => panic!("a record within a record has a name"),
    }
}

/// First and second column of the table whose heading begins so.
fn table(text: &str, heading: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |"))).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(cells).map(|row| (row[0].replace('`', ""), row[1].clone())).collect()
}

#[test]
fn the_rules_have_the_fields_and_types_of_the_tables() {
    let (rules, text) = (rules(), docs("protocol.md"));
    let mut compared = 0;
    for (name, (_, rule)) in &rules {
        let Type::Record(fields) = rule else { continue };
        let heading = if name == "Frame" { "element".to_owned() } else { format!("field of `{name}`") };
        let written: Vec<_> = fields.iter().map(|(field, rule)| (field.clone(), words(&rules, rule))).collect();
        let table: Vec<_> = table(&text, &heading)
            .into_iter()
            .map(|(field, kind)| (field, kind.replace("uint, 64 bits", "uint")))
            .collect();
        assert_eq!(written, table, "{name}");
        compared += 1;
    }
    let described = text.lines().filter(|line| line.starts_with("| field of `")).count();
    assert_eq!(compared, described + 1, "a table without its rule");
}

#[test]
fn what_the_code_writes_fits_its_rule_and_what_is_changed_does_not() {
    let rules = rules();
    for (name, _, bytes) in samples::structures() {
        // What is signed there is different things; its rule has a parameter.
        let arguments = if name == "SignedBytes" { vec![Type::Name("CertificateBody".into(), vec![])] } else { vec![] };
        let rule = Type::Name(name.to_owned(), arguments);
        let value = cddl::read(&bytes).unwrap_or_else(|| panic!("{name} is no msgpack"));
        assert!(fits(&rules, &rule, &value), "{name}: {value:?}");
        let Value::Array(mut items) = value else { panic!("{name} is an array") };
        let last = items.pop().unwrap();
        assert!(!fits(&rules, &rule, &Value::Array(items.clone())), "{name} without its last field");
        let other = if matches!(last, Value::Number(_)) { Value::Nil } else { Value::Number(1) };
        items.push(other);
        assert!(!fits(&rules, &rule, &Value::Array(items)), "{name} with another type");
    }
}

#[test]
fn texts_and_layouts_are_those_of_the_grammar() {
    let grammar = abnf::parse(&docs("protocol.abnf"));
    let good: Vec<(&str, Vec<u8>)> = vec![
        ("identifier", MessageId::from_bytes([0xa5; 16]).to_string().into_bytes()),
        ("account-name", b"bob".to_vec()),
        ("account-name", vec![b'_'; 50]),
        ("byte-string", b"AAEC_-8".to_vec()),
        ("authorization", b"Bearer a.b-c.D_9".to_vec()),
        ("refresh-token", vec![b'A'; 43]),
        ("upgrade-query", b"token=a.b.c".to_vec()),
        ("problem-type", b"urn:susurro:error:name-taken".to_vec()),
        ("envelope", [&[1, 2][..], &[7; 24 + 57 + 272]].concat()),
        ("envelope", [&[1, 1][..], &[7; 88], &[2], &[7; 8 + 1088], &[9; 24 + 57 + 272]].concat()),
        ("initial-header", [&[7; 88][..], &[3], &[7; 1096]].concat()),
        ("message-header", [&[7; 40][..], &[0]].concat()),
        ("safety-number", ["12345"; 12].join(" ").into_bytes()),
        ("qr-code", [&[1][..], &[7; 64]].concat()),
    ];
    for (rule, bytes) in &good {
        assert!(grammar.fits(rule, bytes), "{rule}");
        assert!(
            !grammar.fits(rule, &bytes[..bytes.len() - 1])
                || ["byte-string", "account-name", "authorization", "upgrade-query", "problem-type"].contains(rule),
            "{rule} cut short"
        );
    }
    let bad: [(&str, &[u8]); 8] = [
        ("identifier", b"A5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"),
        ("account-name", b"Bob"),
        ("account-name", b"bo"),
        ("account-name", &[b'a'; 51]),
        ("byte-string", b"AAE="),
        ("authorization", b"Bearer "),
        ("problem-type", b"urn:susurro:error:"),
        ("message-header", &[1; 41]),
    ];
    for (rule, bytes) in bad {
        assert!(!grammar.fits(rule, bytes), "{rule}: {bytes:?}");
    }
    for text in ["bob", "Bob", "bo", "a_b-9", "a b", "", "ñandú"] {
        assert_eq!(grammar.fits("account-name", text.as_bytes()), text.parse::<AccountName>().is_ok(), "{text}");
    }
    for code in ErrorCode::ALL {
        assert!(grammar.fits("short-name", code.slug().as_bytes()), "{code}");
    }
    // Each layout that the document gives in bytes has its rule.
    assert!(grammar.names().count() > 15);
}

#[test]
fn the_document_leads_to_both_grammars() {
    let text = docs("protocol.md");
    for name in ["protocol.cddl", "protocol.abnf"] {
        assert!(text.matches(&format!("({name})")).count() > 3, "{name}");
    }
}
