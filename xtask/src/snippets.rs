//! Runs the snippets of the guides in `docs`. There, `<!-- file: NAME -->` before a snippet writes it to a file, and
//! `<!-- run: PROGRAM -->` runs it with bash, if the program is installed. All files of a guide are in one folder.

use std::env;

use anyhow::{Context as _, Result, anyhow};
use xshell::{Shell, cmd};

use crate::failure::{skip, unless_empty};
use crate::process::{self, succeeds};

/// Runs the snippets with the command in the search path, and names the programs that are missing.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    process::run_cargo(sh, "build --quiet --package dms-kafka-cli")?;
    let program = process::dms_kafka(sh);
    let folder = program.parent().map(ToOwned::to_owned).into_iter();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(folder.chain(env::split_paths(&path)))?;
    let (mut failures, mut missing) = (Vec::new(), Vec::new());
    for guide in sh.read_dir("docs")? {
        if guide.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let guide = guide.display();
        let text = sh.read_file(guide.to_string())?.replace("\r\n", "\n");
        let folder = sh.create_temp_dir()?;
        let _there = sh.push_dir(folder.path());
        for (directive, value, code) in snippets(&text).with_context(|| guide.to_string())? {
            if directive == "file" {
                sh.write_file(value, code)?;
            } else if !succeeds(cmd!(sh, "which {value}")) {
                missing.push(value.to_owned());
            } else {
                // A gateway in the background does not outlive a snippet that fails.
                let options = "set -euo pipefail; trap 'kill ${!:-} 2> /dev/null || true' EXIT";
                let script = format!("{options}\n{code}");
                let ran = cmd!(sh, "bash -c {script}").quiet();
                eprintln!("$ {}", code.lines().last().unwrap_or_default());
                let ran = ran.env("PATH", &path).run();
                failures.extend(ran.err().map(|error| anyhow!("{guide}: {error}")));
            }
        }
    }
    unless_empty(failures)?;
    if missing.is_empty() {
        return Ok(());
    }
    skip(format_args!("not installed: {}", missing.join(", ")))
}

/// The directives with their values and code.
fn snippets(guide: &str) -> Result<Vec<(&str, &str, &str)>> {
    let marked = guide.split("<!-- ").skip(1);
    let found = marked.map(|part| {
        let (directive, rest) = part.split_once(" -->\n```").context("no code after <!--")?;
        let (name, value) = directive.split_once(": ").context("<!-- without a colon")?;
        let (_, rest) = rest.split_once('\n').context("no code")?;
        let (code, _) = rest.split_once("\n```\n").context("code without an end")?;
        Ok((name, value, code))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_have_a_directive() {
        let guide = "# A\n```sh\nnot run\n```\n<!-- file: a.toml -->\n```toml\nx = 1\ny = 2\n```\n<!-- run: go -->\n```sh\ngo\n```\n";
        let found = snippets(guide).unwrap();
        assert_eq!(
            found,
            [("file", "a.toml", "x = 1\ny = 2"), ("run", "go", "go")]
        );
        assert!(snippets("<!-- run: go -->\ntext").is_err());
    }
}
