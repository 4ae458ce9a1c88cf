//! Asks for confirmation before anything is deleted.

use std::io::{self, IsTerminal};

use crate::exit::Failure;
use crate::interrupt::blocking;
use crate::output::up_to;
use crate::profile::Profile;
use crate::stderr;
use crate::view::TopicView;

/// Checks that `--yes` is set, or that a terminal can ask for confirmation. A protected profile must also be `named`.
pub(crate) fn check_possible(
    yes: bool,
    named: Option<&str>,
    profile: &Profile,
) -> Result<(), Failure> {
    let name = profile.name.as_ref().map(|name| name.value.as_str());
    let refused = |cause: String| Err(Failure::usage(cause + "; nothing was deleted"));
    match (named, name) {
        (Some(named), None) => return refused(format!("--confirm {named}: no profile is used")),
        (Some(named), Some(name)) if named != name => {
            return refused(format!("--confirm {named}: the profile is {name}"));
        }
        (None, Some(name)) if yes && profile.protected => {
            return refused(format!(
                "the profile {name} is protected: add --confirm {name} to --yes"
            ));
        }
        _ => {}
    }
    if yes || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(Failure::usage(
        "confirmation needs a terminal: run the command in a terminal, or add --yes; nothing was deleted",
    ))
}

/// The word that confirms: the name of the topic if a partition is emptied, a consumer group loses unread records, or that
/// is not known.
pub(crate) fn word(view: &TopicView) -> &str {
    let is_grave = view.emptied() > 0 || view.lacks_partitions || view.losses.may_lose();
    if is_grave { &view.topic } else { "yes" }
}

/// Fails if a consumer group loses unread records, or if that is not known.
pub(crate) fn refuse_unread_loss(view: &TopicView) -> Result<(), Failure> {
    let losses = &view.losses;
    let what = match (losses.records, &losses.unknown) {
        (Some(0), _) if view.deletes_later_records() && losses.has_groups() => {
            "records that are written meanwhile may be deleted unread: use --up-to-end, or an offset up to the end"
                .to_owned()
        }
        (Some(0), _) => return Ok(()),
        (Some(records), _) => {
            let groups = losses.groups.iter().flatten();
            let losing = groups.filter(|group| group.lost > 0);
            let losing: Vec<String> = losing.map(|group| format!("{:?}", group.group)).collect();
            format!(
                "{} unread records of {}",
                up_to(Some(records)),
                losing.join(", ")
            )
        }
        (None, reason) => format!(
            "it is not known which consumer groups lose unread records: {}",
            reason.as_deref().unwrap_or_default()
        ),
    };
    Err(Failure::unread_loss(format!(
        "--refuse-unread-loss: {what}; nothing was deleted"
    )))
}

/// Shows the preview, and fails unless `word` is typed. A signal is noticed meanwhile.
pub(crate) async fn ask(preview: &str, word: &str) -> Result<(), Failure> {
    stderr::text(&format!("{preview}\nType {word} to delete: "));
    let typed = blocking(|| {
        let mut typed = String::new();
        let read = io::stdin().read_line(&mut typed);
        read.map(|_| typed).map_err(|error| {
            Failure::input(format!(
                "standard input cannot be read: {error}; nothing was deleted"
            ))
        })
    });
    let typed = typed.await?;
    if typed.trim() == word {
        Ok(())
    } else {
        Err(Failure::usage(format!(
            "not confirmed: {word:?} was expected; nothing was deleted"
        )))
    }
}
