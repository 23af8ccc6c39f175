//! Seeds: objects put into the double as if they had always been there, and the sample incident among them.

use std::collections::BTreeMap;

use relink::sandbox::{client, sample};
use serde_json::json;

use crate::support::double::Sandbox;
use crate::support::spec;

#[tokio::test]
async fn the_sample_incident_can_be_seeded_and_every_object_has_its_full_shape() {
    let stripe = Sandbox::start().await;
    let seeds = sample::stripe_objects();

    let stored = client::put_objects(stripe.double.base_url(), seeds.clone())
        .await
        .unwrap();

    let stored = stored.as_array().unwrap();
    assert_eq!(stored.len(), seeds.len());
    stored.iter().for_each(spec::check_object);
    for (seed, object) in seeds.iter().zip(stored) {
        for field in [
            "id",
            "status",
            "active",
            "metadata",
            "url",
            "payment_link",
            "recovered_from",
            "amount_total",
        ] {
            if !seed[field].is_null() {
                assert_eq!(object[field], seed[field], "{field} of {}", seed["id"]);
            }
        }
    }
}

#[tokio::test]
async fn a_seed_is_completed_with_defaults_and_leaves_no_events() {
    let stripe = Sandbox::start().await;
    let now = stripe.admin("GET", "clock", json!(null)).await["now"]
        .as_i64()
        .unwrap();
    let seeds = json!([
        {"object": "payment_link", "id": "plink_a", "line_items": [{"name": "Entry", "unit_amount": 6500, "quantity": 1}]},
        {"object": "payment_intent", "id": "pi_a", "amount": 6500},
        {"object": "checkout.session", "id": "cs_test_a", "payment_link": "plink_a", "status": "complete",
            "payment_status": "paid", "payment_intent": "pi_a", "created": now - 100},
        {"object": "refund", "payment_intent": "pi_a", "amount": 500}
    ]);

    stripe.admin("POST", "objects", seeds).await;

    let link = stripe
        .get("/v1/payment_links/plink_a?expand[]=line_items")
        .send()
        .await
        .ok();
    assert_eq!(link["line_items"]["data"][0]["amount_total"], 6500);
    let session = stripe
        .get("/v1/checkout/sessions/cs_test_a")
        .send()
        .await
        .ok();
    assert_eq!(
        (&session["amount_total"], &session["url"]),
        (&json!(6500), &json!(null))
    );
    assert_eq!(session["expires_at"], now - 100 + 24 * 3600);
    let intent = stripe.get("/v1/payment_intents/pi_a").send().await.ok();
    assert_eq!(
        (&intent["status"], &intent["amount_received"]),
        (&json!("succeeded"), &json!(6500))
    );
    let refunds = stripe
        .get("/v1/refunds?payment_intent=pi_a")
        .send()
        .await
        .ok();
    assert_eq!(
        (&refunds["data"][0]["amount"], &refunds["data"][0]["status"]),
        (&json!(500), &json!("succeeded"))
    );
    assert_eq!(
        stripe.get("/v1/events").send().await.ok()["data"],
        json!([])
    );
}

#[tokio::test]
async fn a_live_seed_is_seen_with_a_live_key_only() {
    let stripe = Sandbox::start().await;
    stripe
        .admin(
            "POST",
            "objects",
            json!([{"object": "payment_link", "id": "plink_l", "livemode": true}]),
        )
        .await;

    stripe
        .get("/v1/payment_links/plink_l")
        .live()
        .send()
        .await
        .ok();
    let wrong = stripe.get("/v1/payment_links/plink_l").send().await;
    assert!(
        wrong
            .message()
            .contains("similar object exists in live mode")
    );
}

#[tokio::test]
async fn a_misspelt_seed_is_refused_and_nothing_is_stored() {
    let stripe = Sandbox::start().await;
    let seeds = json!([{"object": "payment_link", "id": "plink_a"}, {"object": "payment_link", "activ": true}]);

    let (status, refusal) = stripe.try_admin("POST", "objects", seeds).await;

    assert_eq!(
        (status, &refusal["error"]),
        (400, &json!("object 1: a payment_link has no field `activ`"))
    );
    assert_eq!(
        stripe.get("/v1/payment_links/plink_a").send().await.status,
        404
    );
}

#[tokio::test]
async fn the_client_visits_pays_and_resets() {
    let stripe = Sandbox::start().await;
    let base = stripe.double.base_url();
    let link = stripe.link().await;

    let open = client::visit(base, link["url"].as_str().unwrap())
        .await
        .unwrap();
    let paid = client::pay(base, open["url"].as_str().unwrap(), "card")
        .await
        .unwrap();
    assert_eq!(paid["payment_status"], "paid");
    let refused = client::visit(base, link["url"].as_str().unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the sandbox refused: This registration link is closed."
    );

    client::reset(base).await.unwrap();
    assert_eq!(stripe.admin("GET", "objects", json!(null)).await, json!([]));
}

#[tokio::test]
async fn the_client_talks_to_loopback_only() {
    for base in [
        "https://api.stripe.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1:80",
        "nonsense",
    ] {
        let refused = client::reset(base).await.unwrap_err();
        assert!(
            matches!(refused, client::ClientError::NotLoopback { .. }),
            "{base}"
        );
    }
}

#[tokio::test]
async fn the_same_calls_give_the_same_ids() {
    let mut ids = BTreeMap::new();
    for _ in 0..2 {
        let stripe = Sandbox::start().await;
        let link = stripe.link().await;
        *ids.entry(link["id"].to_string()).or_insert(0) += 1;
        *ids.entry(stripe.visit(&link["url"]).await["id"].to_string())
            .or_insert(0) += 1;
    }
    assert!(
        ids.len() == 2 && ids.values().all(|count| *count == 2),
        "{ids:?}"
    );
}
