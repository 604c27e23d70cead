//! `docs/keys.md` says what the keys do: written from the code, and checked against it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fmt::Write as _;
use std::path::Path;

use susurro_tui::i18n::{Language, Texts};
use susurro_tui::input::{Context, Keymap};

const HEAD: &str = "# Keys\n\n\
    Generated from the code: `UPDATE_DOCS=1 cargo test -p susurro --test ui_keys` writes it anew.\n\n\
    The table of a place counts there and comes first; the last table counts everywhere. In the composer everything that is \
    not listed is text.\n";

fn reference() -> String {
    let (texts, keymap) = (Texts::new(Language::English), Keymap::default());
    let places = [
        (Context::Composer, "Writing"),
        (Context::Timeline, "Messages"),
        (Context::List, "List of conversations"),
        (Context::Verify, "Verification screen"),
        (Context::Palette, "Palette"),
        (Context::Prompt, "Forms"),
        (Context::Window, "Help and message times"),
        (Context::Anywhere, "Everywhere"),
    ];
    let mut out = HEAD.to_owned();
    for (place, title) in places {
        let _ = write!(out, "\n## {title}\n\n| key | command | what it does |\n|---|---|---|\n");
        let here: Vec<_> = keymap.bindings(place).filter(|binding| binding.context == place).collect();
        let mut told = Vec::new();
        for binding in &here {
            if told.contains(&binding.command) {
                continue;
            }
            told.push(binding.command);
            let keys: Vec<String> = here
                .iter()
                .filter(|other| other.command == binding.command)
                .map(|other| format!("`{}`", other.chord))
                .collect();
            let text = texts.get(binding.command.text());
            let _ = writeln!(out, "| {} | `{}` | {text} |", keys.join(" "), binding.command.name());
        }
    }
    out
}

#[test]
fn the_reference_of_keys_is_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keys.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == reference(), "docs/keys.md is old: UPDATE_DOCS=1 cargo test -p susurro --test ui_keys");
}
