//! `cargo xtask mutants`: runs cargo-mutants and compares the results with a list of known survivors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use xshell::Shell;

use crate::failure::{read, read_toml, unless_empty};
use crate::tools::MUTANTS;

const OUTPUT: &str = "target/mutants";
const LIST: &str = "tests/conformance/mutants.toml";
const CONFIG: &str = ".cargo/mutants.toml";
/// The timeout of the whole run. An interrupted run is a failure. About 350 mutants at 7 to 15 seconds each take about an hour on
/// an idle machine with 2 cores. Cargo uses both cores for one mutant, so there are no more jobs.
const TOTAL_SECONDS: &str = "28800";
/// The timeout for one mutant. The default depends on the duration of a run without mutants, which varies on a busy machine.
const TEST_SECONDS: &str = "120";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    detected: Vec<Detected>,
    #[serde(default)]
    survivor: Vec<Survivor>,
}

/// A fault, and the mutant that represents it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Detected {
    fault: String,
    #[serde(rename = "what")]
    _what: String,
    mutant: String,
}

/// Mutants that no test detects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Survivor {
    mutant: String,
    #[serde(default = "one")]
    count: usize,
    #[serde(rename = "reason")]
    _reason: String,
}

fn one() -> usize {
    1
}

impl List {
    fn names(&self) -> impl Iterator<Item = &str> {
        let detected = self.detected.iter().map(|one| &one.mutant);
        let survivors = self.survivor.iter().map(|one| &one.mutant);
        detected.chain(survivors).map(String::as_str)
    }
}

/// The configuration of cargo-mutants.
#[derive(Debug, Deserialize)]
struct Config {
    /// Paths of files, without wildcards.
    examine_globs: Vec<String>,
}

/// The number of mutants with one text that tests detect, and of those that survive.
#[derive(Debug, Default)]
struct Verdicts {
    detected: usize,
    survived: usize,
}

/// Run cargo-mutants, and compare surviving mutants with tests/conformance/mutants.toml.
#[derive(Debug, Default, Args)]
pub(crate) struct Mutants {
    /// Arguments of cargo-mutants, such as `--re src/retry.rs` for a part of the code. Then only new survivors are failures.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Mutants {
    /// Runs cargo-mutants on a copy of the checkout.
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        let root = sh.current_dir();
        let list: List = read_toml(&root, LIST)?;
        check_text(&root, &list)?;
        MUTANTS.install(sh)?;
        let program = MUTANTS.program(sh)?;
        check_tool(sh, &program, &list)?;
        let output = root.join(OUTPUT);
        // cargo-mutants would keep the results of an earlier run.
        sh.remove_path(&output)?;
        sh.create_dir(&output)?;
        let command = sh.cmd("timeout").args(["--signal=INT", TOTAL_SECONDS]);
        let command = command.arg(&program).args(["mutants", "--no-shuffle"]);
        let command = command.args(["--timeout", TEST_SECONDS, "--output"]);
        let command = command.arg(&output).args(&self.arguments);
        let status = Command::from(command).status()?;
        // 2 and 3: some mutants survived or timed out.
        ensure!(
            matches!(status.code(), Some(0 | 2 | 3)),
            "cargo mutants: {status}"
        );
        let results = sh.read_file(output.join("mutants.out/outcomes.json"))?;
        let verdicts = verdicts(&serde_json::from_str(&results)?);
        let failures = compare(&list, &verdicts, self.arguments.is_empty());
        let failures = failures.into_iter().map(|one| anyhow!("{LIST}: {one}"));
        unless_empty(failures.collect())
    }
}

/// Fails if cargo-mutants does not make a mutant of the list.
fn check_tool(sh: &Shell, program: &Path, list: &List) -> Result<()> {
    let made = sh.cmd(program).args(["mutants", "--list"]).quiet().read()?;
    let made: BTreeSet<_> = made.lines().map(text).collect();
    let unknown = list.names().filter(|name| !made.contains(name));
    let unknown = unknown.map(|name| anyhow!("{LIST}: not a mutant: {name}"));
    unless_empty(unknown.collect())
}

/// Fails if a file that cargo-mutants examines is missing, or the function of a mutant of the list is in none of them.
fn check_text(root: &Path, list: &List) -> Result<()> {
    let Config { examine_globs } = read_toml(root, CONFIG)?;
    let files = examine_globs.iter().map(|file| read(root, file));
    let files = files.collect::<Result<Vec<_>>>()?;
    let unknown = list.names().filter(|name| {
        let function = function(name);
        let has = |file: &String| {
            ["(", "<"]
                .iter()
                .any(|next| file.contains(&format!("fn {function}{next}")))
        };
        !files.iter().any(has)
    });
    let unknown = unknown.map(|name| anyhow!("{LIST}: no such function: {name}"));
    unless_empty(unknown.collect())
}

/// The name of the function that a mutant changes, without its type.
fn function(mutant: &str) -> &str {
    let path = if let Some((_, path)) = mutant.rsplit_once(" in ") {
        path
    } else {
        let replaced = mutant.strip_prefix("replace ").unwrap_or(mutant);
        let end = replaced.find(" -> ").or_else(|| replaced.find(" with "));
        &replaced[..end.unwrap_or(replaced.len())]
    };
    path.rsplit("::").next().unwrap_or(path)
}

/// The text of a mutant: cargo-mutants prints `FILE:LINE:COLUMN: TEXT`.
fn text(name: &str) -> &str {
    name.split_once(": ").map_or(name, |(_, text)| text)
}

/// The verdicts of a run, by the text of the mutants, which contains the function but not the line.
fn verdicts(results: &Value) -> BTreeMap<String, Verdicts> {
    let mut verdicts: BTreeMap<String, Verdicts> = BTreeMap::new();
    for outcome in results["outcomes"].as_array().into_iter().flatten() {
        let Some(name) = outcome["scenario"]["Mutant"]["name"].as_str() else {
            continue;
        };
        let of_text = verdicts.entry(text(name).to_owned()).or_default();
        match outcome["summary"].as_str() {
            Some("CaughtMutant" | "Timeout") => of_text.detected += 1,
            Some("MissedMutant") => of_text.survived += 1,
            _ => {}
        }
    }
    verdicts
}

/// The differences from the list. `is_whole` if every mutant was tested.
fn compare(list: &List, verdicts: &BTreeMap<String, Verdicts>, is_whole: bool) -> Vec<String> {
    let mut failures = Vec::new();
    let listed = |text: &str| {
        let of_text = list.survivor.iter().filter(|one| one.mutant == text);
        of_text.map(|one| one.count).sum::<usize>()
    };
    for (text, Verdicts { survived, .. }) in verdicts {
        let listed = listed(text);
        if *survived > listed {
            failures.push(format!("{survived} survive, {listed} are listed: {text}"));
        }
    }
    if !is_whole {
        return failures;
    }
    let survived = |text: &str| verdicts.get(text).map_or(0, |of_text| of_text.survived);
    for Survivor { mutant, .. } in &list.survivor {
        if survived(mutant) < listed(mutant) {
            failures.push(format!("obsolete, fewer survive: {mutant}"));
        }
    }
    for Detected { fault, mutant, .. } in &list.detected {
        let of_text = verdicts.get(mutant);
        if of_text.is_none_or(|of_text| of_text.detected == 0 || of_text.survived > 0) {
            failures.push(format!("{fault}: not detected, or not a mutant: {mutant}"));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn survivors_are_compared_with_the_list() {
        let list: List = toml::from_str(
            r#"
            survivor = [
                { mutant = "replace a with b in f", count = 2, reason = "equal" },
                { mutant = "delete ! in gone", reason = "equal" },
            ]
            detected = [
                { fault = "x", what = "X.", mutant = "replace c with d in f" },
                { fault = "y", what = "Y.", mutant = "replace e with f in f" },
            ]
            "#,
        )
        .unwrap();
        let outcome = |text: &str, summary: &str| {
            let name = format!("crates/a/src/b.rs:1:2: {text}");
            json!({"scenario": {"Mutant": {"name": name}}, "summary": summary})
        };
        let results = json!({"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            outcome("replace a with b in f", "MissedMutant"),
            outcome("replace a with b in f", "MissedMutant"),
            outcome("replace c with d in f", "CaughtMutant"),
            outcome("replace e with f in f", "Unviable"),
            outcome("delete ! in f", "MissedMutant"),
        ]});
        let verdicts = verdicts(&results);
        let new = "1 survive, 0 are listed: delete ! in f";
        assert_eq!(compare(&list, &verdicts, false), [new]);
        assert_eq!(
            compare(&list, &verdicts, true),
            [
                new,
                "obsolete, fewer survive: delete ! in gone",
                "y: not detected, or not a mutant: replace e with f in f",
            ]
        );
    }

    /// Fails as soon as a function is renamed, not in the next run of cargo-mutants.
    #[test]
    fn the_committed_list_names_mutants() {
        let sh = Shell::new().unwrap();
        sh.change_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let root = sh.current_dir();
        let list: List = read_toml(&root, LIST).unwrap();
        assert!(!list.detected.is_empty());
        check_text(&root, &list).unwrap();
        if let Ok(program) = MUTANTS.program(&sh) {
            check_tool(&sh, &program, &list).unwrap();
        }
    }

    #[test]
    fn a_mutant_names_its_function() {
        for (mutant, name) in [
            ("replace == with != in Outcome::after", "after"),
            ("replace is_id -> bool with true", "is_id"),
            ("replace Deletion::conclude with ()", "conclude"),
            ("replace f -> R<A, B> with Ok(()) in g", "g"),
            (
                "replace <impl Backend for M>::ready -> F<'_, ()> with F::new()",
                "ready",
            ),
        ] {
            assert_eq!(function(mutant), name, "{mutant}");
        }
    }

    #[test]
    fn a_mutant_of_an_unknown_function_is_a_failure() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let list = r#"survivor = [{ mutant = "delete ! in gone", reason = "equal" }]"#;
        let error = check_text(root, &toml::from_str(list).unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("no such function: delete ! in gone"),
            "{error}"
        );
    }
}
