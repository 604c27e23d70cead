//! The reference page and the example files, from the table of settings.

use std::fmt::Write as _;

use super::setting::{Kind, Preset, Setting};
use super::table::GROUPS;

const HEAD: &str = include_str!("reference_head.md");

/// The page `docs/configuration.md`.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for group in GROUPS {
        let _ = write!(page, "\n### {}\n\n| key | value | default | |\n|---|---|---|---|\n", group.title);
        for setting in group.settings {
            let default = match setting.default {
                Preset::Is(value) => format!("`{value}`"),
                Preset::Unset { meaning, .. } => meaning.to_owned(),
            };
            let _ = writeln!(page, "| `{}` | {} | {default} | {} |", setting.name, value(setting), setting.help);
        }
    }
    page
}

/// How the value looks, in words.
fn value(setting: &Setting) -> String {
    match setting.kind {
        Kind::Switch => "`true` or `false`".to_owned(),
        Kind::Number(word) => format!("number *{word}*"),
        Kind::Text(word) => format!("*{word}*"),
        Kind::List(word) => format!("list of *{word}*"),
        Kind::Url(word) => format!("*{word}*, or its file"),
        Kind::Secret => "secret, or its file".to_owned(),
    }
}

/// The file `.env.example`.
#[must_use]
pub fn variables() -> String {
    let mut file =
        "# Settings of susurro-server as variables. Copy this file to .env in the directory that the relay is\n\
                    # started in, and take the # away where a value is to change. All of them: docs/configuration.md.\n"
            .to_owned();
    for group in GROUPS {
        let _ = writeln!(file, "\n# ---- {} ----", group.title);
        for setting in group.settings {
            explain(&mut file, setting);
            let _ = match setting.kind {
                Kind::Secret => writeln!(file, "#{}_FILE=/run/secrets/{}", setting.variable(), setting.name),
                _ => writeln!(file, "#{}={}", setting.variable(), setting.example()),
            };
        }
    }
    file
}

/// The file `susurro.example.toml`.
#[must_use]
pub fn keys() -> String {
    let mut file =
        "# Settings of susurro-server: `susurro-server serve --config susurro.toml`. Take the # away where a value\n\
                    # is to change. All of them: docs/configuration.md.\n"
            .to_owned();
    for group in GROUPS {
        let _ = writeln!(file, "\n# ---- {} ----", group.title);
        for setting in group.settings {
            explain(&mut file, setting);
            let (name, example) = (setting.name, setting.example());
            let _ = match setting.kind {
                Kind::Switch | Kind::Number(_) => writeln!(file, "#{name} = {example}"),
                Kind::Text(_) | Kind::Url(_) => writeln!(file, "#{name} = \"{example}\""),
                Kind::Secret => writeln!(file, "#{name}-file = \"/run/secrets/{name}\""),
                Kind::List(_) => {
                    let items = example.split(',').map(|item| format!("\"{item}\""));
                    writeln!(file, "#{name} = [{}]", items.collect::<Vec<_>>().join(", "))
                }
            };
        }
    }
    file
}

fn explain(file: &mut String, setting: &Setting) {
    let unset = match setting.default {
        Preset::Is(_) => String::new(),
        Preset::Unset { meaning, .. } => format!(" Without it: {meaning}."),
    };
    let mut line = String::from("\n#");
    for word in format!("{}{unset}", setting.help).split(' ') {
        if line.len() + word.len() > 110 {
            let _ = writeln!(file, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(file, "{line}");
}
