//! A bad database or a bad Stripe behind good arguments: unknown ids, missing columns, rows with gaps, and
//! every answer that is none. Each has its exit code and message, and nothing is written.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

on_each_backend! {
    async fn an_unknown_tournament_or_order_is_a_usage_error(world) {
        world.load_sample().await;
        world.freeze_writes().await;
        let tournament = world.relink(&["regen", "--tournament-id", "77", "--commit", "--yes"]).await;
        assert_eq!(tournament.code, Some(2), "{}", tournament.stderr);
        assert!(tournament.stderr.contains("no tournament 77"), "{}", tournament.stderr);
        let order = world.relink(&["regen", "--order-id", "206", "--order-id", "7777", "--commit", "--yes"]).await;
        assert_eq!(order.code, Some(2), "{}", order.stderr);
        assert!(order.stderr.contains("7777"), "{}", order.stderr);
        assert_eq!(world.violations().await, Vec::<Value>::new());
    }
}

on_each_backend! {
    async fn without_a_terminal_a_commit_needs_yes(world) {
        world.load_sample().await;
        world.freeze_writes().await;
        for more in [vec![], vec!["-o", "json"]] {
            let mut args = vec!["regen", "--tournament-id", "2", "--commit"];
            args.extend(more);
            let output = world.relink(&args).await;
            assert_eq!(output.code, Some(6), "{}", output.stderr);
            assert!(output.stderr.contains("--yes"), "{}", output.stderr);
        }
        assert_eq!(world.violations().await, Vec::<Value>::new());
    }
}

on_each_backend! {
    async fn a_missing_table_or_column_is_named(world) {
        world.load_sample().await;
        world.rows.execute("DROP TABLE tournament_products").await;
        world.rows.execute("ALTER TABLE orders RENAME COLUMN stripe_checkout_url TO checkout_url").await;
        let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert!(output.stderr.contains("table `tournament_products` is missing"), "{}", output.stderr);
        assert!(output.stderr.contains("column `orders.stripe_checkout_url` is missing"), "{}", output.stderr);
    }
}

on_each_backend! {
    async fn a_row_with_gaps_is_held_and_the_others_go_on(world) {
        let good = world.order(pending(5500).behind(expired_session())).await;
        let bad = world.order(pending(5500).behind(expired_session())).await;
        world.rows.allow_null("orders", "amount_cents").await;
        world.rows.set(bad.0, "amount_cents", "NULL").await;
        let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("orders.amount_cents is NULL"), "{}", output.stdout);
        assert!(world.row(good.0).await.reference.unwrap().starts_with("plink_"));
        assert!(world.row(bad.0).await.reference.unwrap().starts_with("cs_"));
    }
}

/// What Stripe may answer instead of an answer.
async fn answered(world: &World, fault: Value) -> Output {
    world.load_sample().await;
    world.fault(fault).await;
    let output = world
        .relink(&["regen", "--tournament-id", "2", "--commit", "--yes"])
        .await;
    assert_eq!(
        world.writes().await,
        Vec::<Value>::new(),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    output
}

#[tokio::test]
async fn an_unreachable_stripe_is_said_to_be_so() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let output = world
        .relink_with(
            &["regen", "--all"],
            &[("STRIPE_API_BASE", "http://127.0.0.1:1")],
        )
        .await;
    assert_eq!(output.code, Some(9), "{}", output.stderr);
    assert!(
        output.stderr.contains("could not be reached"),
        "{}",
        output.stderr
    );
}

#[tokio::test]
async fn a_key_that_stripe_does_not_accept_ends_the_run() {
    let world = World::on(Backend::Sqlite).await;
    let body = json!({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_test_***canary"}});
    let output = answered(
        &world,
        json!({"method": "GET", "kind": "status", "status": 401, "body": body, "times": 500}),
    )
    .await;
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert!(
        output.stderr.contains("does not accept the key"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
}

#[tokio::test]
async fn a_permission_that_the_key_lacks_is_named() {
    let world = World::on(Backend::Sqlite).await;
    let message = "The provided key 'rk_test_*canary' does not have the required permissions for this endpoint. Having the 'rak_payment_link_read' permission would allow this request to continue.";
    let body = json!({"error": {"type": "invalid_request_error", "message": message}});
    let fault = json!({"method": "GET", "path": "/v1/payment_links", "kind": "status", "status": 403, "body": body, "times": 500});
    let output = answered(&world, fault).await;
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert!(
        output.stderr.contains("rak_payment_link_read"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
}

#[tokio::test]
async fn garbage_instead_of_json_is_no_answer() {
    for kind in ["garbage", "truncated"] {
        let world = World::on(Backend::Sqlite).await;
        let output = answered(&world, json!({"method": "GET", "kind": kind, "times": 500})).await;
        assert_eq!(output.code, Some(9), "{kind}: {}", output.stderr);
    }
}

#[tokio::test]
async fn an_object_of_the_other_mode_stops_the_run() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world
        .rows
        .set(order.0, "stripe_checkout_session_id", "'cs_live_a1b2'")
        .await;
    let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(output.code, Some(4), "{}", output.stderr);

    let named = format!("order {order}");
    assert!(output.stderr.contains(&named), "{}", output.stderr);
    assert!(
        output.stderr.contains("--exclude-order-id"),
        "{}",
        output.stderr
    );

    let link = json!([{"object": "payment_link", "id": "plink_livelink", "livemode": true}]);
    world.put_objects(link).await;
    world
        .rows
        .set(order.0, "stripe_checkout_session_id", "'plink_livelink'")
        .await;
    let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
}
