//! Short diffs for messages.

use similar::TextDiff;

/// The beginning of a long diff is enough to find the cause.
const MOST_LINES: usize = 30;

/// The first lines of a unified diff.
pub(crate) fn short(found: &str, wanted: &str) -> String {
    let diff = TextDiff::from_lines(found, wanted);
    let text = diff
        .unified_diff()
        .context_radius(1)
        .header("found", "wanted")
        .to_string();
    let short: String = text.split_inclusive('\n').take(MOST_LINES).collect();
    match text.lines().count().saturating_sub(MOST_LINES) {
        0 => short,
        more => format!("{short}… {more} more lines\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_LINES, short};

    #[test]
    fn names_the_changed_line() {
        let text = short("a\nb\nc\nd\n", "a\nB\nc\nd\n");
        assert_eq!(
            text,
            "--- found\n+++ wanted\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
    }

    #[test]
    fn long_diffs_are_cut() {
        let text = short(&"a\n".repeat(200), &"b\n".repeat(200));
        assert_eq!(text.lines().count(), MOST_LINES + 1);
        assert!(text.ends_with("more lines\n"), "{text}");
    }
}
