//! For tests only: the places around a commit where a process may die, or the answer may be lost. No build for
//! use holds any of this; a release build with it does not compile.
//!
//! A simulation hands a gate to its store. A process of its own asks whoever listens at the address in
//! `RELINK_KILL_POINTS`, and waits there for the word to go on, or for its end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Store, StoreError};

#[cfg(release)]
compile_error!("kill points are for test builds: build without the feature `kill-points`");

const ADDRESS: &str = "RELINK_KILL_POINTS";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Begin,
    BeforeCommit,
    AfterCommit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    pub place: Place,
    /// The transaction, in the words of its errors.
    pub what: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    Go,
    /// Only before a commit: it is rolled back, and its answer is lost.
    NotCommitted,
    /// Only after a commit: it happened, and its answer is lost.
    AnswerLost,
}

/// Whatever a simulated process must pass. One that never lets it pass is a crash: the future is dropped.
pub trait Gate: Send + Sync + fmt::Debug {
    fn pass(&self, point: Point) -> BoxFuture<'_, Pass>;
}

/// How a store meets its points.
#[derive(Clone, Debug)]
pub(super) enum Gated {
    By(Arc<dyn Gate>),
    Listener {
        at: SocketAddr,
        commits: Arc<AtomicU64>,
    },
    Open,
}

impl Gated {
    /// A listener, if the environment names one.
    ///
    /// # Errors
    /// The environment names something that is no address of this host.
    pub fn from_environment() -> Result<Gated, StoreError> {
        let Ok(text) = std::env::var(ADDRESS) else {
            return Ok(Gated::Open);
        };
        match text.parse::<SocketAddr>() {
            Ok(at) if at.ip().is_loopback() => Ok(Gated::Listener {
                at,
                commits: Arc::default(),
            }),
            _ => Err(StoreError::Url(format!(
                "{ADDRESS} names no address of this host"
            ))),
        }
    }

    pub async fn begin(&self, what: &'static str) {
        if let Gated::By(gate) = self {
            gate.pass(Point {
                place: Place::Begin,
                what,
            })
            .await;
        }
    }

    /// The commit's number, if it is to be tried.
    pub async fn before_commit(&self, what: &'static str) -> Option<u64> {
        match self {
            Gated::By(gate) => {
                let place = Place::BeforeCommit;
                let passed = gate.pass(Point { place, what }).await;
                (passed != Pass::NotCommitted).then_some(0)
            }
            Gated::Listener { at, commits } => {
                let number = commits.fetch_add(1, Ordering::SeqCst) + 1;
                ask(*at, &format!("before {number} {what}")).await;
                Some(number)
            }
            Gated::Open => Some(0),
        }
    }

    /// Whether the answer arrives.
    pub async fn after_commit(&self, number: u64, what: &'static str) -> bool {
        match self {
            Gated::By(gate) => {
                let place = Place::AfterCommit;
                gate.pass(Point { place, what }).await != Pass::AnswerLost
            }
            Gated::Listener { at, .. } => {
                ask(*at, &format!("after {number} {what}")).await;
                true
            }
            Gated::Open => true,
        }
    }
}

/// One connection per point. Whoever listens closes it to let the process go on.
async fn ask(at: SocketAddr, line: &str) {
    let Ok(mut stream) = TcpStream::connect(at).await else {
        return;
    };
    if stream
        .write_all(format!("{line}\n").as_bytes())
        .await
        .is_ok()
    {
        let mut end = [0; 1];
        drop(stream.read(&mut end).await);
    }
}

pub(super) fn lost(what: &'static str) -> StoreError {
    StoreError::Unreachable {
        detail: format!("the answer was lost ({what})"),
    }
}

impl Store {
    /// The same store behind a gate.
    #[must_use]
    pub fn with_gate(mut self, gate: Arc<dyn Gate>) -> Store {
        self.gate = Gated::By(gate);
        self
    }
}
