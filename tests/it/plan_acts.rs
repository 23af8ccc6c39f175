//! What is done about a verdict, one case per rule: which of several live objects goes, what a flag or a name
//! releases, what the audit refuses in a plan that no rule of ours would make, and what a plan says of itself.

use std::sync::Arc;

use relink::domain::*;
use relink::plan::*;

use crate::support::facts::*;
use crate::support::plans::{decided, regen_of};

const ORDER: i64 = 42;

fn policy(goal: Goal, releases: &[Release]) -> Policy {
    Policy {
        releases: releases.iter().copied().collect(),
        ..Policy::new(goal)
    }
}

fn acts(facts: &OrderFacts, policy: &Policy) -> Action {
    decided(facts, policy).action
}

fn link(id: &str) -> Family {
    family(id, ORDER, true, vec![])
}

fn link_of(id: &str, minor: i64) -> StripeObject {
    let mut family = link(id);
    family.link.amount = Some(usd(minor));
    StripeObject::Link(family)
}

fn references(ids: &[&str]) -> Vec<CheckoutReference> {
    ids.iter()
        .map(|id| CheckoutReference::classify(id))
        .collect()
}

const NEEDS_PERSON: Action = Action::Hold(Hold::NeedsPerson { release: None });

#[test]
fn beside_a_second_object_the_rows_own_is_replaced_only_by_the_flag_that_it_needs() {
    let own = link_of("plink_own", 4500);
    let second = link_of("plink_two", 5500);
    let facts = facts(order(ORDER, Some("plink_own")), Some(own), vec![second]);
    let without = policy(Goal::Regen, &[]);
    assert_eq!(
        acts(&facts, &without),
        Action::Retire(references(&["plink_two"]))
    );
    let wrong_flag = policy(Goal::Regen, &[Release::AllowCurrencyChange]);
    assert_eq!(
        acts(&facts, &wrong_flag),
        Action::Retire(references(&["plink_two"]))
    );
    let with = policy(Goal::Regen, &[Release::AllowAmountChange]);
    assert_eq!(
        acts(&facts, &with),
        Action::Replace(references(&["plink_own", "plink_two"]))
    );
}

#[test]
fn a_good_object_beside_a_second_one_stays_whatever_flags_are_given() {
    let (own, second) = (link_of("plink_own", 5500), link_of("plink_two", 5500));
    let facts = facts(order(ORDER, Some("plink_own")), Some(own), vec![second]);
    let flags = [Release::AllowAmountChange, Release::AllowCurrencyChange];
    assert_eq!(
        acts(&facts, &policy(Goal::Regen, &flags)),
        Action::Retire(references(&["plink_two"]))
    );
}

/// The row's own session of another amount, opened by a link that can be paid as well.
#[test]
fn a_session_that_is_kept_is_not_closed_with_the_link_that_opened_it() {
    let mut own = session("cs_own", ORDER, SessionState::Open);
    own.amount = Some(usd(4500));
    let opener = family("plink_opener", ORDER, true, vec![own.clone()]);
    own.link = Some(opener.link.id.clone());
    let facts = facts(
        order(ORDER, Some("cs_own")),
        Some(StripeObject::Session(own)),
        vec![StripeObject::Link(opener)],
    );
    let kept = acts(&facts, &policy(Goal::Regen, &[]));
    let release = Some(Release::AllowAmountChange);
    assert_eq!(kept, Action::Hold(Hold::NeedsPerson { release }));
    let replaced = acts(&facts, &policy(Goal::Regen, &[Release::AllowAmountChange]));
    assert_eq!(
        replaced,
        Action::Replace(references(&["cs_own", "plink_opener"]))
    );
}

#[test]
fn an_open_session_of_the_row_is_replaced_together_with_a_second_object() {
    let own = StripeObject::Session(session("cs_own", ORDER, SessionState::Open));
    let second = link_of("plink_two", 5500);
    let facts = facts(order(ORDER, Some("cs_own")), Some(own), vec![second]);
    assert_eq!(
        acts(&facts, &policy(Goal::Regen, &[])),
        Action::Replace(references(&["cs_own", "plink_two"]))
    );
}

#[test]
fn a_link_of_another_amount_is_replaced_only_by_its_flag() {
    let own = link_of("plink_own", 4500);
    let facts = facts(order(ORDER, Some("plink_own")), Some(own), vec![]);
    let release = Some(Release::AllowAmountChange);
    assert_eq!(
        acts(&facts, &policy(Goal::Regen, &[])),
        Action::Hold(Hold::NeedsPerson { release })
    );
    assert_eq!(
        acts(&facts, &policy(Goal::Regen, &[Release::AllowAmountChange])),
        Action::Replace(references(&["plink_own"]))
    );
}

#[test]
fn what_an_operator_withdrew_is_minted_for_only_by_name() {
    let dead = StripeObject::Session(session("cs_old", ORDER, SessionState::Expired));
    let mut facts = facts(order(ORDER, Some("cs_old")), Some(dead), vec![]);
    facts.journal.withdrawn = Some(CheckoutReference::classify("cs_old"));
    let mut policy = policy(Goal::Mint, &[]);
    assert_eq!(acts(&facts, &policy), Action::Hold(Hold::Waits));
    policy.named.insert(OrderId(ORDER + 1));
    assert_eq!(acts(&facts, &policy), Action::Hold(Hold::Waits));
    policy.named.insert(OrderId(ORDER));
    assert_eq!(acts(&facts, &policy), Action::Replace(vec![]));
}

/// To the second: so old it may go.
#[test]
fn a_session_is_young_until_it_has_the_least_age() {
    let policy = policy(Goal::Regen, &[]);
    for (age, is_young) in [(policy.min_age - 1, true), (policy.min_age, false)] {
        let mut own = session("cs_own", ORDER, SessionState::Open);
        own.created = Timestamp(NOW - age);
        let own = StripeObject::Session(own);
        let facts = facts(order(ORDER, Some("cs_own")), Some(own), vec![]);
        let expected = if is_young {
            Action::Hold(Hold::Waits)
        } else {
            Action::Replace(references(&["cs_own"]))
        };
        assert_eq!(acts(&facts, &policy), expected, "{age}");
    }
}

#[test]
fn the_releases_that_need_a_name_are_those_that_no_listing_could_bear_out() {
    let named = [
        Release::MissingIsDead,
        Release::AdoptUnowned,
        Release::OverForeign,
    ];
    let for_all = [
        Release::AcceptRecoveryUrl,
        Release::AllowAmountChange,
        Release::AllowCurrencyChange,
    ];
    assert!(named.iter().all(|release| release.needs_named_order()));
    assert!(!for_all.iter().any(|release| release.needs_named_order()));
    for release in for_all {
        let policy = policy(Goal::Regen, &[release]);
        assert!(policy.releases(release, OrderId(ORDER)), "{release:?}");
    }
    for release in named {
        let mut policy = policy(Goal::Regen, &[release]);
        assert!(!policy.releases(release, OrderId(ORDER)), "{release:?}");
        policy.named.insert(OrderId(ORDER));
        assert!(policy.releases(release, OrderId(ORDER)), "{release:?}");
    }
}

/// Two dead orders: both get a link.
fn sound() -> Plan {
    let dead = |id: i64, reference: &str| {
        let old = StripeObject::Session(session(reference, id, SessionState::Expired));
        facts(order(id, Some(reference)), Some(old), vec![])
    };
    regen_of(vec![dead(1, "cs_one"), dead(2, "cs_two")])
}

#[test]
fn the_audit_refuses_what_no_plan_may_hold_whoever_made_it() {
    assert_eq!(audit(&sound()), vec![]);
    let spoilt = |spoil: &dyn Fn(&mut Plan)| {
        let mut plan = sound();
        spoil(&mut plan);
        audit(&plan)
    };
    let shared = CheckoutReference::classify("plink_shared");
    let (one, two) = (OrderId(1), OrderId(2));
    assert_eq!(
        spoilt(&|plan| Arc::make_mut(&mut plan.decisions[1].order).id = one),
        [Violation::OrderTwice(one)]
    );
    assert_eq!(
        spoilt(&|plan| Arc::make_mut(&mut plan.decisions[0].order).status = OrderStatus::Canceled),
        [Violation::MintForOrderThatIsNotPending(one)]
    );
    for amount in [None, Some(usd(0)), Some(usd(-1))] {
        assert_eq!(
            spoilt(&|plan| Arc::make_mut(&mut plan.decisions[0].order).amount = amount),
            [Violation::MintWithoutPositiveAmount(one)]
        );
    }
    assert_eq!(
        spoilt(&|plan| Arc::make_mut(&mut plan.decisions[0].order).amount = Some(usd(1))),
        []
    );
    assert_eq!(
        spoilt(&|plan| plan.policy.scope = vec!["jersey".to_owned()]),
        [Violation::OutOfScope(one), Violation::OutOfScope(two)]
    );
    assert_eq!(
        spoilt(&|plan| plan.decisions[0].action = Action::Retire(references(&["in_one"]))),
        [Violation::RetiresUnknownObject(one)]
    );
    assert_eq!(
        spoilt(&|plan| {
            for decision in &mut plan.decisions {
                decision.action = Action::Replace(vec![shared.clone()]);
            }
        }),
        [Violation::ObjectOfTwoOrders(shared.clone(), one, two)]
    );
    let twice_of_one = vec![shared.clone(), shared.clone()];
    assert_eq!(
        spoilt(&|plan| plan.decisions[0].action = Action::Retire(twice_of_one.clone())),
        []
    );
}

#[test]
fn what_the_audit_found_is_said_with_the_order_and_the_object() {
    let (one, two) = (OrderId(1), OrderId(2));
    let object = CheckoutReference::classify("plink_shared");
    for (violation, said) in [
        (Violation::OrderTwice(one), "order 1 is in the plan twice"),
        (
            Violation::ObjectOfTwoOrders(object, one, two),
            "plink_shared would be retired for orders 1 and 2",
        ),
    ] {
        assert_eq!(violation.to_string(), said);
    }
}

#[test]
fn a_plan_has_work_for_an_order_a_gone_row_a_paid_link_or_a_forced_object() {
    let healthy = StripeObject::Link(link("plink_own"));
    let quiet = regen_of(vec![facts(
        order(ORDER, Some("plink_own")),
        Some(healthy),
        vec![],
    )]);
    assert!(!quiet.has_work());
    assert!(sound().has_work());
    let gone = Plan {
        gone: vec![OrderId(9)],
        ..quiet.clone()
    };
    let paid = Plan {
        paid_links: vec![LinkId::parse("plink_paid").unwrap()],
        ..quiet.clone()
    };
    let forced = Plan {
        forced: references(&["plink_forced"]),
        ..quiet
    };
    for (plan, what) in [(gone, "gone"), (paid, "paid"), (forced, "forced")] {
        assert!(plan.has_work(), "{what}");
    }
}

#[test]
fn a_person_is_asked_about_holds_and_about_money_to_be_given_back() {
    let overpaid = {
        let twice = ["pi_1", "pi_2"]
            .map(|intent| StripeObject::Session(session(&format!("cs_{intent}"), 1, paid(intent))));
        let mut row = order(1, None);
        row.status = OrderStatus::Canceled;
        facts(row, None, twice.to_vec())
    };
    let healthy = facts(
        order(2, Some("plink_own")),
        Some(StripeObject::Link(family("plink_own", 2, true, vec![]))),
        vec![],
    );
    let mut other_amount = family("plink_other", 3, true, vec![]);
    other_amount.link.amount = Some(usd(4500));
    let wrong = facts(
        order(3, Some("plink_other")),
        Some(StripeObject::Link(other_amount)),
        vec![],
    );
    let mut plan = regen_of(vec![overpaid, healthy, wrong]);
    let asked = |plan: &Plan| -> Vec<i64> { plan.for_a_person().map(|d| d.order.id.0).collect() };
    assert_eq!(asked(&plan), [1, 3]);
    assert_eq!(plan.decisions[0].verdict, Verdict::Overpaid);
    assert_eq!(plan.decisions[0].action, NEEDS_PERSON);
    // Closing what is live gives no money back.
    plan.decisions[0].action = Action::Retire(references(&["plink_live"]));
    assert_eq!(asked(&plan), [1, 3]);
}
