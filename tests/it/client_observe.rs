//! Orders in, snapshot out: what is read for each order.

use std::sync::{Arc, Mutex};

use relink::domain::{
    CheckoutReference, Listing, Order, OrderFacts, OrderStatus, Product, Reading, SessionState,
    Stored, Timestamp, Witness,
};
use relink::stripe::{ObserveRequest, observe};
use serde_json::json;

use crate::client_facts::{facts, order, others, seen, sessions, try_observe};
use crate::client_world::{World, intent, link, session};

#[tokio::test]
async fn every_order_is_told_of_in_its_place() {
    let world = World {
        sessions: vec![session("cs_test_a1", 1, json!({}))],
        ..World::default()
    };
    let server = world.serve().await;
    let mut elsewhere = order(4, "cs_test_a9");
    elsewhere.product = Some(Product {
        category: "camp".to_owned(),
        ..elsewhere.product.unwrap()
    });
    let done = Arc::new(Mutex::new(0));
    let orders = vec![
        order(1, "cs_test_a1"),
        order(2, ""),
        order(3, "pi_1"),
        elsewhere,
        order(5, "cs_test_gone"),
    ];
    let request = ObserveRequest {
        scope: &["tournament".to_owned()],
        account: None,
        witnesses: &[],
        concurrency: 2,
    };
    let progress = || *done.lock().unwrap() += 1;
    let snapshot = observe(&server.client(), orders, &request, progress)
        .await
        .unwrap();
    let ids: Vec<i64> = snapshot
        .orders
        .iter()
        .map(|facts| facts.order.id.0)
        .collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    let [a, b, c, d, e] = snapshot.orders.as_slice() else {
        panic!()
    };
    assert_eq!(sessions(a)[0].state, SessionState::Expired);
    assert_eq!(b.stored, Stored::Nothing);
    assert_eq!(c.stored, Stored::Unknown("pi_1".to_owned()));
    assert_eq!(d.stored, Stored::Skipped);
    let gone = Stored::Read(
        CheckoutReference::classify("cs_test_gone"),
        Box::new(Reading::NoSuchObject),
    );
    assert_eq!(e.stored, gone);
    assert_eq!(snapshot.witness, Witness::Read);
    assert_eq!(snapshot.taken_at, Timestamp(1_795_500_000));
    assert_eq!(*done.lock().unwrap(), 5);
    let asked: Vec<String> = server
        .heard()
        .iter()
        .map(|request| request.target.clone())
        .collect();
    assert!(
        !asked.iter().any(|target| target.contains("cs_test_a9")),
        "{asked:?}"
    );
    assert!(
        !asked.iter().any(|target| target.contains("pi_1")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_link_comes_with_every_session_whatever_its_status_and_page() {
    let of_link = |id: &str, change: serde_json::Value| {
        let mut object = session(id, 1, json!({"payment_link": "plink_1"}));
        object
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        object
    };
    let world = World {
        links: vec![link("plink_1", 1, json!({"active": false}))],
        sessions: vec![
            of_link("cs_test_a1", json!({"status": "expired"})),
            of_link("cs_test_a2", json!({"status": "open"})),
            of_link(
                "cs_test_a3",
                json!({"status": "complete", "payment_status": "paid", "payment_intent": "pi_3"}),
            ),
            of_link(
                "cs_test_a4",
                json!({"status": "complete", "payment_intent": "pi_4"}),
            ),
            of_link(
                "cs_test_a5",
                json!({"status": "complete", "payment_intent": "pi_5"}),
            ),
            of_link(
                "cs_test_a6",
                json!({"status": "complete", "payment_intent": "pi_unreadable"}),
            ),
        ],
        intents: vec![
            intent("pi_4", "processing"),
            intent("pi_5", "requires_payment_method"),
        ],
        ..World::default()
    };
    let server = world.serve().await;
    let snapshot = try_observe(&server, vec![order(1, "plink_1")])
        .await
        .unwrap();
    let facts = &snapshot.orders[0];
    let states: Vec<&SessionState> = sessions(facts)
        .iter()
        .map(|session| &session.state)
        .collect();
    let [expired, open, paid, processing, failed, unread] = states.as_slice() else {
        panic!("{states:?}")
    };
    assert_eq!(
        (*expired, *open),
        (&SessionState::Expired, &SessionState::Open)
    );
    assert!(matches!(paid, SessionState::Paid(_)));
    assert_eq!(
        (*processing, *failed),
        (&SessionState::Processing, &SessionState::Failed)
    );
    assert_eq!(*unread, &SessionState::Processing);
    assert!(
        others(facts).is_empty(),
        "sessions of the stored link are in `stored`"
    );
    let listing = server
        .heard()
        .into_iter()
        .find(|request| request.query("payment_link").is_some())
        .unwrap();
    assert_eq!(
        listing.query("status"),
        None,
        "a filtered list cannot prove that nothing was paid"
    );
}

#[tokio::test]
async fn every_other_object_that_names_the_order_is_found() {
    let world = World {
        links: vec![
            link("plink_2", 1, json!({})),
            link("plink_3", 2, json!({})),
            link("plink_4", 1, json!({"active": false})),
        ],
        sessions: vec![
            session("cs_test_a1", 1, json!({})),
            session(
                "cs_test_b1",
                1,
                json!({"status": "open", "payment_link": "plink_2"}),
            ),
            session(
                "cs_test_c1",
                1,
                json!({"status": "open", "payment_link": "plink_4"}),
            ),
            session(
                "cs_test_d1",
                1,
                json!({"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}),
            ),
            session("cs_test_e1", 2, json!({"status": "open"})),
        ],
        ..World::default()
    };
    let facts = facts(world, order(1, "cs_test_a1")).await;
    let mut found = others(&facts);
    found.sort();
    assert_eq!(found, ["cs_test_c1", "cs_test_d1", "plink_2"]);
}

#[tokio::test]
async fn recovered_copies_are_found_through_their_chain_even_without_metadata() {
    let copy = |id: &str, of: &str, change: serde_json::Value| {
        let mut object = session(id, 0, json!({"recovered_from": of, "metadata": {}}));
        object
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        object
    };
    let world = World {
        sessions: vec![
            session("cs_test_a1", 1, json!({})),
            copy("cs_test_a2", "cs_test_a1", json!({"status": "open"})),
            copy(
                "cs_test_a3",
                "cs_test_a2",
                json!({"status": "complete", "payment_status": "paid"}),
            ),
            copy("cs_test_z2", "cs_test_z1", json!({"status": "open"})),
        ],
        ..World::default()
    };
    let facts = facts(world, order(1, "cs_test_a1")).await;
    assert_eq!(others(&facts), ["cs_test_a2", "cs_test_a3"]);
}

#[tokio::test]
async fn the_account_is_listed_once_however_many_orders() {
    let world = World {
        sessions: (1..=9)
            .map(|n| session(&format!("cs_test_a{n}"), n, json!({})))
            .collect(),
        ..World::default()
    };
    let server = world.serve().await;
    let orders: Vec<Order> = (1..=9)
        .map(|n| order(n, &format!("cs_test_a{n}")))
        .collect();
    try_observe(&server, orders).await.unwrap();
    let listed = |status: &str| {
        let heard = server.heard();
        heard
            .iter()
            .filter(|request| request.query("status").as_deref() == Some(status))
            .count()
    };
    assert_eq!((listed("open"), listed("complete")), (1, 1));
    let complete = server
        .heard()
        .into_iter()
        .find(|r| r.query("status").as_deref() == Some("complete"))
        .unwrap();
    let a_day_before = (1_795_000_000 - 86_400).to_string();
    assert_eq!(complete.query("created[gte]"), Some(a_day_before));
}

#[tokio::test]
async fn without_a_date_of_the_order_all_completed_sessions_are_read() {
    let server = World::default().serve().await;
    let undated = Order {
        created_at: None,
        ..order(1, "")
    };
    try_observe(&server, vec![undated, order(2, "")])
        .await
        .unwrap();
    let complete = server
        .heard()
        .into_iter()
        .find(|r| r.query("status").as_deref() == Some("complete"))
        .unwrap();
    assert_eq!(complete.query("created[gte]"), None);
}

#[tokio::test]
async fn the_stored_link_is_not_its_own_duplicate() {
    let world = World {
        links: vec![link("plink_1", 1, json!({}))],
        ..World::default()
    };
    let facts = facts(world, order(1, "plink_1")).await;
    assert!(seen(&facts.stored).is_live());
    assert!(others(&facts).is_empty());
}

fn paid(id: &str, intent: &str) -> serde_json::Value {
    session(
        id,
        1,
        json!({"status": "complete", "payment_status": "paid", "payment_intent": intent}),
    )
}

fn refund(id: &str, intent: &str, amount: i64, status: &str) -> serde_json::Value {
    json!({"id": id, "object": "refund", "payment_intent": intent, "amount": amount, "currency": "usd", "status": status})
}

fn refunded(facts: &OrderFacts) -> Vec<bool> {
    let Listing::Complete(others) = &facts.others else {
        panic!()
    };
    let all = std::iter::once(seen(&facts.stored)).chain(others);
    let paid = all
        .flat_map(|object| object.sessions())
        .filter_map(|session| match &session.state {
            SessionState::Paid(payment) => Some(payment.is_returned()),
            _ => None,
        });
    paid.collect()
}

#[tokio::test]
async fn a_payment_is_refunded_when_the_whole_of_it_went_back() {
    let world = World {
        sessions: vec![paid("cs_test_a1", "pi_1"), paid("cs_test_a2", "pi_2")],
        refunds: vec![
            refund("re_1", "pi_1", 3000, "succeeded"),
            refund("re_2", "pi_1", 2500, "pending"),
            refund("re_3", "pi_2", 3000, "succeeded"),
            refund("re_4", "pi_2", 2500, "succeeded"),
        ],
        ..World::default()
    };
    assert_eq!(
        refunded(&facts(world, order(1, "cs_test_a1")).await),
        [false, true]
    );
}

#[tokio::test]
async fn refunds_are_read_only_where_they_decide_something() {
    let world = World {
        sessions: vec![paid("cs_test_a1", "pi_1")],
        refunds: vec![refund("re_1", "pi_1", 5500, "succeeded")],
        ..World::default()
    };
    let read = |order: Order| {
        let world = world.clone();
        async move {
            let server = world.serve().await;
            let facts = try_observe(&server, vec![order])
                .await
                .unwrap()
                .orders
                .remove(0);
            let asked = server
                .heard()
                .iter()
                .any(|request| request.path() == "/v1/refunds");
            (refunded(&facts), asked)
        }
    };
    let plain = order(1, "cs_test_a1");
    assert_eq!(read(plain.clone()).await, (vec![false], false));
    let canceled = Order {
        status: OrderStatus::Canceled,
        ..plain
    };
    assert_eq!(read(canceled).await, (vec![true], true));
}
