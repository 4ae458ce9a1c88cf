//! Asks before anything is deleted.

use std::io::{BufRead, IsTerminal};

use dms_kafka::TopicName;

use crate::exit::Failure;
use crate::output::Rows;

/// Returns only when the deletion is wanted: `--yes`, or the right word typed at a terminal.
pub(crate) fn deletion(topic: &TopicName, rows: &Rows<'_>, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(
            "nobody can be asked without a terminal: nothing was deleted; give --yes to delete",
        ));
    }
    let word = if rows.has_everything() {
        topic.as_str()
    } else {
        "yes"
    };
    eprintln!("Topic {topic} will lose, for good:\n{}", rows.plan());
    eprint!("Type {word} to delete: ");
    let mut typed = String::new();
    stdin.lock().read_line(&mut typed).map_err(Failure::usage)?;
    if typed.trim() == word {
        Ok(())
    } else {
        Err(Failure::usage("not confirmed: nothing was deleted"))
    }
}
