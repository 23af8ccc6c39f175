//! What the facts of an order show, in the words of the rules: its objects, sessions and payments, each once.
//!
//! It judges nothing, and asks for memory only where there is something to tell.

use std::collections::BTreeSet;

use crate::domain::{
    CheckoutReference, Family, Listing, OrderFacts, OrderStatus, Owner, Payment, Reading, Session,
    SessionState, Stored, StripeObject,
};

/// The row's own object, when Stripe showed it.
pub(super) fn stored_object(facts: &OrderFacts) -> Option<&StripeObject> {
    match &facts.stored {
        Stored::Read(_, reading) => match &**reading {
            Reading::Seen(object) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

/// An object that names another order is not this order's, whoever put it among the facts.
fn other_objects(facts: &OrderFacts) -> impl Iterator<Item = &StripeObject> {
    let others: &[StripeObject] = match &facts.others {
        Listing::Complete(objects) => objects,
        Listing::Unfinished(_) => &[],
    };
    let id = facts.order.id;
    others.iter().filter(move |object| match object.owner() {
        Owner::Order(named) => *named == id,
        Owner::Nobody => true,
        Owner::Unreadable(_) => false,
    })
}

/// The stored object first, then the others.
pub fn objects(facts: &OrderFacts) -> impl Iterator<Item = &StripeObject> {
    stored_object(facts).into_iter().chain(other_objects(facts))
}

pub(super) fn families(facts: &OrderFacts) -> impl Iterator<Item = &Family> {
    objects(facts).filter_map(|object| match object {
        StripeObject::Link(family) => Some(family),
        StripeObject::Session(_) => None,
    })
}

/// Every session of the order, each once, though a session may be seen by itself and in its link's list.
pub fn sessions(facts: &OrderFacts) -> impl Iterator<Item = &Session> {
    let all = || objects(facts).flat_map(StripeObject::sessions);
    let is_alone = all().nth(1).is_none();
    let mut seen = BTreeSet::new();
    all().filter(move |session| is_alone || seen.insert(&session.id))
}

/// What can be paid for this order: active links, links with open sessions, and open sessions that belong
/// to none of these links. Each once, the row's own first.
#[must_use]
pub fn live_objects(facts: &OrderFacts) -> Vec<CheckoutReference> {
    references(&live(facts))
}

pub(super) fn references(objects: &[&StripeObject]) -> Vec<CheckoutReference> {
    objects.iter().map(|object| object.reference()).collect()
}

pub(super) fn live(facts: &OrderFacts) -> Vec<&StripeObject> {
    let stored = stored_object(facts);
    let mut live: Vec<&StripeObject> = Vec::new();
    for object in objects(facts).filter(|object| object.is_live()) {
        let is_own = stored.is_some_and(|stored| is_same(stored, object));
        let is_within_a_link = match object {
            StripeObject::Session(session) => session
                .link
                .as_ref()
                .is_some_and(|link| families(facts).any(|family| family.link.id == *link)),
            StripeObject::Link(_) => false,
        };
        let is_known = live.iter().any(|known| is_same(known, object));
        if (is_own || !is_within_a_link) && !is_known {
            live.push(object);
        }
    }
    live
}

/// By their ids.
pub(super) fn is_same(one: &StripeObject, other: &StripeObject) -> bool {
    match (one, other) {
        (StripeObject::Session(one), StripeObject::Session(other)) => one.id == other.id,
        (StripeObject::Link(one), StripeObject::Link(other)) => one.link.id == other.link.id,
        _ => false,
    }
}

pub fn open_sessions(object: &StripeObject) -> impl Iterator<Item = &Session> {
    let open = |s: &&Session| s.state == SessionState::Open;
    object.sessions().iter().filter(open)
}

/// Every distinct payment that Stripe shows for the order, by payment intent (else by session), first seen
/// first; and the row's own intent, when the row says paid and Stripe's listing did not show it.
#[must_use]
pub fn payments(facts: &OrderFacts) -> Vec<(String, Payment)> {
    let mut found: Vec<(String, Payment)> = Vec::new();
    if facts.order.status == OrderStatus::Paid
        && let Some(intent) = &facts.order.payment_intent
    {
        let recorded = Payment {
            intent: Some(intent.clone()),
            amount: facts.order.amount,
            returned: facts.recorded_returned,
        };
        found.push((intent.to_string(), recorded));
    }
    let paid = sessions(facts).filter_map(|session| match &session.state {
        SessionState::Paid(payment) => Some((session, payment)),
        _ => None,
    });
    let mut oldest_first: Vec<(&Session, &Payment)> = paid.collect();
    oldest_first
        .sort_by(|(one, _), (other, _)| (one.created, &one.id).cmp(&(other.created, &other.id)));
    for (session, payment) in oldest_first {
        let name = match &payment.intent {
            Some(intent) => intent.as_str(),
            None => session.id.as_str(),
        };
        match found.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = payment.clone(),
            None => found.push((name.to_owned(), payment.clone())),
        }
    }
    found
}
