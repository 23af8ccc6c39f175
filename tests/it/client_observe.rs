//! Orders in, snapshot out: what is read for each order, and what a gap turns into.

use std::sync::{Arc, Mutex};

use relink::domain::{
    CheckoutReference, Currency, LinkId, Listing, Money, Order, OrderFacts, OrderId, OrderStatus,
    Product, Reading, Session, SessionState, Snapshot, Stored, StripeObject, Timestamp, Witness,
};
use relink::stripe::{ObserveRequest, StripeError, observe, observe_order, observe_watched};
use serde_json::json;

use crate::client_server::{Answer, Server, error};
use crate::client_world::{Shared, World, intent, link, session};

fn order(id: i64, reference: &str) -> Order {
    Order {
        id: OrderId(id),
        status: OrderStatus::Pending,
        amount: Some(Money::new(5500, Currency::USD)),
        reference: (!reference.is_empty()).then(|| CheckoutReference::classify(reference)),
        url: None,
        payment_intent: None,
        created_at: Some(Timestamp(1_795_000_000)),
        player: None,
        parent: None,
        product: Some(Product {
            id: 1,
            name: "Cup".to_owned(),
            category: "tournament".to_owned(),
            is_active: true,
        }),
        tournaments: Vec::new(),
        gaps: Vec::new(),
    }
}

async fn try_observe(server: &Server, orders: Vec<Order>) -> Result<Snapshot, StripeError> {
    let request = ObserveRequest {
        scope: &["tournament".to_owned()],
        account: None,
        witnesses: &[CheckoutReference::classify("cs_test_witness")],
        concurrency: 3,
    };
    observe(&server.client(), orders, &request, |_, _| {}).await
}

async fn facts(world: World, order: Order) -> OrderFacts {
    let server = world.serve().await;
    try_observe(&server, vec![order])
        .await
        .unwrap()
        .orders
        .remove(0)
}

fn seen(stored: &Stored) -> &StripeObject {
    match stored {
        Stored::Read(_, reading) => match &**reading {
            Reading::Seen(object) => object,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn others(facts: &OrderFacts) -> Vec<String> {
    match &facts.others {
        Listing::Complete(others) => others
            .iter()
            .map(|object| object.reference().to_string())
            .collect(),
        Listing::Unfinished(reason) => panic!("{reason}"),
    }
}

fn sessions(facts: &OrderFacts) -> &[Session] {
    seen(&facts.stored).sessions()
}

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
    let told = Arc::new(Mutex::new(Vec::new()));
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
    let progress = |done, total| told.lock().unwrap().push((done, total));
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
    assert_eq!(
        *told.lock().unwrap(),
        [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    );
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
async fn a_listing_that_broke_off_proves_nothing_for_any_order() {
    let world = World {
        sessions: (1..=5)
            .map(|n| session(&format!("cs_test_a{n}"), n, json!({"status": "open"})))
            .collect(),
        ..World::default()
    };
    let fault = |request: &crate::client_server::Request| {
        let is_second_page =
            request.query("status").is_some() && request.query("starting_after").is_some();
        is_second_page.then(|| error(500, "api_error", None, "oops"))
    };
    let server = world.serve_with(Box::new(fault)).await;
    let snapshot = try_observe(
        &server,
        vec![order(1, "cs_test_a1"), order(2, "cs_test_a2")],
    )
    .await
    .unwrap();
    for facts in &snapshot.orders {
        assert!(matches!(&facts.others, Listing::Unfinished(reason) if reason.contains("500")));
        assert_eq!(sessions(facts)[0].state, SessionState::Open);
    }
}

#[tokio::test]
async fn half_a_familys_sessions_are_none() {
    let of_link = json!({"payment_link": "plink_1"});
    let world = World {
        links: vec![link("plink_1", 1, json!({}))],
        sessions: (1..=3)
            .map(|n| session(&format!("cs_test_a{n}"), 1, of_link.clone()))
            .collect(),
        ..World::default()
    };
    let fault = |request: &crate::client_server::Request| {
        let is_second_page =
            request.query("payment_link").is_some() && request.query("starting_after").is_some();
        is_second_page.then_some(Answer::Reset)
    };
    let server = world.serve_with(Box::new(fault)).await;
    let family = server
        .client()
        .link_family(&LinkId::parse("plink_1").unwrap())
        .await
        .unwrap();
    assert!(
        matches!(family.sessions, Listing::Unfinished(_)),
        "{family:?}"
    );
}

#[tokio::test]
async fn one_unreadable_object_is_one_orders_trouble() {
    let world = World {
        sessions: vec![
            session("cs_test_a1", 1, json!({})),
            session("cs_test_a2", 2, json!({})),
        ],
        ..World::default()
    };
    let fault = |request: &crate::client_server::Request| {
        request
            .path()
            .ends_with("/cs_test_a1")
            .then(|| error(500, "api_error", None, "oops"))
    };
    let server = world.serve_with(Box::new(fault)).await;
    let snapshot = try_observe(
        &server,
        vec![order(1, "cs_test_a1"), order(2, "cs_test_a2")],
    )
    .await
    .unwrap();
    let Stored::Read(_, reading) = &snapshot.orders[0].stored else {
        panic!()
    };
    assert!(
        matches!(&**reading, Reading::Unread(reason) if reason.contains("500")),
        "{reading:?}"
    );
    assert_eq!(
        sessions(&snapshot.orders[1])[0].state,
        SessionState::Expired
    );
}

#[tokio::test]
async fn a_key_that_is_not_accepted_ends_the_reading() {
    for (status, code) in [(401, None), (403, None), (404, Some("resource_missing"))] {
        let world = World {
            sessions: vec![session("cs_test_a1", 1, json!({}))],
            ..World::default()
        };
        let fault = move |request: &crate::client_server::Request| {
            let message = "No such object; a similar object exists in live mode, but a test mode key was used";
            let message = if status == 404 { message } else { "no" };
            let hit = request.path().ends_with("/cs_test_a1");
            hit.then(|| error(status, "invalid_request_error", code, message))
        };
        let server = world.serve_with(Box::new(fault)).await;
        let told = try_observe(&server, vec![order(1, "cs_test_a1")])
            .await
            .unwrap_err();
        assert!(told.stops_the_run(), "{status}: {told}");
    }
}

#[tokio::test]
async fn a_listing_that_the_key_may_not_read_ends_the_reading() {
    let fault = |request: &crate::client_server::Request| {
        let is_index = request.query("active").is_some();
        is_index.then(|| error(403, "invalid_request_error", None, "no permission"))
    };
    let server = World::default().serve_with(Box::new(fault)).await;
    let told = try_observe(&server, vec![order(1, "")]).await.unwrap_err();
    assert!(matches!(told, StripeError::Permission { .. }), "{told}");
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

#[tokio::test]
async fn an_object_of_another_kind_is_garbage() {
    let fault = |_: &crate::client_server::Request| {
        let change = json!({"object": "checkout.session_of_tomorrow"});
        Some(crate::client_server::json(session("cs_test_a1", 1, change)))
    };
    let server = World::default().serve_with(Box::new(fault)).await;
    let reading = server
        .client()
        .read(&CheckoutReference::classify("cs_test_a1"))
        .await
        .unwrap();
    assert!(
        matches!(&reading, Reading::Unread(reason) if reason.contains("of_tomorrow")),
        "{reading:?}"
    );
}

#[tokio::test]
async fn an_object_whose_livemode_contradicts_the_key_ends_the_reading() {
    let world = World {
        links: vec![link("plink_1", 1, json!({"livemode": true}))],
        ..World::default()
    };
    let server = world.serve().await;
    let told = try_observe(&server, vec![order(1, "plink_1")])
        .await
        .unwrap_err();
    assert!(matches!(told, StripeError::WrongMode { .. }), "{told}");
}

#[tokio::test]
async fn a_stripe_that_never_answers_ends_the_reading() {
    let server = Server::start(|_| Answer::Reset).await;
    let told = try_observe(&server, vec![order(1, "cs_test_a1")])
        .await
        .unwrap_err();
    assert!(matches!(told, StripeError::Unreachable { .. }), "{told}");
}

#[tokio::test]
async fn only_another_readable_object_is_a_witness() {
    let known = World {
        sessions: vec![session("cs_test_witness", 9, json!({}))],
        ..World::default()
    };
    let missing = |server: Server| async move {
        try_observe(&server, vec![order(1, "cs_test_gone")])
            .await
            .unwrap()
            .witness
    };
    assert_eq!(missing(known.serve().await).await, Witness::Read);
    assert_eq!(
        missing(World::default().serve().await).await,
        Witness::Absent
    );
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let page = |data: serde_json::Value| {
        crate::client_server::json(json!({"object": "list", "has_more": true, "data": data}))
    };
    let id = LinkId::parse("plink_1").unwrap();
    for data in [json!([]), json!([session("cs_test_a1", 1, json!({}))])] {
        let world = World {
            links: vec![link("plink_1", 1, json!({}))],
            ..World::default()
        };
        let fault = move |request: &crate::client_server::Request| {
            request
                .path()
                .ends_with("/sessions")
                .then(|| page(data.clone()))
        };
        let server = world.serve_with(Box::new(fault)).await;
        let family = server.client().link_family(&id).await.unwrap();
        assert!(
            matches!(family.sessions, Listing::Unfinished(_)),
            "{family:?}"
        );
        assert!(server.heard().len() <= 4);
    }
}

#[tokio::test]
async fn another_object_than_asked_for_is_garbage() {
    let fault = |_: &crate::client_server::Request| {
        Some(crate::client_server::json(session(
            "cs_test_b1",
            1,
            json!({}),
        )))
    };
    let server = World::default().serve_with(Box::new(fault)).await;
    let reading = server
        .client()
        .read(&CheckoutReference::classify("cs_test_a1"))
        .await
        .unwrap();
    assert!(
        matches!(&reading, Reading::Unread(reason) if reason.contains("cs_test_b1")),
        "{reading:?}"
    );
    let reading = server
        .client()
        .read(&CheckoutReference::classify("plink_1"))
        .await
        .unwrap();
    assert!(matches!(reading, Reading::Unread(_)), "{reading:?}");
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
            SessionState::Paid(payment) => Some(payment.refunded),
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

#[tokio::test]
async fn a_refresh_finds_what_came_up_since_and_heals_after_a_failure() {
    let world = Arc::new(Mutex::new(World {
        sessions: vec![session("cs_test_a1", 1, json!({}))],
        ..World::default()
    }));
    let broken = Arc::new(Mutex::new(false));
    let is_broken = broken.clone();
    let fault = move |request: &crate::client_server::Request| {
        let hit = *is_broken.lock().unwrap() && request.path() == "/v1/events";
        hit.then(|| error(500, "api_error", None, "oops"))
    };
    let server = world.serve_shared(Box::new(fault)).await;
    let client = server.client();
    let mut index = client.live_index(None).await.unwrap();
    {
        let mut world = world.lock().unwrap();
        let new = link("plink_2", 1, json!({}));
        world.events.push(json!({
            "id": "evt_1", "object": "event", "type": "payment_link.created", "created": 1_795_500_010,
            "livemode": false, "data": {"object": new}, "request": {"id": "req_9", "idempotency_key": "k"},
        }));
        world.links.push(new);
        let open = json!({"status": "open", "created": 1_795_500_020});
        world.sessions.push(session("cs_test_b1", 1, open));
        *broken.lock().unwrap() = true;
    }
    assert!(index.refresh(&client).await.is_err());
    let gap = observe_order(&client, order(1, "cs_test_a1"), &index)
        .await
        .unwrap();
    assert!(matches!(gap.others, Listing::Unfinished(_)), "{gap:?}");
    *broken.lock().unwrap() = false;
    index.refresh(&client).await.unwrap();
    let facts = observe_order(&client, order(1, "cs_test_a1"), &index)
        .await
        .unwrap();
    assert_eq!(others(&facts), ["plink_2", "cs_test_b1"]);
}

#[tokio::test]
async fn what_names_another_order_by_now_is_no_duplicate() {
    let world = Arc::new(Mutex::new(World {
        links: vec![link("plink_2", 1, json!({}))],
        ..World::default()
    }));
    let server = world.serve_shared(Box::new(|_| None)).await;
    let client = server.client();
    let index = client.live_index(None).await.unwrap();
    world.lock().unwrap().links = vec![link("plink_2", 2, json!({}))];
    let facts = observe_order(&client, order(1, ""), &index).await.unwrap();
    assert!(others(&facts).is_empty());
}

#[tokio::test]
async fn a_watched_object_shows_in_every_look_whatever_became_of_it() {
    let world = World {
        links: vec![link("plink_2", 1, json!({"active": false, "metadata": {}}))],
        ..World::default()
    };
    let server = world.serve().await;
    let client = server.client();
    let index = client.live_index(None).await.unwrap();
    let watched = [CheckoutReference::classify("plink_2")].into();
    let facts = observe_watched(&client, order(1, ""), &index, &watched)
        .await
        .unwrap();
    assert_eq!(others(&facts), ["plink_2"]);
    let watched = [CheckoutReference::classify("plink_gone")].into();
    let facts = observe_watched(&client, order(1, ""), &index, &watched)
        .await
        .unwrap();
    assert!(matches!(facts.others, Listing::Unfinished(_)), "{facts:?}");
}

#[tokio::test]
async fn a_lost_mint_is_found_by_its_key_or_by_its_metadata() {
    let event = |id: &str, link: &str, key: &str, relink_key: &str| {
        json!({
            "id": id, "object": "event", "type": "payment_link.created", "created": 1_795_500_010,
            "request": {"idempotency_key": key},
            "data": {"object": {"id": link, "metadata": {"relink_key": relink_key}}},
        })
    };
    let world = World {
        events: vec![
            event("evt_1", "plink_1", "the-key", "other"),
            event("evt_2", "plink_2", "another", "the-key"),
            event("evt_3", "plink_3", "another", "other"),
        ],
        ..World::default()
    };
    let server = world.serve().await;
    let key = relink::actions::IdempotencyKey::parse("the-key").unwrap();
    let found = server
        .client()
        .links_minted_with(&key, "the-key", Timestamp(0))
        .await
        .unwrap();
    let found: Vec<&str> = found.iter().map(LinkId::as_str).collect();
    assert_eq!(found, ["plink_1", "plink_2"]);
}
