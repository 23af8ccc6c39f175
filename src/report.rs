//! What a committed run did, order by order, and the exit status that follows from it. Plain data.
//!
//! An outcome that nobody knows is reported as unknown, never as failed and never as done.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{CheckoutReference, Money, Order, OrderId, RunId};
use crate::exit::ExitStatus;
use crate::plan::{Digest, Goal, Plan, Verdict};
use crate::saga::Ending;
use crate::saved_plan::{Due, Stands};

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
    Order(Arc<Order>),
    /// An order whose row is gone, with what an earlier run had left open for it.
    Gone(OrderId),
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
    /// What the run was approved under.
    pub digest: Digest,
    /// Of a saved plan: what was approved and passed over or not finished, since it was done before, refused, or moved.
    pub skipped: Vec<Due>,
    /// By order id, then by object.
    pub outcomes: Vec<Outcome>,
    /// All that held, a signal first.
    pub stopped: Vec<Stop>,
    /// In the journal; `None` when nothing was to be written.
    pub run: Option<RunId>,
    /// The list for the mail could not be written. What the run did is done.
    pub is_unlisted: bool,
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
            Subject::Gone(id) => (false, id.0, String::new()),
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
            statuses.extend(outcome.status(self.plan.goal()));
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
        let undone = |due: &Due| !matches!(due.stands, Stands::Done);
        if self.skipped.iter().any(undone) {
            statuses.insert(ExitStatus::Partial);
        }
        // What was asked for and not done is no success either.
        if self.plan.for_a_person().next().is_some() || !self.plan.left_alone.is_empty() {
            statuses.insert(ExitStatus::Partial);
        }
        if self.is_unlisted {
            statuses.insert(ExitStatus::Unclassified);
        }
        statuses
    }

    /// Of the saved plan, what was not worked on at all.
    #[must_use]
    pub fn passed_over(&self) -> usize {
        self.skipped.iter().filter(|due| !due.is_due()).count()
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
                Subject::Gone(_) | Subject::Object(_) => None,
            })
            .collect();
        (amounts.len(), Money::totals(amounts.into_iter().flatten()))
    }
}

/// Whose mail is out of date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Parents who were sent a URL that this run replaced, each once.
    pub parents: usize,
    /// Orders with such a URL whose parent has no address.
    pub without_address: usize,
}

impl Report {
    /// Parents whose mail holds a URL that leads nowhere since this run, or before it.
    #[must_use]
    pub fn outdated(&self) -> Outdated {
        let replaced = self
            .outcomes
            .iter()
            .filter(|o| matches!(o.conclusion, Conclusion::Ended(Ending::Replaced { .. })));
        let mut addresses = BTreeSet::new();
        let mut outdated = Outdated::default();
        for outcome in replaced {
            let Subject::Order(order) = &outcome.subject else {
                continue;
            };
            if order.url.is_none() {
                continue;
            }
            match order
                .parent
                .as_ref()
                .and_then(|parent| parent.email.as_ref())
            {
                Some(email) => {
                    addresses.insert(email.as_str());
                }
                None => outdated.without_address += 1,
            }
        }
        outdated.parents = addresses.len();
        outdated
    }
}

impl Outcome {
    /// What this outcome says about a run with this goal; `None` when all is well with it.
    #[must_use]
    pub fn status(&self, goal: Goal) -> Option<ExitStatus> {
        let Conclusion::Ended(ending) = &self.conclusion else {
            return None;
        };
        match ending {
            // The link is stored, the last look is still owed: the order is in doubt until the next run.
            Ending::Replaced {
                unconfirmed: Some(_),
                ..
            } => Some(ExitStatus::Unavailable),
            // The signal that ended it says it all.
            Ending::Interrupted { .. } => None,
            Ending::Replaced { .. } | Ending::Retired | Ending::Fenced => None,
            Ending::Unavailable { .. } | Ending::Unknown { .. } => Some(ExitStatus::Unavailable),
            Ending::Moved { verdict, .. } | Ending::PaidMeanwhile { verdict, .. }
                if needs_nobody(*verdict, goal) =>
            {
                None
            }
            Ending::Moved { .. }
            | Ending::PaidMeanwhile { .. }
            | Ending::LostRace
            | Ending::StillLive(_)
            | Ending::Refused { .. } => Some(ExitStatus::Partial),
        }
    }
}

/// As in the plan: what is well, what settles by itself, and what was wanted so. An order that is `dying` at
/// its claim and was left alone is held for its young session.
fn needs_nobody(verdict: Verdict, goal: Goal) -> bool {
    match verdict {
        Verdict::Healthy
        | Verdict::Settled
        | Verdict::OutOfScope
        | Verdict::Processing
        | Verdict::Withdrawn
        | Verdict::Dying => true,
        Verdict::Leaked => goal == Goal::Regen,
        Verdict::Unobserved
        | Verdict::InDoubt
        | Verdict::Missing
        | Verdict::UnknownObject
        | Verdict::Foreign
        | Verdict::Overpaid
        | Verdict::PaidUnrecorded
        | Verdict::Recoverable
        | Verdict::InvalidOrder
        | Verdict::Duplicate
        | Verdict::Unowned
        | Verdict::Wrong
        | Verdict::Dead => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Reason;

    fn status(ending: fn(Verdict, Reason) -> Ending, verdict: Verdict, goal: Goal) -> Option<u8> {
        let outcome = Outcome {
            subject: Subject::Object(CheckoutReference::classify("plink_1")),
            retired: Vec::new(),
            conclusion: Conclusion::Ended(ending(verdict, Reason::Gap("moved".to_owned()))),
        };
        outcome.status(goal).map(ExitStatus::code)
    }

    #[test]
    fn an_order_that_would_have_been_held_without_a_person_needs_none_when_it_moved_there() {
        let moved = |verdict, reason| Ending::Moved { verdict, reason };
        let paid = |verdict, reason| Ending::PaidMeanwhile { verdict, reason };
        for verdict in [Verdict::Processing, Verdict::Withdrawn, Verdict::Dying] {
            assert_eq!(status(moved, verdict, Goal::Regen), None, "{verdict}");
        }
        assert_eq!(status(moved, Verdict::Leaked, Goal::Regen), None);
        assert_eq!(status(moved, Verdict::Leaked, Goal::Mint), Some(3));
        assert_eq!(status(moved, Verdict::Duplicate, Goal::Regen), Some(3));
        assert_eq!(status(paid, Verdict::Processing, Goal::Regen), None);
        assert_eq!(status(paid, Verdict::PaidUnrecorded, Goal::Regen), Some(3));
    }
}
