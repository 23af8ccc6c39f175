//! The double's payment links: what a mint makes, what deactivation does, and when a link closes by itself.

use serde_json::json;

use crate::support::double::{MINT, Sandbox};
use crate::support::spec;

#[tokio::test]
async fn a_minted_link_is_active_and_carries_what_was_sent() {
    let stripe = Sandbox::start().await;

    let link = stripe.link().await;

    assert_eq!(link["active"], true);
    assert_eq!(link["metadata"], json!({"order_id": "7"}));
    assert_eq!(
        link["payment_intent_data"]["metadata"]["parent_email"],
        "parent@example.com"
    );
    assert_eq!(
        link["restrictions"],
        json!({"completed_sessions": {"count": 0, "limit": 1}})
    );
    assert_eq!(link["currency"], "usd");
    assert!(link["id"].as_str().unwrap().starts_with("plink_1Sbx"));
    assert!(
        link["url"]
            .as_str()
            .unwrap()
            .starts_with("https://buy.stripe.com/test_")
    );
    assert!(link.get("created").is_none() && link.get("line_items").is_none());
}

#[tokio::test]
async fn an_inline_price_makes_a_price_and_a_product() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let id = link["id"].as_str().unwrap();

    let items = stripe
        .get(&format!("/v1/payment_links/{id}/line_items"))
        .send()
        .await
        .ok();

    let item = &items["data"][0];
    assert_eq!(
        (&item["amount_total"], &item["quantity"]),
        (&json!(5500), &json!(1))
    );
    let price = stripe
        .get(&format!(
            "/v1/prices/{}",
            item["price"]["id"].as_str().unwrap()
        ))
        .send()
        .await
        .ok();
    assert_eq!(price["unit_amount"], 5500);
    let product = stripe
        .get(&format!(
            "/v1/products/{}",
            price["product"].as_str().unwrap()
        ))
        .send()
        .await
        .ok();
    assert_eq!(product["name"], "Utah Invitational");
}

#[tokio::test]
async fn deactivating_is_an_update_that_can_be_repeated_and_taken_back() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let path = format!("/v1/payment_links/{}", link["id"].as_str().unwrap());

    for active in ["false", "false", "true"] {
        let updated = stripe.post(&path, &[("active", active)]).send().await.ok();
        assert_eq!(updated["active"], json!(active == "true"));
        assert_eq!(updated["url"], link["url"]);
    }
}

#[tokio::test]
async fn metadata_is_merged_and_an_empty_value_unsets_its_key() {
    let stripe = Sandbox::start().await;
    let path = format!(
        "/v1/payment_links/{}",
        stripe.link().await["id"].as_str().unwrap()
    );

    let form = [("metadata[player_id]", "3"), ("metadata[order_id]", "")];
    let merged = stripe.post(&path, &form).send().await.ok();
    assert_eq!(merged["metadata"], json!({"player_id": "3"}));

    let emptied = stripe
        .post(&path, &[("metadata", ""), ("restrictions", "")])
        .send()
        .await
        .ok();
    assert_eq!(emptied["metadata"], json!({}));
    assert_eq!(emptied["restrictions"], json!(null));
}

#[tokio::test]
async fn amounts_and_currency_of_a_link_cannot_be_updated() {
    let stripe = Sandbox::start().await;
    let path = format!(
        "/v1/payment_links/{}",
        stripe.link().await["id"].as_str().unwrap()
    );

    let currency = stripe.post(&path, &[("currency", "eur")]).send().await;
    assert_eq!(
        currency.refusal(),
        (
            400,
            "parameter_unknown",
            "Received unknown parameter: currency"
        )
    );

    let amount = stripe
        .post(&path, &[("line_items[0][price_data][unit_amount]", "1")])
        .send()
        .await;
    assert_eq!(amount.refusal().1, "parameter_unknown");
}

#[tokio::test]
async fn a_link_closes_itself_when_its_completed_sessions_reach_the_limit() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let path = format!("/v1/payment_links/{}", link["id"].as_str().unwrap());

    stripe.pay(&link["url"], "card").await;

    let closed = stripe.get(&path).send().await.ok();
    assert_eq!(closed["active"], false);
    assert_eq!(
        closed["restrictions"]["completed_sessions"],
        json!({"count": 1, "limit": 1})
    );
    let (status, refusal) = stripe
        .try_admin("POST", "visit", json!({"url": link["url"]}))
        .await;
    assert_eq!(
        (status, &refusal["error"]),
        (400, &json!("This registration link is closed."))
    );
}

#[tokio::test]
async fn two_open_tabs_of_one_link_can_both_be_paid() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let (first, second) = (
        stripe.visit(&link["url"]).await,
        stripe.visit(&link["url"]).await,
    );

    stripe.pay(&first["id"], "card").await;
    stripe.pay(&second["id"], "card").await;

    let link = stripe
        .get(&format!(
            "/v1/payment_links/{}",
            link["id"].as_str().unwrap()
        ))
        .send()
        .await
        .ok();
    assert_eq!(
        link["restrictions"]["completed_sessions"],
        json!({"count": 2, "limit": 1})
    );
}

#[tokio::test]
async fn a_session_opened_before_its_link_was_deactivated_can_still_be_paid() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let open = stripe.visit(&link["url"]).await;
    let path = format!("/v1/payment_links/{}", link["id"].as_str().unwrap());
    stripe.post(&path, &[("active", "false")]).send().await.ok();

    let paid = stripe.pay(&open["id"], "card").await;

    assert_eq!(
        (&paid["status"], &paid["payment_status"]),
        (&json!("complete"), &json!("paid"))
    );
}

#[tokio::test]
async fn a_client_of_an_older_version_cannot_send_inline_prices() {
    let stripe = Sandbox::start().await;

    let refused = stripe
        .post("/v1/payment_links", MINT)
        .version("2025-06-30.basil")
        .send()
        .await;
    let message = "Received unknown parameter: line_items[0][price_data]";
    assert_eq!(refused.refusal(), (400, "parameter_unknown", message));

    stripe
        .post("/v1/payment_links", MINT)
        .version("2025-07-30.basil")
        .send()
        .await
        .ok();
}

#[tokio::test]
async fn a_redirect_after_completion_needs_a_url() {
    let stripe = Sandbox::start().await;
    let mint = |extra: &[(&'static str, &'static str)]| [MINT, extra].concat();

    let missing = stripe
        .post(
            "/v1/payment_links",
            &mint(&[("after_completion[type]", "redirect")]),
        )
        .send()
        .await;
    assert_eq!(missing.refusal().1, "parameter_missing");

    let url = [
        ("after_completion[type]", "redirect"),
        ("after_completion[redirect][url]", "thanks"),
    ];
    let invalid = stripe.post("/v1/payment_links", &mint(&url)).send().await;
    assert_eq!(invalid.refusal(), (400, "url_invalid", "Not a valid URL"));

    let url = [
        ("after_completion[type]", "redirect"),
        (
            "after_completion[redirect][url]",
            "https://hoops.example.com/thanks?s={CHECKOUT_SESSION_ID}",
        ),
    ];
    let link = stripe
        .post("/v1/payment_links", &mint(&url))
        .send()
        .await
        .ok();
    assert_eq!(link["after_completion"]["type"], "redirect");
}

#[tokio::test]
async fn links_of_the_other_mode_are_told_apart_from_missing_ones() {
    let stripe = Sandbox::start().await;
    let test = stripe.link().await;
    let live = stripe
        .post("/v1/payment_links", MINT)
        .live()
        .send()
        .await
        .ok();
    assert_eq!(
        (&test["livemode"], &live["livemode"]),
        (&json!(false), &json!(true))
    );

    let id = live["id"].as_str().unwrap();
    let wrong = stripe.get(&format!("/v1/payment_links/{id}")).send().await;
    let message = format!(
        "No such payment_link: '{id}'; a similar object exists in live mode, but a test mode key was used to make this request."
    );
    assert_eq!(wrong.refusal(), (404, "resource_missing", message.as_str()));

    let id = test["id"].as_str().unwrap();
    let wrong = stripe
        .get(&format!("/v1/payment_links/{id}"))
        .live()
        .send()
        .await;
    let message = format!(
        "No such payment_link: '{id}'; a similar object exists in test mode, but a live mode key was used to make this request."
    );
    assert_eq!(wrong.refusal(), (404, "resource_missing", message.as_str()));

    let missing = stripe.get("/v1/payment_links/plink_nope").send().await;
    assert_eq!(
        missing.refusal(),
        (
            404,
            "resource_missing",
            "No such payment_link: 'plink_nope'"
        )
    );
}

#[tokio::test]
async fn every_object_a_mint_and_a_payment_leave_behind_has_its_full_shape() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    stripe.pay(&link["url"], "card").await;
    stripe.pay(&stripe.session().await["id"], "async").await;

    let all = stripe.admin("GET", "objects", json!(null)).await;

    assert!(all.as_array().unwrap().len() > 10);
    all.as_array()
        .unwrap()
        .iter()
        .filter(|object| object["object"] != "event")
        .for_each(|object| {
            let mut object = object.clone();
            object.as_object_mut().unwrap().remove("line_items");
            if object["object"] == "refund" {
                object.as_object_mut().unwrap().remove("livemode");
            }
            spec::check_object(&object);
        });
}
