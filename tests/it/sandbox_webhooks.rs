//! The sandbox sends what Stripe would: signed, again until it arrives, never lost, and on request twice or shuffled.

use std::path::Path;
use std::time::{Duration, Instant};

use relink::sandbox::double::{Limits, StateAt, Webhooks};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::double::Sandbox;
use crate::support::receiver::{Receiver, verified_by_stripe};

const SECRET: &str = "whsec_of_the_tests";
const PATIENCE: Duration = Duration::from_secs(20);

fn to(receiver: &Receiver) -> Webhooks {
    let mut webhooks = Webhooks::to(&receiver.url(), vec![SecretString::from(SECRET)]);
    webhooks.first_retry = Duration::from_millis(20);
    webhooks
}

/// Nothing listens there.
fn nowhere() -> Webhooks {
    Webhooks::to("http://127.0.0.1:9/", vec![SecretString::from(SECRET)])
}

async fn sending(webhooks: Webhooks) -> Sandbox {
    let stripe = Sandbox::start().await;
    stripe.double.send_webhooks(webhooks).unwrap();
    stripe
}

async fn events(stripe: &Sandbox) -> Vec<Value> {
    let list = stripe.get("/v1/events?type=checkout.session.*&limit=100");
    let mut events = list.send().await.ok()["data"].as_array().unwrap().clone();
    events.reverse();
    events
}

fn ids(events: &[Value]) -> Vec<String> {
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    events.iter().map(id).collect()
}

#[tokio::test]
async fn the_official_sdk_verifies_what_is_sent_with_each_secret_and_with_no_other() {
    let receiver = Receiver::start().await;
    let mut webhooks = to(&receiver);
    webhooks.secrets.push(SecretString::from("whsec_rolled"));
    let stripe = sending(webhooks).await;
    let link = stripe.link().await;

    let paid = stripe.pay(&link["url"], "card").await;
    let received = receiver.wait_for(1).await;

    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    let listed = events(&stripe).await;
    for secret in [SECRET, "whsec_rolled"] {
        assert_eq!(verified_by_stripe(&received, secret).await, ids(&listed));
    }
    assert_eq!(
        verified_by_stripe(&received, "whsec_other").await,
        ["refused"]
    );
    assert_eq!(
        (
            received[0].path.as_str(),
            received[0].header("content-type")
        ),
        ("/stripe/webhook", "application/json; charset=utf-8")
    );

    let mut sent = received[0].event();
    assert_eq!(sent["type"], "checkout.session.completed");
    assert_eq!(sent["data"]["object"], paid);
    assert_eq!(sent["api_version"], "2026-07-29.dahlia");
    assert_eq!(sent["pending_webhooks"], 1);
    sent["pending_webhooks"] = json!(0);
    assert_eq!(sent, listed[0], "it is the event that the API lists");
}

#[tokio::test]
async fn every_end_of_a_session_is_sent_and_nothing_else() {
    let receiver = Receiver::start().await;
    let stripe = sending(to(&receiver)).await;
    let debit = stripe.pay(&stripe.session().await["id"], "async").await;
    let settled = json!({"id": debit["id"], "outcome": "succeeded"});
    stripe.admin("POST", "settle", settled).await;
    stripe
        .pay(&stripe.session().await["id"], "async_fail")
        .await;
    let id = stripe.session().await["id"].clone();
    let expire = format!("/v1/checkout/sessions/{}/expire", id.as_str().unwrap());
    stripe.post(&expire, &[]).send().await.ok();
    stripe.session().await;
    stripe
        .admin("POST", "clock", json!({"advance": 90_000}))
        .await;

    receiver.wait_for(6).await;

    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    assert_eq!(
        receiver.kinds(),
        [
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.completed",
            "checkout.session.async_payment_failed",
            "checkout.session.expired",
            "checkout.session.expired",
        ]
    );
    assert_eq!(receiver.ids(), ids(&events(&stripe).await));
}

#[tokio::test]
async fn what_is_not_accepted_is_sent_again_and_signed_anew() {
    let receiver = Receiver::answering(&[500, 302, 400]).await;
    let stripe = sending(to(&receiver)).await;
    let paid = stripe.pay(&stripe.session().await["id"], "card").await;

    let received = receiver.wait_for(4).await;

    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    let attempts: Vec<_> = stripe
        .double
        .deliveries()
        .into_iter()
        .map(|delivery| (delivery.attempt, delivery.status))
        .collect();
    assert_eq!(
        attempts,
        [
            (1, Some(500)),
            (2, Some(302)),
            (3, Some(400)),
            (4, Some(200))
        ]
    );
    assert!(received.iter().all(|one| one.body == received[0].body));
    assert_eq!(received[0].event()["data"]["object"]["id"], paid["id"]);
    assert_eq!(verified_by_stripe(&received, SECRET).await, receiver.ids());
}

#[tokio::test]
async fn a_receiver_that_starts_late_gets_what_it_missed() {
    let port = Receiver::start().await.port;
    let url = format!("http://127.0.0.1:{port}/stripe/webhook");
    let mut webhooks = Webhooks::to(&url, vec![SecretString::from(SECRET)]);
    webhooks.first_retry = Duration::from_millis(20);
    let stripe = sending(webhooks).await;
    stripe.pay(&stripe.session().await["id"], "card").await;
    let started = Instant::now();
    while stripe.double.deliveries().len() < 2 {
        assert!(started.elapsed() < PATIENCE, "it was not tried twice");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = stripe.double.deliveries();
    assert!(
        refused.iter().all(|one| one.status.is_none()),
        "{refused:?}"
    );
    let first = refused[0].error.as_deref().unwrap();
    assert!(first.contains("refused"), "{first}");
    let undelivered = stripe
        .get("/v1/events?delivery_success=false")
        .send()
        .await
        .ok();
    assert_eq!(undelivered["data"][0]["pending_webhooks"], 1);

    let receiver = Receiver::on(port, &[], Duration::ZERO).await;

    receiver.wait_for(1).await;
    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    let undelivered = stripe
        .get("/v1/events?delivery_success=false")
        .send()
        .await
        .ok();
    assert_eq!(undelivered["data"], json!([]));
}

#[tokio::test]
async fn duplicates_arrive_as_often_as_was_asked_also_when_one_is_refused() {
    let receiver = Receiver::answering(&[500]).await;
    let mut webhooks = to(&receiver);
    webhooks.duplicates = 2;
    let stripe = sending(webhooks).await;
    stripe.pay(&stripe.session().await["id"], "card").await;
    stripe.pay(&stripe.session().await["id"], "card").await;

    receiver.wait_for(7).await;

    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    let deliveries = stripe.double.deliveries();
    for event in ids(&events(&stripe).await) {
        let arrived = deliveries
            .iter()
            .filter(|one| one.event == event && one.arrived());
        let mut copies: Vec<u32> = arrived.map(|one| one.copy).collect();
        copies.sort_unstable();
        assert_eq!(copies, [0, 1, 2]);
    }
    assert_eq!(deliveries.len(), 7);
}

/// The order in which eight events arrive that were made while nobody listened, so that all are due at once.
async fn arrival(shuffle: Option<u64>) -> Vec<usize> {
    let dir = tempfile::tempdir().unwrap();
    let stripe = kept_in(dir.path()).await;
    stripe.double.send_webhooks(nowhere()).unwrap();
    for _ in 0..8 {
        stripe.pay(&stripe.session().await["id"], "card").await;
    }
    stripe.double.stop().await.unwrap();
    let receiver = Receiver::start().await;
    let stripe = kept_in(dir.path()).await;
    let mut webhooks = to(&receiver);
    webhooks.shuffle = shuffle;
    stripe.double.send_webhooks(webhooks).unwrap();
    receiver.wait_for(8).await;
    let made = ids(&events(&stripe).await);
    let place = |id: &String| made.iter().position(|other| other == id).unwrap();
    receiver.ids().iter().map(place).collect()
}

#[tokio::test]
async fn events_arrive_in_order_unless_they_are_to_be_shuffled() {
    let made = [0, 1, 2, 3, 4, 5, 6, 7];
    assert_eq!(arrival(None).await, made);
    let shuffled = arrival(Some(7)).await;
    assert_ne!(shuffled, made);
    assert_eq!(arrival(Some(7)).await, shuffled, "the seed tells the order");
    assert_ne!(arrival(Some(8)).await, shuffled);
    let mut sorted = shuffled;
    sorted.sort_unstable();
    assert_eq!(sorted, made, "each arrives once");
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_neither_the_api_nor_the_end() {
    let receiver = Receiver::on(0, &[], Duration::from_secs(60)).await;
    let stripe = sending(to(&receiver)).await;
    stripe.pay(&stripe.session().await["id"], "card").await;
    let started = Instant::now();

    for _ in 0..20 {
        stripe.link().await;
    }
    stripe.double.stop().await.unwrap();

    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

async fn kept_in(dir: &Path) -> Sandbox {
    Sandbox::with(StateAt::Dir(dir.to_owned()), Limits::default()).await
}

#[tokio::test]
async fn what_had_not_arrived_is_sent_after_a_restart_and_what_had_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let stripe = kept_in(dir.path()).await;
    stripe.double.send_webhooks(to(&receiver)).unwrap();
    let arrived = stripe.pay(&stripe.session().await["id"], "card").await;
    receiver.wait_for(1).await;
    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    stripe.double.send_webhooks(nowhere()).unwrap();
    let owed = stripe.pay(&stripe.session().await["id"], "card").await;
    assert_eq!(stripe.double.owed_events().len(), 1);
    stripe.double.stop().await.unwrap();

    let stripe = kept_in(dir.path()).await;
    stripe.double.send_webhooks(to(&receiver)).unwrap();

    receiver.wait_for(2).await;
    assert!(stripe.double.webhooks_settled(PATIENCE).await);
    let sessions: Vec<Value> = receiver
        .received()
        .iter()
        .map(|one| one.event()["data"]["object"]["id"].clone())
        .collect();
    assert_eq!(sessions, [arrived["id"].clone(), owed["id"].clone()]);
}

#[tokio::test]
async fn an_endpoint_can_be_named_through_the_admin_interface_and_only_on_loopback() {
    let receiver = Receiver::start().await;
    let stripe = Sandbox::start().await;
    let endpoint =
        json!({"url": receiver.url(), "secrets": [SECRET], "events": ["payment_link.*"]});
    stripe.admin("POST", "webhooks", endpoint).await;
    stripe.link().await;

    let told = stripe
        .admin("GET", "webhooks?wait_ms=20000", json!(null))
        .await;

    assert_eq!(told["owed"], json!([]));
    let delivery = &told["deliveries"][0];
    assert_eq!(
        (&delivery["type"], &delivery["status"], &delivery["attempt"]),
        (&json!("payment_link.created"), &json!(200), &json!(1))
    );
    for (url, secrets) in [
        ("http://hooks.example.com/", json!([SECRET])),
        ("https://127.0.0.1/", json!([SECRET])),
        ("http://127.0.0.1/", json!([])),
        ("http://127.0.0.1/", json!([""])),
    ] {
        let endpoint = json!({"url": url, "secrets": secrets});
        let (status, refusal) = stripe.try_admin("POST", "webhooks", endpoint).await;
        assert_eq!(status, 400, "{url}: {refusal}");
    }
}
