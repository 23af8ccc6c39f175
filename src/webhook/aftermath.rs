//! What events would leave behind, were they taken in one after the other: the facts as the database has them, and what
//! each earlier event would have changed about them. For whoever foresees several events and writes none.
//!
//! It follows `store/receiver/apply.rs`: what is written there is added here.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{Decision, Ruling, Settlement};
use super::event::{Event, EventId, Happened, SessionFacts};
use super::handler::Facts;
use super::payment::KnownPayment;
use crate::domain::{LinkId, OrderId, OrderStatus, PaymentIntentId};

#[derive(Clone, Debug, Default)]
pub struct Aftermath {
    rulings: BTreeMap<EventId, Ruling>,
    settled: BTreeMap<OrderId, Settlement>,
    /// The one written last is the last one, as the database has them.
    payments: Vec<KnownPayment>,
    /// That were asked to be closed.
    links: BTreeSet<LinkId>,
}

impl Aftermath {
    /// The event is taken in, and this follows.
    pub fn add(&mut self, event: &Event, decision: &Decision) {
        // Nothing is written of it, so that it is never known again.
        if decision.ruling == Ruling::Acknowledged {
            return;
        }
        self.rulings.insert(event.id.clone(), decision.ruling);
        if let Some(settled) = &decision.settle {
            self.settled.insert(settled.order, settled.clone());
        }
        if let Some(payment) = &decision.payment {
            replace(&mut self.payments, payment);
        }
        self.links.extend(decision.retire.iter().cloned());
    }

    /// How this very event was ruled.
    #[must_use]
    pub fn ruling(&self, event: &EventId) -> Option<Ruling> {
        self.rulings.get(event).copied()
    }

    #[must_use]
    pub fn has_asked(&self, link: &LinkId) -> bool {
        self.links.contains(link)
    }

    /// What the database will know for this event by then, where it knows `facts` now.
    #[must_use]
    pub fn facts(&self, event: &Event, mut facts: Facts) -> Facts {
        let (Happened::Session(_, session), Some(row)) = (&event.what, &mut facts.row) else {
            return facts;
        };
        if let Some(settled) = self.settled.get(&row.id) {
            row.status = OrderStatus::Paid;
            let intent = settled.intent.as_ref().map(PaymentIntentId::to_string);
            row.payment_intent = intent.or(row.payment_intent.take());
        }
        for payment in &self.payments {
            if payment.order == row.id {
                replace(&mut facts.payments, payment);
            } else if is_of(payment, session) {
                facts.claimed_by = facts.claimed_by.or(Some(payment.order));
            }
        }
        facts
    }
}

/// One per session.
fn replace(payments: &mut Vec<KnownPayment>, news: &KnownPayment) {
    payments.retain(|known| known.session != news.session);
    payments.push(news.clone());
}

fn is_of(payment: &KnownPayment, session: &SessionFacts) -> bool {
    let same_intent = payment.intent.is_some() && payment.intent == session.intent;
    payment.session == session.id || same_intent
}
