#![no_main]
#![allow(dead_code, reason = "each target uses a part of the modules")]

#[path = "../exit.rs"]
mod exit;
#[path = "../../src/paths.rs"]
mod paths;
#[path = "../purge/mod.rs"]
mod purge;

libfuzzer_sys::fuzz_target!(|input: &[u8]| purge::targets::offsets(input));
