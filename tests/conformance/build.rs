//! Puts cases and seeded faults into the program, so that it runs without this folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDERS: [&str; 2] = ["client", "server"];

fn main() -> io::Result<()> {
    list("cases", "toml")?;
    list("faults", "patch")
}

/// Writes `NAME.rs` into the output folder: every file of a folder with its text.
fn list(name: &str, ending: &str) -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(name);
    println!("cargo::rerun-if-changed={name}");
    let mut list = String::from("&[\n");
    for folder in FOLDERS {
        for file in files(&root.join(folder), ending)? {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{folder}/{stem}");
            let file = file.display().to_string();
            let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
        }
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join(name).with_extension("rs"), list)
}

fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|of_file| of_file == ending));
    files.sort();
    Ok(files)
}
