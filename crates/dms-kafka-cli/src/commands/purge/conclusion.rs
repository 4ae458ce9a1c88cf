//! The end of a purge: what was done, how to go on, and the exit code.

use super::progress::Progress;
use super::report::Report;
use super::states::Counts;
use super::stop::Stops;
use crate::arguments::Purge;
use crate::exit::{Exit, Failure};

/// How a purge has ended.
pub(super) struct Conclusion<'a> {
    pub(super) arguments: &'a Purge,
    /// Rows of the file, and those among them that delete everything.
    pub(super) total: u64,
    pub(super) everything: u64,
    pub(super) counts: Counts,
    pub(super) stops: Stops,
    /// What went wrong with files.
    pub(super) troubles: Vec<String>,
}

impl Conclusion<'_> {
    pub(super) fn tell(&self, report: &Report, progress: &Progress) -> Result<Exit, Failure> {
        let shown = report.finish(self.total, &self.counts);
        self.stops.tell(progress);
        for trouble in &self.troubles {
            progress.trouble(trouble);
        }
        if self.counts.waiting + self.counts.under_way + self.counts.undone > 0 {
            progress.note(&self.how_to_go_on());
        }
        shown.map_err(Failure::unshown)?;
        let exit = exit_code(&self.counts, report.unexpected());
        match self.stops.exit(exit, &self.counts) {
            Exit::Interrupted => Ok(Exit::Interrupted),
            exit if self.troubles.is_empty() => Ok(exit),
            _ => Ok(Exit::Unknown),
        }
    }

    fn how_to_go_on(&self) -> String {
        let done = format!(
            "{} of {} rows are deleted, {} were not sent or not carried out",
            self.counts.deleted,
            self.total,
            self.counts.waiting + self.counts.undone
        );
        // With troubles there may be no such file, or one of an earlier run.
        let failures = self.arguments.failures_file.as_ref();
        let failures = failures.filter(|_| self.troubles.is_empty());
        let next = match (&self.arguments.journal, failures) {
            (Some(journal), _) => format!(
                "to go on, give the same command again: what {} records is not sent again",
                journal.display()
            ),
            (None, Some(failures)) => format!("to go on, give --offsets-file {}", failures.display()),
            (None, None) if self.everything > 0 => {
                "to go on, take the finished rows out of the file: to delete everything twice deletes what was written \
                 since. With --journal, no row would be sent twice"
                    .to_owned()
            }
            (None, None) => "to go on, give the same command again: to delete below an offset twice does no harm"
                .to_owned(),
        };
        format!("{done}; {next}")
    }
}

/// The worst of what happened.
fn exit_code(counts: &Counts, unexpected: u64) -> Exit {
    if counts.unknown + counts.under_way > 0 {
        Exit::Unknown
    } else if counts.refused + counts.undone > 0 {
        Exit::NotApplied
    } else if counts.failed + unexpected > 0 {
        Exit::SomeFailed
    } else {
        Exit::Done
    }
}
