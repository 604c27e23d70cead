#![no_main]
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a finding is a panic")]

#[path = "../../server/tests/hostile/relay.rs"]
mod relay;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    relay::run(input);
});
