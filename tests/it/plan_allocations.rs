//! How often a decision asks for memory, and how much of it an entry of a plan keeps beside the order's row: exact
//! numbers, so that a decision that copies what it could share is noticed without a clock. A higher one needs a reason; a
//! lower one is to be written down here.

use allocation_counter::measure;

use relink::domain::*;
use relink::plan::{Decision, Goal, Moment, Policy, Verdict, decide_order};

use crate::support::facts::{NOW, facts, family, order, paid, session};

const EXPIRED: &str = "cs_test_old";
const LINK: &str = "plink_own";

/// Bytes; a commit holds its whole plan before it writes anything.
const LARGEST_ENTRY: usize = 300;

fn decided(facts: &OrderFacts) -> (u64, Decision) {
    let moment = Moment {
        taken_at: Timestamp(NOW),
        witness: Witness::Read,
    };
    let policy = Policy::new(Goal::Regen);
    let mut decision = None;
    let counted = measure(|| decision = Some(decide_order(facts, moment, &policy)));
    let entry = size_of::<Decision>() + usize::try_from(counted.bytes_current).unwrap();
    assert!(entry <= LARGEST_ENTRY, "{entry} bytes an entry");
    (counted.count_total, decision.unwrap())
}

#[track_caller]
fn assert_takes(allocations: u64, facts: &OrderFacts, verdict: Verdict) {
    let (counted, decision) = decided(facts);
    assert_eq!(decision.verdict, verdict);
    assert_eq!(counted, allocations, "allocations for {verdict}");
}

#[test]
fn an_order_behind_an_expired_session() {
    let dead = session(EXPIRED, 1, SessionState::Expired);
    let facts = facts(
        order(1, Some(EXPIRED)),
        Some(StripeObject::Session(dead)),
        Vec::new(),
    );
    assert_takes(0, &facts, Verdict::Dead);
}

#[test]
fn an_order_behind_its_own_link() {
    let own = family(LINK, 1, true, Vec::new());
    let mut order = order(1, Some(LINK));
    order.url = Some(own.link.url.clone());
    let facts = facts(order, Some(StripeObject::Link(own)), Vec::new());
    assert_takes(1, &facts, Verdict::Healthy);
}

#[test]
fn a_paid_order() {
    let session = session(EXPIRED, 1, paid("pi_1"));
    let mut order = order(1, Some(EXPIRED));
    order.status = OrderStatus::Paid;
    order.payment_intent = Some(PaymentIntentId::parse("pi_1").unwrap());
    let facts = facts(order, Some(StripeObject::Session(session)), Vec::new());
    assert_takes(3, &facts, Verdict::Settled);
}

#[test]
fn an_order_behind_an_open_session() {
    let open = session(EXPIRED, 1, SessionState::Open);
    let facts = facts(
        order(1, Some(EXPIRED)),
        Some(StripeObject::Session(open)),
        Vec::new(),
    );
    assert_takes(3, &facts, Verdict::Dying);
}

#[test]
fn an_order_behind_an_open_session_and_a_link_beside_it() {
    let open = session(EXPIRED, 1, SessionState::Open);
    let beside = family(LINK, 1, true, Vec::new());
    let facts = facts(
        order(1, Some(EXPIRED)),
        Some(StripeObject::Session(open)),
        vec![StripeObject::Link(beside)],
    );
    assert_takes(8, &facts, Verdict::Duplicate);
}
