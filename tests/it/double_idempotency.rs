//! Idempotency keys in the double: what is replayed, what is refused, what is forgotten.

use serde_json::json;

use crate::support::double::{MINT, Sandbox};

#[tokio::test]
async fn the_same_key_and_parameters_replay_the_first_answer_byte_for_byte() {
    let stripe = Sandbox::start().await;
    let first = stripe
        .post("/v1/payment_links", MINT)
        .once("k1")
        .send()
        .await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let path = format!("/v1/payment_links/{}", first.body["id"].as_str().unwrap());
    stripe.post(&path, &[("active", "false")]).send().await.ok();

    let again = stripe
        .post("/v1/payment_links", MINT)
        .once("k1")
        .send()
        .await;

    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.body, first.body, "a replay is history, not state");
    assert_ne!(again.header("request-id"), first.header("request-id"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    let links = stripe.get("/v1/payment_links").send().await.ok();
    assert_eq!(links["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_order_and_encoding_of_parameters_do_not_matter_but_their_values_do() {
    let stripe = Sandbox::start().await;
    stripe
        .post("/v1/payment_links", MINT)
        .once("k1")
        .send()
        .await
        .ok();

    let mut reordered = MINT.to_vec();
    reordered.reverse();
    assert_eq!(
        stripe
            .post("/v1/payment_links", &reordered)
            .once("k1")
            .send()
            .await
            .status,
        200
    );

    let other = [MINT, &[("metadata[player_id]", "3")]].concat();
    let refused = stripe
        .post("/v1/payment_links", &other)
        .once("k1")
        .send()
        .await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body["error"]["type"], "idempotency_error");
    assert_eq!(
        refused.message(),
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using \
         a key other than 'k1' if you meant to execute a different request."
    );
}

#[tokio::test]
async fn a_key_cannot_move_to_another_endpoint() {
    let stripe = Sandbox::start().await;
    let (one, two) = (stripe.session().await, stripe.session().await);
    let expire = |session: &serde_json::Value| {
        format!(
            "/v1/checkout/sessions/{}/expire",
            session["id"].as_str().unwrap()
        )
    };
    stripe.post(&expire(&one), &[]).once("k").send().await.ok();

    let moved = stripe.post(&expire(&two), &[]).once("k").send().await;

    assert_eq!(moved.body["error"]["type"], "idempotency_error");
}

#[tokio::test]
async fn a_refusal_after_execution_began_is_replayed_even_when_the_world_has_moved() {
    let stripe = Sandbox::start().await;
    let update = || {
        stripe
            .post("/v1/payment_links/plink_late", &[("active", "false")])
            .once("k")
            .send()
    };
    assert_eq!(update().await.status, 404);
    stripe
        .admin(
            "POST",
            "objects",
            json!([{"object": "payment_link", "id": "plink_late"}]),
        )
        .await;

    let again = update().await;

    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (404, Some("true"))
    );
}

#[tokio::test]
async fn a_parameter_error_does_not_use_the_key_up() {
    let stripe = Sandbox::start().await;
    for wrong in [("nonsense", "1"), ("line_items[0][price]", "price_1")] {
        let form = [MINT, &[wrong]].concat();
        let refused = stripe
            .post("/v1/payment_links", &form)
            .once("k")
            .send()
            .await;
        assert_eq!(refused.status, 400);
    }

    let right = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;

    assert_eq!(
        (right.status, right.header("idempotent-replayed")),
        (200, None)
    );
}

#[tokio::test]
async fn a_key_in_flight_is_refused_for_now() {
    let stripe = Sandbox::start().await;
    stripe
        .admin(
            "POST",
            "faults",
            json!({"path": "/v1/payment_links", "kind": "park", "when": "before"}),
        )
        .await;
    let first = stripe.post("/v1/payment_links", MINT).once("k").send();
    let second = async {
        let parked = stripe
            .admin("GET", "parked?wait_ms=5000", json!(null))
            .await;
        let refused = stripe
            .post("/v1/payment_links", MINT)
            .once("k")
            .send()
            .await;
        stripe
            .admin(
                "POST",
                &format!("parked/{}/release", parked[0]["id"]),
                json!(null),
            )
            .await;
        refused
    };

    let (first, second) = tokio::join!(first, second);

    let message = "There is currently another in-progress request using this Idempotent Key (that probably means you \
        submitted twice, and the other request is still going through): k. Please try again later.";
    assert_eq!(second.refusal(), (409, "idempotency_key_in_use", message));
    assert_eq!(second.body["error"]["type"], "invalid_request_error");
    assert_eq!(first.status, 200);
    assert_eq!(
        stripe
            .post("/v1/payment_links", MINT)
            .once("k")
            .send()
            .await
            .body,
        first.body
    );
}

#[tokio::test]
async fn keys_are_forgotten_after_24_hours_or_on_demand() {
    let stripe = Sandbox::start().await;
    let mint = || stripe.post("/v1/payment_links", MINT).once("k").send();
    let first = mint().await.ok()["id"].clone();

    stripe
        .admin("POST", "clock", json!({"advance": 24 * 3600 - 2}))
        .await;
    assert_eq!(mint().await.ok()["id"], first);
    stripe.admin("POST", "clock", json!({"advance": 1})).await;
    let second = mint().await.ok()["id"].clone();
    assert_ne!(second, first);

    stripe.admin("POST", "forget-keys", json!(null)).await;
    assert_ne!(mint().await.ok()["id"], second);
}

#[tokio::test]
async fn modes_keep_their_keys_apart() {
    let stripe = Sandbox::start().await;
    stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await
        .ok();

    let live = stripe
        .post("/v1/payment_links", MINT)
        .live()
        .once("k")
        .send()
        .await;

    assert_eq!(
        (live.status, live.header("idempotent-replayed")),
        (200, None)
    );
}

#[tokio::test]
async fn a_key_longer_than_255_characters_is_refused() {
    let stripe = Sandbox::start().await;
    assert_eq!(
        stripe
            .post("/v1/payment_links", MINT)
            .once(&"k".repeat(256))
            .send()
            .await
            .status,
        400
    );
    assert_eq!(
        stripe
            .post("/v1/payment_links", MINT)
            .once(&"k".repeat(255))
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn get_and_delete_ignore_keys() {
    let stripe = Sandbox::start().await;
    let product = stripe
        .post("/v1/products", &[("name", "Entry")])
        .send()
        .await
        .ok();
    let path = format!("/v1/products/{}", product["id"].as_str().unwrap());

    stripe.get(&path).once("k").send().await.ok();
    stripe
        .call("DELETE", &path, &[])
        .once("k")
        .send()
        .await
        .ok();

    assert_eq!(
        stripe
            .call("DELETE", &path, &[])
            .once("k")
            .send()
            .await
            .status,
        404
    );
}
