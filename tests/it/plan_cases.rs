//! Single cases of the decision that the laws alone let pass: what counts as live, and which of two is closed.

use relink::domain::*;
use relink::plan::*;

use crate::support::facts::*;
use crate::support::plans::decided_by_regen;

const ORDER: i64 = 42;

fn link(id: &str) -> Family {
    family(id, ORDER, true, vec![])
}

#[test]
fn of_two_good_links_the_one_that_the_row_does_not_hold_is_closed() {
    let row = order(ORDER, Some("plink_own"));
    let own = StripeObject::Link(link("plink_own"));
    let other = StripeObject::Link(link("plink_two"));
    let second = other.reference();
    let decision = decided_by_regen(&facts(row, Some(own), vec![other]));
    assert_eq!(decision.verdict, Verdict::Duplicate);
    assert_eq!(decision.action, Action::Retire(vec![second]));
}

#[test]
fn every_live_object_counts_once_and_a_session_of_a_known_link_with_its_link() {
    let row = order(ORDER, Some("plink_own"));
    let visit = session("cs_visit", ORDER, SessionState::Open);
    let own = StripeObject::Link(family("plink_own", ORDER, true, vec![visit.clone()]));
    let visit = StripeObject::Session(Session {
        link: Some(LinkId::parse("plink_own").unwrap()),
        ..visit
    });
    let apart = StripeObject::Session(session("cs_apart", ORDER, SessionState::Open));
    let second = StripeObject::Link(link("plink_two"));
    let facts = facts(row, Some(own), vec![visit, apart, second.clone(), second]);
    let mut live: Vec<String> = live_objects(&facts)
        .iter()
        .map(ToString::to_string)
        .collect();
    live.sort();
    assert_eq!(live, ["cs_apart", "plink_own", "plink_two"]);
}

#[test]
fn an_amount_that_was_not_read_matters_only_where_something_may_still_be_charged() {
    let mut unread = link("plink_own");
    unread.link.amount = None;
    let row = order(ORDER, Some("plink_own"));
    let seen = |row| facts(row, Some(StripeObject::Link(unread.clone())), vec![]);
    assert_eq!(
        decided_by_regen(&seen(row.clone())).verdict,
        Verdict::Unobserved
    );
    let canceled = Order {
        status: OrderStatus::Canceled,
        ..row
    };
    assert_ne!(
        decided_by_regen(&seen(canceled)).verdict,
        Verdict::Unobserved
    );
}

#[test]
fn an_order_that_has_no_object_and_was_never_withdrawn_is_not_withdrawn() {
    let mut of_the_row = facts(order(ORDER, None), None, vec![]);
    let never = decided_by_regen(&of_the_row);
    assert_ne!(never.verdict, Verdict::Withdrawn);
    of_the_row = facts(
        order(ORDER, Some("cs_old")),
        Some(StripeObject::Session(session(
            "cs_old",
            ORDER,
            SessionState::Expired,
        ))),
        vec![],
    );
    of_the_row.journal.withdrawn = Some(CheckoutReference::classify("cs_old"));
    assert_eq!(decided_by_regen(&of_the_row).verdict, Verdict::Withdrawn);
    of_the_row.journal.withdrawn = Some(CheckoutReference::classify("cs_before"));
    assert_ne!(decided_by_regen(&of_the_row).verdict, Verdict::Withdrawn);
}

#[test]
fn a_link_whose_sessions_were_not_all_listed_leaves_its_order_unread() {
    let mut half_read = family("plink_off", ORDER, false, vec![]);
    half_read.sessions = Listing::Unfinished("page 2: timeout".to_owned());
    let dead = StripeObject::Session(session("cs_old", ORDER, SessionState::Expired));
    let beside = facts(
        order(ORDER, Some("cs_old")),
        Some(dead),
        vec![StripeObject::Link(half_read.clone())],
    );
    let held = facts(
        order(ORDER, Some("plink_off")),
        Some(StripeObject::Link(half_read)),
        vec![],
    );
    for facts in [beside, held] {
        assert_eq!(decided_by_regen(&facts).verdict, Verdict::Unobserved);
    }
}

#[test]
fn nothing_is_minted_over_another_orders_link_while_a_page_of_it_concerns_this_order() {
    let row = order(ORDER, Some("plink_theirs"));
    let mut policy = Policy::new(Goal::Mint);
    policy.releases.insert(Release::OverForeign);
    policy.named.insert(OrderId(ORDER));
    let moment = Moment {
        taken_at: Timestamp(NOW),
        witness: Witness::Absent,
    };
    for (state, named, verdict) in [
        (paid("pi_1"), ORDER, Verdict::Foreign),
        (SessionState::Processing, ORDER, Verdict::Foreign),
        (SessionState::Open, ORDER, Verdict::Foreign),
        (SessionState::Expired, ORDER, Verdict::Dead),
        (SessionState::Failed, ORDER, Verdict::Dead),
        (paid("pi_1"), 7, Verdict::Dead),
    ] {
        let page = session("cs_page", named, state.clone());
        let theirs = StripeObject::Link(family("plink_theirs", 7, false, vec![page]));
        let facts = facts(row.clone(), Some(theirs), vec![]);
        let decision = decide_order(&facts, moment, &policy);
        assert_eq!(decision.verdict, verdict, "{state:?} of order {named}");
        assert_eq!(decision.action.is_work(), verdict == Verdict::Dead);
    }
}
