//! What a program is made of: a bill of materials, and the licences of the crates in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use xshell::Shell;

use crate::failure::read_toml;
use crate::generate;
use crate::process::cargo;

/// A crate that is linked into the program.
#[derive(Debug)]
pub(crate) struct Component {
    name: String,
    version: String,
    licence: String,
    /// SHA-256 of its package; crates of the workspace have none.
    checksum: Option<String>,
    folder: PathBuf,
}

/// The crates that the command links with these features, in order of their names. Code that crates bundle is in their folders.
pub(crate) fn components(sh: &Shell, features: &str, target: &str) -> Result<Vec<Component>> {
    let words = "tree --package dms-kafka-cli --edges normal,build --prefix none --format {p}";
    let tree = cargo(sh, words).args(["--features", features, "--target", target]);
    let tree = tree.quiet().read()?;
    let linked: BTreeSet<(&str, &str)> = tree.lines().filter_map(name_and_version).collect();

    let lock: toml::Table = read_toml(&sh.current_dir(), "Cargo.lock")?;
    let packages = lock["package"].as_array().into_iter().flatten();
    let checksums: BTreeMap<_, _> = packages
        .filter_map(|package| {
            let text = |key: &str| package.get(key)?.as_str();
            Some(((text("name")?, text("version")?), text("checksum")?))
        })
        .collect();

    let metadata = cargo(sh, "metadata --format-version 1").quiet().read()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut found: Vec<Component> = packages
        .filter_map(|package| {
            let text = |key: &str| package[key].as_str();
            let id = (text("name")?, text("version")?);
            linked.contains(&id).then(|| Component {
                name: id.0.to_owned(),
                version: id.1.to_owned(),
                licence: text("license").unwrap_or("unknown").to_owned(),
                checksum: checksums.get(&id).map(|&sum| sum.to_owned()),
                folder: Path::new(text("manifest_path").unwrap_or_default()).with_file_name(""),
            })
        })
        .collect();
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(found)
}

/// `clap` and `4.6.0` of `clap v4.6.0 (*)`.
fn name_and_version(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}

/// A bill of materials in `CycloneDX` format.
pub(crate) fn bill(version: &str, components: &[Component]) -> Value {
    let of = |component: &Component| {
        let Component { name, version, .. } = component;
        let hashes = component.checksum.as_ref();
        json!({
            "type": "library",
            "name": name,
            "version": version,
            "purl": format!("pkg:cargo/{name}@{version}"),
            "licenses": [{ "expression": component.licence.replace('/', " OR ") }],
            "hashes": hashes.map(|sum| json!([{ "alg": "SHA-256", "content": sum }])).unwrap_or(json!([])),
        })
    };
    let program = json!({ "type": "application", "name": "dms-kafka", "version": version });
    let mut bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": program },
        "components": components.iter().map(of).collect::<Vec<_>>(),
    });
    bill["serialNumber"] = serial_number(&bill).into();
    bill
}

/// A UUID that follows from the content, so that the same content has the same one. GitHub attests no bill without it.
fn serial_number(content: &Value) -> String {
    let hex = generate::sha256(content.to_string());
    let (first, second, third) = (&hex[..8], &hex[8..12], &hex[12..15]);
    // Version 8, whose bits are free, and the variant of RFC 9562.
    format!(
        "urn:uuid:{first}-{second}-8{third}-8{}-{}",
        &hex[15..18],
        &hex[18..30]
    )
}

/// The licence of each crate, and the texts in its folder and the folders directly below, such as that of a bundled C library.
pub(crate) fn licences(components: &[Component]) -> Result<String> {
    let mut text = "The licences of the crates that dms-kafka contains.\n".to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for component in components {
        let Component { name, version, .. } = component;
        writeln!(text, "{name} {version}: {}", component.licence)?;
        for file in licence_files(&component.folder).with_context(|| name.clone())? {
            let shown = file.strip_prefix(&component.folder).unwrap_or(&file);
            let shown = format!("{name} {version}: {}", shown.display());
            let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
            let content = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            texts.entry(content).or_default().push(shown);
        }
    }
    for (content, of) in texts {
        write!(
            text,
            "\n{}\n{}\n\n{}\n",
            "-".repeat(80),
            of.join("\n"),
            content.trim_end()
        )?;
    }
    Ok(text)
}

fn licence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>> {
        let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        paths.collect()
    };
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() && path.join("../Cargo.toml").exists() {
            found.extend(entries(&path)?);
        } else {
            found.push(path);
        }
    }
    found.retain(|path| is_licence(path));
    found.sort();
    Ok(found)
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_uppercase();
    let starts = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];
    path.is_file() && starts.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_has_a_serial_number_that_follows_from_its_content() {
        let serial = |version| bill(version, &[])["serialNumber"].clone();
        let text = serial("0.1.0").as_str().unwrap().to_owned();
        let uuid = text.strip_prefix("urn:uuid:").unwrap();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{text}");
        assert_eq!(serial("0.1.0"), serial("0.1.0"));
        assert_ne!(serial("0.1.0"), serial("0.1.1"));
    }
}
