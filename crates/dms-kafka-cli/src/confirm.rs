//! Asks before anything is deleted.

use std::io::{BufRead, IsTerminal};

use crate::exit::Failure;
use crate::stderr;

/// Whether there is an answer at all: `--yes`, or a terminal that shows the question and takes the answer. TargetFields for before
/// anything is sent.
pub(crate) fn check_possible(yes: bool) -> Result<(), Failure> {
    if yes || (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(Failure::usage(
        "nobody can be asked without a terminal: nothing was deleted; give --yes to delete",
    ))
}

/// Shows what will go, and returns only when `word` is typed at the terminal.
pub(crate) fn ask(what: &str, word: &str) -> Result<(), Failure> {
    stderr::text(&format!("{what}\nType {word} to delete: "));
    let mut typed = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut typed)
        .map_err(|error| {
            Failure::input(format!(
                "standard input cannot be read: {error}; nothing was deleted"
            ))
        })?;
    if typed.trim() == word {
        Ok(())
    } else {
        Err(Failure::usage("not confirmed: nothing was deleted"))
    }
}
