//! Replays the fuzz corpora: what a fuzzer once found, and a seed for each structure.
//!
//! `cargo xtask corpus` writes the seeds anew after a change of `support/samples.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use support::decoders::{DECODERS, decoder};
use support::samples::samples;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

#[test]
fn every_seed_and_every_finding_is_read_without_harm() {
    for (target, run) in DECODERS {
        let mut count = 0;
        for entry in std::fs::read_dir(folder(target)).unwrap() {
            run(&std::fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "no corpus for {target}");
    }
}

#[test]
fn the_seeds_on_disk_are_the_present_samples() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    for sample in samples() {
        let file = folder(sample.target).join(format!("seed-{}", sample.name));
        if update {
            std::fs::create_dir_all(folder(sample.target)).unwrap();
            std::fs::write(&file, &sample.input).unwrap();
        }
        let on_disk = std::fs::read(&file).unwrap_or_default();
        assert_eq!(on_disk, sample.input, "{} is not the sample: run `cargo xtask corpus`", file.display());
    }
}

#[test]
fn every_decoder_has_a_seed_and_survives_it() {
    let covered: BTreeSet<_> = samples().iter().map(|sample| sample.target).collect();
    assert_eq!(covered, DECODERS.iter().map(|(name, _)| *name).collect());
    for sample in samples() {
        decoder(sample.target).unwrap()(&sample.input);
    }
}

/// Targets of the other crates, whose own tests replay their corpora.
const OTHERS: [&str; 3] = ["relay", "receive", "store"];

#[test]
fn every_target_has_its_place_in_the_nightly_run_and_a_corpus() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let workflow = std::fs::read_to_string(root.join(".github/workflows/fuzz.yml")).unwrap();
    let list = workflow.lines().find_map(|line| line.trim().strip_prefix("target: [")).unwrap();
    let nightly: Vec<_> = list.trim_end_matches(']').split(", ").collect();
    let targets: Vec<_> = DECODERS.iter().map(|(name, _)| *name).chain(OTHERS).collect();
    for name in &targets {
        assert!(std::fs::read_dir(folder(name)).unwrap().next().is_some(), "no corpus for {name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
        assert!(root.join(format!("fuzz/fuzz_targets/{name}.rs")).exists(), "no fuzz target {name}");
    }
    assert_eq!(nightly, targets);
}
