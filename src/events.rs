//! What happens during a run, told to whoever shows it. Nothing here decides or prints.

use crate::report::Outcome;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// `total` orders are about to be read or worked on.
    Began {
        what: &'static str,
        total: usize,
    },
    /// One more of them has been read.
    Read,
    /// One more of them has ended.
    Ended(&'a Outcome),
    Finished,
}

/// Receives events. Called from one task at a time.
pub trait Listener: Sync {
    fn hear(&self, event: Event<'_>);
}

/// Hears nothing.
pub struct Silence;

impl Listener for Silence {
    fn hear(&self, _event: Event<'_>) {}
}
