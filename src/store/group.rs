//! The writers of one SQLite file within this process: one after the other, and those that wait while one of them writes go
//! on in its transaction, so that one commit, and one wait for the disk, is for all of them.
//!
//! Nobody is answered before that commit, and nobody sees what another has not finished: each part begins when the one before
//! it is done or undone. A part that is given up midway takes all the others with it, who are told that nothing is known.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::pool::Connection;

/// Parts of one transaction.
const MOST: usize = 64;
/// While it is open, no other program writes to the file: nobody goes on in one that is older.
const LONGEST: Duration = Duration::from_millis(5);
/// Of the time that the file was held, so much it is left to other programs before the next transaction: they do not stand in
/// line, they only look now and then whether it is free.
const LEFT_TO_OTHERS: f64 = 0.25;

/// What came of a commit; of several parts, of them all.
pub(super) type Fate = Result<(), Arc<sqlx::Error>>;

/// Who writes, and who comes next.
#[derive(Clone)]
pub(super) struct Line {
    waiting: Arc<Mutex<Waiting>>,
    longest: Duration,
}

#[derive(Default)]
struct Waiting {
    is_taken: bool,
    /// Not before this moment is the file taken again.
    rests_until: Option<Instant>,
    next: VecDeque<oneshot::Sender<Turn>>,
}

/// The right to write. Dropped, it is the next one's.
pub(super) struct Turn {
    line: Line,
    /// What the one before did not commit yet.
    pub open: Option<Open>,
    is_passed_on: bool,
}

/// A transaction whose parts so far wait for its commit.
pub(super) struct Open {
    pub connection: Connection,
    pub parts: Parts,
}

/// Who waits for the commit of a transaction.
pub(super) struct Parts {
    begun: Instant,
    waiting: Vec<oneshot::Sender<Fate>>,
}

impl Default for Line {
    fn default() -> Self {
        Line::joined_for(LONGEST)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    /// Nobody goes on in a transaction that has been open for longer.
    fn joined_for(longest: Duration) -> Self {
        Line {
            waiting: Arc::default(),
            longest,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for it, in the order of asking.
    pub async fn turn(&self) -> Turn {
        loop {
            let waiting = {
                let mut line = self.lock();
                if !line.is_taken {
                    line.is_taken = true;
                    return Turn::new(self.clone(), None);
                }
                let (sender, receiver) = oneshot::channel();
                line.next.push_back(sender);
                receiver
            };
            if let Ok(turn) = waiting.await {
                return turn;
            }
        }
    }

    /// Waits until other programs had their time. For whoever has the turn, and begins a transaction.
    pub async fn rest(&self) {
        let until = self.lock().rests_until.take();
        let Some(until) = until else { return };
        tokio::time::sleep_until(until.into()).await;
    }

    fn is_somebody_waiting(&self) -> bool {
        self.lock().next.iter().any(|next| !next.is_closed())
    }

    /// To whoever waits longest; what is open comes back where nobody does, and the turn is free.
    fn pass_on(&self, mut open: Option<Open>) -> Option<Open> {
        loop {
            let next = {
                let mut line = self.lock();
                let Some(next) = line.next.pop_front() else {
                    line.is_taken = open.is_some();
                    return open;
                };
                next
            };
            match next.send(Turn::new(self.clone(), open.take())) {
                Ok(()) => return None,
                Err(mut refused) => {
                    refused.is_passed_on = true;
                    open = refused.open.take();
                }
            }
        }
    }
}

impl Turn {
    fn new(line: Line, open: Option<Open>) -> Self {
        Turn {
            line,
            open,
            is_passed_on: false,
        }
    }

    /// Whether somebody waits who may go on in a transaction with these parts and one more.
    pub fn has_company(&self, parts: &Parts) -> bool {
        parts.waiting.len() + 1 < MOST
            && parts.begun.elapsed() < self.line.longest
            && self.line.is_somebody_waiting()
    }

    /// After a transaction of several parts.
    pub fn leave_to_others(&self, parts: &Parts) {
        let rest = parts.begun.elapsed().mul_f64(LEFT_TO_OTHERS);
        self.line.lock().rests_until = Some(Instant::now() + rest);
    }

    /// Lets the next one go on in what is open. Both come back where nobody waits any more.
    pub fn hand_over(mut self, open: Open) -> Option<(Turn, Open)> {
        match self.line.pass_on(Some(open)) {
            Some(open) => Some((self, open)),
            None => {
                self.is_passed_on = true;
                None
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before the next one begins: it waits for the file.
        drop(self.open.take());
        if !self.is_passed_on {
            self.line.pass_on(None);
        }
    }
}

impl Parts {
    pub fn none() -> Self {
        Parts {
            begun: Instant::now(),
            waiting: Vec::new(),
        }
    }

    pub fn are_several(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// One more; where it hears of the commit.
    pub fn join(&mut self) -> oneshot::Receiver<Fate> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        receiver
    }

    /// The last one to join did not leave.
    pub fn stay(&mut self) {
        self.waiting.pop();
    }

    pub fn tell(self, fate: &Fate) {
        for waiting in self.waiting {
            // Who is gone need not hear it.
            drop(waiting.send(fate.clone()));
        }
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
