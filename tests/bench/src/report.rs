//! Writes BENCHMARKS.md from the results of all parts, the bounds and a template.

use std::fs;

use serde::Deserialize;

use crate::metrics::{Metric, Results, Scale, root};
use crate::plot;
use crate::process::Result;

/// The parts whose results are read, in the order of the report.
const PARTS: [&str; 11] = [
    "run",
    "kafka",
    "kafka-1",
    "kafka-3",
    "kafka-tools-1",
    "kafka-tools-3",
    "plans",
    "long-run",
    "exhaustion",
    "build-cost",
    "instructions",
];
/// The template of the report. Braces contain `notes`, `bounds`, a section of the results, the name of a metric with bars
/// between its parts, or a workload whose instructions are inserted. Each heading of level three is the explanation of a bound
/// that does not hold.
const TEMPLATE: &str = include_str!("../benchmarks.md");
const BOUNDS: &str = include_str!("../bounds.toml");

#[derive(Debug, Deserialize)]
struct Bounds {
    bound: Vec<Bound>,
}

#[derive(Debug, Deserialize)]
struct Bound {
    what: String,
    metric: [String; 4],
    /// `<=` or `>=`, and a number.
    limit: (String, f64),
    #[serde(default)]
    unit: String,
    /// The heading of the explanation.
    why: Option<String>,
}

const HOLDS: &str = "holds";
const DOES_NOT_HOLD: &str = "**does not hold**";
const TOO_CLOSE: &str = "too close to judge";
const TOO_NOISY: &str = "too noisy to judge";
const NOT_MEASURED: &str = "not measured";

impl Bound {
    fn metric<'a>(&self, results: &'a Results) -> Option<&'a Metric> {
        results.find(self.metric.each_ref().map(String::as_str))
    }

    fn verdict(&self, results: &Results) -> &'static str {
        let Some(metric) = self.metric(results) else {
            return NOT_MEASURED;
        };
        let keeps = |value: f64| match (&*self.limit.0, self.limit.1) {
            ("<=", limit) => value <= limit,
            (_, limit) => value >= limit,
        };
        let all_keep = metric.range().map(keeps) == [true; 2];
        match metric.quartiles().map(keeps) {
            _ if all_keep => HOLDS,
            _ if metric.is_noisy() => TOO_NOISY,
            [true, true] => HOLDS,
            [false, false] => DOES_NOT_HOLD,
            _ => TOO_CLOSE,
        }
    }
}

/// Writes the report and the plots: in a quick run to `target/bench/quick`, else to the checkout.
pub(crate) fn write(scale: &Scale) -> Result<()> {
    let mut results = Results::default();
    for part in PARTS {
        results.read(scale.folder(), part)?;
    }
    let report = root().join(if scale.quick { scale.folder() } else { "" });
    let plots = report.join("tests/bench/plots");
    fs::create_dir_all(&plots)?;
    plot::write(&results, &plots)?;
    let Bounds { bound: bounds } = toml::from_str(BOUNDS)?;
    fs::write(report.join("BENCHMARKS.md"), text(&results, &bounds)?)?;
    println!("{}", table_of_bounds(&results, &bounds));
    println!("written: {}", report.join("BENCHMARKS.md").display());
    let unexplained = |bound: &&Bound| {
        bound.verdict(&results) == DOES_NOT_HOLD && bound.why.is_none() && !scale.quick
    };
    let unexplained = bounds.iter().find(unexplained).map(|bound| &bound.what);
    let missing =
        |what| format!("{what:?} does not hold: add an explanation to tests/bench/benchmarks.md");
    unexplained.map_or(Ok(()), |what| Err(missing(what).into()))
}

/// The bounds that do not hold, of those that have been measured.
pub(crate) fn broken_bounds(results: &Results) -> Result<Vec<String>> {
    let Bounds { bound: bounds } = toml::from_str(BOUNDS)?;
    let broken = bounds.into_iter();
    let broken = broken.filter(|bound| bound.verdict(results) == DOES_NOT_HOLD);
    Ok(broken.map(|bound| bound.what).collect())
}

fn text(results: &Results, bounds: &[Bound]) -> Result<String> {
    let fails = |bound: &&Bound| [DOES_NOT_HOLD, TOO_CLOSE].contains(&bound.verdict(results));
    let failed = bounds.iter().filter(fails);
    let explained: Vec<&str> = failed.filter_map(|bound| bound.why.as_deref()).collect();
    let mut sections = TEMPLATE.split("\n### ");
    let mut text = sections.next().unwrap_or_default().to_owned();
    for section in sections {
        if explained.iter().any(|title| section.starts_with(title)) {
            text = text + "\n### " + section;
        }
    }
    if explained.is_empty() {
        text += "\nNone.\n";
    }
    fill(&text, results, bounds)
}

/// Replaces each name in braces.
fn fill(template: &str, results: &Results, bounds: &[Bound]) -> Result<String> {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part
            .split_once('}')
            .ok_or("tests/bench/benchmarks.md: unmatched brace")?;
        let metric: Result<[&str; 4], _> = name.split(" | ").collect::<Vec<_>>().try_into();
        let metric = metric.unwrap_or(["Instructions", "", name, "instructions"]);
        text += &match (name, results.find(metric)) {
            ("notes", _) => results.notes.join("\n"),
            ("bounds", _) => table_of_bounds(results, bounds),
            (_, Some(value)) => value.to_string(),
            (section, None) => tables(results, section),
        };
        text += rest;
    }
    Ok(text)
}

fn table_of_bounds(results: &Results, bounds: &[Bound]) -> String {
    let mut lines = vec![head(&["what", "bound", "measured", ""])];
    for bound in bounds {
        let Bound { what, unit, .. } = bound;
        let (sign, limit) = &bound.limit;
        let measured = bound.metric(results);
        let measured = measured.map_or_else(String::new, |metric| format!("{metric}{unit}"));
        let verdict = bound.verdict(results);
        lines.push(format!(
            "| {what} | {sign} {limit}{unit} | {measured} | {verdict} |"
        ));
    }
    lines.join("\n")
}

/// The tables of a section, with rows and columns in the order of the results.
fn tables(results: &Results, section: &str) -> String {
    let names = |at: usize, before: &[&str]| {
        let mut names: Vec<&str> = Vec::new();
        for Metric { name, .. } in &results.metrics {
            let within = before.iter().zip(name).all(|(before, name)| before == name);
            if within && !names.contains(&name[at].as_str()) {
                names.push(&name[at]);
            }
        }
        names
    };
    let mut tables = Vec::new();
    for table in names(1, &[section]) {
        let columns = names(3, &[section, table]);
        let title = if table.is_empty() { "" } else { ":\n\n" };
        let head = head(&[&[""], &columns[..]].concat());
        let mut lines = vec![format!("{table}{title}{head}")];
        for row in names(2, &[section, table]) {
            let find = |column: &&str| cell(results.find([section, table, row, column]));
            let cells: Vec<String> = columns.iter().map(find).collect();
            lines.push(format!("| {row} | {} |", cells.join(" | ")));
        }
        tables.push(lines.join("\n"));
    }
    if tables.is_empty() {
        return NOT_MEASURED.to_owned();
    }
    tables.join("\n\n")
}

/// The figures of a metric, if there is one. Noisy ratios are marked.
fn cell(metric: Option<&Metric>) -> String {
    match metric {
        Some(metric) if metric.is_noisy() && metric.name[3].contains("x of") => {
            format!("{metric}, noisy")
        }
        metric => metric.map_or_else(String::new, Metric::to_string),
    }
}

fn head(columns: &[&str]) -> String {
    let line = "---|".repeat(columns.len());
    format!("| {} |\n|{line}", columns.join(" | "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        let mut push = |row, column, values| results.push(["Section", "", row, column], values);
        push("first", "calls/s", vec![12_345.0, 12_340.0, 12_355.0]);
        push("first", "x of it", vec![1.0]);
        push("second", "x of it", vec![0.1, 0.5, 1.0]);
        results.push(
            ["Instructions", "", "facade", "instructions"],
            vec![1_234_567.0],
        );
        results
    }

    #[test]
    fn metrics_in_braces_become_their_figures() -> Result<()> {
        let why = "The facade takes {facade}, {Section |  | second | x of it}, {nothing else}.";
        let with_counts = "The facade takes 1,234,567, 0.50 [0.10..1.00], not measured.";
        assert_eq!(fill(why, &results(), &[])?, with_counts);
        let without = "The facade takes not measured, not measured, not measured.";
        assert_eq!(fill(why, &Results::default(), &[])?, without);
        Ok(())
    }

    #[test]
    fn a_section_is_a_table_of_its_metrics() -> Result<()> {
        let table = "|  | calls/s | x of it |\n|---|---|---|\n\
            | first | 12,345 [12,340..12,355] | 1 |\n\
            | second |  | 0.50 [0.10..1.00], noisy |";
        assert_eq!(fill("{Section}", &results(), &[])?, table);
        Ok(())
    }

    #[test]
    fn a_bound_holds_if_it_does_in_three_quarters_of_the_rounds() {
        let cases: [(&[f64], &str); 7] = [
            (&[], NOT_MEASURED),
            (&[1.0], HOLDS),
            (&[1.1], DOES_NOT_HOLD),
            (&[0.9, 1.0, 1.0, 1.0, 1.1], HOLDS),
            (&[0.95, 1.0, 1.05, 1.1, 1.1], TOO_CLOSE),
            (&[0.95, 1.05, 1.1, 1.1, 1.1], DOES_NOT_HOLD),
            (&[0.5, 0.6, 1.0, 2.0, 3.0], TOO_NOISY),
        ];
        for (values, verdict) in cases {
            let name = ["a", "b", "c", "d"];
            let mut results = Results::default();
            if !values.is_empty() {
                results.push(name, values.to_vec());
            }
            let bound = Bound {
                what: String::new(),
                metric: name.map(str::to_owned),
                limit: ("<=".to_owned(), 1.0),
                unit: String::new(),
                why: None,
            };
            assert_eq!(bound.verdict(&results), verdict, "{values:?}");
        }
    }

    #[test]
    fn each_explanation_belongs_to_a_bound() -> Result<()> {
        let Bounds { bound: bounds } = toml::from_str(BOUNDS)?;
        text(&Results::default(), &bounds)?;
        let titles: BTreeSet<&str> = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .collect();
        let named: BTreeSet<&str> = bounds
            .iter()
            .filter_map(|bound| bound.why.as_deref())
            .collect();
        assert_eq!(titles, named);
        Ok(())
    }
}
