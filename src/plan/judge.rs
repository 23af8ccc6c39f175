//! The verdict of one order: the design's table, top to bottom, first match.
//!
//! Never guesses. What could not be read is `unobserved` before anything else is concluded from it, and
//! money that Stripe took is looked for before anything is called dead.

use super::objects::{
    families, live, open_sessions, payments, references, sessions, stored_object,
};
use super::{Policy, Reason, Release, Verdict};
use crate::domain::{
    CheckoutReference, Family, Listing, Money, Order, OrderFacts, OrderId, OrderStatus, Owner,
    Payment, PaymentLink, Reading, Session, SessionId, SessionState, Snapshot, Stored,
    StripeObject, Timestamp, Witness,
};

/// A verdict, why, and the flags that were needed to get past an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub reason: Reason,
    pub released: Vec<Release>,
}

/// What a judgement takes from the snapshot besides the order's own facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub taken_at: Timestamp,
    pub witness: Witness,
}

impl From<&Snapshot> for Moment {
    fn from(snapshot: &Snapshot) -> Self {
        Moment {
            taken_at: snapshot.taken_at,
            witness: snapshot.witness,
        }
    }
}

/// Total: every order gets exactly one verdict, whatever its facts.
#[must_use]
pub fn judge(facts: &OrderFacts, moment: Moment, policy: &Policy) -> Judgement {
    let mut released = Vec::new();
    let (verdict, reason) = first_match(facts, moment, policy, &mut released);
    Judgement {
        verdict,
        reason,
        released,
    }
}

fn first_match(
    facts: &OrderFacts,
    moment: Moment,
    policy: &Policy,
    released: &mut Vec<Release>,
) -> (Verdict, Reason) {
    let order = &facts.order;
    let settled = order.status.is_settled();
    if let Some(category) = order.category_outside(&policy.scope) {
        let category = category.to_owned();
        // It was in scope when an open operation was begun: what is half done is not left so.
        return match (&facts.journal.open, unread(facts)) {
            (None, _) => (Verdict::OutOfScope, Reason::Category(category)),
            (Some(_), Some(reason)) if facts.stored != Stored::Skipped => {
                (Verdict::Unobserved, reason)
            }
            (Some(open), _) => (Verdict::InDoubt, Reason::OpenOperation(open.clone())),
        };
    }
    if let Some(reason) = unread(facts) {
        return (Verdict::Unobserved, reason);
    }
    if let Some(open) = &facts.journal.open {
        return (Verdict::InDoubt, Reason::OpenOperation(open.clone()));
    }
    if let Stored::Read(reference, reading) = &facts.stored
        && **reading == Reading::NoSuchObject
    {
        // A wrong account answers 404 to everything: without a witness a 404 proves nothing.
        let given = policy.releases(Release::MissingIsDead, order.id);
        if !given || moment.witness == Witness::Absent {
            return (Verdict::Missing, Reason::NoSuchObject(reference.clone()));
        }
        released.push(Release::MissingIsDead);
    }
    if let Stored::Unknown(text) = &facts.stored {
        return (Verdict::UnknownObject, Reason::UnknownPrefix(text.clone()));
    }
    match stored_object(facts).map(StripeObject::owner) {
        Some(Owner::Order(other)) if *other != order.id => {
            let given = policy.releases(Release::OverForeign, order.id);
            if !given || stored_object(facts).is_some_and(|object| concerns(object, order.id)) {
                return (Verdict::Foreign, Reason::NamesOrder(*other));
            }
            // It is somebody else's, payments and all: this order is judged as if its row named nothing.
            released.push(Release::OverForeign);
            let without = OrderFacts {
                stored: Stored::Nothing,
                ..facts.clone()
            };
            return first_match(&without, moment, policy, released);
        }
        Some(Owner::Unreadable(text)) => {
            return (Verdict::Foreign, Reason::NamesUnreadableOrder(text.clone()));
        }
        _ => {}
    }
    if let Some(reason) = overpaid(facts) {
        return (Verdict::Overpaid, reason);
    }
    if !settled && let Some(reason) = paid_unrecorded(facts) {
        return (Verdict::PaidUnrecorded, reason);
    }
    if let Some(session) = sessions(facts).find(|s| s.state == SessionState::Processing) {
        return (
            Verdict::Processing,
            Reason::PaymentInFlight(session.id.clone()),
        );
    }
    if let Some(reason) = recoverable(facts, moment.taken_at) {
        if !policy.releases(Release::AcceptRecoveryUrl, order.id) {
            return (Verdict::Recoverable, reason);
        }
        released.push(Release::AcceptRecoveryUrl);
    }
    let live = live(facts);
    if settled {
        let status = order.status.clone();
        return if live.is_empty() {
            (Verdict::Settled, Reason::Settled(status))
        } else {
            let live = references(&live);
            (Verdict::Leaked, Reason::LiveWhileSettled { status, live })
        };
    }
    if let Some(reason) = invalid(order) {
        return (Verdict::InvalidOrder, reason);
    }
    let own = stored_object(facts).filter(|object| object.is_live());
    let mut others = Vec::new();
    if live.len() > usize::from(own.is_some()) {
        let held = own.map(StripeObject::reference);
        others = references(&live);
        others.retain(|object| Some(object) != held.as_ref());
    }
    if let Some(link) = unstored(facts, &others) {
        return (Verdict::InDoubt, Reason::UnstoredLink(link));
    }
    if !others.is_empty() {
        return match own {
            Some(_) => (Verdict::Duplicate, Reason::SecondLive(others)),
            None => (Verdict::Duplicate, Reason::LiveOutsideRow(others)),
        };
    }
    judge_own_object(facts, own, policy, released)
}

/// Whether a page of another order's link says that it is this order's, and was paid or may still be.
fn concerns(foreign: &StripeObject, order: OrderId) -> bool {
    foreign.sessions().iter().any(|session| {
        let is_over = matches!(session.state, SessionState::Expired | SessionState::Failed);
        session.owner.order() == Some(order) && !is_over
    })
}

/// What is left when the row's own object is the only one that may be live.
fn judge_own_object(
    facts: &OrderFacts,
    own: Option<&StripeObject>,
    policy: &Policy,
    released: &mut Vec<Release>,
) -> (Verdict, Reason) {
    let order = &facts.order;
    if let Some(object) = own {
        if *object.owner() == Owner::Nobody {
            if policy.releases(Release::AdoptUnowned, order.id) {
                released.push(Release::AdoptUnowned);
            }
            return (Verdict::Unowned, Reason::NoOwner(object.reference()));
        }
        if let Some((reason, release)) = other_terms(object, order) {
            if policy.releases(release, order.id) {
                released.push(release);
            }
            return (Verdict::Wrong, reason);
        }
        if let Some(reason) = dying(object) {
            return (Verdict::Dying, reason);
        }
        return (Verdict::Healthy, Reason::ActiveLink);
    }
    if is_withdrawn(facts) {
        return (Verdict::Withdrawn, Reason::WithdrawnByOperator);
    }
    (Verdict::Dead, why_dead(facts))
}

fn unread(facts: &OrderFacts) -> Option<Reason> {
    match &facts.stored {
        Stored::Skipped => return Some(Reason::NotRead("it was not asked for".to_owned())),
        Stored::Read(_, reading) => match &**reading {
            Reading::Unread(why) => return Some(Reason::NotRead(why.clone())),
            Reading::Seen(object) => {
                if let Some(reason) = unread_object(object) {
                    return Some(reason);
                }
                // The amount matters only where something may still be charged.
                if !facts.order.status.is_settled() && object.is_live() && amount(object).is_none()
                {
                    return Some(Reason::AmountUnread(object.reference()));
                }
            }
            Reading::NotLive | Reading::NoSuchObject => {}
        },
        Stored::Nothing | Stored::Unknown(_) => {}
    }
    match &facts.others {
        Listing::Unfinished(why) => Some(Reason::ListingUnfinished(why.clone())),
        Listing::Complete(objects) => objects.iter().find_map(unread_object),
    }
}

/// What of the object could not be read; never taken for closed.
#[must_use]
pub fn unread_object(object: &StripeObject) -> Option<Reason> {
    if let StripeObject::Link(Family {
        sessions: Listing::Unfinished(why),
        ..
    }) = object
    {
        return Some(Reason::ListingUnfinished(why.clone()));
    }
    object.sessions().iter().find_map(|s| match &s.state {
        SessionState::Unknown(status) => Some(Reason::NotRead(format!(
            "{} has the unknown status `{status}`",
            s.id
        ))),
        _ => None,
    })
}

fn overpaid(facts: &OrderFacts) -> Option<Reason> {
    let kept: Vec<(String, Payment)> = payments(facts)
        .into_iter()
        .filter(|(_, payment)| !payment.is_returned())
        .collect();
    let names = || kept.iter().map(|(name, _)| name.clone()).collect();
    let owed = |skip: usize| {
        let amounts = kept.iter().skip(skip).filter_map(|(_, p)| p.kept());
        Money::totals(amounts)
    };
    let open = || references(&live(facts));
    if facts.order.status == OrderStatus::Canceled && !kept.is_empty() {
        return Some(Reason::CanceledButPaid {
            refund: owed(0),
            payments: names(),
            open: open(),
        });
    }
    let held = facts.order.payment_intent.as_ref().map(|it| it.as_str());
    (kept.len() > 1).then(|| Reason::PaidMoreThanOnce {
        refund: owed(1),
        payments: names(),
        // It is the first of them then: what is owed is what came beside it.
        recorded: kept
            .first()
            .map(|(name, _)| name.clone())
            .filter(|first| facts.order.status == OrderStatus::Paid && held == Some(first)),
        open: open(),
    })
}

fn paid_unrecorded(facts: &OrderFacts) -> Option<Reason> {
    let paid = sessions(facts).find(|s| matches!(s.state, SessionState::Paid(_)));
    if let Some(session) = paid {
        return Some(Reason::PaidSession(session.id.clone()));
    }
    // The count says paid even where the listing does not show by whom.
    families(facts).find_map(|family| {
        let complete = |s: &&Session| {
            matches!(
                s.state,
                SessionState::Paid(_) | SessionState::Processing | SessionState::Failed
            )
        };
        let seen = match &family.sessions {
            Listing::Complete(sessions) => sessions.iter().filter(complete).count() as u64,
            Listing::Unfinished(_) => 0,
        };
        let count = family.link.completed_count.unwrap_or(0);
        (count > seen).then(|| Reason::LinkCountsMorePayments {
            link: family.link.id.clone(),
            count,
            seen,
        })
    })
}

fn recoverable(facts: &OrderFacts, now: Timestamp) -> Option<Reason> {
    sessions(facts).find_map(|session| {
        let payable = matches!(session.state, SessionState::Open | SessionState::Expired);
        let until = session.recovery.as_ref()?.expires_at;
        let over = until.is_some_and(|moment| moment <= now);
        (payable && !over).then(|| Reason::RecoveryUrl {
            session: session.id.clone(),
            until,
        })
    })
}

fn invalid(order: &Order) -> Option<Reason> {
    if let OrderStatus::Unknown(_) = order.status {
        return Some(Reason::UnknownStatus(order.status.clone()));
    }
    if let Some(gap) = order.gaps.first() {
        return Some(Reason::Gap(gap.clone()));
    }
    let Some(amount) = order.amount else {
        return Some(Reason::Gap("the amount is missing".to_owned()));
    };
    if amount.minor <= 0 {
        return Some(Reason::AmountNotPositive(amount));
    }
    // Stripe would say so at the mint, when nothing that the parent holds can be paid any more.
    if let Some(refusal) = amount.charge_refusal() {
        return Some(Reason::AmountNotCharged { amount, refusal });
    }
    match &order.product {
        None => Some(Reason::Gap("the product is missing".to_owned())),
        Some(_) if order.category().is_none() => {
            Some(Reason::Gap("the product's category is missing".to_owned()))
        }
        Some(product) if !product.is_active => Some(Reason::ProductInactive(product.name.clone())),
        Some(_) => None,
    }
}

fn other_terms(object: &StripeObject, order: &Order) -> Option<(Reason, Release)> {
    let (object, order) = (amount(object)?, order.amount?);
    if object.currency != order.currency {
        return Some((
            Reason::OtherCurrency { object, order },
            Release::AllowCurrencyChange,
        ));
    }
    (object.minor != order.minor).then_some((
        Reason::OtherAmount { object, order },
        Release::AllowAmountChange,
    ))
}

fn dying(object: &StripeObject) -> Option<Reason> {
    match object {
        StripeObject::Session(session) => Some(Reason::OpenSession {
            session: session.id.clone(),
            expires_at: session.expires_at,
        }),
        StripeObject::Link(family) if !family.link.active => {
            let open: Vec<SessionId> = open_sessions(object).map(|s| s.id.clone()).collect();
            Some(Reason::OpenSessionsOfInactiveLink(open))
        }
        StripeObject::Link(_) => None,
    }
}

/// Retired on purpose, and the row still names what was retired.
pub(super) fn is_withdrawn(facts: &OrderFacts) -> bool {
    let withdrawn = facts.journal.withdrawn.as_ref();
    withdrawn.is_some() && withdrawn == facts.order.reference.as_ref()
}

/// The first of these live objects that an earlier run minted and never stored.
fn unstored(facts: &OrderFacts, live: &[CheckoutReference]) -> Option<CheckoutReference> {
    let ours = |object: &&CheckoutReference| match object {
        CheckoutReference::Link(link) => facts.journal.unstored.contains(link),
        _ => false,
    };
    live.iter().find(ours).cloned()
}

fn why_dead(facts: &OrderFacts) -> Reason {
    match &facts.stored {
        Stored::Read(reference, reading) => match &**reading {
            Reading::NotLive => Reason::Unconfirmed,
            Reading::NoSuchObject => Reason::NoSuchObject(reference.clone()),
            Reading::Seen(StripeObject::Link(_)) => Reason::InactiveLink,
            Reading::Seen(StripeObject::Session(session)) => match session.state {
                SessionState::Failed => Reason::FailedPayment,
                _ => Reason::ExpiredSession,
            },
            Reading::Unread(why) => Reason::NotRead(why.clone()),
        },
        Stored::Nothing | Stored::Unknown(_) | Stored::Skipped => Reason::NoObject,
    }
}

fn amount(object: &StripeObject) -> Option<Money> {
    match object {
        StripeObject::Session(session) => session.amount,
        StripeObject::Link(family) => family.link.amount,
    }
}

/// The link is one that could be stored for the order as it stands: active, its own, the right amount.
#[must_use]
pub fn is_good_link(link: &PaymentLink, order: OrderId, amount: Option<Money>) -> bool {
    link.active && link.owner == Owner::Order(order) && link.amount == amount && amount.is_some()
}
