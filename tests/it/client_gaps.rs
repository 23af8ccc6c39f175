//! Gaps: what could not be read, for one order or for all, is never taken for what is not there.

use relink::domain::{CheckoutReference, LinkId, Listing, Reading, SessionState, Stored, Witness};
use relink::stripe::StripeError;
use serde_json::json;

use crate::client_facts::{order, sessions, try_observe};
use crate::client_server::{Answer, Request, Server, error, json as answer};
use crate::client_world::{World, link, session};

#[tokio::test]
async fn a_listing_that_broke_off_proves_nothing_for_any_order() {
    let world = World {
        sessions: (1..=5)
            .map(|n| session(&format!("cs_test_a{n}"), n, json!({"status": "open"})))
            .collect(),
        ..World::default()
    };
    let fault = |request: &Request| {
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
    let fault = |request: &Request| {
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
    let fault = |request: &Request| {
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
        let fault = move |request: &Request| {
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
    let fault = |request: &Request| {
        let is_index = request.query("active").is_some();
        is_index.then(|| error(403, "invalid_request_error", None, "no permission"))
    };
    let server = World::default().serve_with(Box::new(fault)).await;
    let told = try_observe(&server, vec![order(1, "")]).await.unwrap_err();
    assert!(matches!(told, StripeError::Permission { .. }), "{told}");
}

#[tokio::test]
async fn an_object_of_another_kind_is_garbage() {
    let fault = |_: &Request| {
        let change = json!({"object": "checkout.session_of_tomorrow"});
        Some(answer(session("cs_test_a1", 1, change)))
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
    let page =
        |data: serde_json::Value| answer(json!({"object": "list", "has_more": true, "data": data}));
    let id = LinkId::parse("plink_1").unwrap();
    for data in [json!([]), json!([session("cs_test_a1", 1, json!({}))])] {
        let world = World {
            links: vec![link("plink_1", 1, json!({}))],
            ..World::default()
        };
        let fault = move |request: &Request| {
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
async fn a_list_that_does_not_say_where_it_ends_proves_nothing() {
    let world = World {
        links: vec![link("plink_1", 1, json!({"active": false}))],
        ..World::default()
    };
    let fault = |request: &Request| {
        let is_of_link = request.query("payment_link").is_some();
        is_of_link.then(|| answer(json!({"object": "list", "data": []})))
    };
    let server = world.serve_with(Box::new(fault)).await;
    let id = LinkId::parse("plink_1").unwrap();
    let family = server.client().link_family(&id).await.unwrap();
    assert!(
        matches!(&family.sessions, Listing::Unfinished(reason) if reason.contains("not Stripe's")),
        "{family:?}"
    );
}

#[tokio::test]
async fn an_object_that_does_not_say_which_mode_it_is_of_is_not_read() {
    let world = World {
        sessions: vec![session("cs_test_a1", 1, json!({"livemode": null}))],
        ..World::default()
    };
    let server = world.serve().await;
    let reading = server
        .client()
        .read(&CheckoutReference::classify("cs_test_a1"))
        .await
        .unwrap();
    assert!(
        matches!(&reading, Reading::Unread(reason) if reason.contains("says nothing of its mode")),
        "{reading:?}"
    );
}

#[tokio::test]
async fn another_object_than_asked_for_is_garbage() {
    let fault = |_: &Request| Some(answer(session("cs_test_b1", 1, json!({}))));
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
