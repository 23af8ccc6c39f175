//! What people and programs see of a small invented club: every text is checked against a snapshot, and
//! hostile text is proved harmless. The plans come from `decide`, not from hand.
#![allow(clippy::unwrap_used)]

mod diagnosed;
mod documents;
mod explained;
mod hostile;
mod journaled;
mod order_document;
mod planned;
mod reported;
mod resumed;
mod schemas;

use std::sync::Arc;

use super::NextStep;
use super::look::Look;
use crate::domain::{
    AccountId, CheckoutReference, Currency, Family, JournalFacts, LinkId, Listing, Mode, Money,
    Order, OrderFacts, OrderId, OrderStatus, Owner, Parent, Payment, PaymentIntentId, PaymentLink,
    Player, Product, Reading, Recovery, Session, SessionId, SessionState, Snapshot, Stored,
    StripeObject, Timestamp, Tournament, TournamentId, Witness,
};
use crate::plan::{Goal, Plan, Policy, Release, decide};

const NOW: i64 = 1_790_000_000;
const DAY: i64 = 24 * 60 * 60;

const PLAIN: Look = Look::of(false, 200);

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn order(id: i64, player: &str, minor: i64) -> Order {
    Order {
        id: OrderId(id),
        status: OrderStatus::Pending,
        amount: Some(usd(minor)),
        reference: None,
        url: None,
        payment_intent: None,
        created_at: Some(Timestamp(NOW - 9 * DAY)),
        player: Some(Player {
            id: 100 + id,
            name: player.to_owned(),
        }),
        parent: Some(Parent {
            name: format!("Parent of {player}"),
            email: Some("parent@example.com".to_owned()),
        }),
        product: Some(Product {
            id: 3,
            name: "Utah fee".to_owned(),
            category: "tournament".to_owned(),
            is_active: true,
        }),
        tournaments: vec![Tournament {
            id: TournamentId(2),
            name: "Utah Invitational".to_owned(),
        }],
        gaps: Vec::new(),
    }
}

fn long_id(n: i64) -> String {
    format!("cs_test_a1{}{n:04}", "k".repeat(52))
}

fn session(id: &str, state: SessionState, of: i64, minor: i64) -> Session {
    Session {
        id: SessionId::parse(id).unwrap(),
        state,
        owner: Owner::Order(OrderId(of)),
        amount: Some(usd(minor)),
        created: Timestamp(NOW - 2 * DAY),
        expires_at: Timestamp(NOW - DAY),
        link: None,
        recovery: None,
        recovered_from: None,
    }
}

fn link(id: &str, active: bool, of: i64, minor: i64) -> Family {
    Family {
        link: PaymentLink {
            id: LinkId::parse(id).unwrap(),
            active,
            url: format!("https://buy.stripe.com/test_{of}"),
            owner: Owner::Order(OrderId(of)),
            amount: Some(usd(minor)),
            completed_count: Some(0),
            relink_key: None,
        },
        sessions: Listing::Complete(Vec::new()),
    }
}

fn paid(intent: &str, minor: i64) -> SessionState {
    SessionState::Paid(Payment {
        intent: Some(PaymentIntentId::parse(intent).unwrap()),
        amount: Some(usd(minor)),
        returned: 0,
    })
}

/// The order with `object` in its row.
fn holding(mut order: Order, object: StripeObject) -> OrderFacts {
    order.reference = Some(object.reference());
    order.url = Some(format!("https://pay.example.com/{}", order.id));
    OrderFacts {
        stored: Stored::Read(object.reference(), Box::new(Reading::Seen(object))),
        order: order.into(),
        others: Listing::Complete(Vec::new()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

fn bare(order: Order) -> OrderFacts {
    OrderFacts {
        order: order.into(),
        stored: Stored::Nothing,
        others: Listing::Complete(Vec::new()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

fn snapshot(orders: Vec<OrderFacts>) -> Snapshot {
    Snapshot {
        taken_at: Timestamp(NOW),
        mode: Mode::Test,
        account: AccountId::parse("acct_1Utah").ok(),
        witness: Witness::Read,
        orders,
    }
}

fn expired(id: i64, player: &str, minor: i64) -> OrderFacts {
    let session = session(&long_id(id), SessionState::Expired, id, minor);
    holding(order(id, player, minor), StripeObject::Session(session))
}

/// One order per kind of line that a plan can have.
fn odd_orders() -> Vec<OrderFacts> {
    let mut settled = expired(2, "Ben Ito", 5500);
    Arc::make_mut(&mut settled.order).status = OrderStatus::Paid;
    let open = session("cs_test_open3", SessionState::Open, 3, 6500);
    let wrong = link("plink_wrong4", true, 4, 5000);
    let mut dying = link("plink_dying5", false, 5, 5500);
    dying.sessions = Listing::Complete(vec![
        session("cs_test_o1", SessionState::Open, 5, 5500),
        session("cs_test_o2", SessionState::Open, 5, 5500),
    ]);
    let paid_here = session("cs_test_paid7", paid("pi_7", 5500), 7, 5500);
    let processing = session("cs_test_proc8", SessionState::Processing, 8, 5500);
    let mut two = holding(
        order(9, "Gus Two", 5500),
        StripeObject::Link(link("plink_own9", true, 9, 5500)),
    );
    two.others = Listing::Complete(vec![StripeObject::Link(link(
        "plink_other9",
        true,
        9,
        5500,
    ))]);
    let mut unowned = link("plink_shared10", true, 10, 5500);
    unowned.link.owner = Owner::Nobody;
    let mut odd = bare(order(11, "Ida Odd", 5500));
    Arc::make_mut(&mut odd.order).reference = Some(CheckoutReference::Other("tok_42".to_owned()));
    odd.stored = Stored::Unknown("tok_42".to_owned());
    let mut missing = expired(12, "Jo Gone", 5500);
    if let Stored::Read(_, reading) = &mut missing.stored {
        **reading = Reading::NoSuchObject;
    }
    let mut unread = expired(13, "Kai Dark", 5500);
    if let Stored::Read(_, reading) = &mut unread.stored {
        **reading = Reading::Unread("timeout after 30 s".to_owned());
    }
    let mut camp = bare(order(14, "Lou Camp", 5500));
    if let Some(product) = &mut Arc::make_mut(&mut camp.order).product {
        product.category = "camp".to_owned();
    }
    camp.stored = Stored::Skipped;
    let mut recovery = session("cs_test_recover15", SessionState::Expired, 15, 5500);
    recovery.recovery = Some(Recovery {
        expires_at: Some(Timestamp(NOW + 20 * DAY)),
    });
    let mut nobody = bare(order(16, "", 0));
    Arc::make_mut(&mut nobody.order).player = None;
    Arc::make_mut(&mut nobody.order).amount = None;
    Arc::make_mut(&mut nobody.order).gaps = vec!["orders.amount_cents is NULL".to_owned()];
    vec![
        expired(1, "Ann Lee", 5500),
        settled,
        holding(order(3, "Cy Open", 6500), StripeObject::Session(open)),
        holding(order(4, "Di Wrong", 5500), StripeObject::Link(wrong)),
        holding(order(5, "Eve Dying", 5500), StripeObject::Link(dying)),
        holding(
            order(6, "Maximiliana Featherstonehaugh-Cholmondeley", 5500),
            StripeObject::Link(link("plink_good6", true, 6, 5500)),
        ),
        holding(order(7, "Flo Paid", 5500), StripeObject::Session(paid_here)),
        holding(
            order(8, "Fay Proc", 5500),
            StripeObject::Session(processing),
        ),
        two,
        holding(order(10, "Hal Shared", 5500), StripeObject::Link(unowned)),
        odd,
        missing,
        unread,
        camp,
        holding(
            order(15, "Mia Recover", 5500),
            StripeObject::Session(recovery),
        ),
        nobody,
    ]
}

fn plan_of(orders: Vec<OrderFacts>, goal: Goal, releases: &[Release]) -> Plan {
    let mut policy = Policy::new(goal);
    policy.releases.extend(releases.iter().copied());
    decide(&snapshot(orders), &policy)
}

/// As a command is completed where `--sandbox` was typed.
fn in_the_sandbox(command: &str) -> String {
    format!("{command} --sandbox")
}

fn next() -> NextStep {
    NextStep {
        command: Some("relink regen --tournament-id 2 --sandbox --commit".to_owned()),
        note: None,
    }
}
