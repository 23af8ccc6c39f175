//! Stripe's events, and what the receiver's books must say once every event has come.
//!
//! The books are read with SQL of this test's own, never through the product.

use relink::sandbox::double::Double;
use relink::stripe::Outgoing;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;

use super::stage::deliver;
use super::truth::Truth;
use crate::support::world::{KEY, World};

#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub kind: String,
    /// As it is delivered.
    pub body: String,
}

/// All that tell of checkout sessions, newest first.
pub async fn events(double: &Double) -> Vec<Event> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = page(double, &after).await;
        let data = page["data"].as_array().unwrap();
        let told = data.iter().map(|event| Event {
            id: event["id"].as_str().unwrap().to_owned(),
            kind: event["type"].as_str().unwrap().to_owned(),
            body: event.to_string(),
        });
        all.extend(told.filter(|event| event.kind.starts_with("checkout.session.")));
        match data.last() {
            Some(last) if page["has_more"] == true => {
                after = format!("&starting_after={}", last["id"].as_str().unwrap());
            }
            _ => return all,
        }
    }
}

async fn page(double: &Double, after: &str) -> Value {
    let mut headers = HeaderMap::new();
    let key = format!("Bearer {KEY}");
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&key).unwrap());
    let request = Outgoing {
        method: Method::GET,
        target: format!("/v1/events?limit=100{after}"),
        headers,
        body: String::new(),
    };
    let answer = deliver(double, request).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// Each payment is the row's own or in front of a person, and none that could settle a pending order was left.
pub async fn check_books(world: &World, truth: &Truth) {
    let row = &truth.row;
    let told = || {
        format!(
            "order {}: {}, intent {:?}",
            row.id,
            truth.tell(),
            row.payment_intent
        )
    };
    let column = |what: &str| format!("SELECT {what} FROM {{}} WHERE order_id = {}", row.id);
    if truth.paid().is_empty() {
        assert_ne!(row.status, "paid", "{}", told());
        return;
    }
    let open = format!("{} AND resolved_at IS NULL", column("detail"));
    let incidents = world.journaled("incidents", &open).await;
    for session in truth.paid() {
        let object = &truth.objects[&session];
        let intent = object["payment_intent"].as_str().unwrap();
        if row.status == "pending" {
            let amount = object["amount_total"].as_i64();
            assert_ne!(
                amount,
                row.amount_cents,
                "{session} was not settled; {}",
                told()
            );
        }
        let known = format!("{} AND session_id = '{session}'", column("state"));
        let known = world.journaled("payments", &known).await;
        assert_eq!(known, ["paid"], "{session}; {}", told());
        let is_own = row.payment_intent.as_deref() == Some(intent);
        let is_for_a_person = incidents.iter().any(|detail| detail.contains(intent));
        assert!(is_own || is_for_a_person, "{intent} is nowhere; {}", told());
    }
}

/// Every link that was to be closed was found closed.
pub async fn check_nothing_is_owed(world: &World) {
    if !world.has_journal_table("retirements").await {
        return;
    }
    let owed = "SELECT link || ' ' || COALESCE(last_error, '') FROM {} WHERE done_at IS NULL";
    let owed = world.journaled("retirements", owed).await;
    assert_eq!(owed, Vec::<String>::new());
}
