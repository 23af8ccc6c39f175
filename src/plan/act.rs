//! From a verdict to what a run with this goal does about it: one exhaustive match per goal.
//!
//! Never mints while something else can be paid, and never retires what does not name the order.

use super::decide::{Action, Hold};
use super::judge::{Judgement, Moment, is_withdrawn};
use super::objects::{live_objects, objects, open_sessions, stored_object};
use super::{Goal, Policy, Reason, Release, Verdict};
use crate::domain::{CheckoutReference, OpenTask, OrderFacts, OrderStatus, StripeObject};

pub(super) fn act(
    judgement: &Judgement,
    facts: &OrderFacts,
    moment: Moment,
    policy: &Policy,
) -> Action {
    let action = match policy.goal {
        Goal::Regen => regenerate(judgement, facts, moment, policy),
        Goal::Mint => mint(judgement, facts, policy),
        Goal::Retire => retire(judgement, facts, policy),
        Goal::RetirePending => retire_pending(judgement, facts, moment, policy),
        Goal::Undo => undo(judgement, facts, moment, policy),
    };
    match action {
        // A run that brought nothing about has nothing to be closed.
        Action::Retire(objects) if policy.goal == Goal::Undo || !policy.objects.is_empty() => {
            narrow_to_named(objects, facts, policy)
        }
        other => other,
    }
}

/// Of what would be retired, only the objects given by id; an open session of a link that would be retired
/// may be named by itself.
fn narrow_to_named(objects: Vec<CheckoutReference>, facts: &OrderFacts, policy: &Policy) -> Action {
    let within = open_sessions_within(&objects, facts);
    let named: Vec<CheckoutReference> = policy
        .objects
        .iter()
        .filter(|object| objects.contains(object) || within.contains(object))
        .cloned()
        .collect();
    if named.is_empty() {
        Action::Nothing
    } else {
        Action::Retire(named)
    }
}

fn open_sessions_within(
    targets: &[CheckoutReference],
    facts: &OrderFacts,
) -> Vec<CheckoutReference> {
    objects(facts)
        .filter(|object| targets.contains(&object.reference()))
        .flat_map(open_sessions)
        .map(|session| CheckoutReference::Session(session.id.clone()))
        .collect()
}

fn regenerate(
    judgement: &Judgement,
    facts: &OrderFacts,
    moment: Moment,
    policy: &Policy,
) -> Action {
    match judgement.verdict {
        Verdict::OutOfScope | Verdict::Settled | Verdict::Healthy => Action::Nothing,
        Verdict::Dead => Action::Replace(Vec::new()),
        Verdict::Processing | Verdict::Leaked | Verdict::Withdrawn => Action::Hold(Hold::Waits),
        Verdict::Unobserved
        | Verdict::Missing
        | Verdict::UnknownObject
        | Verdict::Foreign
        | Verdict::Overpaid
        | Verdict::PaidUnrecorded
        | Verdict::Recoverable
        | Verdict::InvalidOrder => needs_person(judgement),
        Verdict::Dying => unless_fresh(judgement, facts, moment, policy, || {
            Action::Replace(live_objects(facts))
        }),
        Verdict::Unowned | Verdict::Wrong => {
            if is_released(judgement) {
                unless_fresh(judgement, facts, moment, policy, || {
                    Action::Replace(live_objects(facts))
                })
            } else {
                needs_person(judgement)
            }
        }
        Verdict::InDoubt => resume(judgement, facts, policy, |judgement| {
            resolve_duplicate(judgement, facts, moment, policy)
        }),
        Verdict::Duplicate => resolve_duplicate(judgement, facts, moment, policy),
    }
}

/// Whatever another run left open is concluded before anything else is done for the order, by a command
/// whose goal covers it. A link that ended unstored is a second live object like any other.
fn resume(
    judgement: &Judgement,
    facts: &OrderFacts,
    policy: &Policy,
    settle_second: impl FnOnce(&Judgement) -> Action,
) -> Action {
    let Some(open) = &facts.journal.open else {
        return settle_second(judgement);
    };
    let covered = match policy.goal {
        Goal::Regen => true,
        Goal::Mint => open.task == OpenTask::Mint,
        Goal::Retire | Goal::RetirePending | Goal::Undo => open.task == OpenTask::Retire,
    };
    if covered {
        Action::Resume
    } else {
        needs_person(judgement)
    }
}

/// Keeps the row's own link when it is good. A row's own object that would need a flag of its own to be
/// replaced is left alone too: the others go now, and the next run speaks of that one.
fn resolve_duplicate(
    duplicate: &Judgement,
    facts: &OrderFacts,
    moment: Moment,
    policy: &Policy,
) -> Action {
    let live = live_objects(facts);
    let own = stored_object(facts).filter(|object| object.is_live());
    let Some(own) = own else {
        return unless_fresh(duplicate, facts, moment, policy, || {
            if is_withdrawn(facts) {
                // It has no link on purpose: what turned up goes, and nothing takes its place.
                Action::Retire(live)
            } else {
                Action::Replace(live)
            }
        });
    };
    let alone = OrderFacts {
        others: crate::domain::Listing::Complete(Vec::new()),
        ..facts.clone()
    };
    let judgement = super::judge(&alone, moment, policy);
    let replaced = matches!(judgement.verdict, Verdict::Dying)
        || (matches!(judgement.verdict, Verdict::Wrong | Verdict::Unowned)
            && is_released(&judgement));
    if !replaced && is_opened_by_one_of(own, &live) {
        // Closing the link would close the row's own session with it.
        return needs_person(&judgement);
    }
    unless_fresh(duplicate, facts, moment, policy, || {
        if replaced {
            Action::Replace(live)
        } else {
            Action::Retire(others_than(live, own))
        }
    })
}

fn mint(judgement: &Judgement, facts: &OrderFacts, policy: &Policy) -> Action {
    match judgement.verdict {
        Verdict::InDoubt => resume(judgement, facts, policy, needs_person),
        // Named by id, it is minted for on purpose, as it was withdrawn on purpose.
        Verdict::Withdrawn if policy.named.contains(&facts.order.id) => Action::Replace(Vec::new()),
        // What is live is `regen`'s to replace.
        Verdict::OutOfScope | Verdict::Settled | Verdict::Healthy | Verdict::Dying => {
            Action::Nothing
        }
        Verdict::Dead => Action::Replace(Vec::new()),
        Verdict::Processing | Verdict::Withdrawn => Action::Hold(Hold::Waits),
        Verdict::Unobserved
        | Verdict::Missing
        | Verdict::UnknownObject
        | Verdict::Foreign
        | Verdict::Overpaid
        | Verdict::PaidUnrecorded
        | Verdict::Recoverable
        | Verdict::Leaked
        | Verdict::InvalidOrder
        | Verdict::Duplicate
        | Verdict::Unowned
        | Verdict::Wrong => needs_person(judgement),
    }
}

fn retire(judgement: &Judgement, facts: &OrderFacts, policy: &Policy) -> Action {
    let live = live_objects(facts);
    match judgement.verdict {
        // In no category, so in none of the scope.
        Verdict::Leaked | Verdict::Overpaid if facts.order.category().is_none() => {
            needs_person(judgement)
        }
        Verdict::Leaked => Action::Retire(live),
        Verdict::Overpaid if !live.is_empty() => Action::Retire(live),
        Verdict::InDoubt => resume(judgement, facts, policy, |_| retire_second(facts, live)),
        Verdict::Duplicate => retire_second(facts, live),
        Verdict::OutOfScope
        | Verdict::Settled
        | Verdict::Healthy
        | Verdict::Dead
        | Verdict::Dying
        | Verdict::Wrong => Action::Nothing,
        Verdict::Processing | Verdict::Withdrawn => Action::Hold(Hold::Waits),
        Verdict::Unobserved
        | Verdict::Missing
        | Verdict::UnknownObject
        | Verdict::Foreign
        | Verdict::Overpaid
        | Verdict::PaidUnrecorded
        | Verdict::Recoverable
        | Verdict::InvalidOrder
        | Verdict::Unowned => needs_person(judgement),
    }
}

/// Everything but what the row holds.
fn retire_second(facts: &OrderFacts, live: Vec<CheckoutReference>) -> Action {
    match stored_object(facts).filter(|object| object.is_live()) {
        Some(own) => Action::Retire(others_than(live, own)),
        None => Action::Retire(live),
    }
}

fn retire_pending(
    judgement: &Judgement,
    facts: &OrderFacts,
    moment: Moment,
    policy: &Policy,
) -> Action {
    match judgement.verdict {
        Verdict::Healthy | Verdict::Dying | Verdict::Wrong | Verdict::Duplicate => {
            unless_fresh(judgement, facts, moment, policy, || {
                Action::Retire(live_objects(facts))
            })
        }
        _ => retire(judgement, facts, policy),
    }
}

/// A link of the run that its pending order still holds goes even if it is closed already: that it was closed on purpose
/// is what keeps the next run from minting another.
fn undo(judgement: &Judgement, facts: &OrderFacts, moment: Moment, policy: &Policy) -> Action {
    let mut objects = match retire_pending(judgement, facts, moment, policy) {
        Action::Retire(objects) => objects,
        Action::Nothing => Vec::new(),
        other => return other,
    };
    let own = facts.order.reference.as_ref();
    let is_pending = facts.order.status == OrderStatus::Pending;
    if let Some(own) = own.filter(|own| policy.objects.contains(own) && !objects.contains(own))
        && is_pending
        && judgement.verdict != Verdict::OutOfScope
    {
        objects.push(own.clone());
    }
    if objects.is_empty() {
        Action::Nothing
    } else {
        Action::Retire(objects)
    }
}

/// A parent may be typing a card number in a young open session: it is left for a later run.
fn unless_fresh(
    judgement: &Judgement,
    facts: &OrderFacts,
    moment: Moment,
    policy: &Policy,
    action: impl FnOnce() -> Action,
) -> Action {
    let verdict = judgement.verdict;
    let fresh = objects(facts)
        .flat_map(open_sessions)
        .any(|s| moment.taken_at.seconds_since(s.created) < policy.min_age);
    if fresh && verdict == Verdict::Dying {
        Action::Hold(Hold::Waits)
    } else if fresh {
        // Something that is not as it should be stays payable meanwhile: somebody must come back to it.
        Action::Hold(Hold::NeedsPerson {
            release: Some(Release::Youth),
        })
    } else {
        action()
    }
}

fn is_opened_by_one_of(own: &StripeObject, live: &[CheckoutReference]) -> bool {
    match own {
        StripeObject::Session(session) => session
            .link
            .as_ref()
            .is_some_and(|link| live.contains(&CheckoutReference::Link(link.clone()))),
        StripeObject::Link(_) => false,
    }
}

fn others_than(live: Vec<CheckoutReference>, own: &StripeObject) -> Vec<CheckoutReference> {
    let own = own.reference();
    live.into_iter().filter(|object| *object != own).collect()
}

fn is_released(judgement: &Judgement) -> bool {
    release_for(judgement).is_some_and(|release| judgement.released.contains(&release))
}

fn needs_person(judgement: &Judgement) -> Action {
    Action::Hold(Hold::NeedsPerson {
        release: release_for(judgement),
    })
}

/// The flag that would release this hold, if any would.
fn release_for(judgement: &Judgement) -> Option<Release> {
    match (judgement.verdict, &judgement.reason) {
        (Verdict::Missing, _) => Some(Release::MissingIsDead),
        (Verdict::Recoverable, _) => Some(Release::AcceptRecoveryUrl),
        (Verdict::Unowned, _) => Some(Release::AdoptUnowned),
        (Verdict::Wrong, Reason::OtherCurrency { .. }) => Some(Release::AllowCurrencyChange),
        (Verdict::Wrong, _) => Some(Release::AllowAmountChange),
        _ => None,
    }
}
