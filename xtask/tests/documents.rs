//! What the documents say about the repository has to be so.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use xtask::links::broken_under;
use xtask::step::root;

#[test]
fn links_lead_somewhere() {
    assert_eq!(broken_under(&root()), Vec::<String>::new());
}

/// Names of functions in the sources under `folder`.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                functions(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let mut known = BTreeSet::new();
    for folder in ["protocol", "server", "client-core", "client-tui", "conformance", "xtask"] {
        functions(&root().join(folder), &mut known);
    }
    let text = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    // The last column of a table, between back quotes.
    let cells = text.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit(" | ").next());
    let named: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|name| name.contains('_')).collect();
    let missing: Vec<_> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(missing.is_empty(), "the threat model names tests that do not exist: {missing:?}");
    assert!(named.len() > 20, "only {} tests are named", named.len());
}
