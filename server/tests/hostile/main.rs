//! Replays what a fuzzer has fed the relay behind the handshake (`fuzz/corpus/relay`).
//!
//! `UPDATE_CORPUS=1 cargo test -p susurro-server --test hostile` writes the seeds anew.
#![allow(unreachable_pub, reason = "the fuzz targets use the same modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod relay;

use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/relay")
}

#[test]
fn every_seed_and_every_finding_leaves_the_relay_in_order() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    for (name, input) in relay::seeds() {
        let file = folder().join(format!("seed-{name}"));
        if update {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, &input).unwrap();
        }
        let on_disk = std::fs::read(&file).unwrap_or_default();
        assert_eq!(on_disk, input, "{} is not the seed that it is named after", file.display());
    }
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        relay::run(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= relay::seeds().len());
}

#[test]
fn seeds_reach_what_they_are_named_after() {
    let story = |name: &str| {
        let (_, input) = relay::seeds().into_iter().find(|(own, _)| *own == name).unwrap();
        relay::run(&input)
    };
    assert_eq!(story("send"), relay::Story { stored: 3, rejected: 0, delivered: 2, ended: false });
    assert_eq!(story("reject"), relay::Story { stored: 0, rejected: 2, delivered: 0, ended: false });
    // The message may be stored before the flipped frame ends the connection, or not.
    let flip = story("flip");
    assert!(flip.ended && flip.delivered <= 1 && flip.stored <= flip.delivered, "{flip:?}");
}
