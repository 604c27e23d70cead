#![no_main]

#[path = "../../protocol/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(run) = support::decoders::decoder("hello") {
        run(input);
    }
});
