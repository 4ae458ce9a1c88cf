#![no_main]
#![expect(dead_code, reason = "each target runs one of the bodies")]

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    targets::response(input);
});
