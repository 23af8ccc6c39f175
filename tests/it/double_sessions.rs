//! The double's checkout sessions: creation, the 24 hours, expiring on request, recovery.

use serde_json::json;

use crate::support::double::{CHECKOUT, Sandbox};

const HOUR: i64 = 3600;

fn path(session: &serde_json::Value) -> String {
    format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_new_session_is_open_payable_and_lasts_24_hours() {
    let stripe = Sandbox::start().await;

    let session = stripe.session().await;

    assert_eq!(
        (&session["status"], &session["payment_status"]),
        (&json!("open"), &json!("unpaid"))
    );
    assert_eq!(
        session["expires_at"].as_i64().unwrap() - session["created"].as_i64().unwrap(),
        24 * HOUR
    );
    assert_eq!(session["amount_total"], 5500);
    assert_eq!(session["payment_intent"], json!(null));
    let id = session["id"].as_str().unwrap();
    assert!(id.starts_with("cs_test_") && id.len() == 66, "{id}");
    assert_eq!(
        session["url"],
        format!("https://checkout.stripe.com/c/pay/{id}")
    );
}

#[tokio::test]
async fn expires_at_is_bounded_by_30_minutes_and_24_hours() {
    let stripe = Sandbox::start().await;
    let now = stripe.admin("GET", "clock", json!(null)).await["now"]
        .as_i64()
        .unwrap();
    let create = |seconds: i64| {
        let at = (now + seconds).to_string();
        let stripe = &stripe;
        async move {
            let form = [CHECKOUT, &[("expires_at", at.as_str())]].concat();
            stripe.post("/v1/checkout/sessions", &form).send().await
        }
    };

    let long = create(30 * 24 * HOUR).await;
    let message =
        "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.";
    assert_eq!(long.refusal(), (400, "", message));
    assert!(
        create(29 * 60)
            .await
            .message()
            .contains("at least 30 minutes")
    );
    let session = create(30 * 60).await.ok();
    assert_eq!(session["expires_at"], now + 30 * 60);
}

#[tokio::test]
async fn an_open_session_expires_by_itself_when_its_time_is_over() {
    let stripe = Sandbox::start().await;
    let session = stripe.session().await;

    stripe
        .admin("POST", "clock", json!({"advance": 24 * HOUR - 2}))
        .await;
    assert_eq!(
        stripe.get(&path(&session)).send().await.ok()["status"],
        "open"
    );
    stripe.admin("POST", "clock", json!({"advance": 1})).await;

    let expired = stripe.get(&path(&session)).send().await.ok();
    assert_eq!(
        (&expired["status"], &expired["url"]),
        (&json!("expired"), &json!(null))
    );
    let (status, refusal) = stripe
        .try_admin("POST", "pay", json!({"id": session["id"]}))
        .await;
    assert_eq!(
        (status, &refusal["error"]),
        (400, &json!("this checkout session is expired"))
    );
}

#[tokio::test]
async fn only_an_open_session_can_be_expired() {
    let stripe = Sandbox::start().await;
    let (session, paid) = (stripe.session().await, stripe.session().await);

    let expired = stripe
        .post(&format!("{}/expire", path(&session)), &[])
        .send()
        .await
        .ok();
    assert_eq!(
        (&expired["status"], &expired["url"]),
        (&json!("expired"), &json!(null))
    );

    let again = stripe
        .post(&format!("{}/expire", path(&session)), &[])
        .send()
        .await;
    let message = "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `expired`.";
    assert_eq!(again.refusal(), (400, "", message));

    stripe.pay(&paid["url"], "card").await;
    let complete = stripe
        .post(&format!("{}/expire", path(&paid)), &[])
        .send()
        .await;
    assert!(complete.message().ends_with("has a status of `complete`."));
}

#[tokio::test]
async fn expiring_a_session_with_recovery_gives_the_payer_a_new_payable_url() {
    let stripe = Sandbox::start().await;
    let form = [CHECKOUT, &[("after_expiration[recovery][enabled]", "true")]].concat();
    let session = stripe
        .post("/v1/checkout/sessions", &form)
        .send()
        .await
        .ok();
    assert_eq!(session["after_expiration"]["recovery"]["url"], json!(null));

    let expired = stripe
        .post(&format!("{}/expire", path(&session)), &[])
        .send()
        .await
        .ok();

    let recovery = &expired["after_expiration"]["recovery"];
    let now = stripe.admin("GET", "clock", json!(null)).await["now"]
        .as_i64()
        .unwrap();
    assert_eq!(recovery["expires_at"], now - 1 + 30 * 24 * HOUR);
    let copy = stripe.visit(&recovery["url"]).await;
    assert_eq!(copy["recovered_from"], session["id"]);
    assert_eq!(
        (&copy["status"], &copy["amount_total"]),
        (&json!("open"), &json!(5500))
    );
    assert_eq!(copy["metadata"], session["metadata"]);
    assert_eq!(
        stripe.pay(&copy["url"], "card").await["payment_status"],
        "paid"
    );

    stripe
        .admin("POST", "clock", json!({"advance": 30 * 24 * HOUR}))
        .await;
    let (status, _) = stripe
        .try_admin("POST", "visit", json!({"url": recovery["url"]}))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_session_opened_from_a_link_copies_the_links_metadata_but_not_the_payments() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;

    let session = stripe.visit(&link["url"]).await;

    assert_eq!(session["payment_link"], link["id"]);
    assert_eq!(session["metadata"], link["metadata"]);
    let paid = stripe.pay(&session["url"], "card").await;
    let intent = stripe.get(&format!(
        "/v1/payment_intents/{}",
        paid["payment_intent"].as_str().unwrap()
    ));
    let intent = intent.send().await.ok();
    assert_eq!(intent["metadata"], link["payment_intent_data"]["metadata"]);
    assert_eq!(
        (&intent["status"], &intent["amount_received"]),
        (&json!("succeeded"), &json!(5500))
    );
    assert!(intent["latest_charge"].as_str().unwrap().starts_with("ch_"));
}

#[tokio::test]
async fn what_a_session_needs_is_asked_for_by_name() {
    let stripe = Sandbox::start().await;
    for (lacking, param) in [
        ("mode", "mode"),
        ("success_url", "success_url"),
        ("line_items", "line_items"),
    ] {
        let form: Vec<_> = CHECKOUT
            .iter()
            .copied()
            .filter(|(name, _)| !name.starts_with(lacking))
            .collect();
        let refused = stripe.post("/v1/checkout/sessions", &form).send().await;
        assert_eq!(refused.refusal().1, "parameter_missing");
        assert_eq!(refused.body["error"]["param"], param);
    }
}

#[tokio::test]
async fn only_metadata_and_little_else_of_a_session_can_be_updated() {
    let stripe = Sandbox::start().await;
    let session = stripe.session().await;

    let updated = stripe
        .post(&path(&session), &[("metadata[player_id]", "3")])
        .send()
        .await
        .ok();
    assert_eq!(
        updated["metadata"],
        json!({"order_id": "7", "player_id": "3"})
    );

    let refused = stripe
        .post(&path(&session), &[("expires_at", "1")])
        .send()
        .await;
    assert_eq!(refused.refusal().1, "parameter_unknown");
}

#[tokio::test]
async fn a_missing_session_is_named_without_quotes() {
    let stripe = Sandbox::start().await;
    let missing = stripe
        .get("/v1/checkout/sessions/cs_test_nope")
        .send()
        .await;
    assert_eq!(
        missing.refusal(),
        (
            404,
            "resource_missing",
            "No such checkout.session: cs_test_nope"
        )
    );
}
