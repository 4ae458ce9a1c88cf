//! Replays the seeds of the fuzz targets without a fuzzer.

#[expect(clippy::unwrap_used, reason = "a fuzz target fails by panicking")]
#[path = "../fuzz/targets.rs"]
mod targets;

use std::{fs, path::Path};

#[test]
fn every_request_passes() {
    replay("http", 30, targets::http);
}

#[test]
fn every_configuration_passes() {
    replay("config", 6, targets::config);
}

fn replay(target: &str, least: usize, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let seeds = fs::read_dir(folder.join(target)).expect("a folder");
    let seeds: Vec<_> = seeds.map(|seed| seed.expect("a file").path()).collect();
    assert!(seeds.len() >= least);
    for seed in seeds {
        println!("{}", seed.display());
        run(&fs::read(seed).expect("a seed"));
    }
}
