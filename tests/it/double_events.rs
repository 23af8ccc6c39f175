//! The double's event log: what happened, who caused it, and for how long it can be asked.

use serde_json::{Value, json};

use crate::support::double::{MINT, Sandbox};

async fn types(stripe: &Sandbox, query: &str) -> Vec<String> {
    let list = stripe
        .get(&format!("/v1/events?limit=100{query}"))
        .send()
        .await
        .ok();
    let types = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned());
    types.collect()
}

#[tokio::test]
async fn an_event_names_the_request_and_the_key_that_caused_it() {
    let stripe = Sandbox::start().await;
    let minted = stripe
        .post("/v1/payment_links", MINT)
        .once("order-7")
        .send()
        .await;

    let list = stripe
        .get("/v1/events?type=payment_link.created")
        .send()
        .await
        .ok();

    let event = &list["data"][0];
    assert_eq!(event["request"]["idempotency_key"], "order-7");
    assert_eq!(event["request"]["id"], minted.header("request-id").unwrap());
    assert_eq!(event["data"]["object"], minted.body);
    let same = stripe
        .get(&format!("/v1/events/{}", event["id"].as_str().unwrap()))
        .send()
        .await
        .ok();
    assert_eq!(&same, event);
}

#[tokio::test]
async fn an_update_tells_the_old_values_and_a_repeated_one_tells_nothing() {
    let stripe = Sandbox::start().await;
    let path = format!(
        "/v1/payment_links/{}",
        stripe.link().await["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        stripe.post(&path, &[("active", "false")]).send().await.ok();
    }

    let list = stripe
        .get("/v1/events?type=payment_link.updated")
        .send()
        .await
        .ok();

    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        list["data"][0]["data"]["previous_attributes"],
        json!({"active": true})
    );
}

#[tokio::test]
async fn a_payment_leaves_its_events_without_a_request() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    stripe.pay(&link["url"], "card").await;

    let events = types(
        &stripe,
        "&types[]=payment_intent.*&types[]=checkout.session.*&types[]=payment_link.updated",
    )
    .await;
    assert_eq!(
        events,
        [
            "payment_link.updated",
            "checkout.session.completed",
            "payment_intent.succeeded",
            "payment_intent.created"
        ]
    );
    let completed = stripe
        .get("/v1/events?type=checkout.session.completed")
        .send()
        .await
        .ok();
    assert_eq!(
        completed["data"][0]["request"],
        json!({"id": null, "idempotency_key": null})
    );
}

#[tokio::test]
async fn expiry_by_request_and_by_the_clock_both_leave_an_event() {
    let stripe = Sandbox::start().await;
    let (one, _) = (stripe.session().await, stripe.session().await);
    let expire = format!(
        "/v1/checkout/sessions/{}/expire",
        one["id"].as_str().unwrap()
    );
    stripe.post(&expire, &[]).once("expire-1").send().await.ok();
    stripe
        .admin("POST", "clock", json!({"advance": 86_400}))
        .await;

    let list = stripe
        .get("/v1/events?type=checkout.session.expired")
        .send()
        .await
        .ok();

    let keys: Vec<&Value> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["request"]["idempotency_key"])
        .collect();
    assert_eq!(keys, [&json!(null), &json!("expire-1")]);
}

#[tokio::test]
async fn events_can_be_asked_by_type_and_time_and_are_forgotten_after_30_days() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let all = types(&stripe, "").await;
    assert_eq!(
        all,
        ["payment_link.created", "price.created", "product.created"]
    );
    let now = stripe.admin("GET", "clock", json!(null)).await["now"]
        .as_i64()
        .unwrap();
    assert_eq!(
        types(&stripe, &format!("&created[gte]={now}")).await,
        Vec::<String>::new()
    );
    assert_eq!(
        types(&stripe, "&type=pr*").await,
        ["price.created", "product.created"]
    );
    let both = stripe.get("/v1/events?type=a&types[]=b").send().await;
    assert_eq!(both.refusal().1, "parameters_exclusive");

    let created = stripe
        .get("/v1/events?type=payment_link.created")
        .send()
        .await
        .ok();
    let id = created["data"][0]["id"].as_str().unwrap().to_owned();
    stripe
        .admin("POST", "clock", json!({"advance": 30 * 86_400}))
        .await;
    assert_eq!(types(&stripe, "").await, Vec::<String>::new());
    assert_eq!(
        stripe.get(&format!("/v1/events/{id}")).send().await.status,
        404
    );
    assert!(link["id"].is_string());
}

#[tokio::test]
async fn modes_keep_their_events_apart() {
    let stripe = Sandbox::start().await;
    stripe
        .post("/v1/payment_links", MINT)
        .live()
        .send()
        .await
        .ok();

    assert_eq!(types(&stripe, "").await, Vec::<String>::new());
    let live = stripe.get("/v1/events").live().send().await.ok();
    assert_eq!(live["data"][0]["livemode"], true);
}
