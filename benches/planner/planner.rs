//! The planner alone: how many orders it decides in a second on one core, by kind of order and over a club's mix.
//!
//!     cargo bench --manifest-path benches/planner/Cargo.toml
//!
//! `benches/decisions` does the same and plots how a plan's time grows with its orders.
//!
//! The facts are made before the clock starts. The goal of 2,000,000 decisions a second is 500 ns each.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use relink::domain::{
    CheckoutReference, Currency, Family, JournalFacts, LinkId, Listing, Mode, Money, Order, OrderFacts,
    OrderId, OrderStatus, Owner, Parent, Payment, PaymentIntentId, PaymentLink, Player, Product, Reading,
    Session, SessionId, SessionState, Snapshot, Stored, StripeObject, Timestamp, Tournament, TournamentId,
    Witness,
};
use relink::plan::{Goal, Moment, Policy, decide, decide_order};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
const PLANS: [i64; 4] = [100, 1000, 10_000, 100_000];

fn usd(minor: i64) -> Option<Money> {
    Some(Money::new(minor, Currency::USD))
}

fn order(id: i64, reference: Option<&str>, status: OrderStatus) -> Order {
    Order {
        id: OrderId(id),
        amount: usd(5500),
        reference: reference.map(CheckoutReference::classify),
        url: reference.map(url),
        payment_intent: (status == OrderStatus::Paid).then(|| intent(id)),
        status,
        created_at: Some(Timestamp(NOW - 10 * DAY)),
        player: Some(Player { id: 7, name: "Ada Quinn".to_owned() }),
        parent: Some(Parent { name: "Pat Quinn".to_owned(), email: Some("pat@example.com".to_owned()) }),
        product: Some(Product {
            id: 3,
            name: "Entry, summer".to_owned(),
            category: "tournament".to_owned(),
            is_active: true,
        }),
        tournaments: vec![Tournament { id: TournamentId(2), name: "Utah Invitational".to_owned() }],
        gaps: Vec::new(),
    }
}

fn url(id: &str) -> String {
    format!("https://buy.stripe.com/{id}")
}

fn intent(order: i64) -> PaymentIntentId {
    PaymentIntentId::parse(&format!("pi_{order}")).expect("an id")
}

fn session(order: i64, state: SessionState) -> StripeObject {
    StripeObject::Session(Session {
        id: SessionId::parse(&format!("cs_test_{order}")).expect("an id"),
        state,
        owner: Owner::Order(OrderId(order)),
        amount: usd(5500),
        created: Timestamp(NOW - 2 * DAY),
        expires_at: Timestamp(NOW - DAY),
        link: None,
        recovery: None,
        recovered_from: None,
    })
}

fn link(order: i64) -> StripeObject {
    let id = format!("plink_{order}");
    StripeObject::Link(Family {
        link: PaymentLink {
            url: url(&id),
            id: LinkId::parse(&id).expect("an id"),
            active: true,
            owner: Owner::Order(OrderId(order)),
            amount: usd(5500),
            completed_count: None,
            relink_key: None,
        },
        sessions: Listing::Complete(Vec::new()),
    })
}

fn facts(id: i64, stored: StripeObject, status: OrderStatus, others: Vec<StripeObject>) -> OrderFacts {
    let reference = stored.reference();
    OrderFacts {
        order: Arc::new(order(id, Some(reference.as_str()), status)),
        stored: Stored::Read(reference, Box::new(Reading::Seen(stored))),
        others: Listing::Complete(others),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

fn expired(id: i64) -> OrderFacts {
    facts(id, session(id, SessionState::Expired), OrderStatus::Pending, Vec::new())
}

fn healthy(id: i64) -> OrderFacts {
    facts(id, link(id), OrderStatus::Pending, Vec::new())
}

fn paid(id: i64) -> OrderFacts {
    let payment = Payment { intent: Some(intent(id)), amount: usd(5500), returned: 0 };
    facts(id, session(id, SessionState::Paid(payment)), OrderStatus::Paid, Vec::new())
}

fn duplicate(id: i64) -> OrderFacts {
    facts(id, session(id, SessionState::Open), OrderStatus::Pending, vec![link(id)])
}

/// Of a thousand orders 700 are paid, 200 healthy, 80 behind an expired session, 20 with two live objects.
fn mixed(id: i64) -> OrderFacts {
    match id % 50 {
        0..35 => paid(id),
        35..45 => healthy(id),
        45..49 => expired(id),
        _ => duplicate(id),
    }
}

fn measure(criterion: &mut Criterion) {
    let moment = Moment { taken_at: Timestamp(NOW), witness: Witness::Read };
    let policy = Policy::new(Goal::Regen);
    let mut one = criterion.benchmark_group("one order");
    one.throughput(Throughput::Elements(1));
    for (name, facts) in [
        ("behind an expired session", expired(1)),
        ("behind its own link", healthy(1)),
        ("paid", paid(1)),
        ("with two live objects", duplicate(1)),
    ] {
        one.bench_function(name, |bencher| {
            bencher.iter(|| decide_order(black_box(&facts), moment, &policy));
        });
    }
    one.finish();
    let mut plan = criterion.benchmark_group("a plan");
    for orders in PLANS {
        let snapshot = Snapshot {
            taken_at: Timestamp(NOW),
            mode: Mode::Test,
            account: None,
            witness: Witness::Read,
            orders: (1..=orders).map(mixed).collect(),
        };
        plan.throughput(Throughput::Elements(orders as u64));
        plan.bench_function(orders.to_string(), |bencher| {
            bencher.iter(|| decide(black_box(&snapshot), &policy));
        });
    }
    plan.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
