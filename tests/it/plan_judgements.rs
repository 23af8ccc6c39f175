//! The verdicts, one case per rule and per border of it: what is looked at first, whose an object is, what was paid
//! and what of it is owed, what an order lacks, and why it is called dead.

use std::sync::Arc;

use relink::domain::*;
use relink::plan::*;

use crate::support::facts::*;
use crate::support::plans::decided_by_regen;

const ORDER: i64 = 42;

fn verdict(facts: &OrderFacts) -> Verdict {
    decided_by_regen(facts).verdict
}

fn behind(object: StripeObject) -> OrderFacts {
    let reference = object.reference().to_string();
    facts(order(ORDER, Some(&reference)), Some(object), vec![])
}

fn beside(objects: Vec<StripeObject>) -> OrderFacts {
    facts(order(ORDER, None), None, objects)
}

fn link(id: &str, active: bool, sessions: Vec<Session>) -> StripeObject {
    StripeObject::Link(family(id, ORDER, active, sessions))
}

fn page(id: &str, state: SessionState) -> StripeObject {
    StripeObject::Session(session(id, ORDER, state))
}

fn with_status(mut facts: OrderFacts, status: OrderStatus) -> OrderFacts {
    Arc::make_mut(&mut facts.order).status = status;
    facts
}

/// What is open for it was begun while it was in scope.
#[test]
fn of_an_order_out_of_scope_only_what_is_open_counts_and_only_where_it_was_read() {
    let mut other = behind(link("plink_own", true, vec![]));
    if let Some(product) = &mut Arc::make_mut(&mut other.order).product {
        product.category = "jersey".to_owned();
    }
    assert_eq!(verdict(&other), Verdict::OutOfScope);
    let mut open = other.clone();
    open.journal.open = Some(open_operation(OpenTask::Replace));
    assert_eq!(verdict(&open), Verdict::InDoubt);
    let mut skipped = open.clone();
    skipped.stored = Stored::Skipped;
    assert_eq!(verdict(&skipped), Verdict::InDoubt);
    let mut unread = open;
    unread.others = Listing::Unfinished("timeout".to_owned());
    assert_eq!(verdict(&unread), Verdict::Unobserved);
    other.stored = Stored::Skipped;
    assert_eq!(verdict(&other), Verdict::OutOfScope);
}

#[test]
fn a_blank_category_and_no_product_are_gaps_of_the_row_and_not_somebody_elses_scope() {
    let mut blank = behind(page("cs_own", SessionState::Expired));
    if let Some(product) = &mut Arc::make_mut(&mut blank.order).product {
        product.category = String::new();
    }
    assert_eq!(verdict(&blank), Verdict::InvalidOrder);
    Arc::make_mut(&mut blank.order).product = None;
    assert_eq!(verdict(&blank), Verdict::InvalidOrder);
}

#[test]
fn what_was_not_asked_for_was_not_read() {
    let mut facts = behind(page("cs_own", SessionState::Expired));
    facts.stored = Stored::Skipped;
    assert_eq!(verdict(&facts), Verdict::Unobserved);
}

#[test]
fn a_session_of_unknown_status_leaves_its_order_unread_wherever_it_is_seen() {
    let new = || SessionState::Unknown("paused".to_owned());
    let visit = session("cs_visit", ORDER, new());
    for facts in [
        behind(page("cs_own", new())),
        behind(link("plink_own", true, vec![visit])),
        beside(vec![page("cs_two", new())]),
    ] {
        assert_eq!(verdict(&facts), Verdict::Unobserved);
    }
}

#[test]
fn an_object_that_names_another_order_or_none_that_can_be_read_is_foreign() {
    let owned_by = |owner| {
        let mut own = family("plink_own", ORDER, true, vec![]);
        own.link.owner = owner;
        behind(StripeObject::Link(own))
    };
    assert_eq!(
        verdict(&owned_by(Owner::Order(OrderId(ORDER)))),
        Verdict::Healthy
    );
    assert_eq!(
        verdict(&owned_by(Owner::Order(OrderId(7)))),
        Verdict::Foreign
    );
    let unreadable = owned_by(Owner::Unreadable("forty-two".to_owned()));
    assert_eq!(verdict(&unreadable), Verdict::Foreign);
    assert_eq!(verdict(&owned_by(Owner::Nobody)), Verdict::Unowned);
}

#[test]
fn a_second_object_counts_where_it_names_this_order_or_nobody() {
    let second = |owner| {
        let mut second = family("plink_two", ORDER, true, vec![]);
        second.link.owner = owner;
        let own = Some(link("plink_own", true, vec![]));
        let second = vec![StripeObject::Link(second)];
        facts(order(ORDER, Some("plink_own")), own, second)
    };
    for (owner, expected) in [
        (Owner::Order(OrderId(ORDER)), Verdict::Duplicate),
        (Owner::Nobody, Verdict::Duplicate),
        (Owner::Order(OrderId(7)), Verdict::Healthy),
        (Owner::Unreadable("x".to_owned()), Verdict::Healthy),
    ] {
        assert_eq!(verdict(&second(owner.clone())), expected, "{owner:?}");
    }
}

#[test]
fn a_link_that_an_ended_operation_never_stored_is_in_doubt_and_no_other_is() {
    let mut facts = beside(vec![link("plink_two", true, vec![])]);
    assert_eq!(verdict(&facts), Verdict::Duplicate);
    let unstored = |id| std::iter::once(LinkId::parse(id).unwrap()).collect();
    facts.journal.unstored = unstored("plink_elsewhere");
    assert_eq!(verdict(&facts), Verdict::Duplicate);
    facts.journal.unstored = unstored("plink_two");
    assert_eq!(verdict(&facts), Verdict::InDoubt);
}

fn money(intent: &str, minor: i64, returned: i64) -> SessionState {
    SessionState::Paid(Payment {
        intent: Some(PaymentIntentId::parse(intent).unwrap()),
        amount: Some(usd(minor)),
        returned,
    })
}

/// A payment that went back as a whole is none; the first is the order's, and the rest is owed.
#[test]
fn what_was_paid_more_than_once_is_owed_from_the_second_payment_on() {
    let mut first = session("cs_one", ORDER, money("pi_1", 5500, 0));
    first.created = Timestamp(NOW - 100);
    let mut second = session("cs_two", ORDER, money("pi_2", 7000, 1000));
    second.created = Timestamp(NOW - 50);
    let returned = page("cs_three", money("pi_3", 5500, 5500));
    let objects = vec![
        StripeObject::Session(second),
        returned.clone(),
        StripeObject::Session(first.clone()),
    ];
    let decision = decided_by_regen(&beside(objects));
    assert_eq!(decision.verdict, Verdict::Overpaid);
    assert_eq!(
        decision.reason,
        Reason::PaidMoreThanOnce {
            refund: vec![usd(6000)],
            payments: vec!["pi_1".to_owned(), "pi_2".to_owned()],
            recorded: None,
            open: Vec::new(),
        }
    );
    let once = beside(vec![StripeObject::Session(first), returned]);
    assert_eq!(verdict(&once), Verdict::PaidUnrecorded);
}

#[test]
fn of_a_canceled_order_everything_that_was_paid_is_owed() {
    let canceled = |state| {
        let facts = beside(vec![page("cs_one", state)]);
        decided_by_regen(&with_status(facts, OrderStatus::Canceled))
    };
    let decision = canceled(money("pi_1", 5500, 500));
    assert_eq!(
        decision.reason,
        Reason::CanceledButPaid {
            refund: vec![usd(5000)],
            payments: vec!["pi_1".to_owned()],
            open: Vec::new(),
        }
    );
    assert_eq!(
        canceled(money("pi_1", 5500, 5500)).verdict,
        Verdict::Settled
    );
    assert_eq!(canceled(SessionState::Expired).verdict, Verdict::Settled);
}

#[test]
fn the_payment_that_the_row_records_and_the_session_that_made_it_are_one() {
    let mut paid_row = beside(vec![page("cs_one", money("pi_1", 5500, 0))]);
    Arc::make_mut(&mut paid_row.order).status = OrderStatus::Paid;
    Arc::make_mut(&mut paid_row.order).payment_intent =
        Some(PaymentIntentId::parse("pi_1").unwrap());
    assert_eq!(verdict(&paid_row), Verdict::Settled);
    assert_eq!(payments(&paid_row).len(), 1);
    Arc::make_mut(&mut paid_row.order).payment_intent =
        Some(PaymentIntentId::parse("pi_0").unwrap());
    assert_eq!(verdict(&paid_row), Verdict::Overpaid);
    let names: Vec<String> = payments(&paid_row).into_iter().map(|p| p.0).collect();
    assert_eq!(names, ["pi_0", "pi_1"]);
    // What the row records of an order that is not paid is nothing that was taken.
    let unpaid = with_status(paid_row, OrderStatus::Pending);
    assert_eq!(payments(&unpaid).len(), 1);
}

#[test]
fn a_link_that_counts_more_payments_than_its_pages_show_is_paid() {
    let counted = |count, states: Vec<SessionState>| {
        let pages = states
            .into_iter()
            .enumerate()
            .map(|(at, state)| session(&format!("cs_{at}"), ORDER, state))
            .collect();
        let mut own = family("plink_own", ORDER, false, pages);
        own.link.completed_count = count;
        verdict(&behind(StripeObject::Link(own)))
    };
    assert_eq!(counted(None, vec![]), Verdict::Dead);
    assert_eq!(counted(Some(0), vec![]), Verdict::Dead);
    assert_eq!(counted(Some(1), vec![]), Verdict::PaidUnrecorded);
    let expired = vec![SessionState::Expired];
    assert_eq!(counted(Some(1), expired), Verdict::PaidUnrecorded);
    let failed = vec![SessionState::Failed];
    assert_eq!(counted(Some(1), failed.clone()), Verdict::Dead);
    assert_eq!(counted(Some(2), failed), Verdict::PaidUnrecorded);
    let processing = vec![SessionState::Processing];
    assert_eq!(counted(Some(1), processing), Verdict::Processing);
}

#[test]
fn a_settled_order_is_settled_only_with_nothing_left_to_pay() {
    for status in [OrderStatus::Canceled, OrderStatus::Refunded] {
        let dead = behind(page("cs_own", SessionState::Expired));
        let dead = with_status(dead, status.clone());
        assert_eq!(verdict(&dead), Verdict::Settled);
        let live = behind(link("plink_own", true, vec![]));
        let live = with_status(live, status);
        assert_eq!(verdict(&live), Verdict::Leaked);
    }
}

type Spoil = dyn Fn(&mut Order);

#[test]
fn an_order_that_lacks_something_is_invalid_and_says_what() {
    let spoilt = |spoil: &Spoil| {
        let mut facts = behind(page("cs_own", SessionState::Expired));
        spoil(Arc::make_mut(&mut facts.order));
        let decision = decided_by_regen(&facts);
        (decision.verdict, decision.reason.to_string())
    };
    let sold_out = |order: &mut Order| {
        if let Some(product) = &mut order.product {
            product.is_active = false;
        }
    };
    let dinar = Currency::parse("kwd").unwrap();
    let fils = move |order: &mut Order| order.amount = Some(Money::new(5124, dinar));
    let cases: [(&Spoil, &str); 9] = [
        (&|o| o.amount = None, "the amount is missing"),
        (
            &|o| o.amount = Some(usd(0)),
            "amount 0.00 USD is not positive",
        ),
        (
            &|o| o.amount = Some(usd(49)),
            "amount 0.49 USD is below the least that Stripe charges (0.50 USD)",
        ),
        (
            &|o| o.amount = Some(usd(100_000_000)),
            "amount 1000000.00 USD is above the most that Stripe charges (999999.99 USD)",
        ),
        (
            &fils,
            "amount 5.124 KWD is no multiple of 0.010 KWD, and Stripe charges no other",
        ),
        (&|o| o.product = None, "the product is missing"),
        (&sold_out, "product `Entry` is inactive"),
        (&|o| o.gaps = vec!["no player".to_owned()], "no player"),
        (
            &|o| o.status = OrderStatus::Unknown("lost".to_owned()),
            "unknown order status `lost`",
        ),
    ];
    for (spoil, said) in cases {
        assert_eq!(spoilt(spoil), (Verdict::InvalidOrder, said.to_owned()));
    }
    for taken in [50, 99_999_999] {
        let spoil = move |order: &mut Order| order.amount = Some(usd(taken));
        assert_eq!(spoilt(&spoil).0, Verdict::Dead, "{taken}");
    }
}

#[test]
fn an_inactive_link_dies_with_its_open_pages_and_not_with_the_others() {
    let visits = |state| vec![session("cs_visit", ORDER, state)];
    let open = decided_by_regen(&behind(link(
        "plink_own",
        false,
        visits(SessionState::Open),
    )));
    assert_eq!(open.verdict, Verdict::Dying);
    assert_eq!(
        open.reason,
        Reason::OpenSessionsOfInactiveLink(vec![SessionId::parse("cs_visit").unwrap()])
    );
    let over = behind(link("plink_own", false, visits(SessionState::Expired)));
    assert_eq!(verdict(&over), Verdict::Dead);
    let active = behind(link("plink_own", true, visits(SessionState::Open)));
    assert_eq!(verdict(&active), Verdict::Healthy);
}

#[test]
fn a_dead_order_says_why() {
    let read_as = |reading| {
        let mut facts = behind(page("cs_own", SessionState::Expired));
        let reference = CheckoutReference::classify("cs_own");
        facts.stored = Stored::Read(reference, Box::new(reading));
        facts
    };
    for (facts, reason) in [
        (
            behind(page("cs_own", SessionState::Expired)),
            Reason::ExpiredSession,
        ),
        (
            behind(page("cs_own", SessionState::Failed)),
            Reason::FailedPayment,
        ),
        (
            behind(link("plink_own", false, vec![])),
            Reason::InactiveLink,
        ),
        (read_as(Reading::NotLive), Reason::Unconfirmed),
        (beside(vec![]), Reason::NoObject),
    ] {
        let decision = decided_by_regen(&facts);
        assert_eq!((decision.verdict, decision.reason), (Verdict::Dead, reason));
    }
}

#[test]
fn a_session_seen_by_itself_and_in_its_links_list_is_one() {
    let visit = session("cs_visit", ORDER, paid("pi_1"));
    let own = link("plink_own", false, vec![visit.clone()]);
    let mut facts = behind(own);
    facts.others = Listing::Complete(vec![StripeObject::Session(visit)]);
    assert_eq!(sessions(&facts).count(), 1);
}

#[test]
fn a_link_is_good_when_it_is_active_the_orders_and_of_its_amount() {
    let good = family("plink_own", ORDER, true, vec![]).link;
    let amount = Some(usd(5500));
    let id = OrderId(ORDER);
    assert!(is_good_link(&good, id, amount));
    assert!(!is_good_link(&good, OrderId(7), amount));
    assert!(!is_good_link(&good, id, Some(usd(5501))));
    let inactive = PaymentLink {
        active: false,
        ..good.clone()
    };
    assert!(!is_good_link(&inactive, id, amount));
    let priceless = PaymentLink {
        amount: None,
        ..good
    };
    assert!(!is_good_link(&priceless, id, None), "both unknown");
}

/// What is only retired or left alone is not minted for.
#[test]
fn a_plan_counts_every_verdict_once_and_totals_what_it_mints_for() {
    let old = |id: i64, minor: i64, currency: Currency| {
        let reference = format!("cs_{id}");
        let own = StripeObject::Session(session(&reference, id, SessionState::Expired));
        let mut row = order(id, Some(&reference));
        row.amount = Some(Money::new(minor, currency));
        facts(row, Some(own), vec![])
    };
    let euro = Currency::parse("eur").unwrap();
    let mut healthy = behind(link("plink_own", true, vec![]));
    Arc::make_mut(&mut healthy.order).amount = Some(usd(5500));
    let snapshot = Snapshot {
        taken_at: Timestamp(NOW),
        mode: Mode::Test,
        account: None,
        witness: Witness::Absent,
        orders: vec![
            old(1, 100, Currency::USD),
            old(2, 200, Currency::USD),
            old(3, 700, euro),
            healthy,
        ],
    };
    let plan = decide(&snapshot, &Policy::new(Goal::Regen));
    assert_eq!(
        Tally::of(&plan).counts(),
        [(Verdict::Dead, 3), (Verdict::Healthy, 1)]
    );
    let totals: Vec<String> = plan.totals().iter().map(ToString::to_string).collect();
    assert_eq!(totals.len(), 2, "{totals:?}");
    assert!(plan.totals().contains(&usd(300)), "{totals:?}");
    assert!(plan.totals().contains(&Money::new(700, euro)), "{totals:?}");
}
