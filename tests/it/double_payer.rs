//! The payer: cards, delayed payments, vouchers, refunds.

use serde_json::{Value, json};

use crate::support::double::Sandbox;

async fn intent(stripe: &Sandbox, session: &Value) -> Value {
    let id = session["payment_intent"].as_str().unwrap();
    stripe
        .get(&format!("/v1/payment_intents/{id}"))
        .send()
        .await
        .ok()
}

#[tokio::test]
async fn a_bank_debit_is_complete_and_unpaid_until_it_is_settled() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;

    let pending = stripe.pay(&link["url"], "async").await;
    assert_eq!(
        (&pending["status"], &pending["payment_status"]),
        (&json!("complete"), &json!("unpaid"))
    );
    assert_eq!(intent(&stripe, &pending).await["status"], "processing");
    let closed = stripe
        .get(&format!(
            "/v1/payment_links/{}",
            link["id"].as_str().unwrap()
        ))
        .send()
        .await
        .ok();
    assert_eq!(
        closed["restrictions"]["completed_sessions"]["count"], 1,
        "a completion counts before the money is there"
    );

    let paid = stripe
        .admin(
            "POST",
            "settle",
            json!({"id": pending["id"], "outcome": "succeeded"}),
        )
        .await;
    assert_eq!(paid["payment_status"], "paid");
    assert_eq!(intent(&stripe, &pending).await["status"], "succeeded");
    let (status, _) = stripe
        .try_admin(
            "POST",
            "settle",
            json!({"id": pending["id"], "outcome": "failed"}),
        )
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_delayed_payment_can_fail_at_once_or_later() {
    let stripe = Sandbox::start().await;
    let (now, later) = (stripe.session().await, stripe.session().await);

    let failed = stripe.pay(&now["id"], "async_fail").await;
    assert_eq!(
        (&failed["status"], &failed["payment_status"]),
        (&json!("complete"), &json!("unpaid"))
    );
    assert_eq!(
        intent(&stripe, &failed).await["status"],
        "requires_payment_method"
    );

    let voucher = stripe.pay(&later["id"], "voucher").await;
    assert_eq!(intent(&stripe, &voucher).await["status"], "requires_action");
    stripe
        .admin(
            "POST",
            "settle",
            json!({"id": voucher["id"], "outcome": "canceled"}),
        )
        .await;
    assert_eq!(intent(&stripe, &voucher).await["status"], "canceled");
    let events = stripe
        .get("/v1/events?type=checkout.session.async_payment_failed")
        .send()
        .await
        .ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open_and_expiry_cancels_the_attempt() {
    let stripe = Sandbox::start().await;
    let session = stripe.session().await;

    let declined = stripe.pay(&session["id"], "declined").await;
    assert_eq!(declined["status"], "open");
    assert_eq!(
        intent(&stripe, &declined).await["last_payment_error"]["type"],
        "card_error"
    );

    let expire = format!(
        "/v1/checkout/sessions/{}/expire",
        session["id"].as_str().unwrap()
    );
    stripe.post(&expire, &[]).send().await.ok();
    assert_eq!(intent(&stripe, &declined).await["status"], "canceled");
}

#[tokio::test]
async fn a_declined_payer_can_try_again_with_the_same_intent() {
    let stripe = Sandbox::start().await;
    let session = stripe.session().await;
    let declined = stripe.pay(&session["id"], "declined").await;

    let paid = stripe.pay(&session["id"], "card").await;

    assert_eq!(paid["payment_intent"], declined["payment_intent"]);
    assert_eq!(intent(&stripe, &paid).await["status"], "succeeded");
}

#[tokio::test]
async fn an_order_of_zero_needs_no_payment() {
    let stripe = Sandbox::start().await;
    let seed =
        json!([{"object": "payment_link", "id": "plink_0", "line_items": [{"unit_amount": 0}]}]);
    stripe.admin("POST", "objects", seed).await;

    let done = stripe.pay(&json!("plink_0"), "card").await;

    assert_eq!(
        (&done["payment_status"], &done["payment_intent"]),
        (&json!("no_payment_required"), &json!(null))
    );
}

#[tokio::test]
async fn a_completed_session_cannot_be_paid_twice() {
    let stripe = Sandbox::start().await;
    let session = stripe.session().await;
    stripe.pay(&session["id"], "card").await;

    let (status, refusal) = stripe
        .try_admin("POST", "pay", json!({"id": session["id"]}))
        .await;

    assert_eq!(
        (status, &refusal["error"]),
        (400, &json!("this checkout session is complete"))
    );
}

#[tokio::test]
async fn a_payment_is_refunded_in_parts_and_never_beyond_what_was_received() {
    let stripe = Sandbox::start().await;
    let paid = stripe.pay(&stripe.session().await["id"], "card").await;
    let intent = paid["payment_intent"].as_str().unwrap();

    let part = stripe
        .post(
            "/v1/refunds",
            &[("payment_intent", intent), ("amount", "2000")],
        )
        .send()
        .await
        .ok();
    assert_eq!(
        (&part["amount"], &part["status"]),
        (&json!(2000), &json!("succeeded"))
    );
    let much = stripe
        .post(
            "/v1/refunds",
            &[("payment_intent", intent), ("amount", "3501")],
        )
        .send()
        .await;
    assert_eq!(
        much.message(),
        "Refund amount ($35.01) is greater than unrefunded amount on charge ($35.00)"
    );
    let rest = stripe
        .post("/v1/refunds", &[("payment_intent", intent)])
        .send()
        .await
        .ok();
    assert_eq!(rest["amount"], 3500);
    let again = stripe
        .post("/v1/refunds", &[("payment_intent", intent)])
        .send()
        .await;
    assert_eq!(again.refusal().1, "charge_already_refunded");

    let list = stripe
        .get(&format!("/v1/refunds?payment_intent={intent}"))
        .send()
        .await
        .ok();
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let one = stripe
        .get(&format!("/v1/refunds/{}", part["id"].as_str().unwrap()))
        .send()
        .await
        .ok();
    assert_eq!(one, part);
}

#[tokio::test]
async fn an_intents_metadata_can_be_updated_but_not_its_amount() {
    let stripe = Sandbox::start().await;
    let paid = stripe.pay(&stripe.session().await["id"], "card").await;
    let path = format!(
        "/v1/payment_intents/{}",
        paid["payment_intent"].as_str().unwrap()
    );

    let updated = stripe
        .post(&path, &[("metadata[note]", "seen")])
        .send()
        .await
        .ok();
    assert_eq!(updated["metadata"]["note"], "seen");
    let refused = stripe.post(&path, &[("amount", "1")]).send().await;
    assert_eq!(refused.refusal().1, "payment_intent_unexpected_state");
    let list = stripe.get("/v1/payment_intents?limit=1").send().await.ok();
    assert_eq!(list["data"][0]["id"], paid["payment_intent"]);
}
