//! Every request that relink sends is one that Stripe documents: method, path and each parameter are held
//! against the vendored subset of Stripe's OpenAPI description.

use serde_json::{Value, json};

use crate::support::spec;
use crate::support::world::*;

fn pairs(request: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    request["body"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (text(&pair[0]), text(&pair[1])))
        .collect()
}

fn query(request: &Value) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request["query"].as_str().unwrap().as_bytes())
        .into_owned()
        .collect()
}

#[tokio::test]
async fn every_request_of_every_command_is_documented_by_stripe() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    world
        .order(pending(6500).behind(active_link().of(5500).with(open_session().minutes_old(600))))
        .await;
    // A lost answer and a replay are part of the repertoire.
    world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "reset", "times": 1})).await;
    world
        .relink_with(
            &[
                "regen",
                "--all",
                "--allow-amount-change",
                "--commit",
                "--yes",
            ],
            &[("RELINK_SUCCESS_URL", "https://club.example.com/paid")],
        )
        .await;
    world
        .relink(&["retire", "--all", "--commit", "--yes"])
        .await;
    world
        .relink(&[
            "regen",
            "--order-id",
            "322",
            "--missing-is-dead",
            "--commit",
            "--yes",
        ])
        .await;
    world.relink(&["inspect", "--all"]).await;

    let requests = world.requests().await;
    let mut kinds = std::collections::BTreeSet::new();
    for request in &requests {
        let (method, path) = (
            request["method"].as_str().unwrap(),
            request["path"].as_str().unwrap(),
        );
        let sent = if method == "POST" {
            pairs(request)
        } else {
            query(request)
        };
        spec::check_request(method, path, &sent);
        assert_eq!(
            request["stripe_version"],
            relink::actions::API_VERSION,
            "{method} {path}"
        );
        assert_eq!(
            request["idempotency_key"].is_null(),
            method == "GET",
            "{method} {path}"
        );
        let is_id = |part: &str| {
            part.starts_with("cs_") || part.starts_with("plink_") || part.starts_with("pi_")
        };
        let shape: Vec<&str> = path
            .split('/')
            .map(|part| if is_id(part) { "*" } else { part })
            .collect();
        kinds.insert(format!("{method} {}", shape.join("/")));
    }
    let kinds: Vec<String> = kinds.into_iter().collect();
    insta::assert_snapshot!(kinds.join("\n"), @r#"
    GET /v1/account
    GET /v1/checkout/sessions
    GET /v1/checkout/sessions/*
    GET /v1/events
    GET /v1/payment_links
    GET /v1/payment_links/*
    GET /v1/refunds
    POST /v1/checkout/sessions/*/expire
    POST /v1/payment_links
    POST /v1/payment_links/*
    "#);
}
