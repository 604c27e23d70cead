//! The arrows of `docs/architecture.md`, held against the code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use xtask::layering::{CrateRules, Layer, violations, wrong_paths};
use xtask::step::root;

/// Nothing that waits, connects, reads a clock or touches a disk.
const SANS_IO: &[&str] = &[
    "tokio",
    "futures_util",
    "sqlx",
    "reqwest",
    "axum",
    "getrandom",
    "std::net",
    "std::fs",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::env",
];

const PROTOCOL: CrateRules =
    CrateRules { folder: "protocol", may_use: &["susurro_protocol"], forbidden: SANS_IO, layers: &[] };

// compose → adapters → service → ports → domain; adapters never call one another.
const SERVER: CrateRules = CrateRules {
    folder: "server",
    may_use: &["susurro_server", "susurro_protocol"],
    forbidden: &[],
    layers: &[
        Layer {
            modules: &["adapters::inbound"],
            may_use: &["service", "ports", "domain", "config", "shutdown", "metrics"],
            forbidden: &["sqlx"],
        },
        Layer { modules: &["adapters::outbound::*"], may_use: &["ports", "domain", "metrics"], forbidden: &[] },
        Layer { modules: &["service"], may_use: &["ports", "domain"], forbidden: &["axum", "sqlx", "std::fs"] },
        Layer { modules: &["ports"], may_use: &["domain"], forbidden: &["axum", "sqlx", "std::fs"] },
        Layer { modules: &["metrics"], may_use: &[], forbidden: &["axum", "sqlx", "tokio"] },
        Layer { modules: &["domain"], may_use: &[], forbidden: SANS_IO },
    ],
};

// client → driver → {store, transport, sync} → {crypto, model}. A port is a contract, not an
// adapter: the engine says what is to be stored in the words of `store::port`, and `transport`
// carries out what the engine asks for in the engine's words.
const CLIENT_CORE: CrateRules = CrateRules {
    folder: "client-core",
    may_use: &["susurro_client_core", "susurro_protocol"],
    forbidden: &[],
    layers: &[
        Layer { modules: &["sync"], may_use: &["store::port", "crypto", "model"], forbidden: SANS_IO },
        Layer { modules: &["store"], may_use: &["crypto", "model", "secret", "error"], forbidden: &["reqwest"] },
        Layer { modules: &["store::port"], may_use: &["crypto", "model"], forbidden: SANS_IO },
        Layer { modules: &["transport"], may_use: &["sync", "model", "secret", "error"], forbidden: &["sqlx"] },
        Layer { modules: &["crypto"], may_use: &["model"], forbidden: SANS_IO },
        Layer { modules: &["model"], may_use: &[], forbidden: SANS_IO },
    ],
};

// main → {cli, app}; ui reads app::model only; update returns effects and touches nothing.
const CLIENT_TUI: CrateRules = CrateRules {
    folder: "client-tui",
    may_use: &["susurro_tui", "susurro_client_core", "susurro_protocol"],
    forbidden: &[],
    layers: &[
        // What is shown and how it is laid out; never what happens next.
        Layer {
            modules: &["ui"],
            may_use: &[
                "app::model",
                "app::layout",
                "app::rows",
                "app::words",
                "app::wrap",
                "app::failure",
                "app::field",
                "input",
                "i18n",
                "key",
                "sanitize",
                "size",
            ],
            forbidden: SANS_IO,
        },
        Layer { modules: &["app"], may_use: &["input", "i18n", "key", "sanitize", "size"], forbidden: SANS_IO },
        Layer { modules: &["input"], may_use: &["app::model", "i18n", "key"], forbidden: SANS_IO },
    ],
};

const CONFORMANCE: CrateRules = CrateRules {
    folder: "conformance",
    may_use: &["susurro_conformance", "susurro_tui", "susurro_client_core", "susurro_server", "susurro_protocol"],
    forbidden: &[],
    layers: &[],
};

// Measures the relay as a process; writes accounts by the relay's own store. Nobody uses it.
const BENCH: CrateRules = CrateRules {
    folder: "bench",
    may_use: &["susurro_bench", "susurro_server", "susurro_protocol", "xtask"],
    forbidden: &["susurro_client_core"],
    layers: &[],
};

const CRATES: [&CrateRules; 6] = [&PROTOCOL, &SERVER, &CLIENT_CORE, &CLIENT_TUI, &CONFORMANCE, &BENCH];

#[test]
fn no_arrow_of_the_code_points_the_wrong_way() {
    let mut wrong = Vec::new();
    for rules in CRATES {
        assert!(root().join(rules.folder).join("src").exists(), "{} has no sources", rules.folder);
        wrong.extend(violations(&root(), rules).unwrap());
    }
    let lines: Vec<_> = wrong.iter().map(|v| format!("{}: {}", v.file.display(), v.path)).collect();
    assert!(wrong.is_empty(), "arrows the other way:\n{}", lines.join("\n"));
}

#[test]
fn the_manifests_name_no_crate_that_the_arrows_forbid() {
    for (folder, forbidden) in [
        ("protocol", &["susurro-server", "susurro-client-core", "susurro-bench", "susurro ", "tokio", "sqlx"][..]),
        ("server", &["susurro-client-core", "susurro-bench", "susurro "][..]),
        ("client-core", &["susurro-server", "susurro "][..]),
        ("bench", &["susurro-client-core", "susurro "][..]),
        ("client-tui", &["susurro-server"][..]),
    ] {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split_once("[dependencies]").map_or("", |(_, rest)| rest);
        for name in forbidden {
            let named = dependencies.lines().any(|line| line.starts_with(name));
            assert!(!named, "{folder}/Cargo.toml depends on {name}");
        }
    }
}

fn wrong(text: &str, module: &str, rules: &CrateRules) -> Vec<String> {
    let module: Vec<String> = module.split("::").map(str::to_owned).collect();
    wrong_paths(text, &module, true, rules)
}

#[test]
fn an_arrow_the_other_way_is_found_however_it_is_written() {
    let upwards = ["crate::service::send"];
    assert_eq!(wrong("use crate::service::send;", "domain::mailbox", &SERVER), upwards);
    assert_eq!(wrong("use crate::{domain::x, service::{send}};", "domain::mailbox", &SERVER), upwards);
    assert_eq!(wrong("use {crate::service::send};", "domain::mailbox", &SERVER), upwards);
    assert_eq!(wrong("fn f() { crate::service::send() }", "domain::mailbox", &SERVER), upwards);
    assert_eq!(wrong("use super::super::service::send;", "domain::mailbox", &SERVER), ["super::super::service::send"]);
    let beside = "use crate::adapters::outbound::memory::Rows;";
    assert_eq!(wrong(beside, "adapters::outbound::sqlite::rows", &SERVER), ["crate::adapters::outbound::memory::Rows"]);
    assert_eq!(wrong("use crate::config::Config;", "domain::mailbox", &SERVER), ["crate::config::Config"]);
    assert_eq!(wrong("use tokio::time::Instant;", "sync::engine", &CLIENT_CORE), ["tokio::time::Instant"]);
    let across = "use crate::adapters::outbound::sqlite::Pool;";
    assert_eq!(wrong(across, "adapters::inbound::http", &SERVER), ["crate::adapters::outbound::sqlite::Pool"]);
    assert_eq!(wrong("use susurro_client_core::Client;", "service::send", &SERVER), ["susurro_client_core::Client"]);
    assert_eq!(wrong("use std::{fmt, time::Instant};", "frame", &PROTOCOL), ["std::time::Instant"]);
    assert_eq!(
        wrong("use crate::store::sqlcipher::Store;", "sync::engine", &CLIENT_CORE),
        ["crate::store::sqlcipher::Store"]
    );
    assert_eq!(wrong("use crate::app::update::step;", "ui::screens", &CLIENT_TUI), ["crate::app::update::step"]);
}

#[test]
fn arrows_along_the_layers_comments_strings_and_tests_are_left_alone() {
    let text = "use crate::domain::mailbox;\n// use crate::adapters::inbound;\nconst A: &str = \"crate::compose::x\";\n\
                #[cfg(test)]\nmod tests { use crate::adapters::outbound::memory::X; fn f() { {} } }\n";
    assert_eq!(wrong(text, "service::send", &SERVER), Vec::<String>::new());
    assert_eq!(wrong("use crate::store::port::Snapshot;", "sync::engine", &CLIENT_CORE), Vec::<String>::new());
    assert_eq!(wrong("use super::mailbox::Seq; use self::x::Y;", "domain::quota", &SERVER), Vec::<String>::new());
    assert_eq!(wrong("use crate::app::model::Model;", "ui::screens", &CLIENT_TUI), Vec::<String>::new());
}
