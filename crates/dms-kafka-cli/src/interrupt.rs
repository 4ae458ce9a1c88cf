//! Signals: waits for Ctrl-C and, on Unix, SIGTERM and SIGHUP.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use tokio::task::spawn_blocking;

use crate::exit::Failure;

/// Makes a write beyond the limit for the size of a file (`ulimit -f`) fail. Otherwise SIGXFSZ ends the process, in the
/// middle of a deletion.
#[cfg(unix)]
pub(crate) fn make_file_size_limit_an_error(
    runtime: &tokio::runtime::Runtime,
) -> Result<(), Failure> {
    let _context = runtime.enter();
    listen(SignalKind::from_raw(libc::SIGXFSZ)).map(drop)
}

#[cfg(unix)]
fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| {
        Failure::input(format!(
            "cannot listen for signals: {error}; nothing was deleted"
        ))
    })
}

/// Starts listening when created. Before that, a signal ends the process.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    /// `None` unless wanted, and under `nohup`.
    #[cfg(unix)]
    hangup: Option<Signal>,
}

#[cfg(unix)]
impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// Listens for SIGHUP too, unless it is ignored.
    pub(crate) fn with_hangup(mut self) -> Result<Self, Failure> {
        if hangup_is_ignored() == Some(false) {
            self.hangup = Some(listen(SignalKind::hangup())?);
        }
        Ok(self)
    }

    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether SIGHUP is ignored, as under `nohup`. Listening would change that. `None` without the files of Linux: there the
/// signal has its usual effect.
#[cfg(unix)]
fn hangup_is_ignored() -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & (1 << (libc::SIGHUP - 1)) != 0)
}

impl Interrupts {
    /// What happens before anything is deleted, unless it is interrupted.
    pub(crate) async fn or<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.next() => Err(Failure::interrupted_before()),
        }
    }

    /// As [`or`](Self::or), for work that blocks, such as on a pipe.
    pub(crate) async fn or_blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.or(blocking(work)).await
    }
}

/// Work that blocks, in a thread, so that a signal is noticed meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::input(error.to_string())))
}

#[cfg(not(unix))]
impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(crate) fn with_hangup(self) -> Result<Self, Failure> {
        Ok(self)
    }

    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// SIGHUP, which asks a service to open its files again. Starts listening when created.
pub(crate) struct Hangups {
    #[cfg(unix)]
    hangup: Signal,
}

#[cfg(unix)]
impl Hangups {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let hangup = listen(SignalKind::hangup())?;
        Ok(Self { hangup })
    }

    pub(crate) async fn next(&mut self) {
        if self.hangup.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Hangups {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
