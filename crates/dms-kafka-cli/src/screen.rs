//! Shows a [`TopicView`] in a terminal: a table of partitions with bars, totals, and consumer groups.

use std::cmp::Reverse;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::output::{self, number, up_to};
use crate::view::{GroupView, PartitionView, PositionView, TopicView, ranges};

/// More partitions and groups are summarized. The question stays on the screen with its head.
const SHOWN_PARTITIONS: usize = 15;
const SHOWN_GROUPS: usize = 10;
/// More partitions are not listed in a command.
const RESET_PARTITIONS: usize = 100;
/// Longer names of groups are cut off.
const NAME_WIDTH: usize = 24;
/// The widest bar that fits is shown.
const BARS: [usize; 4] = [20, 14, 8, 0];
const DELETED: char = '█';
const KEPT: char = '░';

/// What a deletion does.
pub(crate) fn deletion(view: &TopicView, width: Option<usize>) -> String {
    let mut partitions: Vec<&PartitionView> = view.partitions.iter().collect();
    let hidden = partitions.len().saturating_sub(SHOWN_PARTITIONS);
    if hidden > 0 {
        partitions
            .sort_by_key(|shown| (Reverse((shown.is_emptied, shown.records)), shown.partition));
        partitions.truncate(SHOWN_PARTITIONS);
    }
    let cells = |shown: &PartitionView| {
        let before = if shown.everything {
            "everything".to_owned()
        } else {
            number(Some(shown.before))
        };
        [
            shown.partition.to_string(),
            number(Some(shown.start)),
            number(Some(shown.end)),
            before,
            number(Some(shown.records)),
            percentage(shown.records, shown.total()),
        ]
    };
    let header = ["partition", "start", "end", "before", "records", "%"];
    let header = (&header, "deleted");
    let bar = |shown: &PartitionView, width| bar(shown.records, shown.total(), width);
    let style = |shown: &PartitionView| alarm(shown.is_emptied);
    let mut text = with_bars(&partitions, width, header, cells, bar, style);
    if hidden > 0 {
        // Writing to a string does not fail.
        let _ = writeln!(text, "and {} more partitions", number_of(hidden));
    }
    let (records, total) = (view.records(), view.total());
    let style = alarm(view.emptied() > 0).bold();
    let _ = writeln!(
        text,
        "{style}Total: {} of {} records ({}){style:#}\nPartitions: {}; emptied partitions: {}",
        up_to(Some(records)),
        number(Some(total)),
        percentage(records, total),
        number_of(view.partitions.len()),
        number_of(view.emptied()),
    );
    text.push_str(&losses(view, width));
    for warning in &view.warnings {
        let _ = writeln!(text, "warning: {}", output::printable(warning));
    }
    text
}

/// The partitions and consumer groups of a topic.
pub(crate) fn topic(view: &TopicView, width: Option<usize>) -> String {
    let largest = view.partitions.iter().map(PartitionView::total).max();
    let partitions: Vec<&PartitionView> = view.partitions.iter().collect();
    let cells = |shown: &PartitionView| {
        [
            shown.partition.to_string(),
            number(Some(shown.start)),
            number(Some(shown.end)),
            number(Some(shown.total())),
        ]
    };
    let header = (&["partition", "start", "end", "records"], "");
    let bar = |shown: &PartitionView, width| {
        let filled = cells_of(shown.total(), largest.unwrap_or_default(), width);
        DELETED.to_string().repeat(filled) + &" ".repeat(width - filled)
    };
    let mut text = with_bars(&partitions, width, header, cells, bar, |_| Style::new());
    let bold = Style::new().bold();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{bold}Total: {} records{bold:#}; partitions: {}",
        up_to(Some(view.total())),
        number_of(view.partitions.len())
    );
    let Some(groups) = &view.losses.groups else {
        let reason = view.losses.unknown.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "The consumer groups are not known: {}",
            output::printable(reason)
        );
        return text;
    };
    if groups.is_empty() {
        text.push_str("No consumer group has a committed offset in this topic.\n");
        return text;
    }
    let mut table = output::table(&["group", "state", "commits", "unread"]);
    for group in groups {
        table.add_row([
            name(&group.group),
            state(group),
            format!("{} of {}", group.positions.len(), view.partitions.len()),
            number(Some(group.unread)),
        ]);
    }
    text.push('\n');
    text + &output::laid_out(&table, width, [bold].into_iter())
}

/// Which consumer groups lose unread records, and what becomes of them.
fn losses(view: &TopicView, width: Option<usize>) -> String {
    let mut text = String::new();
    let losses = &view.losses;
    if let Some(reason) = &losses.unknown {
        let style = alarm(true);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{style}Which consumer groups lose unread records is not known:{style:#} {}",
            output::printable(reason)
        );
    }
    let Some(groups) = &losses.groups else {
        return text;
    };
    if groups.is_empty() {
        text.push_str("No consumer group has a committed offset in this topic.\n");
        return text;
    }
    let mut table = output::table(&["group", "state", "unread", "loses unread"]);
    for group in groups.iter().take(SHOWN_GROUPS) {
        table.add_row([
            name(&group.group),
            state(group),
            number(Some(group.unread)),
            number(Some(group.lost)),
        ]);
    }
    let styles = groups.iter().map(|group| alarm(group.lost > 0));
    let styles = [Style::new().bold()].into_iter().chain(styles);
    text.push('\n');
    text.push_str(&output::laid_out(&table, width, styles));
    if groups.len() > SHOWN_GROUPS {
        let _ = writeln!(
            text,
            "and {} more consumer groups",
            groups.len() - SHOWN_GROUPS
        );
    }
    let losing: Vec<&GroupView> = groups.iter().filter(|group| group.lost > 0).collect();
    let Some(first) = losing.first() else {
        if losses.unknown.is_none() {
            text.push_str("No consumer group loses unread records.\n");
        }
        return text;
    };
    let more = losses
        .records
        .map_or(", and others that are not known", |_| "");
    let sum = losing
        .iter()
        .fold(0, |sum: i64, group| sum.saturating_add(group.lost));
    let style = alarm(true).bold();
    let _ = writeln!(
        text,
        "{style}Unread records lost: {}{more}{style:#}; consumer groups: {}",
        up_to(Some(sum)),
        number_of(losing.len())
    );
    let (partitions, below) = reset_partitions(view, first);
    let _ = write!(
        text,
        "\
They continue at their auto.offset.reset: with earliest, at
the first record that is kept; with latest, the default, at
the end, so that they lose the kept records too. To move a
stopped group to the first record that is kept, afterwards:
  kafka-consumer-groups.sh --bootstrap-server HOST:PORT \\
    {} --topic {}{partitions} \\
    --reset-offsets --to-earliest --execute
{below}",
        shell_flag("--group", &first.group),
        view.topic,
    );
    text
}

/// The partitions of a topic in which a group is moved to the start, as `kafka-consumer-groups.sh` takes them after the
/// topic, and a line that explains them.
fn reset_partitions(view: &TopicView, group: &GroupView) -> (String, String) {
    let positions = &group.positions;
    let is_not_moved_back = |at: &PositionView| {
        let shown = view.partition(at.partition);
        shown.is_some_and(|shown| at.committed <= shown.start + shown.records)
    };
    if view.is_whole
        && positions.len() == view.partitions.len()
        && positions.iter().all(is_not_moved_back)
    {
        return (String::new(), String::new());
    }
    let losing = positions.iter().filter(|at| at.lost > 0);
    let losing: Vec<i32> = losing.map(|at| at.partition).collect();
    if losing.len() <= RESET_PARTITIONS {
        let list: Vec<String> = losing.iter().map(ToString::to_string).collect();
        return (format!(":{}", list.join(",")), String::new());
    }
    let explained = format!("PARTITIONS, a list with commas: {}\n", ranges(&losing));
    (":PARTITIONS".to_owned(), explained)
}

/// A table whose last column is a bar, if there is room for one.
fn with_bars<const COLUMNS: usize>(
    partitions: &[&PartitionView],
    width: Option<usize>,
    header: (&[&str; COLUMNS], &str),
    cells: impl Fn(&PartitionView) -> [String; COLUMNS],
    bar: impl Fn(&PartitionView, usize) -> String,
    style: impl Fn(&PartitionView) -> Style,
) -> String {
    let styles = || {
        let styles = partitions.iter().map(|shown| style(shown));
        [Style::new().bold()].into_iter().chain(styles)
    };
    let table = |bar_width| {
        let (mut names, bar_name) = (header.0.to_vec(), header.1);
        if bar_width > 0 {
            names.push(bar_name);
        }
        let mut table = output::table(&names);
        for shown in partitions {
            let mut cells = cells(shown).to_vec();
            if bar_width > 0 {
                cells.push(bar(shown, bar_width));
            }
            table.add_row(cells);
        }
        table
    };
    let fits = |bar_width: &&usize| output::fits(&table(**bar_width), width);
    let bar_width = BARS.iter().find(fits).copied().unwrap_or_default();
    output::laid_out(&table(bar_width), width, styles())
}

/// A bar in which a part is deleted. It is neither empty nor full unless the part is.
fn bar(deleted: i64, total: i64, width: usize) -> String {
    if total <= 0 {
        return " ".repeat(width);
    }
    let filled = match cells_of(deleted, total, width) {
        filled if filled == width && deleted < total => width - 1,
        filled => filled,
    };
    DELETED.to_string().repeat(filled) + &KEPT.to_string().repeat(width - filled)
}

/// How many of the cells a part fills, at least one unless it is empty.
fn cells_of(part: i64, total: i64, width: usize) -> usize {
    if part <= 0 || total <= 0 {
        return 0;
    }
    let (part, total) = (i128::from(part.min(total)), i128::from(total));
    let rounded = (part * width as i128 + total / 2) / total;
    usize::try_from(rounded).unwrap_or(width).clamp(1, width)
}

/// Neither 0% nor 100% unless it is exactly that.
pub(crate) fn percentage(part: i64, total: i64) -> String {
    if total <= 0 {
        return "-".to_owned();
    }
    match i128::from(part) * 100 / i128::from(total) {
        0 if part > 0 => "<1%".to_owned(),
        percent => format!("{percent}%"),
    }
}

pub(crate) fn alarm(is_alarm: bool) -> Style {
    if is_alarm {
        AnsiColor::Red.on_default()
    } else {
        Style::new()
    }
}

fn state(group: &GroupView) -> String {
    let state = group.state.as_deref();
    state.map_or_else(|| "-".to_owned(), name)
}

/// Text of the service, in a limited width.
pub(crate) fn name(text: &str) -> String {
    let text = output::printable(text);
    if text.width() <= NAME_WIDTH {
        return text;
    }
    let mut shown = String::new();
    for character in text.chars() {
        if shown.width() + character.to_string().width() >= NAME_WIDTH {
            break;
        }
        shown.push(character);
    }
    shown + "…"
}

fn number_of(count: usize) -> String {
    number(i64::try_from(count).ok())
}

/// A flag with a value, as words of a shell.
pub(crate) fn shell_flag(flag: &str, value: &str) -> String {
    // Otherwise the value would be another flag.
    let separator = if value.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{separator}{}", shell_word(value))
}

/// One word of a shell. Characters that cannot be shown are escaped as bash and zsh read them.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let is_shown = |text: &str| output::printable(text) == text;
    if is_shown(text) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let escaped = text.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if is_shown(c.encode_utf8(&mut [0; 4])) => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_percentages_are_full_or_empty_only_if_the_part_is() {
        for (part, total, expected, percent) in [
            (0, 10, "░░░░░░░░", "0%"),
            (1, 1_000_000, "█░░░░░░░", "<1%"),
            (5, 10, "████░░░░", "50%"),
            (999_999, 1_000_000, "███████░", "99%"),
            (10, 10, "████████", "100%"),
            (0, 0, "        ", "-"),
            (i64::MAX, i64::MAX, "████████", "100%"),
            (i64::MAX - 1, i64::MAX, "███████░", "99%"),
        ] {
            assert_eq!(bar(part, total, 8), expected, "{part} of {total}");
            assert_eq!(percentage(part, total), percent, "{part} of {total}");
        }
    }

    #[test]
    fn names_of_groups_are_one_word_of_a_shell() {
        for (name, word) in [
            ("billing", "billing"),
            ("it's; rm -rf ~", r"'it'\''s; rm -rf ~'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
            ("\u{1b}[31m'", r"$'\U0000001b[31m\''"),
            ("a\nb\\", r"$'a\U0000000ab\\'"),
            ("請求", "'請求'"),
        ] {
            assert_eq!(shell_word(name), word);
        }
        assert_eq!(shell_flag("--group", "--execute"), "--group=--execute");
    }

    #[test]
    fn long_and_wide_names_are_cut_off() {
        for (text, expected) in [
            ("billing".to_owned(), "billing".to_owned()),
            ("x".repeat(24), "x".repeat(24)),
            ("x".repeat(255), "x".repeat(23) + "…"),
            ("請".repeat(100), "請".repeat(11) + "…"),
        ] {
            assert_eq!(name(&text), expected);
            assert!(name(&text).width() <= NAME_WIDTH);
        }
    }
}
