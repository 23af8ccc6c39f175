//! Any text as a saved plan. What is read and written again is the same; a document with another checksum or digest than its
//! own is refused; a plan of ours, changed at any place, is refused or says the same; and one that was sealed again over other
//! orders or facts has another digest, and stands for nothing that is due.
#![no_main]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use relink::domain::{
    AccountId, CheckoutReference, Currency, JournalFacts, Listing, Mode, Money, Order, OrderFacts,
    OrderId, OrderStatus, Owner, Parent, Player, Product, Reading, Session, SessionId,
    SessionState, Snapshot, Stored, StripeObject, Timestamp, Witness,
};
use relink::plan::{Approvable, Digest, Goal, Line, Plan, Policy, decide};
use relink::saved_plan::{Making, Now, SavedPlan, SavedScope, Stands, fingerprint};

const NOW: i64 = 1_800_000_000;

fn order(id: i64) -> OrderFacts {
    let name = format!("cs_test_{id}");
    let session = Session {
        id: SessionId::parse(&name).unwrap(),
        state: SessionState::Expired,
        owner: Owner::Order(OrderId(id)),
        amount: Some(Money::new(5500, Currency::USD)),
        created: Timestamp(NOW - 200_000),
        expires_at: Timestamp(NOW - 100_000),
        link: None,
        recovery: None,
        recovered_from: None,
    };
    let reference = CheckoutReference::classify(&name);
    OrderFacts {
        order: Arc::new(Order {
            id: OrderId(id),
            status: OrderStatus::Pending,
            amount: Some(Money::new(5500, Currency::USD)),
            reference: Some(reference.clone()),
            url: Some(format!("https://checkout.stripe.com/c/pay/{name}")),
            payment_intent: None,
            created_at: Some(Timestamp(NOW - 300_000)),
            player: Some(Player {
                id: 7,
                name: "Zoë \"Z\" 李".to_owned(),
            }),
            parent: Some(Parent {
                name: "Pat".to_owned(),
                email: Some("pat@example.com".to_owned()),
            }),
            product: Some(Product {
                id: 3,
                name: "Entry".to_owned(),
                category: "tournament".to_owned(),
                is_active: true,
            }),
            tournaments: Vec::new(),
            gaps: Vec::new(),
        }),
        stored: Stored::Read(
            reference,
            Box::new(Reading::Seen(StripeObject::Session(session))),
        ),
        others: Listing::Complete(Vec::new()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

struct Ours {
    snapshot: Snapshot,
    plan: Plan,
    saved: SavedPlan,
    text: String,
}

static OURS: LazyLock<Ours> = LazyLock::new(|| {
    let snapshot = Snapshot {
        taken_at: Timestamp(NOW),
        mode: Mode::Test,
        account: AccountId::parse("acct_1").ok(),
        witness: Witness::Read,
        orders: vec![order(1), order(2)],
    };
    let plan = decide(&snapshot, &Policy::new(Goal::Regen));
    let making = Making {
        made_at_database: Timestamp(NOW),
        command: "relink regen --all".to_owned(),
        account: AccountId::parse("acct_1").unwrap(),
        database: "postgres 7 club".to_owned(),
        scope: SavedScope {
            all: true,
            ..SavedScope::default()
        },
    };
    let saved = SavedPlan::of(&plan, &snapshot, making);
    let text = saved.render().unwrap();
    assert_eq!(SavedPlan::parse(&text, "plan.json").unwrap(), saved);
    Ours {
        snapshot,
        plan,
        saved,
        text,
    }
});

/// What is agreed to. Nothing and the empty text are one: no row and no address is the empty text.
fn approvable(saved: &SavedPlan) -> (Vec<Line>, String) {
    let SavedPlan {
        account,
        mode,
        database,
        gone_orders,
        paid_links,
        forced_objects,
        ..
    } = saved;
    let lines = saved.orders.iter().map(|order| Line {
        parent_email_hash: order
            .line
            .parent_email_hash
            .clone()
            .filter(|it| !it.is_empty()),
        old: order.line.old.clone().filter(|it| !it.as_str().is_empty()),
        resumes: order.line.resumes.clone().filter(|it| !it.is_empty()),
        ..order.line.clone()
    });
    let goal = saved.goal();
    let around = format!(
        "{account} {mode} {database:?} {goal:?} {gone_orders:?} {paid_links:?} {forced_objects:?}"
    );
    (lines.collect(), around)
}

fn digest(saved: &SavedPlan) -> Digest {
    let approvable = Approvable {
        database: Some(&saved.database),
        account: Some(&saved.account),
        mode: saved.mode,
        goal: saved.goal(),
        lines: saved.orders.iter().map(|order| &order.line).collect(),
        gone: &saved.gone_orders,
        paid_links: &saved.paid_links,
        forced: &saved.forced_objects,
    };
    approvable.digest()
}

fn is_read_as_written(text: &str) {
    if let Ok(saved) = SavedPlan::parse(text, "plan.json") {
        let written = saved.render().unwrap();
        assert_eq!(SavedPlan::parse(&written, "plan.json").unwrap(), saved);
        assert_eq!(saved.digest, digest(&saved));
    }
}

/// What the checksum would keep from the code behind it.
fn is_told_apart_unsealed(text: &str) {
    let Ok(saved) = serde_json::from_str::<SavedPlan>(text) else {
        return;
    };
    let written = saved.render().unwrap();
    let again: SavedPlan = serde_json::from_str(&written).unwrap();
    assert_eq!(again, saved);
    let ours = &*OURS;
    // Eight digits are the same by chance once in four thousand million times.
    let is_same = approvable(&saved) == approvable(&ours.saved);
    assert_eq!(digest(&saved) == ours.saved.digest, is_same);
    for order in &saved.orders {
        for other in &ours.saved.orders {
            let is_same = order.facts == other.facts;
            assert_eq!(
                fingerprint(&order.facts) == fingerprint(&other.facts),
                is_same
            );
        }
    }
    let ids: BTreeSet<OrderId> = saved.order_ids().into_iter().collect();
    assert!(ids.len() <= saved.orders.len());
    assert!(saved.resumed().count() <= saved.orders.len());

    let now = Now {
        plan: &ours.plan,
        snapshot: &ours.snapshot,
        worked: &[],
        gone: &[],
        owed: &[],
    };
    let standing = saved.stand(&now);
    assert_eq!(standing.subjects.len(), saved.size());
    let _ = standing.age(&saved);
    for (order, due) in saved.orders.iter().zip(&standing.subjects) {
        let mut of_ours = ours.saved.orders.iter();
        let was = of_ours.any(|it| it.line == order.line && it.fingerprint == order.fingerprint);
        assert_eq!(due.stands == Stands::Due, was);
    }
    let due = standing.apply(ours.plan.clone());
    assert!(due.decisions.iter().all(|it| ids.contains(&it.order.id)));
    assert!(due.gone.is_empty() && due.paid_links.is_empty() && due.forced.is_empty());
    assert!(standing.skipped().len() <= saved.size());
}

/// The first two bytes say where, the rest is put there in place of what stood there.
fn is_refused_or_the_same(data: &[u8]) {
    let ours = &*OURS;
    let [high, low, with @ ..] = data else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % ours.text.len();
    let end = (at + with.len()).min(ours.text.len());
    let text = ours.text.as_bytes();
    let changed = [&text[..at], with, &text[end..]].concat();
    let Ok(changed) = String::from_utf8(changed) else {
        return;
    };
    if let Ok(saved) = SavedPlan::parse(&changed, "plan.json") {
        assert_eq!(saved, ours.saved);
    }
    is_told_apart_unsealed(&changed);
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        is_read_as_written(text);
        is_told_apart_unsealed(text);
    }
    is_refused_or_the_same(data);
});
