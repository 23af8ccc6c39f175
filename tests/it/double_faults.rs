//! Scripted faults, limits, and what the double tells about the requests it has seen.

use std::time::{Duration, Instant};

use relink::sandbox::double::{Limits, StateAt};
use serde_json::{Value, json};

use crate::support::double::{MINT, Sandbox};

async fn links(stripe: &Sandbox) -> usize {
    let list = stripe.get("/v1/payment_links?limit=100").send().await.ok();
    list["data"].as_array().unwrap().len()
}

async fn with_fault(rule: Value) -> Sandbox {
    let stripe = Sandbox::start().await;
    stripe.admin("POST", "faults", rule).await;
    stripe
}

#[tokio::test]
async fn a_reset_before_the_effect_leaves_nothing_and_after_it_leaves_the_link() {
    for (when, left) in [("before", 0), ("after", 1), ("arrival", 0)] {
        let stripe = with_fault(
            json!({"method": "POST", "path": "/v1/payment_links", "kind": "reset", "when": when}),
        )
        .await;

        let lost = stripe
            .post("/v1/payment_links", MINT)
            .once("k")
            .try_send()
            .await;

        assert!(lost.is_err_and(|error| error.is_request()), "{when}");
        assert_eq!(links(&stripe).await, left, "{when}");
        let again = stripe
            .post("/v1/payment_links", MINT)
            .once("k")
            .send()
            .await;
        assert_eq!(
            again.header("idempotent-replayed").is_some(),
            left == 1,
            "{when}"
        );
        assert_eq!(links(&stripe).await, 1, "{when}");
    }
}

#[tokio::test]
async fn a_500_is_remembered_for_its_key_whether_or_not_the_link_was_made() {
    for (when, left) in [("before", 0), ("after", 1)] {
        let stripe = with_fault(
            json!({"path": "/v1/payment_links", "kind": "status", "status": 500, "when": when}),
        )
        .await;

        let first = stripe
            .post("/v1/payment_links", MINT)
            .once("k")
            .send()
            .await;
        let again = stripe
            .post("/v1/payment_links", MINT)
            .once("k")
            .send()
            .await;

        assert_eq!((first.status, again.status), (500, 500));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(links(&stripe).await, left, "{when}");
    }
}

#[tokio::test]
async fn a_gateways_502_hides_what_really_happened_and_is_not_remembered() {
    let page = "<html><body>502 Bad Gateway</body></html>";
    let rule = json!({"path": "/v1/payment_links", "kind": "status", "status": 502, "body": page, "when": "after"});
    let stripe = with_fault(rule).await;

    let first = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;
    assert_eq!((first.status, &first.body), (502, &json!(page)));
    assert_eq!(
        first.header("content-type"),
        Some("text/html; charset=utf-8")
    );

    let again = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (200, Some("true"))
    );
}

#[tokio::test]
async fn a_status_fault_carries_its_body_and_headers() {
    let message =
        "The provided key does not have the required permissions: rak_payment_links_write";
    let stripe = with_fault(json!([
        {"kind": "status", "status": 403, "body": {"error": {"type": "invalid_request_error", "message": message}}},
        {"kind": "status", "status": 429, "headers": {"Stripe-Rate-Limited-Reason": "global-concurrency"}, "nth": 2},
    ]))
    .await;

    let denied = stripe.get("/v1/account").send().await;
    assert_eq!((denied.status, denied.message()), (403, message));
    let limited = stripe.get("/v1/account").send().await;
    assert_eq!(
        limited.header("stripe-rate-limited-reason"),
        Some("global-concurrency")
    );
    assert_eq!(limited.refusal().1, "rate_limit");
    assert_eq!(stripe.get("/v1/account").send().await.status, 200);
}

#[tokio::test]
async fn a_rule_meets_the_requests_it_names_and_no_others() {
    let stripe = with_fault(json!([
        {"method": "POST", "path": "/v1/checkout/sessions/*/expire", "kind": "status", "status": 503, "nth": 2, "times": 2},
        {"contains": "metadata[order_id]=9", "kind": "status", "status": 504, "times": null},
    ]))
    .await;
    let mut expired = Vec::new();
    for _ in 0..4 {
        let session = stripe.session().await;
        let path = format!(
            "/v1/checkout/sessions/{}/expire",
            session["id"].as_str().unwrap()
        );
        expired.push(stripe.post(&path, &[]).send().await.status);
    }
    assert_eq!(expired, [200, 503, 503, 200]);

    let nine = [MINT, &[("metadata[order_id]", "9")]].concat();
    for _ in 0..3 {
        assert_eq!(
            stripe.post("/v1/payment_links", &nine).send().await.status,
            504
        );
    }
    assert_eq!(
        stripe.post("/v1/payment_links", MINT).send().await.status,
        200
    );
    stripe.admin("DELETE", "faults", json!(null)).await;
    assert_eq!(
        stripe.post("/v1/payment_links", &nine).send().await.status,
        200
    );
}

#[tokio::test]
async fn an_answer_can_be_cut_short_late_garbled_or_never_come() {
    let stripe = with_fault(json!([
        {"kind": "truncated", "when": "after", "nth": 1},
        {"kind": "garbage", "nth": 2},
        {"kind": "timeout", "ms": 150, "nth": 3},
        {"kind": "latency", "ms": 150, "nth": 4},
    ]))
    .await;

    let cut = stripe.get("/v1/account").try_send().await.unwrap_err();
    assert!(cut.is_body() || cut.is_decode(), "{cut:?}");
    assert!(stripe.get("/v1/account").send().await.body.is_string());
    let begun = Instant::now();
    assert!(stripe.get("/v1/account").try_send().await.is_err());
    assert_eq!(stripe.get("/v1/account").send().await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_parked_request_waits_until_it_is_released_or_dropped() {
    let stripe =
        with_fault(json!({"method": "POST", "kind": "park", "when": "after", "times": null})).await;
    let mint = stripe.post("/v1/payment_links", MINT).once("k").try_send();
    let watch = async {
        let parked = stripe
            .admin("GET", "parked?wait_ms=5000", json!(null))
            .await;
        assert_eq!(
            links(&stripe).await,
            1,
            "the effect is there, the answer is not"
        );
        stripe
            .admin(
                "POST",
                &format!("parked/{}/drop", parked[0]["id"]),
                json!(null),
            )
            .await;
        parked
    };

    let (lost, parked) = tokio::join!(mint, watch);

    assert!(lost.is_err());
    assert_eq!(parked[0]["when"], "after");
    assert_eq!(
        (&parked[0]["idempotency_key"], &parked[0]["path"]),
        (&json!("k"), &json!("/v1/payment_links"))
    );
    assert_eq!(stripe.admin("GET", "parked", json!(null)).await, json!([]));
}

#[tokio::test]
async fn a_parked_request_outlives_the_client_that_sent_it() {
    let stripe = with_fault(json!({"method": "POST", "kind": "park", "when": "before"})).await;
    {
        let mint = stripe.post("/v1/payment_links", MINT).try_send();
        let parked = stripe.admin("GET", "parked?wait_ms=5000", json!(null));
        tokio::select! {
            _ = mint => unreachable!("a parked request is not answered"),
            parked = parked => assert_eq!(parked.as_array().unwrap().len(), 1),
        }
    }
    assert_eq!(links(&stripe).await, 0);

    let parked = stripe.admin("GET", "parked", json!(null)).await;
    stripe
        .admin(
            "POST",
            &format!("parked/{}/release", parked[0]["id"]),
            json!(null),
        )
        .await;

    let begun = Instant::now();
    while links(&stripe).await == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "the request was given up with its client"
        );
    }
}

#[tokio::test]
async fn limits_hold_per_account_and_per_endpoint_and_are_not_remembered_for_a_key() {
    let limits = Limits {
        endpoint_rps: Some(2),
        ..Limits::default()
    };
    let stripe = Sandbox::with(StateAt::Memory, limits).await;
    let mut last = None;
    for _ in 0..5 {
        last = Some(stripe.get("/v1/account").send().await);
    }
    let last = last.unwrap();
    assert_eq!((last.status, last.refusal().1), (429, "rate_limit"));
    assert_eq!(
        last.header("stripe-rate-limited-reason"),
        Some("endpoint-rate")
    );
    assert_eq!(
        stripe.get("/v1/events").send().await.status,
        200,
        "another endpoint has a bucket of its own"
    );

    stripe
        .admin(
            "POST",
            "limits",
            json!({"endpoint_rps": null, "account_rps": 1}),
        )
        .await;
    stripe.get("/v1/events").send().await.ok();
    let limited = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;
    assert_eq!(
        limited.header("stripe-rate-limited-reason"),
        Some("global-rate")
    );
    assert_eq!(
        stripe.get("/v1/events").live().send().await.status,
        200,
        "the modes have buckets of their own"
    );

    stripe
        .admin("POST", "limits", json!({"account_rps": null}))
        .await;
    let minted = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;
    assert_eq!(
        (minted.status, minted.header("idempotent-replayed")),
        (200, None)
    );
}

#[tokio::test]
async fn a_frozen_double_refuses_writes_and_tells_of_them() {
    let stripe = Sandbox::start().await;
    stripe
        .admin("POST", "freeze", json!({"writes": true}))
        .await;

    assert_eq!(stripe.get("/v1/payment_links").send().await.status, 200);
    assert_eq!(
        stripe.admin("GET", "violations", json!(null)).await,
        json!([])
    );
    assert_eq!(
        stripe.post("/v1/payment_links", MINT).send().await.status,
        500
    );

    let violations = stripe.admin("GET", "violations", json!(null)).await;
    assert_eq!(
        (&violations[0]["method"], &violations[0]["path"]),
        (&json!("POST"), &json!("/v1/payment_links"))
    );
    stripe
        .admin("POST", "freeze", json!({"writes": false}))
        .await;
    assert_eq!(links(&stripe).await, 0);
    stripe.link().await;
}

#[tokio::test]
async fn the_log_of_requests_tells_what_was_asked_and_what_came_of_it_but_never_the_key() {
    let stripe = Sandbox::start().await;
    stripe.get("/v1/payment_links?limit=5").send().await.ok();
    stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await
        .ok();
    stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await
        .ok();
    stripe.post("/v1/payment_links", &[]).live().send().await;

    let log = stripe.admin("GET", "requests", json!(null)).await;

    let told: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            json!([
                entry["method"],
                entry["query"],
                entry["idempotency_key"],
                entry["status"],
                entry["replayed"],
                entry["effect"],
                entry["mode"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["GET", "limit=5", null, 200, false, false, "test"]),
            json!(["POST", "", "k", 200, false, true, "test"]),
            json!(["POST", "", "k", 200, true, false, "test"]),
            json!(["POST", "", null, 400, false, false, "live"]),
        ]
    );
    assert_eq!(
        log[1]["body"][0],
        json!(["line_items[0][price_data][currency]", "usd"])
    );
    assert!(!log.to_string().contains("sk_test_sandbox"));
    stripe.admin("DELETE", "requests", json!(null)).await;
    assert_eq!(
        stripe.admin("GET", "requests", json!(null)).await,
        json!([])
    );
}

#[tokio::test]
async fn a_web_page_cannot_move_the_sandbox() {
    let stripe = Sandbox::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/_sandbox/reset", stripe.double.base_url());

    let refused = client
        .post(url)
        .header("Origin", "https://evil.example.com")
        .send()
        .await
        .unwrap();

    assert_eq!(refused.status().as_u16(), 400);
}

/// The kind of the I/O error at the root of a failed request, if there is one.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => Some(error.kind()),
        None => io_kind(error.source()?),
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_timeout_an_orderly_close() {
    let stripe = with_fault(json!([
        {"kind": "reset", "nth": 1},
        {"kind": "timeout", "ms": 1, "nth": 2},
    ]))
    .await;

    let reset = stripe.get("/v1/account").try_send().await.unwrap_err();
    assert_eq!(
        io_kind(&reset),
        Some(std::io::ErrorKind::ConnectionReset),
        "{reset:?}"
    );
    let closed = stripe.get("/v1/account").try_send().await.unwrap_err();
    assert_ne!(
        io_kind(&closed),
        Some(std::io::ErrorKind::ConnectionReset),
        "{closed:?}"
    );
}
