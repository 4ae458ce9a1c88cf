//! The seeds of the fuzz targets, replayed without a fuzzer.
#![expect(
    clippy::unwrap_used,
    reason = "that is how a fuzz target reports a failure"
)]

use std::fs;
use std::path::Path;

#[path = "../fuzz/targets.rs"]
mod targets;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(name);
    let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    assert!(seeds.len() > 10);
    for seed in seeds {
        target(&fs::read(seed.path()).unwrap());
    }
}

#[test]
fn seeds_of_answers() {
    replay("answer", targets::answer);
}

#[test]
fn seeds_of_errors() {
    replay("error", targets::error);
}
