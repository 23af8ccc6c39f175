//! SIGINT and SIGTERM. The first one lets the request at hand finish and be journaled, and no other begin; a
//! second one ends the process at once, which a re-run can repair.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
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

const INTERRUPTED: u8 = 1;
const TERMINATED: u8 = 2;

impl Interrupt {
    /// Starts listening, for the rest of the process.
    ///
    /// # Errors
    /// The signal handlers cannot be installed.
    pub fn listen() -> Result<Self, Error> {
        let refused = |e: std::io::Error| Error::Io {
            what: "listening for signals".to_owned(),
            detail: e.to_string(),
        };
        let mut int = signal(SignalKind::interrupt()).map_err(refused)?;
        let mut term = signal(SignalKind::terminate()).map_err(refused)?;
        let interrupt = Interrupt::default();
        let shared = Arc::clone(&interrupt.shared);
        tokio::spawn(async move {
            loop {
                let (asked, status) = tokio::select! {
                    _ = int.recv() => (INTERRUPTED, ExitStatus::Interrupted),
                    _ = term.recv() => (TERMINATED, ExitStatus::Terminated),
                };
                if shared.asked.swap(asked, Ordering::SeqCst) != 0 {
                    std::process::exit(i32::from(status.code()));
                }
                shared.notify.notify_waiters();
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

    /// Runs work that writes nothing, and drops it as soon as somebody asks to stop.
    ///
    /// # Errors
    /// Interrupted; else whatever the work returns.
    pub async fn unless_asked<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let notified = self.shared.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        match self.asked() {
            Some(Stop::Terminated) => return Err(Error::Interrupted(ExitStatus::Terminated)),
            Some(_) => return Err(Error::Interrupted(ExitStatus::Interrupted)),
            None => {}
        }
        tokio::select! {
            done = work => done,
            () = notified => Err(Error::Interrupted(match self.asked() {
                Some(Stop::Terminated) => ExitStatus::Terminated,
                _ => ExitStatus::Interrupted,
            })),
        }
    }
}
