//! What a commit of a plan would ask of Stripe, counted before anything is asked: calls by endpoint, as the saga makes them
//! when nothing comes in between. What turns up meanwhile adds to it, and so does keeping the index current.
//!
//! Pure: it knows neither a clock nor a limit.

use super::{Action, Decision, Goal, Plan};
use crate::domain::{CheckoutReference, OrderStatus};

/// Calls to Stripe, by endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    session_reads: u64,
    link_reads: u64,
    page_listings: u64,
    mints: u64,
    deactivations: u64,
    expiries: u64,
}

impl Cost {
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.session_reads + self.link_reads + self.page_listings
    }

    #[must_use]
    pub fn writes(&self) -> u64 {
        self.mints + self.deactivations + self.expiries
    }

    /// Calls to the endpoint that is called most.
    #[must_use]
    pub fn busiest(&self) -> u64 {
        let all = [
            self.session_reads,
            self.link_reads,
            self.page_listings,
            self.mints,
            self.deactivations,
            self.expiries,
        ];
        all.into_iter().max().unwrap_or(0)
    }

    /// One reading of an object, so many times.
    fn read(&mut self, object: &CheckoutReference, times: u64) {
        match object {
            CheckoutReference::Session(_) => self.session_reads += times,
            CheckoutReference::Link(_) => {
                self.link_reads += times;
                self.page_listings += times;
            }
            CheckoutReference::Other(_) => {}
        }
    }

    /// Closing it, and the readings that prove it: once before a mint, and of a link once more before and after the
    /// publication.
    fn close(&mut self, object: &CheckoutReference, is_replaced: bool) {
        match object {
            CheckoutReference::Session(_) => {
                self.expiries += 1;
                self.read(object, 1);
            }
            CheckoutReference::Link(_) => {
                self.deactivations += 1;
                self.read(object, if is_replaced { 3 } else { 1 });
            }
            CheckoutReference::Other(_) => {}
        }
    }

    /// A link that was dead already is looked at by itself before the publication.
    fn look_again(&mut self, object: &CheckoutReference) {
        if let CheckoutReference::Link(_) = object {
            self.link_reads += 1;
        }
    }

    fn mint(&mut self) {
        self.mints += 1;
        self.link_reads += 1;
    }

    fn add(&mut self, decision: &Decision, goal: Goal) {
        let own = decision.order.reference.as_ref();
        let (closed, is_replaced) = match &decision.action {
            Action::Nothing | Action::Hold(_) => return,
            Action::Retire(objects) => (objects.as_slice(), false),
            Action::Replace(objects) => (objects.as_slice(), true),
            Action::Resume | Action::Conclude => (&[][..], mints(decision, goal)),
        };
        let beside = closed.iter().filter(|object| Some(*object) != own);
        for object in own.into_iter().chain(beside) {
            self.read(object, 1);
        }
        for object in closed {
            self.close(object, is_replaced);
        }
        if is_replaced {
            let dead = own.filter(|own| !closed.contains(own));
            dead.into_iter().for_each(|own| self.look_again(own));
            self.mint();
        }
    }
}

fn mints(decision: &Decision, goal: Goal) -> bool {
    let is_pending = decision.order.status == OrderStatus::Pending;
    is_pending && matches!(goal, Goal::Regen | Goal::Mint)
}

impl Plan {
    /// What a commit would ask of Stripe.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        for decision in &self.decisions {
            cost.add(decision, self.goal());
        }
        let links = self.paid_links.iter().cloned().map(CheckoutReference::Link);
        for object in links.chain(self.forced.iter().cloned()) {
            cost.read(&object, 1);
            cost.close(&object, false);
        }
        cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LinkId, SessionId};

    fn session(id: &str) -> CheckoutReference {
        CheckoutReference::Session(SessionId::parse(id).unwrap_or_else(|e| panic!("{e}")))
    }

    fn link(id: &str) -> CheckoutReference {
        CheckoutReference::Link(LinkId::parse(id).unwrap_or_else(|e| panic!("{e}")))
    }

    /// As `tests/it/many_orders.rs` counts them at Stripe.
    #[test]
    fn an_order_costs_what_a_commit_was_seen_to_ask() {
        let counted = |object: &CheckoutReference, is_closed: bool| {
            let mut cost = Cost::default();
            cost.read(object, 1);
            match is_closed {
                true => cost.close(object, true),
                false => cost.look_again(object),
            }
            cost.mint();
            (cost.reads(), cost.writes(), cost.busiest())
        };
        assert_eq!(counted(&session("cs_test_1"), false), (2, 1, 1));
        assert_eq!(counted(&session("cs_test_1"), true), (3, 2, 2));
        assert_eq!(counted(&link("plink_1"), false), (4, 1, 3));
        assert_eq!(counted(&link("plink_1"), true), (9, 2, 5));
    }
}
