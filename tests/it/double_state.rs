//! The double's state on disk: what was answered survives a kill, and one process at a time holds a directory.

use std::io::Write;
use std::path::Path;

use relink::sandbox::double::{Double, DoubleError, Limits, Options, StateAt, running_address};
use serde_json::json;

use crate::support::double::{MINT, Sandbox};

async fn open(dir: &Path) -> Sandbox {
    Sandbox::with(StateAt::Dir(dir.to_owned()), Limits::default()).await
}

#[tokio::test]
async fn objects_keys_events_and_the_clock_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let stripe = open(dir.path()).await;
    let link = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await
        .ok();
    stripe.pay(&link["url"], "card").await;
    stripe
        .admin("POST", "clock", json!({"advance": 1000}))
        .await;
    let before = stripe.admin("GET", "objects", json!(null)).await;
    let now = stripe.admin("GET", "clock", json!(null)).await;
    stripe.double.stop().await.unwrap();

    let stripe = open(dir.path()).await;

    assert_eq!(stripe.admin("GET", "objects", json!(null)).await, before);
    assert_eq!(stripe.admin("GET", "clock", json!(null)).await, now);
    let again = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;
    assert_eq!(
        (again.header("idempotent-replayed"), &again.body),
        (Some("true"), &link)
    );
    let next = stripe.link().await;
    assert_ne!(next["id"], link["id"], "ids go on where they were");
}

#[tokio::test]
async fn what_was_answered_is_in_the_log_before_the_answer_and_a_torn_line_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let stripe = open(dir.path()).await;
    let link = stripe.link().await;

    // A copy taken now is what a process killed at this moment leaves behind; the torn line is its last write.
    let killed = tempfile::tempdir().unwrap();
    std::fs::copy(
        dir.path().join("stripe.jsonl"),
        killed.path().join("stripe.jsonl"),
    )
    .unwrap();
    let mut log = std::fs::OpenOptions::new()
        .append(true)
        .open(killed.path().join("stripe.jsonl"))
        .unwrap();
    log.write_all(b"[{\"t\":\"put\",\"mode\":\"test\",\"ki")
        .unwrap();
    drop(log);

    let revived = open(killed.path()).await;
    let path = format!("/v1/payment_links/{}", link["id"].as_str().unwrap());
    assert_eq!(revived.get(&path).send().await.ok(), link);
    revived
        .post(&path, &[("active", "false")])
        .send()
        .await
        .ok();
    revived.double.stop().await.unwrap();
    let revived = open(killed.path()).await;
    assert_eq!(revived.get(&path).send().await.ok()["active"], false);
}

#[tokio::test]
async fn a_reset_double_stays_empty_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let stripe = open(dir.path()).await;
    stripe.link().await;
    stripe.admin("POST", "reset", json!(null)).await;
    stripe.double.stop().await.unwrap();

    let stripe = open(dir.path()).await;

    assert_eq!(stripe.admin("GET", "objects", json!(null)).await, json!([]));
}

#[tokio::test]
async fn a_second_double_waits_for_the_directory_and_then_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).await;
    let options = || Options {
        state: StateAt::Dir(dir.path().to_owned()),
        port: 0,
        limits: Limits::default(),
    };

    let refused = Double::start(options()).await.unwrap_err();
    assert!(matches!(refused, DoubleError::InUse { .. }), "{refused}");

    let (second, stopped) = tokio::join!(Double::start(options()), first.double.stop());
    stopped.unwrap();
    second.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_double_is_found_by_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let stripe = open(dir.path()).await;
    assert_eq!(
        running_address(dir.path()),
        None,
        "only a double that announces itself may be used by others"
    );

    stripe.double.announce().unwrap();
    assert_eq!(
        running_address(dir.path()).as_deref(),
        Some(stripe.double.base_url())
    );

    stripe.double.stop().await.unwrap();
    assert_eq!(running_address(dir.path()), None);
    std::fs::write(dir.path().join("address"), "http://127.0.0.1:1\n").unwrap();
    assert_eq!(
        running_address(dir.path()),
        None,
        "a stale address is not believed"
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let stripe = Sandbox::start().await;
    let port = stripe
        .double
        .base_url()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let refused = Double::start(Options {
        state: StateAt::Memory,
        port,
        limits: Limits::default(),
    })
    .await
    .unwrap_err();
    let said = refused.to_string();
    let why = format!("cannot listen on 127.0.0.1:{port}: Address already in use");
    assert!(said.starts_with(&why), "{said}");
}

#[tokio::test]
async fn stopping_drops_what_is_parked() {
    let stripe = Sandbox::start().await;
    stripe
        .admin("POST", "faults", json!({"method": "POST", "kind": "park"}))
        .await;
    let base = stripe.double.base_url().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mint = tokio::spawn(
        client
            .post(format!("{base}/v1/payment_links"))
            .bearer_auth("sk_test_x")
            .body("active=true")
            .send(),
    );
    stripe.admin("GET", "parked?wait_ms=200", json!(null)).await;

    stripe.double.stop().await.unwrap();

    let answer = mint.await.unwrap();
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().as_u16() == 400));
}
