//! What happens between the steps of one order: a row that moves, a link that is switched on again, a mint that
//! the rate limiter refuses. Each leaves at most one payable object, and a true word about it.

use serde_json::json;

use crate::support::world::*;

const COMMIT: [&str; 6] = ["regen", "--all", "--commit", "--yes", "-o", "json"];

fn session_for(id: &str, order: OrderId) -> serde_json::Value {
    json!([{
        "object": "checkout.session", "id": id, "status": "open", "payment_status": "unpaid",
        "amount_total": 5500, "currency": "usd",
        "url": format!("https://checkout.stripe.com/c/pay/{id}"),
        "metadata": {"order_id": order.to_string()},
    }])
}

/// Our own link is minted, another object turns up, and while that one is closed the row moves.
#[tokio::test]
async fn a_row_that_moves_while_a_late_object_is_closed_leaves_no_link_of_ours() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world.fault(json!([
        {"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1},
        {"method": "POST", "path": "/v1/checkout/sessions/*/expire", "when": "before", "kind": "park", "times": 1},
    ])).await;
    let running = world.spawn(&COMMIT);
    let mint = world.wait_for_parked().await;
    world.put_objects(session_for("cs_test_late", order)).await;
    world.release(mint).await;
    let expire = world.wait_for_parked().await;
    world
        .rows
        .set(order.0, "stripe_checkout_session_id", "'cs_test_other'")
        .await;
    world.release(expire).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(
        world.live_objects_of(order).await,
        Vec::<String>::new(),
        "{}",
        output.stdout
    );
}

/// The old link is on again when the last look is taken: two links can be paid, and the run must not call
/// that done.
#[tokio::test]
async fn an_old_link_switched_on_after_the_publication_is_not_called_replaced() {
    let world = World::on(Backend::Sqlite).await;
    let order = world
        .order(pending(5500).behind(active_link().of(4000)))
        .await;
    let old = world.row(order.0).await.reference.unwrap();
    let args = [&COMMIT[..], &["--allow-amount-change"]].concat();
    world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1})).await;
    let running = world.spawn(&args);
    let mint = world.wait_for_parked().await;
    // The first refresh after the mint is the one before publishing; the second belongs to the last look.
    world.fault(json!({"method": "GET", "path": "/v1/events", "when": "before", "kind": "park", "nth": 2, "times": 1})).await;
    world.release(mint).await;
    let last = world.wait_for_parked().await;
    assert_ne!(world.row(order.0).await.reference.unwrap(), old);
    let mut link = world.object(&old).await;
    link["active"] = json!(true);
    link["line_items"] = json!([{"name": "Old", "unit_amount": 4000, "quantity": 1}]);
    world.put_objects(json!([link])).await;
    world.release(last).await;
    let output = running.finish().await;
    assert_eq!(world.live_objects_of(order).await.len(), 2);
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains(&old), "{}", output.stdout);
}

/// The row now holds one of the objects that were to be closed: it is the order's link and stays.
#[tokio::test]
async fn an_object_that_the_row_came_to_hold_is_not_closed_any_more() {
    let world = World::on(Backend::Sqlite).await;
    let order = world
        .order(
            pending(5500)
                .behind(active_link().of(4000))
                .and_also(open_session()),
        )
        .await;
    let session = world
        .live_objects_of(order)
        .await
        .into_iter()
        .find(|id| id.starts_with("cs_"))
        .unwrap();
    world.fault(json!({"method": "POST", "path": "/v1/payment_links/*", "when": "after", "kind": "park", "times": 1})).await;
    let args = [&COMMIT[..], &["--allow-amount-change"]].concat();
    let running = world.spawn(&args);
    let parked = world.wait_for_parked().await;
    world
        .rows
        .set(
            order.0,
            "stripe_checkout_session_id",
            &format!("'{session}'"),
        )
        .await;
    world.release(parked).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(
        world.live_objects_of(order).await,
        [session],
        "{}",
        output.stdout
    );
}

/// Nothing happened and nothing is wrong with the order: Stripe is out of reach, which is 9, not 3.
#[tokio::test]
async fn a_mint_that_only_met_the_rate_limiter_is_unavailable_and_no_refusal() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let body = json!({"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "slow down"}});
    world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "before", "kind": "status", "status": 429, "body": body, "times": 50})).await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(9), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
}

/// The order was canceled after its session was expired: the report may not say that nothing was written.
#[tokio::test]
async fn an_order_canceled_after_its_session_was_closed_is_not_said_to_be_untouched() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(open_session())).await;
    world.fault(json!({"method": "POST", "path": "/v1/checkout/sessions/*/expire", "when": "after", "kind": "park", "times": 1})).await;
    let running = world.spawn(&["regen", "--all", "--commit", "--yes"]);
    let parked = world.wait_for_parked().await;
    world.rows.set(order.0, "status", "'canceled'").await;
    world.release(parked).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert!(
        !output.stdout.contains("nothing was written"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("closed cs_"), "{}", output.stdout);
}

/// `mint` retires nothing, whatever turns up while it works.
#[tokio::test]
async fn mint_closes_nothing_that_turns_up_meanwhile() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1})).await;
    let running = world.spawn(&["mint", "--all", "--commit", "--yes"]);
    let parked = world.wait_for_parked().await;
    world.put_objects(session_for("cs_test_late", order)).await;
    world.release(parked).await;
    let output = running.finish().await;
    assert_eq!(
        world.object("cs_test_late").await["status"],
        "open",
        "{}",
        output.stdout
    );
    assert_eq!(world.live_objects_of(order).await, ["cs_test_late"]);
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
}

/// Between the reading of the row and the readings at Stripe the application makes a session and stores it: that is the
/// order's own now, not a second one to be closed.
#[tokio::test]
async fn a_session_stored_while_the_order_was_looked_at_is_not_closed_as_a_second_one() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    // The look before publishing: the row was read, what happened at Stripe since is being read.
    let rule = json!({"method": "GET", "path": "/v1/events", "nth": 2, "when": "before", "kind": "park", "times": 1});
    world.fault(rule).await;
    let running = world.spawn(&["regen", "--all", "--commit", "--yes"]);
    let parked = world.wait_for_parked().await;
    let other = world
        .order(pending(5500).behind(open_session().minutes_old(0).naming(order)))
        .await;
    let session = world.row(other.0).await.reference.unwrap();
    world
        .rows
        .set(other.0, "stripe_checkout_session_id", "NULL")
        .await;
    world
        .rows
        .set(
            order.0,
            "stripe_checkout_session_id",
            &format!("'{session}'"),
        )
        .await;
    world.release(parked).await;
    let output = running.finish().await;
    assert_eq!(
        world.object(&session).await["status"],
        "open",
        "{}{}",
        output.stdout,
        output.stderr
    );
    assert_eq!(world.live_objects_of(order).await, [session]);
}

/// An object without an order in its metadata is known by the row alone. Once the row names another, nothing would
/// ever lead to it again, and its page would stay open to be paid.
#[tokio::test]
async fn an_adopted_object_whose_row_moves_before_its_turn_is_closed_all_the_same() {
    let world = World::on(Backend::Sqlite).await;
    let first = world.order(pending(5500).behind(expired_session())).await;
    let second = world
        .order(pending(7000).behind(open_session().minutes_old(600).unowned()))
        .await;
    let nameless = world.row(second.0).await.reference.unwrap();
    world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1})).await;
    let ids = [first.to_string(), second.to_string()];
    let running = world.spawn(&[
        "regen",
        "--order-id",
        &ids[0],
        "--order-id",
        &ids[1],
        "--adopt-unowned",
        "--commit",
        "--yes",
        "--concurrency",
        "1",
    ]);
    let parked = world.wait_for_parked().await;
    world.put_objects(session_for("cs_test_own", second)).await;
    world
        .rows
        .set(second.0, "stripe_checkout_session_id", "'cs_test_own'")
        .await;
    world.release(parked).await;
    let output = running.finish().await;
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(world.object(&nameless).await["status"], "expired", "{said}");
    assert_eq!(
        world.live_objects_of(second).await,
        ["cs_test_own"],
        "{said}"
    );
    assert!(said.contains(&format!("closed {nameless}")), "{said}");
}
