//! The double's webhook endpoints: put there to be looked at, and the one that it sends to itself.

use serde_json::{Value, json};

use crate::support::double::Sandbox;

const PATH: &str = "/v1/webhook_endpoints";

#[tokio::test]
async fn an_endpoint_that_was_put_there_is_listed_in_its_mode_newest_first_and_page_by_page() {
    let stripe = Sandbox::start().await;
    assert_eq!(stripe.get(PATH).send().await.ok()["data"], json!([]));
    let seeds = json!([
        {"object": "webhook_endpoint", "id": "we_old", "url": "https://old.example.com/"},
        {"object": "webhook_endpoint", "id": "we_new", "status": "disabled", "enabled_events": ["charge.failed"]},
        {"object": "webhook_endpoint", "id": "we_live", "livemode": true},
    ]);
    stripe.admin("POST", "objects", seeds).await;

    let listed = stripe.get(PATH).send().await.ok();
    let expected = json!({"object": "list", "has_more": false, "url": PATH, "data": [
        {"id": "we_new", "object": "webhook_endpoint", "api_version": null, "application": null,
            "created": 1_773_478_800, "description": null, "enabled_events": ["charge.failed"], "livemode": false,
            "metadata": {}, "status": "disabled", "url": "https://club.example.com/stripe/webhook"},
        {"id": "we_old", "object": "webhook_endpoint", "api_version": null, "application": null,
            "created": 1_773_478_800, "description": null, "enabled_events": ["*"], "livemode": false,
            "metadata": {}, "status": "enabled", "url": "https://old.example.com/"},
    ]});
    assert_eq!(listed, expected);
    let live = stripe.get(PATH).live().send().await.ok();
    assert_eq!(live["data"][0]["id"], "we_live");

    let first = stripe
        .get("/v1/webhook_endpoints?limit=1")
        .send()
        .await
        .ok();
    assert_eq!(
        (&first["data"][0]["id"], &first["has_more"]),
        (&json!("we_new"), &json!(true))
    );
    let second = stripe
        .get("/v1/webhook_endpoints?limit=1&starting_after=we_new")
        .send()
        .await
        .ok();
    assert_eq!(
        (&second["data"][0]["id"], &second["has_more"]),
        (&json!("we_old"), &json!(false))
    );
    let refused = stripe.get("/v1/webhook_endpoints?url=x").send().await;
    assert_eq!(refused.refusal().1, "parameter_unknown");
}

#[tokio::test]
async fn the_endpoint_that_is_sent_to_is_listed_as_well_and_a_field_that_none_has_is_refused() {
    let stripe = Sandbox::start().await;
    let to = json!({"url": "http://127.0.0.1:9/hook", "secrets": ["whsec_a"], "events": ["checkout.session.*"]});
    stripe.admin("POST", "webhooks", to).await;
    let listed = stripe.get(PATH).send().await.ok();
    let served: &Value = &listed["data"][0];
    assert_eq!(
        (&served["url"], &served["status"], &served["enabled_events"]),
        (
            &json!("http://127.0.0.1:9/hook"),
            &json!("enabled"),
            &json!(["checkout.session.*"])
        )
    );
    assert!(!listed.to_string().contains("whsec_a"));

    let seed = json!([{"object": "webhook_endpoint", "secret": "whsec_b"}]);
    let (status, refused) = stripe.try_admin("POST", "objects", seed).await;
    assert_eq!(status, 400, "{refused}");
}
