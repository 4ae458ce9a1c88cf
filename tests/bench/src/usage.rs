//! What a process has used so far.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use crate::Result;

/// CPU time and memory, as the system counts them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Usage {
    /// User and system time together, in seconds.
    pub(crate) cpu: f64,
    /// The largest resident set so far, in KiB.
    pub(crate) peak_rss: i64,
    /// Pages that the system had to hand out.
    pub(crate) page_faults: i64,
}

impl Usage {
    /// Of this process.
    pub(crate) fn own() -> Result<Self> {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    /// Of the children that have ended; `peak_rss` is that of the largest.
    pub(crate) fn children() -> Result<Self> {
        Self::of(UsageWho::RUSAGE_CHILDREN)
    }

    fn of(who: UsageWho) -> Result<Self> {
        let usage = getrusage(who)?;
        Ok(Self {
            cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
            peak_rss: usage.max_rss(),
            page_faults: usage.minor_page_faults(),
        })
    }
}

fn seconds(time: TimeVal) -> f64 {
    let whole = Duration::from_secs(time.tv_sec().unsigned_abs());
    let rest = Duration::from_micros(time.tv_usec().unsigned_abs());
    (whole + rest).as_secs_f64()
}

/// Keeps this process on one CPU, where the system allows it.
pub(crate) fn pin(cpu: Option<usize>) {
    #[cfg(target_os = "linux")]
    if let Some(cpu) = cpu {
        let mut set = nix::sched::CpuSet::new();
        // A machine with fewer CPUs measures unpinned; the report says how many there are.
        if set.set(cpu).is_ok() {
            let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = cpu;
}
