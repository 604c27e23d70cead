//! Replays what a fuzzer has fed a client: envelopes from a peer, and a profile to be opened
//! (`fuzz/corpus/receive`, `fuzz/corpus/store`).
//!
//! `UPDATE_CORPUS=1 cargo test -p susurro-client-core --test hostile` writes the seeds anew.
#![allow(unreachable_pub, reason = "the fuzz targets use the same modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../crypto_common/mod.rs"]
mod common;
mod edits;
mod receive;
mod store;

use std::path::PathBuf;

fn replay(target: &str, seeds: Vec<(&'static str, Vec<u8>)>, run: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    for (name, input) in &seeds {
        let file = folder.join(format!("seed-{name}"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, input).unwrap();
        }
        let on_disk = std::fs::read(&file).unwrap_or_default();
        assert_eq!(on_disk, *input, "{} is not the seed that it is named after", file.display());
    }
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= seeds.len());
}

#[test]
fn every_seed_and_every_finding_is_received_without_harm() {
    replay("receive", receive::seeds(), receive::run);
}

#[test]
fn every_seed_and_every_finding_is_opened_without_harm() {
    replay("store", store::seeds(), store::run);
}

#[test]
fn every_flipped_bit_of_every_kind_of_envelope_is_refused() {
    for case in 0..receive::cases().len() {
        let length = receive::cases()[case].envelope.len();
        for place in (0..length).step_by(1 + length / 23) {
            let scaled = u16::try_from((place * 65_536).div_ceil(length)).unwrap().to_be_bytes();
            receive::run(&[&[u8::try_from(case).unwrap()], &scaled[..], &[1 << (place % 8)]].concat());
        }
    }
}
