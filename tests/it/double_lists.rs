//! Lists and expansions in the double.

use serde_json::{Value, json};

use crate::support::double::Sandbox;

fn ids(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["id"].as_str().unwrap())
        .collect()
}

async fn with_links(count: usize) -> (Sandbox, Vec<String>) {
    let stripe = Sandbox::start().await;
    let mut newest_first = Vec::new();
    for _ in 0..count {
        newest_first.insert(0, stripe.link().await["id"].as_str().unwrap().to_owned());
    }
    (stripe, newest_first)
}

#[tokio::test]
async fn lists_are_newest_first_and_paged_in_both_directions() {
    let (stripe, links) = with_links(12).await;

    let first = stripe.get("/v1/payment_links").send().await.ok();
    assert_eq!((ids(&first).len(), &first["has_more"]), (10, &json!(true)));
    assert_eq!(ids(&first), links[..10]);

    let after = stripe
        .get(&format!(
            "/v1/payment_links?starting_after={}&limit=3",
            links[8]
        ))
        .send()
        .await
        .ok();
    assert_eq!(
        (ids(&after), &after["has_more"]),
        (
            links[9..12].iter().map(String::as_str).collect(),
            &json!(false)
        )
    );

    let before = stripe
        .get(&format!(
            "/v1/payment_links?ending_before={}&limit=3",
            links[5]
        ))
        .send()
        .await
        .ok();
    assert_eq!(
        (ids(&before), &before["has_more"]),
        (
            links[2..5].iter().map(String::as_str).collect(),
            &json!(true)
        )
    );
}

#[tokio::test]
async fn limits_and_cursors_out_of_bounds_are_refused() {
    let (stripe, links) = with_links(1).await;
    for query in ["limit=0", "limit=101", "limit=x"] {
        let refused = stripe
            .get(&format!("/v1/payment_links?{query}"))
            .send()
            .await;
        assert_eq!(refused.refusal().1, "parameter_invalid_integer", "{query}");
    }
    let lost = stripe
        .get("/v1/payment_links?starting_after=plink_nope")
        .send()
        .await;
    assert_eq!(
        lost.refusal(),
        (
            400,
            "resource_missing",
            "No such payment_link: 'plink_nope'"
        )
    );
    let both = format!(
        "/v1/payment_links?starting_after={0}&ending_before={0}",
        links[0]
    );
    assert_eq!(
        stripe.get(&both).send().await.refusal().1,
        "parameters_exclusive"
    );
    let unknown = stripe.get("/v1/payment_links?created[gte]=1").send().await;
    assert_eq!(
        unknown.refusal(),
        (
            400,
            "parameter_unknown",
            "Received unknown parameter: created"
        )
    );
}

#[tokio::test]
async fn links_can_be_filtered_by_active_only() {
    let (stripe, links) = with_links(3).await;
    stripe
        .post(
            &format!("/v1/payment_links/{}", links[1]),
            &[("active", "false")],
        )
        .send()
        .await
        .ok();

    let active = stripe
        .get("/v1/payment_links?active=true")
        .send()
        .await
        .ok();
    assert_eq!(ids(&active), [&links[0], &links[2]]);
    let inactive = stripe
        .get("/v1/payment_links?active=false")
        .send()
        .await
        .ok();
    assert_eq!(ids(&inactive), [&links[1]]);
}

#[tokio::test]
async fn sessions_can_be_filtered_by_link_status_time_and_intent() {
    let stripe = Sandbox::start().await;
    let (link, other) = (stripe.link().await, stripe.link().await);
    let first = stripe.visit(&link["url"]).await;
    stripe.admin("POST", "clock", json!({"advance": 100})).await;
    let second = stripe.visit(&link["url"]).await;
    stripe.visit(&other["url"]).await;
    let paid = stripe.pay(&first["id"], "card").await;
    let list = |query: String| {
        let stripe = &stripe;
        async move {
            stripe
                .get(&format!("/v1/checkout/sessions?{query}"))
                .send()
                .await
                .ok()
        }
    };
    let link = link["id"].as_str().unwrap();

    assert_eq!(
        ids(&list(format!("payment_link={link}")).await),
        [&second["id"], &first["id"]]
    );
    assert_eq!(
        ids(&list(format!("payment_link={link}&status=open")).await),
        [&second["id"]]
    );
    assert_eq!(ids(&list("status=complete".into()).await), [&first["id"]]);
    let created = first["created"].as_i64().unwrap();
    assert_eq!(
        ids(&list(format!(
            "created[gte]={created}&created[lt]={}",
            created + 100
        ))
        .await),
        [&first["id"]]
    );
    assert_eq!(
        ids(&list(format!("created={created}")).await),
        [&first["id"]]
    );
    assert_eq!(
        ids(&list(format!("created[gt]={created}&payment_link={link}")).await),
        [&second["id"]]
    );
    assert_eq!(
        ids(&list(format!(
            "payment_intent={}",
            paid["payment_intent"].as_str().unwrap()
        ))
        .await),
        [&first["id"]]
    );
    let lost = stripe
        .get("/v1/checkout/sessions?payment_link=plink_nope")
        .send()
        .await;
    assert_eq!(lost.refusal().1, "resource_missing");
}

#[tokio::test]
async fn references_are_ids_until_they_are_expanded() {
    let stripe = Sandbox::start().await;
    let link = stripe.link().await;
    let paid = stripe.pay(&link["url"], "card").await;
    let path = format!("/v1/checkout/sessions/{}", paid["id"].as_str().unwrap());

    let plain = stripe.get(&path).send().await.ok();
    assert!(plain["payment_link"].is_string() && plain["payment_intent"].is_string());
    assert!(plain.get("line_items").is_none());

    let query = "expand[]=payment_link.line_items&expand[]=payment_intent&expand[]=line_items.data.price.product";
    let expanded = stripe.get(&format!("{path}?{query}")).send().await.ok();
    assert_eq!(
        expanded["payment_link"]["line_items"]["data"][0]["amount_total"],
        5500
    );
    assert_eq!(expanded["payment_intent"]["status"], "succeeded");
    assert_eq!(
        expanded["line_items"]["data"][0]["price"]["product"]["name"],
        "Utah Invitational"
    );

    let list = stripe
        .get("/v1/payment_links?expand[0]=data.line_items")
        .send()
        .await
        .ok();
    assert_eq!(list["data"][0]["line_items"]["data"][0]["quantity"], 1);
    let deep = stripe
        .get("/v1/checkout/sessions?expand[]=data.payment_link.line_items.data")
        .send()
        .await;
    assert_eq!(deep.status, 400);
    let list = stripe
        .get("/v1/checkout/sessions?expand[]=data.payment_intent")
        .send()
        .await
        .ok();
    assert_eq!(
        list["data"][0]["payment_intent"]["id"],
        paid["payment_intent"]
    );
}

#[tokio::test]
async fn what_cannot_be_expanded_is_refused_even_on_an_empty_list() {
    let stripe = Sandbox::start().await;
    for path in [
        "metadata",
        "nonsense",
        "data.nonsense",
        "data.id",
        "line_items",
    ] {
        let refused = stripe
            .get(&format!("/v1/payment_links?expand[]={path}"))
            .send()
            .await;
        assert_eq!(
            refused.message(),
            format!("This property cannot be expanded ({path}).")
        );
    }
    let deep = "/v1/checkout/sessions?expand[]=data.line_items.data.price.product";
    assert!(
        stripe
            .get(deep)
            .send()
            .await
            .message()
            .contains("more than 4 levels")
    );
    let charge = "/v1/payment_intents/pi_1?expand[]=latest_charge";
    assert!(
        stripe
            .get(charge)
            .send()
            .await
            .message()
            .contains("cannot be expanded")
    );
}

#[tokio::test]
async fn line_items_of_a_link_keep_their_order_and_are_paged() {
    let stripe = Sandbox::start().await;
    let mut form = Vec::new();
    for (index, amount) in ["100", "200", "300"].iter().enumerate() {
        form.push((format!("line_items[{index}][price_data][currency]"), "usd"));
        form.push((
            format!("line_items[{index}][price_data][unit_amount]"),
            amount,
        ));
        form.push((
            format!("line_items[{index}][price_data][product_data][name]"),
            "Entry",
        ));
        form.push((format!("line_items[{index}][quantity]"), "2"));
    }
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let link = stripe.post("/v1/payment_links", &form).send().await.ok();
    let path = format!(
        "/v1/payment_links/{}/line_items",
        link["id"].as_str().unwrap()
    );

    let first = stripe.get(&format!("{path}?limit=2")).send().await.ok();
    assert_eq!(first["data"][0]["amount_total"], 200);
    assert_eq!(first["has_more"], true);
    let after = first["data"][1]["id"].as_str().unwrap();
    let rest = stripe
        .get(&format!("{path}?starting_after={after}"))
        .send()
        .await
        .ok();
    assert_eq!(
        (&rest["data"][0]["amount_total"], &rest["has_more"]),
        (&json!(600), &json!(false))
    );
}
