//! The protocol with one rule broken, driven by `execute` as relink's own is: the model's very mutants, and what they are
//! shown of a look.
//!
//! What a mutant does past the journal is done here straight at Stripe. None of it is known to relink itself.

use std::collections::BTreeSet;

use relink::domain::{
    CheckoutReference, Family, LinkId, Listing, Session, SessionState, StripeObject,
};
use relink::saga::{Look, Minted, Next, Observed, Operation, State, step};
use relink::sandbox::double::Double;
use relink::stripe::Outgoing;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::model::Mutant;
use crate::support::world::KEY;

/// `step` as the mutant has it.
pub fn broken_step(mutant: Mutant, operation: Operation, observed: Observed) -> (Operation, Next) {
    if let Some(moved) = mutant.before(&operation, &observed) {
        return with_next(moved);
    }
    let observed = match mutant.observed(observed) {
        Observed::Looked(mut look) => {
            show(mutant, &operation, &mut look);
            Observed::Looked(look)
        }
        Observed::Published if mutant == Mutant::StoredIsLost => Observed::RowMoved,
        observed => observed,
    };
    let shown = match &observed {
        Observed::Looked(look) => Some(look.clone()),
        _ => None,
    };
    let (moved, _) = step(operation.clone(), observed);
    with_next(mutant.after(&operation, moved, shown.as_deref()))
}

/// The link that this mutant closes once it is fenced out.
pub fn undone(mutant: Mutant, operation: &Operation, observed: &Observed) -> Option<LinkId> {
    let is_due = mutant == Mutant::FencedUndoes && *observed == Observed::Fenced;
    let minted = operation.minted.as_ref().filter(|_| is_due)?;
    Some(minted.id.clone())
}

/// The state says what comes next, as the model checks of every step.
fn with_next(operation: Operation) -> (Operation, Next) {
    let next = match &operation.state {
        State::Retiring { queue, .. } => match queue.first() {
            Some(write) => Next::Send {
                write: write.clone(),
                round: operation.rounds,
            },
            None => Next::Look,
        },
        State::Minting => Next::Mint {
            attempt: operation.attempt,
        },
        State::Seeking => Next::Seek,
        State::Publishing => match operation.minted.clone() {
            Some(minted) => Next::Publish(minted),
            None => Next::Look,
        },
        State::Ended(ending) => Next::End(ending.clone()),
        State::Claimed | State::Doubting | State::Examining | State::Confirming => Next::Look,
    };
    (operation, next)
}

/// Changes what a look shows to this mutant.
fn show(mutant: Mutant, operation: &Operation, look: &mut Look) {
    let own = operation.minted.as_ref();
    let is_examined = operation.state == State::Examining;
    let shut = links_shut_by(operation);
    for object in &mut look.objects {
        match mutant {
            Mutant::SessionsLeftOpen | Mutant::ListedBeforeClosing => expire_of(&shut, object),
            Mutant::MissingIsDead if is_refused(operation, object) => bury(object),
            Mutant::MintFirst | Mutant::NoSecondScan if is_examined && !is_of(own, object) => {
                bury(object);
            }
            _ => {}
        }
    }
}

/// What the run, or the one before it, was told that it switched off.
fn links_shut_by(operation: &Operation) -> BTreeSet<LinkId> {
    let links = operation.retired.iter();
    let links = links.filter_map(|reference| match reference {
        CheckoutReference::Link(id) => Some(id.clone()),
        _ => None,
    });
    links.collect()
}

/// Its write was sent, and Stripe did not say that it was done.
fn is_refused(operation: &Operation, object: &StripeObject) -> bool {
    let State::Retiring { targets, queue, .. } = &operation.state else {
        return false;
    };
    let reference = object.reference();
    let is_target = operation.rounds > 0 && targets.contains(&reference) && queue.is_empty();
    is_target && !operation.retired.contains(&reference)
}

fn is_of(own: Option<&Minted>, object: &StripeObject) -> bool {
    let link = match object {
        StripeObject::Link(family) => Some(&family.link.id),
        StripeObject::Session(session) => session.link.as_ref(),
    };
    link.is_some() && own.map(|minted| &minted.id) == link
}

fn expire_of(links: &BTreeSet<LinkId>, object: &mut StripeObject) {
    match object {
        StripeObject::Link(family) if links.contains(&family.link.id) => expire_all(family),
        StripeObject::Session(session)
            if session.link.as_ref().is_some_and(|l| links.contains(l)) =>
        {
            expire(session);
        }
        _ => {}
    }
}

fn bury(object: &mut StripeObject) {
    match object {
        StripeObject::Link(family) => {
            family.link.active = false;
            expire_all(family);
        }
        StripeObject::Session(session) => expire(session),
    }
}

fn expire_all(family: &mut Family) {
    if let Listing::Complete(sessions) = &mut family.sessions {
        sessions.iter_mut().for_each(expire);
    }
}

fn expire(session: &mut Session) {
    if session.state == SessionState::Open {
        session.state = SessionState::Expired;
    }
}

/// Closes an active link past the journal.
pub async fn undo_link(double: &Double, link: &str) {
    let mut headers = HeaderMap::new();
    let key = HeaderValue::try_from(format!("Bearer {KEY}")).unwrap();
    headers.insert(AUTHORIZATION, key);
    let target = format!("/v1/payment_links/{link}");
    let closed = double.call("POST", &target, headers, "active=false".to_owned());
    assert!(closed.await.is_some(), "{link} was not closed");
}

/// The other active links of the order whose object this request closes.
pub fn wildcard(double: &Double, request: &Outgoing) -> Vec<String> {
    let closes = request.method == "POST" && request.target != "/v1/payment_links";
    let Some(target) = request.target.split('/').nth(3).filter(|_| closes) else {
        return Vec::new();
    };
    let objects = double.objects();
    let all = objects.as_array().unwrap();
    let of = |object: &serde_json::Value| object["metadata"]["order_id"].clone();
    let Some(order) = all.iter().find(|o| o["id"] == target).map(of) else {
        return Vec::new();
    };
    let others = all.iter().filter(|o| o["active"] == true && of(o) == order);
    let ids = others.filter_map(|o| o["id"].as_str());
    let links = ids.filter(|id| id.starts_with("plink_") && *id != target);
    links.map(str::to_owned).collect()
}
