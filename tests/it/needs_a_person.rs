//! Which ends of a run ask for a person and which do not, by its exit code and by the verdict; and that an operator's odd
//! order is never told as a bug of relink.

use serde_json::{Value, json};

use crate::support::world::*;

/// Two live objects can be paid and stay so: only a fresh `dying` order waits by itself.
#[tokio::test]
async fn a_duplicate_left_alone_for_a_young_session_needs_a_person() {
    let world = World::on(Backend::Sqlite).await;
    world
        .order(
            pending(5500)
                .behind(active_link())
                .and_also(open_session().minutes_old(5)),
        )
        .await;
    let output = world
        .relink(&["regen", "--all", "--commit", "--yes", "-o", "json"])
        .await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
}

/// Closing what is live gives no money back.
#[tokio::test]
async fn an_overpaid_order_needs_a_person_though_its_link_was_closed() {
    let world = World::on(Backend::Sqlite).await;
    let order = world
        .order(canceled(5500).behind(active_link().unrestricted().with(paid_session())))
        .await;
    let output = world
        .relink(&["retire", "--all", "--commit", "--yes", "-o", "json"])
        .await;
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
}

/// A shared link without an owner, adopted for both of its rows: to be refused, but it is no bug of relink.
#[tokio::test]
async fn one_object_of_two_rows_is_no_bug() {
    let world = World::on(Backend::Sqlite).await;
    let first = world
        .order(pending(5500).behind(active_link().unowned()))
        .await;
    let second = world.order(pending(5500)).await;
    let shared = world.row(first.0).await.reference.unwrap();
    world
        .rows
        .set(
            second.0,
            "stripe_checkout_session_id",
            &format!("'{shared}'"),
        )
        .await;
    let (a, b) = (first.to_string(), second.to_string());
    let output = world
        .relink(&[
            "regen",
            "--order-id",
            &a,
            "--order-id",
            &b,
            "--adopt-unowned",
            "--commit",
            "--yes",
        ])
        .await;
    assert_ne!(output.code, Some(1), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.object(&shared).await["active"], true);
}

/// A row that names no product is in no category, so in none of the scope: never touched.
#[tokio::test]
async fn a_paid_order_without_a_product_is_not_touched_by_retire() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(paid(5500).behind(active_link())).await;
    world.rows.allow_null("orders", "product_id").await;
    world.rows.set(order.0, "product_id", "NULL").await;
    let output = world
        .relink(&["retire", "--all", "--commit", "--yes", "-o", "json"])
        .await;
    assert_eq!(
        world.live_objects_of(order).await.len(),
        1,
        "{}",
        output.stdout
    );
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
}

/// A blank one is a gap: the order is looked at like any other, and what it needs is for a person.
#[tokio::test]
async fn a_paid_order_without_a_category_is_read_and_not_touched_by_retire() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(paid(5500).behind(active_link())).await;
    world
        .rows
        .execute("UPDATE products SET category = ''")
        .await;
    let output = world
        .relink(&["retire", "--all", "--commit", "--yes", "-o", "json"])
        .await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await.len(), 1);
    assert_eq!(verdict(&world, order).await["verdict"], "leaked");
}

async fn verdict(world: &World, order: OrderId) -> Value {
    let id = order.to_string();
    let output = world
        .relink(&["regen", "--order-id", &id, "-o", "json"])
        .await;
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    plan["orders"][0].clone()
}

/// A session that was free of charge took no money; nothing could ever be refunded.
#[tokio::test]
async fn a_canceled_order_with_a_free_session_is_settled() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(canceled(5500).behind(expired_session())).await;
    let id = world.row(order.0).await.reference.unwrap();
    let mut session = world.object(&id).await;
    session["status"] = json!("complete");
    session["payment_status"] = json!("no_payment_required");
    session["amount_total"] = json!(0);
    session.as_object_mut().unwrap().remove("line_items");
    world.put_objects(json!([session])).await;
    assert_eq!(verdict(&world, order).await["verdict"], "settled");
}

/// The count says paid although no session is listed: nothing may be minted behind it.
#[tokio::test]
async fn a_dead_link_that_counts_a_payment_nobody_can_see_is_paid_unrecorded() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(inactive_link())).await;
    let id = world.row(order.0).await.reference.unwrap();
    let mut link = world.object(&id).await;
    link["restrictions"] = json!({"completed_sessions": {"count": 1, "limit": 1}});
    link["line_items"] = json!([{"name": "Entry", "unit_amount": 5500, "quantity": 1}]);
    world.put_objects(json!([link])).await;
    assert_eq!(verdict(&world, order).await["verdict"], "paid_unrecorded");
}

/// What went back already is not owed again.
#[tokio::test]
async fn a_partial_refund_lowers_the_amount_to_refund() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(canceled(5500).behind(paid_session())).await;
    let intent = world
        .ids_where(|o| o["object"] == "payment_intent")
        .await
        .remove(0);
    world.put_objects(json!([{"object": "refund", "id": "re_part", "payment_intent": intent, "amount": 2000, "currency": "usd", "status": "succeeded"}])).await;
    let order = verdict(&world, order).await;
    assert_eq!(order["verdict"], "overpaid");
    assert!(order.to_string().contains("35.00"), "{order}");
}

/// A paid order whose own recorded payment was refunded and whose second one stands, seen only by the row.
#[tokio::test]
async fn a_recorded_payment_that_was_refunded_is_not_counted_though_its_session_is_out_of_sight() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(paid(5500).behind(paid_session())).await;
    world.put_objects(json!([
        {"object": "payment_intent", "id": "pi_first", "amount": 5500, "amount_received": 5500, "currency": "usd", "status": "succeeded"},
        {"object": "refund", "id": "re_first", "payment_intent": "pi_first", "amount": 5500, "currency": "usd", "status": "succeeded"},
    ])).await;
    world
        .rows
        .set(order.0, "stripe_payment_intent_id", "'pi_first'")
        .await;
    assert_eq!(verdict(&world, order).await["verdict"], "settled");
}
