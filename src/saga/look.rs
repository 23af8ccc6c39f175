//! What a look at an order shows, read for the questions that the protocol asks of it.
//!
//! Nothing here decides what to do next. What a look does not show is never taken for dead.

use std::collections::BTreeSet;

use super::operation::{Ending, Minted, Operation, Write};
use crate::domain::{
    CheckoutReference, Family, Order, OrderFacts, OrderId, OrderStatus, Session, SessionState,
    StripeObject,
};
use crate::plan::{self, Decision, Moment, Policy, Reason, Verdict, decide_order};

/// Everything about the order, read anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// `None` for objects that are retired without an order.
    pub decision: Option<Decision>,
    /// Every object of the order that could be found; the new link among them, once there is one.
    pub objects: Vec<StripeObject>,
}

impl Look {
    /// What names another order is not looked at: neither its state nor its money is this order's.
    #[must_use]
    pub fn at_order(facts: &OrderFacts, moment: Moment, policy: &Policy) -> Self {
        let order = facts.order.id;
        let objects = plan::objects(facts).filter(|object| !is_of_another(object, order));
        Look {
            decision: Some(decide_order(facts, moment, policy)),
            objects: objects.cloned().collect(),
        }
    }

    /// At an order without a row, by what named it when it was listed. The same is not looked at.
    #[must_use]
    pub fn without_row(order: OrderId, mut objects: Vec<StripeObject>) -> Self {
        objects.retain(|object| !is_of_another(object, order));
        Look {
            decision: None,
            objects,
        }
    }

    /// What the row holds now.
    pub(super) fn held(&self) -> Option<&CheckoutReference> {
        self.row().and_then(|row| row.reference.as_ref())
    }

    pub(super) fn row(&self) -> Option<&Order> {
        self.decision.as_ref().map(|decision| &*decision.order)
    }
}

fn is_of_another(object: &StripeObject, order: OrderId) -> bool {
    object.owner().order().is_some_and(|named| named != order)
}

/// The row is gone, is not in scope any more, or is not the one that was approved.
pub(super) fn row_moved(operation: &Operation, look: &Look) -> bool {
    let in_scope = |decision: &&Decision| decision.verdict != Verdict::OutOfScope;
    let decision = look.decision.as_ref().filter(in_scope);
    decision.is_none_or(|Decision { order: row, .. }| {
        row.reference != operation.expected.reference || row.amount != operation.expected.amount
    })
}

/// Why nothing new may be payable any more: money was taken or is on its way outside the link that we published, or the
/// row left `pending`. Where the row says that it is paid, the money that was taken is no news, unless it is too much.
pub(super) fn over(look: &Look, published: Option<&Minted>) -> Option<Ending> {
    let is_recorded = look.decision.as_ref().is_some_and(|decision| {
        let status = &decision.order.status;
        matches!(status, OrderStatus::Paid | OrderStatus::Refunded)
            && decision.verdict != Verdict::Overpaid
    });
    if is_recorded {
        return settled(look);
    }
    money_taken(look, published).or_else(|| settled(look))
}

/// The row was settled or otherwise left `pending` while we worked.
fn settled(look: &Look) -> Option<Ending> {
    let row = look.row()?;
    if row.status == OrderStatus::Pending {
        return None;
    }
    Some(Ending::Moved {
        verdict: Verdict::Settled,
        reason: Reason::Settled(row.status.clone()),
    })
}

/// A recovery URL that the operator did not accept.
pub(super) fn recoverable(look: &Look) -> Option<Ending> {
    let decision = look.decision.as_ref()?;
    (decision.verdict == Verdict::Recoverable).then(|| Ending::Moved {
        verdict: decision.verdict,
        reason: decision.reason.clone(),
    })
}

/// A complete session outside the link that we published ourselves: paid, or a payment on its way.
pub(super) fn money_taken(look: &Look, published: Option<&Minted>) -> Option<Ending> {
    let verdict_of = |session: &Session| match session.state {
        SessionState::Paid(_) => Some((
            Verdict::PaidUnrecorded,
            Reason::PaidSession(session.id.clone()),
        )),
        SessionState::Processing => Some((
            Verdict::Processing,
            Reason::PaymentInFlight(session.id.clone()),
        )),
        _ => None,
    };
    look.objects
        .iter()
        .flat_map(StripeObject::sessions)
        .filter(|s| published.is_none_or(|minted| s.link.as_ref() != Some(&minted.id)))
        .find_map(verdict_of)
        .map(|(verdict, reason)| Ending::PaidMeanwhile { verdict, reason })
}

/// Why the look proves nothing.
pub(super) fn unread(operation: &Operation, look: &Look) -> Option<String> {
    if let Some(decision) = &look.decision
        && decision.verdict == Verdict::Unobserved
    {
        return Some(decision.reason.to_string());
    }
    let shown: BTreeSet<_> = look.objects.iter().map(StripeObject::reference).collect();
    if let Some(missing) = operation.watched.difference(&shown).next() {
        return Some(format!("{missing} was not shown"));
    }
    let gap = look.objects.iter().find_map(plan::unread_object);
    gap.map(|reason| reason.to_string())
}

pub(super) fn shows_all(look: &Look, targets: &[CheckoutReference]) -> bool {
    let shown: BTreeSet<_> = look.objects.iter().map(StripeObject::reference).collect();
    targets.iter().all(|target| shown.contains(target))
}

pub(super) fn find_family<'a>(look: &'a Look, minted: &Minted) -> Option<&'a Family> {
    look.objects.iter().find_map(|object| match object {
        StripeObject::Link(family) if family.link.id == minted.id => Some(family),
        _ => None,
    })
}

/// The link that carries this key, active or not, an active one first.
pub(super) fn find_minted(look: &Look, relink_key: Option<&str>) -> Option<Minted> {
    let relink_key = relink_key?;
    let mut carrying: Vec<&Family> = look
        .objects
        .iter()
        .filter_map(|object| match object {
            StripeObject::Link(family) => Some(family),
            StripeObject::Session(_) => None,
        })
        .filter(|family| family.link.relink_key.as_deref() == Some(relink_key))
        .collect();
    carrying.sort_by_key(|family| (!family.link.active, family.link.id.clone()));
    let link = &carrying.first()?.link;
    Some(Minted {
        id: link.id.clone(),
        url: link.url.clone(),
    })
}

pub(super) fn live(objects: &[StripeObject]) -> Vec<CheckoutReference> {
    let live = objects.iter().filter(|object| object.is_live());
    live.map(StripeObject::reference).collect()
}

/// Everything but `own` and the sessions that `own` opened.
pub(super) fn without(
    mut live: Vec<CheckoutReference>,
    own: &CheckoutReference,
    look: &Look,
) -> Vec<CheckoutReference> {
    let of_own = |reference: &CheckoutReference| {
        look.objects.iter().any(|object| match object {
            StripeObject::Session(session) => {
                object.reference() == *reference
                    && session.link.as_ref().map(|link| link.as_str()) == Some(own.as_str())
            }
            StripeObject::Link(_) => false,
        })
    };
    live.retain(|reference| reference != own && !of_own(reference));
    live
}

/// The writes that the targets still need: active links first and alone; then, once every link is shut,
/// each open session, whether it is a target itself or was opened by one.
pub(super) fn writes_for(objects: &[StripeObject], targets: &[CheckoutReference]) -> Vec<Write> {
    let targeted = |object: &&StripeObject| targets.contains(&object.reference());
    let links: Vec<Write> = objects
        .iter()
        .filter(targeted)
        .filter_map(|object| match object {
            StripeObject::Link(family) if family.link.active => {
                Some(Write::Deactivate(family.link.id.clone()))
            }
            _ => None,
        })
        .collect();
    if !links.is_empty() {
        return links;
    }
    let open: BTreeSet<_> = objects
        .iter()
        .filter(targeted)
        .flat_map(StripeObject::sessions)
        .filter(|session| session.state == SessionState::Open)
        .map(|session| session.id.clone())
        .collect();
    open.into_iter().map(Write::Expire).collect()
}
