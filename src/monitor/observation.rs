//! The orders as a run found them, and as it left them, counted: of a million it needs little more room than of one.
//!
//! It keeps no names and no addresses, and only of those orders each by itself that the run itself may change.

use std::collections::BTreeMap;

use crate::domain::{Currency, Money, OrderId, Timestamp};
use crate::plan::{Decision, Goal, Plan, StoredState, Verdict};
use crate::report::{Conclusion, Report, Subject};
use crate::saga::Ending;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watched {
    verdict: Verdict,
    amount: Option<Money>,
    created_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Stripe's clock.
    pub taken_at: Timestamp,
    currency: Currency,
    verdicts: BTreeMap<Verdict, usize>,
    /// What the stranded orders ask for, in minor units.
    amounts: BTreeMap<Currency, i64>,
    /// When the oldest stranded order was made.
    oldest: Option<Timestamp>,
    changeable: BTreeMap<OrderId, Watched>,
}

impl Observation {
    #[must_use]
    pub fn new(taken_at: Timestamp, currency: Currency) -> Self {
        Observation {
            taken_at,
            currency,
            verdicts: BTreeMap::new(),
            amounts: BTreeMap::new(),
            oldest: None,
            changeable: BTreeMap::new(),
        }
    }

    /// Counts the orders of a plan, or of the next page of one.
    pub fn add(&mut self, plan: &Plan) {
        for decision in &plan.decisions {
            self.count(Watched::of(decision));
        }
    }

    /// Keeps the orders of a plan that was counted, for [`Observation::conclude`].
    pub fn keep(&mut self, plan: &Plan) {
        let all = plan.decisions.iter();
        let watched = all.map(|decision| (decision.order.id, Watched::of(decision)));
        self.changeable.extend(watched);
    }

    /// No order at all could be read.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        let unread = self.with(Verdict::Unobserved);
        let all: usize = self.verdicts.values().sum();
        unread > 0 && unread == all - self.with(Verdict::OutOfScope)
    }

    /// Else a run that gave everybody a link would leave the alarm on that it was started for.
    pub fn conclude(&mut self, report: &Report) {
        for outcome in &report.outcomes {
            let Subject::Order(order) = &outcome.subject else {
                continue;
            };
            let decision = report.plan.decision(order.id);
            let (Some(decision), Some(&before)) = (decision, self.changeable.get(&order.id)) else {
                continue;
            };
            let verdict = verdict_after(decision, &outcome.conclusion, report.plan.goal());
            let after = Watched { verdict, ..before };
            self.uncount(before);
            self.count(after);
            self.changeable.insert(order.id, after);
        }
        // All are kept where anything is concluded.
        let stranded = self.changeable.values().filter(|w| is_stranded(w.verdict));
        self.oldest = stranded.filter_map(|w| w.created_at).min();
    }

    #[must_use]
    pub fn with(&self, verdict: Verdict) -> usize {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    #[must_use]
    pub fn stranded(&self) -> usize {
        let all = self.verdicts.iter();
        let stranded = all.filter(|(verdict, _)| is_stranded(**verdict));
        stranded.map(|(_, number)| number).sum()
    }

    /// A zero in the currency that the orders are in, rather than nothing.
    #[must_use]
    pub fn stranded_amounts(&self) -> Vec<Money> {
        let none = Money::new(0, self.currency);
        let sums = self.amounts.iter().filter(|(_, minor)| **minor != 0);
        let sums = sums.map(|(currency, minor)| Money::new(*minor, *currency));
        Money::totals(sums.chain([none]))
    }

    /// Seconds; zero without one.
    #[must_use]
    pub fn oldest_stranded(&self) -> i64 {
        let age = self
            .oldest
            .map(|created| self.taken_at.seconds_since(created));
        age.unwrap_or(0).max(0)
    }

    fn count(&mut self, order: Watched) {
        *self.verdicts.entry(order.verdict).or_default() += 1;
        if !is_stranded(order.verdict) {
            return;
        }
        if let Some(amount) = order.amount {
            let sum = self.amounts.entry(amount.currency).or_default();
            *sum = sum.saturating_add(amount.minor);
        }
        if let Some(created) = order.created_at {
            self.oldest = Some(self.oldest.map_or(created, |oldest| oldest.min(created)));
        }
    }

    fn uncount(&mut self, order: Watched) {
        if let Some(number) = self.verdicts.get_mut(&order.verdict) {
            *number = number.saturating_sub(1);
        }
        if !is_stranded(order.verdict) {
            return;
        }
        if let Some(amount) = order.amount
            && let Some(sum) = self.amounts.get_mut(&amount.currency)
        {
            *sum = sum.saturating_sub(amount.minor);
        }
    }
}

impl Watched {
    fn of(decision: &Decision) -> Self {
        Watched {
            verdict: decision.verdict,
            amount: decision.order.amount,
            created_at: decision.order.created_at,
        }
    }
}

/// The URL that the parent has is dead, will be within a day, or is not this order's.
///
/// `unowned` and `duplicate` can be paid, `withdrawn` is so on purpose; of `in_doubt`, `unobserved` and
/// `invalid_order` nobody knows.
pub(super) fn is_stranded(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Dead
        | Verdict::Dying
        | Verdict::Wrong
        | Verdict::Missing
        | Verdict::UnknownObject
        | Verdict::Foreign
        | Verdict::Recoverable => true,
        Verdict::OutOfScope
        | Verdict::Unobserved
        | Verdict::InDoubt
        | Verdict::Overpaid
        | Verdict::PaidUnrecorded
        | Verdict::Processing
        | Verdict::Leaked
        | Verdict::Settled
        | Verdict::InvalidOrder
        | Verdict::Duplicate
        | Verdict::Unowned
        | Verdict::Withdrawn
        | Verdict::Healthy => false,
    }
}

/// As far as the run knows; the next one looks.
fn verdict_after(decision: &Decision, conclusion: &Conclusion, goal: Goal) -> Verdict {
    let Conclusion::Ended(ending) = conclusion else {
        return decision.verdict;
    };
    match ending {
        Ending::Replaced {
            unconfirmed: None, ..
        } => Verdict::Healthy,
        Ending::Replaced { .. } | Ending::Unknown { .. } | Ending::Interrupted { .. } => {
            Verdict::InDoubt
        }
        Ending::Retired => verdict_after_closing(decision, goal),
        Ending::Moved { verdict, .. } | Ending::PaidMeanwhile { verdict, .. } => *verdict,
        Ending::LostRace
        | Ending::StillLive(_)
        | Ending::Refused { .. }
        | Ending::Unavailable { .. }
        | Ending::Fenced => decision.verdict,
    }
}

/// Closing gives no money back, and of two live objects leaves the row's own, if that is one.
fn verdict_after_closing(decision: &Decision, goal: Goal) -> Verdict {
    match (decision.verdict, goal) {
        (Verdict::Leaked, _) => Verdict::Settled,
        (Verdict::Healthy | Verdict::Dying, Goal::RetirePending | Goal::Undo)
        | (Verdict::Dead, Goal::Undo) => Verdict::Withdrawn,
        (Verdict::Duplicate, Goal::Regen | Goal::Retire) => match decision.stored {
            StoredState::LinkActive => Verdict::Healthy,
            StoredState::SessionOpen => Verdict::Dying,
            _ => Verdict::Dead,
        },
        (other, _) => other,
    }
}
