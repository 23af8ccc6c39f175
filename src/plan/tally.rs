//! What a plan comes to, counted decision by decision: of a million orders it needs no more room than of one.
//!
//! It knows no order but the first that a person can do something about, and decides nothing.

use std::collections::BTreeMap;

use super::advice::advise;
use super::decide::{Action, Decision, Hold, Plan};
use super::verdict::Verdict;
use crate::domain::{Money, OrderId};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub orders: usize,
    verdicts: BTreeMap<Verdict, usize>,
    /// Orders that would get a new link.
    pub replace: usize,
    /// Orders whose objects would be closed with nothing minted.
    pub retire: usize,
    /// Objects that would be closed, those of replaced orders and forced ones included.
    pub objects: usize,
    /// Orders on which an earlier run's operation would be gone on with.
    pub resume: usize,
    pub wait: usize,
    pub need_person: usize,
    /// What would be minted, per currency.
    pub totals: Vec<Money>,
    /// What the links of orders that would be gone on with may ask for, per currency.
    pub resume_totals: Vec<Money>,
    /// The first of [`Plan::for_a_person`].
    first_for_a_person: Option<OrderId>,
    /// The first order for which there is something that a person can type.
    first_advised: Option<OrderId>,
    overpaid: usize,
    /// What would be done beyond the orders.
    beside: usize,
}

impl Tally {
    #[must_use]
    pub fn of(plan: &Plan) -> Tally {
        let mut tally = Tally::default();
        tally.add(plan);
        tally
    }

    /// Counts a plan, or the next page of one.
    pub fn add(&mut self, plan: &Plan) {
        self.objects += plan.paid_links.len() + plan.forced.len();
        self.resume += plan.gone.len();
        self.beside += plan.gone.len() + plan.paid_links.len() + plan.forced.len();
        self.totals = sum(&self.totals, plan.totals());
        self.resume_totals = sum(&self.resume_totals, plan.resumed_totals());
        for decision in &plan.decisions {
            self.count(decision);
        }
    }

    fn count(&mut self, decision: &Decision) {
        self.orders += 1;
        *self.verdicts.entry(decision.verdict).or_default() += 1;
        self.overpaid += usize::from(is_overpaid_alone(decision));
        if self.first_advised.is_none() && advise(decision).is_some() {
            self.first_advised = Some(decision.order.id);
        }
        if self.first_for_a_person.is_none() && needs_person(decision) {
            self.first_for_a_person = Some(decision.order.id);
        }
        match &decision.action {
            Action::Nothing => {}
            Action::Hold(Hold::Waits) => self.wait += 1,
            Action::Hold(Hold::NeedsPerson { .. }) => self.need_person += 1,
            Action::Retire(objects) => {
                self.retire += 1;
                self.objects += objects.len();
            }
            Action::Resume | Action::Conclude => self.resume += 1,
            Action::Replace(objects) => {
                self.replace += 1;
                self.objects += objects.len();
            }
        }
    }

    /// How many orders have this verdict.
    #[must_use]
    pub fn with(&self, verdict: Verdict) -> usize {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// How many orders have each verdict; verdicts that none has are left out.
    #[must_use]
    pub fn counts(&self) -> Vec<(Verdict, usize)> {
        let count = |verdict| (verdict, self.with(verdict));
        let all = Verdict::ALL.into_iter().map(count);
        all.filter(|(_, n)| *n > 0).collect()
    }

    /// As [`Plan::has_work`].
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.beside + self.replace + self.retire + self.resume > 0
    }

    /// Whether a commit would do something for at least as many orders as it would leave to a person.
    #[must_use]
    pub fn is_mostly_work(&self) -> bool {
        self.has_work() && self.replace + self.retire + self.resume >= self.for_a_person()
    }

    /// The order to look at first: one that needs a person, before one that only waits for a command.
    #[must_use]
    pub fn first_to_look_at(&self) -> Option<OrderId> {
        self.first_for_a_person.or(self.first_advised)
    }

    /// As many as [`Plan::for_a_person`] has.
    #[must_use]
    pub fn for_a_person(&self) -> usize {
        self.need_person + self.overpaid
    }
}

fn is_held_for_a_person(decision: &Decision) -> bool {
    matches!(decision.action, Action::Hold(Hold::NeedsPerson { .. }))
}

/// Closing its live object gives nobody money back: a person is needed, whatever else is done.
fn is_overpaid_alone(decision: &Decision) -> bool {
    decision.verdict == Verdict::Overpaid && !is_held_for_a_person(decision)
}

fn needs_person(decision: &Decision) -> bool {
    is_held_for_a_person(decision) || is_overpaid_alone(decision)
}

fn sum(one: &[Money], other: Vec<Money>) -> Vec<Money> {
    Money::totals(one.iter().copied().chain(other))
}
