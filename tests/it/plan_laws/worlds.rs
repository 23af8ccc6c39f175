//! Arbitrary facts and policies: everything that a database and Stripe could show of a few orders, likely or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use relink::domain::*;
use relink::plan::*;

const NOW: i64 = 1_773_478_800;

fn money() -> impl Strategy<Value = Option<Money>> {
    prop_oneof![
        8 => Just(Some(Money::new(5500, Currency::USD))),
        2 => Just(Some(Money::new(6500, Currency::USD))),
        1 => Just(Some(Money::new(5500, Currency::parse("eur").unwrap()))),
        1 => Just(Some(Money::new(0, Currency::USD))),
        1 => Just(None),
    ]
}

fn owner(order: i64) -> impl Strategy<Value = Owner> {
    prop_oneof![
        8 => Just(Owner::Order(OrderId(order))),
        1 => Just(Owner::Order(OrderId(order + 1))),
        1 => Just(Owner::Nobody),
        1 => Just(Owner::Unreadable("x".to_owned())),
    ]
}

fn payment() -> impl Strategy<Value = Payment> {
    (
        0..3_u8,
        money(),
        prop_oneof![3 => Just(0), 1 => Just(2000), 2 => Just(9900)],
    )
        .prop_map(|(n, amount, returned)| Payment {
            intent: (n > 0).then(|| PaymentIntentId::parse(&format!("pi_{n}")).unwrap()),
            amount,
            returned,
        })
}

fn state() -> impl Strategy<Value = SessionState> {
    prop_oneof![
        4 => Just(SessionState::Open),
        6 => Just(SessionState::Expired),
        2 => payment().prop_map(SessionState::Paid),
        1 => Just(SessionState::Processing),
        1 => Just(SessionState::Failed),
        1 => Just(SessionState::Unknown("odd".to_owned())),
    ]
}

fn session(order: i64) -> impl Strategy<Value = Session> {
    let recovery = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Recovery { expires_at: None })),
        1 => Just(Some(Recovery { expires_at: Some(Timestamp(NOW - 1)) })),
        1 => Just(Some(Recovery { expires_at: Some(Timestamp(NOW + 1)) })),
    ];
    (
        0..6_u32,
        state(),
        owner(order),
        money(),
        0..90_000_i64,
        recovery,
        any::<bool>(),
    )
        .prop_map(
            move |(n, state, owner, amount, age, recovery, linked)| Session {
                id: SessionId::parse(&format!("cs_test_{order}x{n}")).unwrap(),
                state,
                owner,
                amount,
                created: Timestamp(NOW - age),
                expires_at: Timestamp(NOW - age + 86_400),
                link: linked.then(|| LinkId::parse(&format!("plink_{order}x0")).unwrap()),
                recovery,
                recovered_from: None,
            },
        )
}

fn listing<T: std::fmt::Debug + Clone + 'static>(
    item: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Listing<T>> {
    prop_oneof![
        9 => proptest::collection::vec(item, 0..3).prop_map(Listing::Complete),
        1 => Just(Listing::Unfinished("page 2 timed out".to_owned())),
    ]
}

fn object(order: i64) -> impl Strategy<Value = StripeObject> {
    let family = (
        0..3_u32,
        any::<bool>(),
        owner(order),
        money(),
        proptest::option::of(0..3_u64),
        listing(session(order)),
    )
        .prop_map(
            move |(n, active, owner, amount, completed_count, sessions)| {
                StripeObject::Link(Family {
                    link: PaymentLink {
                        id: LinkId::parse(&format!("plink_{order}x{n}")).unwrap(),
                        active,
                        url: format!("https://buy.stripe.com/test_{order}x{n}"),
                        owner,
                        amount,
                        completed_count,
                        relink_key: None,
                    },
                    sessions,
                })
            },
        );
    prop_oneof![session(order).prop_map(StripeObject::Session), family]
}

fn stored(order: i64) -> impl Strategy<Value = Stored> {
    let named = CheckoutReference::classify(&format!("cs_test_{order}x0"));
    let (gone, hidden, unread) = (named.clone(), named.clone(), named);
    prop_oneof![
        10 => object(order).prop_map(|object| {
            Stored::Read(object.reference(), Box::new(Reading::Seen(object)))
        }),
        1 => Just(Stored::Nothing),
        1 => Just(Stored::Unknown("pi_x".to_owned())),
        1 => Just(Stored::Skipped),
        1 => Just(Stored::Read(gone, Box::new(Reading::NoSuchObject))),
        1 => Just(Stored::Read(hidden, Box::new(Reading::NotLive))),
        1 => Just(Stored::Read(unread, Box::new(Reading::Unread("timeout".to_owned())))),
    ]
}

fn status() -> impl Strategy<Value = OrderStatus> {
    prop_oneof![
        6 => Just(OrderStatus::Pending),
        1 => Just(OrderStatus::Paid),
        1 => Just(OrderStatus::Canceled),
        1 => Just(OrderStatus::Refunded),
        1 => Just(OrderStatus::Unknown("odd".to_owned())),
    ]
}

fn facts(id: i64) -> impl Strategy<Value = OrderFacts> {
    let product = (
        any::<bool>(),
        prop_oneof![9 => Just("tournament"), 1 => Just("jersey")],
    )
        .prop_map(|(is_active, category)| Product {
            id: 1,
            name: "Entry".to_owned(),
            category: category.to_owned(),
            is_active,
        });
    let journal = (0..20_u8).prop_map(|n| JournalFacts {
        open: (n == 0).then(|| crate::support::facts::open_operation(OpenTask::Replace)),
        unstored: BTreeSet::new(),
        withdrawn: (n == 1).then(|| CheckoutReference::classify("cs_a")),
    });
    (
        status(),
        money(),
        stored(id),
        listing(object(id)),
        proptest::option::weighted(0.95, product),
        journal,
    )
        .prop_map(
            move |(status, amount, stored, others, product, journal)| OrderFacts {
                order: Arc::new(Order {
                    id: OrderId(id),
                    status,
                    amount,
                    reference: match &stored {
                        Stored::Read(reference, _) => Some(reference.clone()),
                        _ => None,
                    },
                    url: None,
                    payment_intent: None,
                    created_at: None,
                    player: None,
                    parent: None,
                    product,
                    tournaments: Vec::new(),
                    gaps: Vec::new(),
                }),
                stored,
                others,
                recorded_returned: 0,
                journal,
            },
        )
}

pub fn world() -> impl Strategy<Value = Snapshot> {
    let orders = proptest::collection::btree_set(1..9_i64, 0..6)
        .prop_flat_map(|ids: BTreeSet<i64>| ids.into_iter().map(facts).collect::<Vec<_>>());
    (orders.prop_shuffle(), any::<bool>()).prop_map(|(orders, seen)| Snapshot {
        taken_at: Timestamp(NOW),
        mode: Mode::Test,
        account: None,
        witness: if seen { Witness::Read } else { Witness::Absent },
        orders,
    })
}

pub fn policy() -> impl Strategy<Value = Policy> {
    let goal = prop_oneof![
        4 => Just(Goal::Regen),
        1 => Just(Goal::Mint),
        1 => Just(Goal::Retire),
        1 => Just(Goal::RetirePending),
    ];
    let all = [
        Release::MissingIsDead,
        Release::AcceptRecoveryUrl,
        Release::AdoptUnowned,
        Release::AllowAmountChange,
        Release::AllowCurrencyChange,
    ];
    let releases = proptest::sample::subsequence(all.to_vec(), 0..=5);
    let named = proptest::collection::btree_set((1..9_i64).prop_map(OrderId), 0..8);
    (goal, releases, named, any::<bool>()).prop_map(|(goal, releases, named, over)| {
        let mut releases: BTreeSet<Release> = releases.into_iter().collect();
        // Only `mint` takes it.
        if over && goal == Goal::Mint {
            releases.insert(Release::OverForeign);
        }
        Policy {
            releases,
            named,
            ..Policy::new(goal)
        }
    })
}
