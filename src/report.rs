//! What a committed run did, order by order, and the exit status that follows from it. Plain data.
//!
//! An outcome that nobody knows is reported as unknown, never as failed and never as done.

use std::collections::BTreeSet;

use crate::domain::{CheckoutReference, Money, Order, RunId};
use crate::exit::ExitStatus;
use crate::plan::{Plan, Verdict};
use crate::saga::Ending;

/// How one approved order, or one object without an order, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub subject: Subject,
    /// What was closed, in order.
    pub retired: Vec<CheckoutReference>,
    pub conclusion: Conclusion,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The order as it was approved.
    Order(Box<Order>),
    /// An object that was retired without an order.
    Object(CheckoutReference),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Ended(Ending),
    /// The run stopped before this order was begun; nothing was written for it.
    NotBegun,
    /// Another run is at it; who, in words. Nothing was written for it by this one.
    Held(String),
}

/// Why a run ended before its last order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    Interrupted,
    Terminated,
    /// Too many orders failed; how many.
    Breaker(String),
    /// The key was refused, or belongs to another mode: no later order can fare better.
    Refused {
        status: ExitStatus,
        why: String,
    },
}

impl Stop {
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        match self {
            Stop::Interrupted => ExitStatus::Interrupted,
            Stop::Terminated => ExitStatus::Terminated,
            Stop::Breaker(_) => ExitStatus::Breaker,
            Stop::Refused { status, .. } => *status,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The plan that was approved, holds and all.
    pub plan: Plan,
    /// By order id, then by object.
    pub outcomes: Vec<Outcome>,
    /// All that held, a signal first.
    pub stopped: Vec<Stop>,
    /// In the journal; `None` when nothing was to be written.
    pub run: Option<RunId>,
    /// Requests sent to Stripe by this run.
    pub reads: u64,
    pub writes: u64,
}

impl Subject {
    /// Orders by id, then the objects without one.
    #[must_use]
    pub fn rank(&self) -> (bool, i64, String) {
        match self {
            Subject::Order(order) => (false, order.id.0, String::new()),
            Subject::Object(reference) => (true, 0, reference.to_string()),
        }
    }
}

impl Report {
    /// Everything that holds for this run; the exit status is the first of them in the design's order.
    #[must_use]
    pub fn statuses(&self) -> BTreeSet<ExitStatus> {
        let mut statuses = BTreeSet::new();
        statuses.extend(self.stopped.iter().map(Stop::status));
        for outcome in &self.outcomes {
            statuses.extend(outcome.status());
        }
        // Others are at all of it: nothing was left to do here.
        let held = |o: &Outcome| {
            matches!(
                o.conclusion,
                Conclusion::Held(_) | Conclusion::Ended(Ending::Fenced)
            )
        };
        if !self.outcomes.is_empty() && self.outcomes.iter().all(held) {
            return BTreeSet::from([ExitStatus::Busy]);
        }
        // What was asked for and not done is no success either.
        if self.plan.for_a_person().next().is_some() || !self.plan.left_alone.is_empty() {
            statuses.insert(ExitStatus::Partial);
        }
        statuses
    }

    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        ExitStatus::foremost(&self.statuses())
    }

    /// Orders that hold a new link now, with the sums that these links ask for.
    #[must_use]
    pub fn replaced(&self) -> (usize, Vec<Money>) {
        let amounts: Vec<Option<Money>> = self
            .outcomes
            .iter()
            .filter(|o| matches!(o.conclusion, Conclusion::Ended(Ending::Replaced { .. })))
            .map(|o| match &o.subject {
                Subject::Order(order) => order.amount,
                Subject::Object(_) => None,
            })
            .collect();
        (amounts.len(), Money::totals(amounts.into_iter().flatten()))
    }
}

impl Outcome {
    /// What this outcome says about the run; `None` when all is well with it.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        match &self.conclusion {
            Conclusion::NotBegun | Conclusion::Held(_) => None,
            // Somebody else did it, or it needs doing no more.
            Conclusion::Ended(Ending::Moved {
                verdict: Verdict::Healthy | Verdict::Settled,
                ..
            }) => None,
            Conclusion::Ended(ending) => match ending {
                // The link is stored, the last look is still owed: the order is in doubt until the next run.
                Ending::Replaced {
                    unconfirmed: Some(_),
                    ..
                } => Some(ExitStatus::Unavailable),
                Ending::Replaced { .. } | Ending::Retired | Ending::Fenced => None,
                Ending::Unavailable { .. } | Ending::Unknown { .. } => {
                    Some(ExitStatus::Unavailable)
                }
                Ending::Moved { .. }
                | Ending::PaidMeanwhile { .. }
                | Ending::LostRace
                | Ending::StillLive(_)
                | Ending::Refused { .. } => Some(ExitStatus::Partial),
            },
        }
    }
}
