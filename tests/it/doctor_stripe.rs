//! What `relink doctor` says of the key, of Stripe, of the webhook endpoint and of the clock. It asks little, and a
//! key that was not meant is used for nothing.

use serde_json::{Value, json};

use crate::doctor_world::*;
use crate::on_each_backend;
use crate::support::world::*;

#[tokio::test]
async fn each_permission_that_a_restricted_key_lacks_is_named() {
    let world = World::on(Backend::Sqlite).await;
    let restricted = [("STRIPE_API_KEY", "rk_test_some")];
    let said = diagnosed_with(&world, &restricted).await;
    assert_eq!(said.code, Some(0), "{:#}", said.document);
    said.tells("key", "a restricted key of test mode");
    assert_eq!(said.outcome("write_permissions"), "not_checked");
    for (path, permission, check) in [
        (
            "/v1/checkout/sessions",
            "rak_checkout_session_read",
            "read_checkout_sessions",
        ),
        (
            "/v1/payment_links",
            "rak_payment_link_read",
            "read_payment_links",
        ),
        (
            "/v1/payment_intents",
            "rak_payment_intent_read",
            "read_payment_intents",
        ),
        ("/v1/refunds", "rak_charge_read", "read_refunds"),
        ("/v1/events", "rak_event_read", "read_events"),
    ] {
        refuse(&world, path, permission).await;
        let said = diagnosed_with(&world, &restricted).await;
        said.fails(5, check, permission);
        said.tells(check, "give the restricted key read on");
        world.clear_faults().await;
    }
}

#[tokio::test]
async fn what_relink_can_do_without_is_no_failure() {
    let world = World::on(Backend::Sqlite).await;
    refuse(&world, "/v1/account", "rak_accounts_kyc_id_numbers_read").await;
    refuse(&world, "/v1/webhook_endpoints", "rak_webhook_read").await;
    let said = diagnosed(&world).await;
    assert_eq!(said.code, Some(0), "{:#}", said.document);
    assert_eq!(said.outcome("stripe"), "passed");
    assert_eq!(said.outcome("account"), "warned");
    said.tells("account", "--expect-account");
    assert_eq!(said.outcome("webhook_endpoint"), "not_checked");
    said.tells("webhook_endpoint", "rak_webhook_read");
    world.clear_faults().await;
    let mut args = JSON.to_vec();
    args.extend(["--stripe-account", "acct_connected"]);
    let said = Said::of(&world.relink(&args).await);
    assert_eq!(said.outcome("webhook_endpoint"), "not_checked");
    said.tells("webhook_endpoint", "an endpoint of its platform");
}

#[tokio::test]
async fn a_key_whose_mode_was_not_meant_is_named_and_not_used() {
    let world = World::on(Backend::Sqlite).await;
    let live = [("STRIPE_API_KEY", "sk_live_some"), ("STRIPE_API_BASE", "")];
    let said = diagnosed_with(&world, &live).await;
    assert_eq!(said.code, Some(4), "{:#}", said.document);
    said.tells("mode", "this is a live key, and --live was not given");
    let mut args = JSON.to_vec();
    args.push("--live");
    let said = Said::of(&world.relink(&args).await);
    said.fails(4, "mode", "--live was given with a test key");
    for unchecked in [
        "stripe",
        "account",
        "read_events",
        "webhook_endpoint",
        "clock",
    ] {
        assert_eq!(said.outcome(unchecked), "not_checked");
        said.tells(unchecked, "the key and `--live` disagree");
    }
    assert_eq!(said.outcome("columns"), "passed");
    assert_eq!(world.requests().await, Vec::<Value>::new());
}

#[tokio::test]
async fn without_a_key_or_with_one_that_is_none_the_database_is_still_looked_at() {
    let world = World::on(Backend::Sqlite).await;
    for (key, why) in [
        ("", "no Stripe key"),
        ("pk_test_zebra", "publishable"),
        ("zebra", "malformed"),
    ] {
        let said = diagnosed_with(&world, &[("STRIPE_API_KEY", key)]).await;
        said.fails(4, "key", why);
        assert_eq!(said.outcome("mode"), "not_checked");
        assert_eq!(said.outcome("update_rights"), "passed");
        assert!(!said.document.to_string().contains("zebra"));
    }
    assert_eq!(world.requests().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_key_that_stripe_does_not_accept_is_tried_once() {
    let world = World::on(Backend::Sqlite).await;
    let said = diagnosed_with(&world, &[("STRIPE_API_KEY", "sk_test_invalid_zebra")]).await;
    said.fails(5, "stripe", "does not accept the key");
    assert!(!said.document.to_string().contains("zebra"));
    assert_eq!(said.outcome("account"), "not_checked");
    assert_eq!(said.outcome("read_refunds"), "not_checked");
    assert_eq!(world.requests().await.len(), 1);
}

on_each_backend! {
    async fn a_stripe_that_is_not_reached_keeps_the_database_from_nothing(world) {
        let said = diagnosed_with(&world, &[("STRIPE_API_BASE", "http://127.0.0.1:1")]).await;
        said.fails(9, "stripe", "Stripe could not be reached");
        for unchecked in ["account", "read_payment_links", "write_permissions", "webhook_endpoint", "clock"] {
            assert_eq!(said.outcome(unchecked), "not_checked", "{:#}", said.document);
        }
        assert_eq!(said.outcome("columns"), "passed");
    }
}

#[tokio::test]
async fn a_failure_of_one_read_is_that_reads_alone() {
    let world = World::on(Backend::Sqlite).await;
    world
        .fault(json!({"method": "GET", "path": "/v1/refunds", "kind": "status", "status": 500, "times": null}))
        .await;
    let said = diagnosed(&world).await;
    said.fails(9, "read_refunds", "Stripe failed with 500");
    assert_eq!(said.outcome("read_events"), "passed");
}

#[tokio::test]
async fn an_endpoint_is_missing_disabled_or_not_sent_everything_and_each_is_a_warning() {
    let world = World::on(Backend::Sqlite).await;
    let said = diagnosed(&world).await;
    assert_eq!(
        (said.code, said.outcome("webhook_endpoint")),
        (Some(0), "warned")
    );
    said.tells("webhook_endpoint", "none is registered in test mode");
    said.tells(
        "webhook_endpoint",
        "`checkout.session.async_payment_failed`",
    );

    let live = json!({"id": "we_live", "livemode": true, "url": "https://live.example.com/hook"});
    register(&world, live).await;
    let hook = |id: &str, status: &str, events: Value| {
        json!({"id": id, "status": status, "enabled_events": events,
            "url": format!("https://{id}.example.com/hook?token=s3cr3t")})
    };
    register(&world, hook("we_off", "disabled", json!(["*"]))).await;
    let said = diagnosed(&world).await;
    said.tells(
        "webhook_endpoint",
        "https://we_off.example.com/hook is disabled",
    );

    let two = json!([
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded"
    ]);
    register(&world, hook("we_two", "enabled", two)).await;
    let said = diagnosed(&world).await;
    assert_eq!(
        (said.code, said.outcome("webhook_endpoint")),
        (Some(0), "warned")
    );
    said.tells(
        "webhook_endpoint",
        "is not sent `checkout.session.async_payment_failed`, `checkout.session.expired`",
    );

    register(&world, hook("we_all", "enabled", json!(["*"]))).await;
    let said = diagnosed(&world).await;
    assert_eq!(said.outcome("webhook_endpoint"), "passed");
    said.tells(
        "webhook_endpoint",
        "https://we_all.example.com/hook is sent all",
    );
    assert!(
        !said.document.to_string().contains("s3cr3t"),
        "{:#}",
        said.document
    );
}

/// The double's clock can only be moved forward, to the host's.
#[tokio::test]
async fn a_clock_that_is_off_is_a_warning_and_one_that_agrees_passes() {
    let world = World::on(Backend::Sqlite).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    let behind = now - relink::sandbox::double::CLOCK_START;
    world.pass(behind - 600).await;
    let said = diagnosed(&world).await;
    assert_eq!((said.code, said.outcome("clock")), (Some(0), "warned"));
    said.tells("clock", "this host's clock is 10 min ahead of Stripe's");
    world.pass(600).await;
    assert_eq!(diagnosed(&world).await.outcome("clock"), "passed");
    world.pass(400).await;
    diagnosed(&world).await.tells("clock", "behind Stripe's");
}
