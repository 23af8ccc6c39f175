//! Strict parameters, keys and versions: the double refuses what Stripe refuses, in Stripe's words.

use serde_json::json;

use crate::support::double::{CHECKOUT, MINT, Sandbox};
use crate::support::spec;

/// Parameters, and the code, the parameter and the message that refuse them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);

#[tokio::test]
async fn unknown_missing_and_mistyped_parameters_are_refused_by_name() {
    let stripe = Sandbox::start().await;
    let cases: &[Case] = &[
        (
            &[("nonsense", "1")],
            "parameter_unknown",
            "nonsense",
            "Received unknown parameter: nonsense",
        ),
        (
            &[("a", "1"), ("b", "2")],
            "parameter_unknown",
            "a",
            "Received unknown parameters: a, b",
        ),
        (
            &[("line_items[0][price_data][nickname]", "x")],
            "parameter_unknown",
            "line_items[0][price_data][nickname]",
            "Received unknown parameter: line_items[0][price_data][nickname]",
        ),
        (
            &[("line_items[1][price]", "price_1")],
            "parameter_missing",
            "line_items[1][quantity]",
            "Missing required param: line_items[1][quantity].",
        ),
        (
            &[("restrictions[completed_sessions][limit]", "one")],
            "parameter_invalid_integer",
            "restrictions[completed_sessions][limit]",
            "Invalid integer: one",
        ),
        (
            &[("allow_promotion_codes", "maybe")],
            "",
            "allow_promotion_codes",
            "Invalid boolean: maybe",
        ),
        (
            &[("submit_type", "gift")],
            "",
            "submit_type",
            "Invalid submit_type: must be one of auto, book, donate, pay, or subscribe",
        ),
        (
            &[("customer_creation", "never")],
            "",
            "customer_creation",
            "Invalid customer_creation: must be always or if_required",
        ),
        (
            &[("phone_number_collection", "x")],
            "",
            "phone_number_collection",
            "Invalid object",
        ),
        (
            &[("payment_method_types", "card")],
            "",
            "payment_method_types",
            "Invalid array",
        ),
        (
            &[("allow_promotion_codes[x]", "true")],
            "",
            "allow_promotion_codes",
            "Invalid boolean",
        ),
    ];
    for (extra, code, param, message) in cases {
        let form: Vec<_> = MINT
            .iter()
            .filter(|(name, _)| !extra.iter().any(|(given, _)| given == name))
            .copied()
            .collect();
        let refused = stripe
            .post("/v1/payment_links", &[&form, *extra].concat())
            .send()
            .await;
        assert_eq!(refused.refusal(), (400, *code, *message));
        assert_eq!(refused.body["error"]["param"], *param);
    }
    assert_eq!(
        stripe.get("/v1/payment_links").send().await.ok()["data"],
        json!([])
    );
}

#[tokio::test]
async fn an_empty_value_is_refused_where_nothing_can_be_unset() {
    let stripe = Sandbox::start().await;
    let form = [MINT, &[("submit_type", "")]].concat();

    let refused = stripe.post("/v1/payment_links", &form).send().await;

    assert_eq!(refused.refusal().1, "parameter_invalid_empty");
    assert!(
        refused
            .message()
            .starts_with("You passed an empty string for 'submit_type'.")
    );
}

#[tokio::test]
async fn strings_have_a_longest_length() {
    let stripe = Sandbox::start().await;
    let long = "x".repeat(501);
    let form: Vec<_> = MINT
        .iter()
        .filter(|(name, _)| *name != "inactive_message")
        .copied()
        .collect();

    let refused = stripe
        .post(
            "/v1/payment_links",
            &[&form[..], &[("inactive_message", &long)]].concat(),
        )
        .send()
        .await;

    assert_eq!(
        refused.message(),
        "Invalid string: xxxxxxxxxx...xxxxxxxxxx; must be at most 500 characters"
    );
}

#[tokio::test]
async fn metadata_has_at_most_50_keys_of_40_characters_and_values_of_500() {
    let stripe = Sandbox::start().await;
    let link = format!(
        "/v1/payment_links/{}",
        stripe.link().await["id"].as_str().unwrap()
    );
    let key = |length: usize| format!("metadata[{}]", "k".repeat(length));
    let (fits, long) = (key(40), key(41));
    let (value, long_value) = ("v".repeat(500), "v".repeat(501));

    assert_eq!(
        stripe.post(&link, &[(&fits, &value)]).send().await.status,
        200
    );
    assert_eq!(stripe.post(&link, &[(&long, "v")]).send().await.status, 400);
    assert!(
        stripe
            .post(&link, &[(&fits, &long_value)])
            .send()
            .await
            .message()
            .contains("501 characters")
    );
    let many: Vec<_> = (0..51).map(|n| format!("metadata[k{n}]")).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "v")).collect();
    assert_eq!(
        stripe.post(&link, &many[..49]).send().await.status,
        400,
        "with what is there, 51 keys"
    );
    assert_eq!(stripe.post(&link, &many).send().await.status, 400);
    assert_eq!(stripe.post(&link, &many[..48]).send().await.status, 200);
}

#[tokio::test]
async fn exclusive_parameters_are_refused_together() {
    let stripe = Sandbox::start().await;
    let both = [MINT, &[("line_items[0][price]", "price_1")]].concat();
    let refused = stripe.post("/v1/payment_links", &both).send().await;
    let message = "You may only specify one of these parameters: price, price_data.";
    assert_eq!(refused.refusal(), (400, "parameters_exclusive", message));

    let both = [MINT, &[("line_items[0][price_data][product]", "prod_1")]].concat();
    assert_eq!(
        stripe
            .post("/v1/payment_links", &both)
            .send()
            .await
            .refusal()
            .1,
        "parameters_exclusive"
    );
}

#[tokio::test]
async fn brackets_may_be_indexed_empty_or_percent_encoded() {
    let stripe = Sandbox::start().await;
    let form: Vec<(String, &str)> = MINT
        .iter()
        .map(|(name, value)| (name.replace("[0]", "[]"), *value))
        .collect();
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let link = stripe
        .post("/v1/payment_links?expand%5B0%5D=line_items", &form)
        .send()
        .await
        .ok();
    assert_eq!(link["line_items"]["data"].as_array().unwrap().len(), 1);

    let id = link["id"].as_str().unwrap();
    let shown = stripe
        .get(&format!("/v1/payment_links/{id}?expand[]=line_items"))
        .send()
        .await
        .ok();
    assert_eq!(shown["line_items"], link["line_items"]);
}

#[tokio::test]
async fn a_currency_stripe_does_not_know_and_odd_amounts_are_refused() {
    let stripe = Sandbox::start().await;
    let mint = async |name: &str, value: &str| {
        let form: Vec<_> = MINT
            .iter()
            .map(|(known, old)| (*known, if *known == name { value } else { *old }))
            .collect();
        stripe.post("/v1/payment_links", &form).send().await
    };
    let amount = "line_items[0][price_data][unit_amount]";
    assert!(
        mint("line_items[0][price_data][currency]", "zzz")
            .await
            .message()
            .starts_with("Invalid currency: zzz.")
    );
    assert_eq!(
        mint(amount, "-1").await.message(),
        "Invalid non-negative integer"
    );
    assert_eq!(
        mint(amount, "100000000").await.refusal().1,
        "amount_too_large"
    );
    assert_eq!(
        mint("line_items[0][quantity]", "0").await.refusal().1,
        "parameter_invalid_integer"
    );
    assert_eq!(mint(amount, "0").await.status, 200);

    let small: Vec<_> = CHECKOUT
        .iter()
        .map(|(name, old)| (*name, if *name == amount { "49" } else { *old }))
        .collect();
    let refused = stripe.post("/v1/checkout/sessions", &small).send().await;
    assert_eq!(refused.refusal().1, "amount_too_small");
}

#[tokio::test]
async fn unknown_and_inactive_prices_are_refused() {
    let stripe = Sandbox::start().await;
    let form = [
        ("line_items[0][price]", "price_nope"),
        ("line_items[0][quantity]", "1"),
    ];
    let refused = stripe.post("/v1/payment_links", &form).send().await;
    assert_eq!(
        refused.refusal(),
        (400, "resource_missing", "No such price: 'price_nope'")
    );
    assert_eq!(refused.body["error"]["param"], "line_items[0][price]");

    let price = [
        ("currency", "usd"),
        ("unit_amount", "5500"),
        ("product_data[name]", "Entry"),
        ("active", "false"),
    ];
    let price = stripe.post("/v1/prices", &price).send().await.ok();
    let form = [
        ("line_items[0][price]", price["id"].as_str().unwrap()),
        ("line_items[0][quantity]", "1"),
    ];
    let refused = stripe.post("/v1/payment_links", &form).send().await;
    assert_eq!(
        refused.message(),
        "The price specified is inactive. This field only accepts active prices."
    );
}

#[tokio::test]
async fn json_bodies_and_unknown_paths_are_refused() {
    let stripe = Sandbox::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/payment_links", stripe.double.base_url());
    let json = client
        .post(url)
        .bearer_auth("sk_test_x")
        .header("content-type", "application/json");
    let answer = json.body("{\"active\": true}").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("check that your POST content type")
    );

    let lost = stripe.get("/v1/nowhere").send().await;
    assert_eq!(lost.status, 404);
    assert!(
        lost.message()
            .starts_with("Unrecognized request URL (GET: /v1/nowhere).")
    );
}

#[tokio::test]
async fn keys_are_checked_and_never_shown() {
    let stripe = Sandbox::start().await;
    let account = |key: &'static str| stripe.get("/v1/account").key(key).send();

    let none = account("").await;
    assert_eq!(
        (
            none.status,
            none.message()
                .starts_with("You did not provide an API key.")
        ),
        (401, true)
    );
    let wrong = account("sk_test_invalid_0123456789abcd").await;
    assert_eq!(
        wrong.refusal(),
        (
            401,
            "",
            "Invalid API Key provided: sk_test_******************abcd"
        )
    );
    assert_eq!(
        account("sk_test_expired1234").await.refusal().1,
        "api_key_expired"
    );
    assert_eq!(account("nonsense").await.status, 401);
    assert_eq!(
        account("pk_test_12345").await.refusal().1,
        "secret_key_required"
    );
    assert_eq!(account("rk_live_12345").await.status, 200);
}

#[tokio::test]
async fn the_account_names_itself_and_every_answer_is_dated_by_the_doubles_clock() {
    let stripe = Sandbox::start().await;

    let account = stripe.get("/v1/account").send().await;

    assert_eq!(account.body["id"], "acct_1SandboxRelink");
    assert_eq!(
        account.body["settings"]["dashboard"]["display_name"],
        "Utah Hoops Club (sandbox)"
    );
    assert!(account.body.get("livemode").is_none());
    assert_eq!(
        account.header("date"),
        Some("Sat, 14 Mar 2026 09:00:00 GMT")
    );
    assert_eq!(account.header("stripe-version"), Some("2026-07-29.dahlia"));
    assert!(account.header("request-id").unwrap().starts_with("req_"));
    stripe.link().await;
    let after = stripe.get("/v1/account").send().await;
    assert_eq!(after.header("date"), Some("Sat, 14 Mar 2026 09:00:01 GMT"));
}

#[tokio::test]
async fn the_judge_of_requests_knows_right_from_wrong() {
    let owned = |form: &[(&str, &str)]| -> Vec<(String, String)> {
        form.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    spec::check_request("POST", "/v1/payment_links", &owned(MINT));
    spec::check_request("POST", "/v1/checkout/sessions", &owned(CHECKOUT));
    spec::check_request(
        "GET",
        "/v1/checkout/sessions",
        &owned(&[("created[gte]", "5"), ("status", "open")]),
    );
    for wrong in [
        ("nonsense", "1"),
        ("metadata[a]", &*"v".repeat(501)),
        ("restrictions[completed_sessions][limit]", "x"),
    ] {
        let form = owned(&[MINT, &[wrong]].concat());
        let judged =
            std::panic::catch_unwind(|| spec::check_request("POST", "/v1/payment_links", &form));
        assert!(judged.is_err(), "{wrong:?}");
    }
}
