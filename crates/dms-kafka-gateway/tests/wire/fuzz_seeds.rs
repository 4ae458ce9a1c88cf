//! Replays the seeds of the fuzz target without a fuzzer.

#[expect(clippy::unwrap_used, reason = "a fuzz target fails by panicking")]
#[path = "../fuzz/targets.rs"]
mod targets;

use std::{fs, path::Path};

#[test]
fn every_seed_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds/http");
    let seeds = fs::read_dir(folder).expect("a folder");
    let seeds: Vec<_> = seeds.map(|seed| seed.expect("a file").path()).collect();
    assert!(seeds.len() >= 30);
    for seed in seeds {
        println!("{}", seed.display());
        targets::http(&fs::read(seed).expect("a seed"));
    }
}
