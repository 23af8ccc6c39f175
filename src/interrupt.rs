//! SIGINT, SIGTERM and SIGHUP. The first one lets the request at hand finish and be journaled, and no other begin; a
//! second one ends the process at once, which a re-run can repair, after a last word. A terminal that goes away may say so
//! twice: SIGHUP is never a second one, and where whoever started the process has it ignored (`nohup`), it stays ignored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::error::Error;
use crate::exit::ExitStatus;
use crate::report::Stop;

/// Tells whether somebody asked the run to stop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicU8,
    notify: Notify,
}

/// SIGXFSZ, on Linux and macOS.
const FILE_TOO_LARGE: i32 = 25;
const INTERRUPTED: u8 = 1;
const TERMINATED: u8 = 2;

impl Interrupt {
    /// Starts listening, for the rest of the process. `last_words` are said right before a second signal ends it.
    ///
    /// # Errors
    /// The signal handlers cannot be installed.
    pub fn listen(last_words: impl Fn() + Send + 'static) -> Result<Self, Error> {
        let refused = |e: std::io::Error| Error::Io {
            what: "listening for signals".to_owned(),
            detail: e.to_string(),
        };
        let mut int = signal(SignalKind::interrupt()).map_err(refused)?;
        let mut term = signal(SignalKind::terminate()).map_err(refused)?;
        let mut hup = match is_hangup_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup()).map_err(refused)?),
        };
        // Heard by nobody: a write beyond the limit of a file's size fails then, as on a full disk, and ends no run.
        drop(signal(SignalKind::from_raw(FILE_TOO_LARGE)).map_err(refused)?);
        let interrupt = Interrupt::default();
        let shared = Arc::clone(&interrupt.shared);
        tokio::spawn(async move {
            loop {
                let (asked, at_a_second) = tokio::select! {
                    _ = int.recv() => (INTERRUPTED, Some(ExitStatus::Interrupted)),
                    _ = term.recv() => (TERMINATED, Some(ExitStatus::Terminated)),
                    () = next(&mut hup) => (TERMINATED, None),
                };
                let is_first = shared
                    .asked
                    .compare_exchange(0, asked, Ordering::SeqCst, Ordering::SeqCst)
                    .is_ok();
                match at_a_second {
                    _ if is_first => shared.notify.notify_waiters(),
                    Some(status) => {
                        last_words();
                        std::process::exit(i32::from(status.code()));
                    }
                    None => {}
                }
            }
        });
        Ok(interrupt)
    }

    #[must_use]
    pub fn asked(&self) -> Option<Stop> {
        match self.shared.asked.load(Ordering::SeqCst) {
            INTERRUPTED => Some(Stop::Interrupted),
            TERMINATED => Some(Stop::Terminated),
            _ => None,
        }
    }

    /// Waits until somebody asks to stop.
    pub async fn heard(&self) {
        let notified = self.shared.notify.notified();
        tokio::pin!(notified);
        // Before the look: a signal between the two would be missed.
        notified.as_mut().enable();
        if self.asked().is_none() {
            notified.await;
        }
    }

    /// Runs work that writes nothing, and drops it as soon as somebody asks to stop.
    ///
    /// # Errors
    /// Interrupted; else whatever the work returns.
    pub async fn unless_asked<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.heard() => Err(Error::Interrupted(match self.asked() {
                Some(Stop::Terminated) => ExitStatus::Terminated,
                _ => ExitStatus::Interrupted,
            })),
            done = work => done,
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// By the mask of ignored signals (proc_pid_status(5)); where that cannot be read, SIGHUP is left as it is.
fn is_hangup_ignored() -> bool {
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & HANGUP != 0)
}
