//! Every requirement of the document has something that shows whether it is kept, and nothing names one that is none.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::HashSet;
use std::path::Path;

use susurro_conformance::list::{TESTS, covers, suites};
use susurro_conformance::suite::{Level, requirements};

/// More would be a second list of tests beside the suites.
const TESTS_MAX: usize = 30;

#[test]
fn no_check_and_no_vector_names_an_unknown_requirement() {
    let known: HashSet<_> = requirements().into_iter().map(|requirement| requirement.id).collect();
    for cover in covers().unwrap() {
        assert!(!cover.requirements.is_empty(), "{} covers nothing", cover.name);
        for id in cover.requirements {
            assert!(known.contains(&id), "{} names {id}, which the document does not have", cover.name);
        }
    }
}

#[test]
fn every_check_is_named_after_a_requirement() {
    let known: HashSet<_> = requirements().into_iter().map(|requirement| requirement.id).collect();
    for (suite, checks) in suites() {
        let mut names = HashSet::new();
        for check in checks {
            assert!(names.insert(check.id), "{suite}: {} is there twice", check.id);
            let (requirement, what) = check.id.split_once('/').unwrap();
            assert!(known.contains(requirement) && !what.is_empty(), "{}", check.id);
        }
    }
}

#[test]
fn every_must_is_covered() {
    let covered: HashSet<_> = covers().unwrap().into_iter().flat_map(|cover| cover.requirements).collect();
    let open: Vec<_> = requirements()
        .into_iter()
        .filter(|requirement| requirement.level == Level::Must && !covered.contains(&requirement.id))
        .map(|requirement| requirement.id)
        .collect();
    assert!(open.is_empty(), "nothing shows whether these are kept: {open:?}");
}

#[test]
fn the_tests_that_cover_requirements_exist() {
    assert!(TESTS.len() <= TESTS_MAX, "{} tests in place of checks", TESTS.len());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (requirement, file, function) in TESTS {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let at = text.find(&format!("fn {function}(")).unwrap_or(0);
        let before: Vec<_> = text[..at].lines().rev().take(3).collect();
        let is_test = before
            .iter()
            .any(|line| ["#[test]", "#[tokio::test"].iter().any(|mark| line.trim_start().starts_with(mark)));
        assert!(is_test, "{requirement}: no test {function} in {file}");
    }
}
