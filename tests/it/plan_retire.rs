//! What is closed without a new link: leaked and second objects, single ones by their id, pending orders' links on
//! request; what goes on with an open operation; and which flag each hold asks for.

use std::sync::Arc;

use relink::domain::*;
use relink::plan::*;

use crate::support::facts::*;
use crate::support::plans::decided;

const ORDER: i64 = 42;

fn acts(facts: &OrderFacts, goal: Goal) -> Action {
    decided(facts, &Policy::new(goal)).action
}

fn references(ids: &[&str]) -> Vec<CheckoutReference> {
    ids.iter()
        .map(|id| CheckoutReference::classify(id))
        .collect()
}

fn needs(release: Option<Release>) -> Action {
    Action::Hold(Hold::NeedsPerson { release })
}

fn link(id: &str) -> StripeObject {
    StripeObject::Link(family(id, ORDER, true, vec![]))
}

/// A canceled order behind a link with an open session, and beside it a second link.
fn leaked() -> OrderFacts {
    let mut row = order(ORDER, Some("plink_own"));
    row.status = OrderStatus::Canceled;
    let visit = session("cs_visit", ORDER, SessionState::Open);
    let own = StripeObject::Link(family("plink_own", ORDER, true, vec![visit]));
    facts(row, Some(own), vec![link("plink_two")])
}

#[test]
fn of_a_settled_order_everything_live_is_closed_and_by_id_only_what_was_named() {
    let facts = leaked();
    let all = references(&["plink_own", "plink_two"]);
    assert_eq!(acts(&facts, Goal::Retire), Action::Retire(all));
    for (named, closed) in [
        (vec!["plink_two"], vec!["plink_two"]),
        (vec!["cs_visit"], vec!["cs_visit"]),
        (vec!["plink_elsewhere", "plink_own"], vec!["plink_own"]),
    ] {
        let mut policy = Policy::new(Goal::Retire);
        policy.objects = references(&named).into_iter().collect();
        let action = decided(&facts, &policy).action;
        assert_eq!(action, Action::Retire(references(&closed)), "{named:?}");
    }
    let mut elsewhere = Policy::new(Goal::Retire);
    elsewhere.objects = references(&["plink_elsewhere"]).into_iter().collect();
    assert_eq!(decided(&facts, &elsewhere).action, Action::Nothing);
}

#[test]
fn an_order_without_a_product_is_in_no_scope_and_a_persons_to_close() {
    let mut facts = leaked();
    Arc::make_mut(&mut facts.order).product = None;
    assert_eq!(acts(&facts, Goal::Retire), needs(None));
}

#[test]
fn of_an_overpaid_order_what_is_live_is_closed_and_the_money_is_a_persons() {
    let mut row = order(ORDER, None);
    row.status = OrderStatus::Canceled;
    let taken = StripeObject::Session(session("cs_paid", ORDER, paid("pi_1")));
    let alone = facts(row.clone(), None, vec![taken.clone()]);
    let with_a_link = facts(row, None, vec![taken, link("plink_two")]);
    assert_eq!(
        decided(&alone, &Policy::new(Goal::Retire)).verdict,
        Verdict::Overpaid
    );
    assert_eq!(acts(&alone, Goal::Retire), needs(None));
    assert_eq!(
        acts(&with_a_link, Goal::Retire),
        Action::Retire(references(&["plink_two"]))
    );
}

#[test]
fn links_of_pending_orders_are_closed_only_where_that_was_asked_for() {
    let healthy = facts(
        order(ORDER, Some("plink_own")),
        Some(link("plink_own")),
        vec![],
    );
    let dying = StripeObject::Session(session("cs_own", ORDER, SessionState::Open));
    let dying = facts(order(ORDER, Some("cs_own")), Some(dying), vec![]);
    let mut other_amount = family("plink_own", ORDER, true, vec![]);
    other_amount.link.amount = Some(usd(4500));
    let wrong = facts(
        order(ORDER, Some("plink_own")),
        Some(StripeObject::Link(other_amount)),
        vec![],
    );
    for (facts, verdict, own) in [
        (healthy, Verdict::Healthy, "plink_own"),
        (dying, Verdict::Dying, "cs_own"),
        (wrong, Verdict::Wrong, "plink_own"),
    ] {
        let all = decided(&facts, &Policy::new(Goal::RetirePending));
        assert_eq!(all.verdict, verdict);
        assert_eq!(all.action, Action::Retire(references(&[own])));
        assert_eq!(acts(&facts, Goal::Retire), Action::Nothing, "{verdict}");
    }
    let duplicate = facts(
        order(ORDER, Some("plink_own")),
        Some(link("plink_own")),
        vec![link("plink_two")],
    );
    assert_eq!(
        acts(&duplicate, Goal::RetirePending),
        Action::Retire(references(&["plink_own", "plink_two"]))
    );
    assert_eq!(
        acts(&duplicate, Goal::Retire),
        Action::Retire(references(&["plink_two"]))
    );
    // Without an own one, nothing live is the row's.
    let beside = facts(order(ORDER, None), None, vec![link("plink_two")]);
    assert_eq!(
        acts(&beside, Goal::Retire),
        Action::Retire(references(&["plink_two"]))
    );
}

/// A run goes on with what its own command would have begun; `regen` with everything.
#[test]
fn an_open_operation_is_gone_on_with_by_a_command_that_covers_it() {
    let tasks = [OpenTask::Replace, OpenTask::Mint, OpenTask::Retire];
    for (goal, covers) in [
        (Goal::Regen, [true, true, true]),
        (Goal::Mint, [false, true, false]),
        (Goal::Retire, [false, false, true]),
        (Goal::RetirePending, [false, false, true]),
    ] {
        for (task, covered) in tasks.into_iter().zip(covers) {
            let mut facts = facts(order(ORDER, None), None, vec![]);
            facts.journal.open = Some(open_operation(task));
            let expected = if covered { Action::Resume } else { needs(None) };
            assert_eq!(acts(&facts, goal), expected, "{goal:?} of {task:?}");
        }
    }
}

fn unowned() -> OrderFacts {
    let mut own = family("plink_own", ORDER, true, vec![]);
    own.link.owner = Owner::Nobody;
    let own = StripeObject::Link(own);
    facts(order(ORDER, Some("plink_own")), Some(own), vec![])
}

fn of_money(amount: Money) -> OrderFacts {
    let mut own = family("plink_own", ORDER, true, vec![]);
    own.link.amount = Some(amount);
    let own = StripeObject::Link(own);
    facts(order(ORDER, Some("plink_own")), Some(own), vec![])
}

fn recoverable(until: Option<i64>) -> OrderFacts {
    let mut own = session("cs_own", ORDER, SessionState::Expired);
    own.recovery = Some(Recovery {
        expires_at: until.map(Timestamp),
    });
    let own = StripeObject::Session(own);
    facts(order(ORDER, Some("cs_own")), Some(own), vec![])
}

#[test]
fn every_hold_that_a_flag_can_release_names_that_flag() {
    let euros = Money::new(5500, Currency::parse("eur").unwrap());
    let missing = facts(order(ORDER, Some("cs_gone")), None, vec![]);
    for (facts, verdict, release) in [
        (missing, Verdict::Missing, Release::MissingIsDead),
        (
            recoverable(None),
            Verdict::Recoverable,
            Release::AcceptRecoveryUrl,
        ),
        (unowned(), Verdict::Unowned, Release::AdoptUnowned),
        (
            of_money(euros),
            Verdict::Wrong,
            Release::AllowCurrencyChange,
        ),
        (of_money(usd(1)), Verdict::Wrong, Release::AllowAmountChange),
    ] {
        let held = decided(&facts, &Policy::new(Goal::Regen));
        assert_eq!((held.verdict, held.action), (verdict, needs(Some(release))));
        assert_eq!(held.released, []);
        let mut policy = Policy::new(Goal::Regen);
        policy.releases.insert(release);
        policy.named.insert(OrderId(ORDER));
        let moment = Moment {
            taken_at: Timestamp(NOW),
            witness: Witness::Read,
        };
        let released = decide_order(&facts, moment, &policy);
        assert_eq!(released.released, [release], "{verdict}");
        assert!(released.action.is_work(), "{verdict} {released:?}");
    }
}

/// Where no object of the database was read in this account, it may be the wrong account.
#[test]
fn a_missing_object_is_dead_only_where_another_one_was_read() {
    let facts = facts(order(ORDER, Some("cs_gone")), None, vec![]);
    let mut policy = Policy::new(Goal::Regen);
    policy.releases.insert(Release::MissingIsDead);
    policy.named.insert(OrderId(ORDER));
    assert_eq!(decided(&facts, &policy).verdict, Verdict::Missing);
}

#[test]
fn a_recovery_url_is_over_at_the_moment_that_it_names() {
    for (until, verdict) in [
        (None, Verdict::Recoverable),
        (Some(NOW + 1), Verdict::Recoverable),
        (Some(NOW), Verdict::Dead),
        (Some(NOW - 1), Verdict::Dead),
    ] {
        let decision = decided(&recoverable(until), &Policy::new(Goal::Regen));
        assert_eq!(decision.verdict, verdict, "{until:?}");
    }
}
