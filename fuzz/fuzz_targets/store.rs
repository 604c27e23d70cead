#![no_main]
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a finding is a panic")]

#[path = "../../client-core/tests/crypto_common/mod.rs"]
mod common;
#[path = "../../client-core/tests/hostile/edits.rs"]
mod edits;
#[path = "../../client-core/tests/hostile/store.rs"]
mod store;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    store::run(input);
});
