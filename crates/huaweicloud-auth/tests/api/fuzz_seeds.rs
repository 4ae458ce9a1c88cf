//! Replays the seeds of the fuzz targets without a fuzzer.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::{fs, path::Path};

#[test]
fn every_seed_passes() {
    for (target, run) in [
        (
            "authorization",
            (|seed| targets::authorization(str::from_utf8(seed).unwrap())) as fn(&[u8]),
        ),
        ("metadata", targets::metadata),
        ("profile", targets::profile),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fuzz/seeds")
            .join(target);
        let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
        assert!(seeds.len() >= 5, "{target}");
        for seed in seeds {
            println!("{target}/{}", seed.file_name().display());
            run(&fs::read(seed.path()).unwrap());
        }
    }
}
