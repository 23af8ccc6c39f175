//! The receiver as it runs: a real process, events that Stripe's double signs and delivers, and the link closed
//! afterwards, whatever is killed or fails in between.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::on_each_backend;
use crate::support::receiver::{Received, Receiver};
use crate::support::serving::{SECRET, Serving, free_port};
use crate::support::world::*;

const REGEN: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

/// What is left to close of a link that was paid: the pages that others had open.
const EXPIRE: &str = "/v1/checkout/sessions/*/expire";

/// An order with a link of ours in its row, and that link.
async fn regenerated(world: &World) -> (OrderId, String) {
    let order = world.order(pending(5500).behind(expired_session())).await;
    let output = world.relink(&REGEN).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let link = world.row(order.0).await.reference.unwrap();
    (order, link)
}

async fn wait_until_closed(world: &World, order: OrderId) {
    let begun = Instant::now();
    while !world.live_objects_of(order).await.is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            world.listing().await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn assert_paid(world: &World, order: OrderId) {
    let row = world.row(order.0).await;
    assert_eq!(row.status, "paid");
    assert!(row.paid_at.is_some());
    assert!(row.payment_intent.unwrap().starts_with("pi_"));
}

async fn open_retirements(world: &World) -> Vec<String> {
    world
        .journaled("retirements", "SELECT link FROM {} WHERE done_at IS NULL")
        .await
}

async fn wait_until_none_is_due(world: &World) {
    let begun = Instant::now();
    while !open_retirements(world).await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_each_backend! {
    async fn a_paid_link_settles_its_order_and_is_closed_and_a_second_payer_is_refused(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        let second = world.visit(&link).await;
        world.pay(&link).await;
        let deliveries = world.deliveries().await;
        assert!(deliveries.iter().all(|delivery| delivery["status"] == 200), "{deliveries:?}");
        assert_paid(&world, order).await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        let second = world.object(second["id"].as_str().unwrap()).await;
        assert_eq!(second["status"], "expired", "the page that was open");

        let writes = world.journaled("steps", "SELECT action FROM {} ORDER BY intended_at").await;
        // Stripe switched the link off by itself: its one payment was made.
        assert_eq!(writes, ["mint", "publish", "expire"]);
        let told = world.relink(&["journal", "show", "--order-id", &order.to_string(), "-o", "json"]).await;
        for write in writes {
            assert!(told.stdout.contains(&format!("\"action\": \"{write}\"")), "{write}: {}", told.stdout);
        }
        let (_, metrics) = serving.get("metrics").await.unwrap();
        assert!(metrics.contains("relink_webhook_events{ruling=\"settled\"} 1"), "{metrics}");
        assert!(metrics.contains("relink_links_to_close 0"), "{metrics}");
        let output = serving.stop().await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stderr.contains("whsec"), "{}", output.stderr);
        let quiet = world.relink(&["inspect", "--order-id", &order.to_string(), "-o", "json"]).await;
        assert!(quiet.stdout.contains("\"settled\""), "{}", quiet.stdout);
    }
}

on_each_backend! {
    async fn a_link_that_cannot_be_closed_undoes_no_payment_and_is_closed_later(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        let rule = json!({"method": "POST", "path": EXPIRE, "kind": "status", "status": 503, "times": null});
        world.fault(rule).await;
        world.visit(&link).await;
        world.pay(&link).await;
        world.deliveries().await;
        assert_paid(&world, order).await;
        let begun = Instant::now();
        while world.journaled("retirements", "SELECT last_error FROM {} WHERE attempts > 0 AND last_error IS NOT NULL").await.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no attempt was noted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.clear_faults().await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        assert_paid(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_receiver_killed_between_the_payment_and_the_closing_closes_after_its_restart(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        let rule = json!({"method": "POST", "path": EXPIRE, "when": "before", "kind": "park", "times": 1});
        world.fault(rule).await;
        world.visit(&link).await;
        world.pay(&link).await;
        let parked = world.wait_for_parked().await;
        assert_paid(&world, order).await;
        serving.kill().await;
        world.drop_parked(parked).await;
        assert_eq!(open_retirements(&world).await, [link]);

        let again = Serving::start(&world).await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        again.stop().await;
    }
}

on_each_backend! {
    async fn what_is_delivered_while_the_receiver_is_away_is_taken_in_when_it_is_back(world) {
        let (order, link) = regenerated(&world).await;
        let port = free_port();
        world.send_webhooks(&format!("http://127.0.0.1:{port}/stripe/webhook"), SECRET).await;
        world.pay(&link).await;
        assert_eq!(world.row(order.0).await.status, "pending");
        let serving = Serving::on(&world, port, &[]).await;
        world.deliveries().await;
        assert_paid(&world, order).await;
        wait_until_closed(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_database_that_refuses_is_answered_with_503_and_the_event_is_taken_in_later(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        world.rows.execute("ALTER TABLE orders RENAME TO orders_away").await;
        world.pay(&link).await;
        world.wait_for_delivery_answered(503).await;
        world.rows.execute("ALTER TABLE orders_away RENAME TO orders").await;
        world.deliveries().await;
        assert_paid(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn two_receivers_that_are_told_at_once_settle_once(world) {
        let (order, link) = regenerated(&world).await;
        let (one, other) = (Serving::start(&world).await, Serving::start(&world).await);
        let delivered = deliver_to_a_witness(&world, &link).await;
        let (signature, body) = (delivered.header("stripe-signature"), delivered.body.as_bytes());
        let tell = async |serving: &Serving| serving.post(Some(signature), body.to_vec()).await;
        let answers = tokio::join!(tell(&one), tell(&other), tell(&one), tell(&other));
        let taken = (200, "taken in\n".to_owned());
        assert_eq!(answers, (taken.clone(), taken.clone(), taken.clone(), taken));
        assert_paid(&world, order).await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        let rulings = world.journaled("events", "SELECT ruling FROM {}").await;
        assert_eq!(rulings, ["settled"]);
        one.stop().await;
        other.stop().await;
    }
}

/// The link is paid, and somebody else is told of it: what the receiver under test has not heard of yet.
async fn deliver_to_a_witness(world: &World, link: &str) -> Received {
    let witness = Receiver::start().await;
    world.send_webhooks(&witness.url(), SECRET).await;
    world.pay(link).await;
    witness.wait_for(1).await.remove(0)
}

#[tokio::test]
async fn it_does_not_start_without_commit_or_a_secret() {
    let world = World::on(Backend::Sqlite).await;
    let refused = world.relink(&["webhook", "serve"]).await;
    assert_eq!(refused.code, Some(6), "{}", refused.stderr);
    assert!(refused.stderr.contains("--commit"), "{}", refused.stderr);
    let unsigned = world.relink(&["webhook", "serve", "--commit"]).await;
    assert_eq!(unsigned.code, Some(4), "{}", unsigned.stderr);
    assert!(
        unsigned.stderr.contains("STRIPE_WEBHOOK_SECRET"),
        "{}",
        unsigned.stderr
    );
    let secret = [("STRIPE_WEBHOOK_SECRET", SECRET)];
    let zero = world
        .relink_with(
            &["webhook", "serve", "--commit", "--tolerance", "0"],
            &secret,
        )
        .await;
    assert_eq!(zero.code, Some(2), "{}", zero.stderr);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["webhook", "serve", "--commit", "--listen", &address];
    let busy = world.relink_with(&args, &secret).await;
    assert_eq!(busy.code, Some(4), "{}", busy.stderr);
    assert!(busy.stderr.contains("cannot listen on"), "{}", busy.stderr);
}

on_each_backend! {
    async fn what_the_receiver_could_not_close_is_closed_by_any_later_run_over_all_orders(world) {
        for command in ["regen", "retire"] {
            let (order, link) = regenerated(&world).await;
            let serving = Serving::start(&world).await;
            world.send_webhooks(&serving.url(), SECRET).await;
            let rule = json!({"method": "POST", "path": EXPIRE, "when": "before", "kind": "park", "times": 1});
            world.fault(rule).await;
            world.visit(&link).await;
            world.pay(&link).await;
            let parked = world.wait_for_parked().await;
            serving.kill().await;
            world.drop_parked(parked).await;
            world.clear_faults().await;
            assert_eq!(open_retirements(&world).await, [link.as_str()]);

            let dry = world.relink(&[command, "--all"]).await;
            assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
            let output = world.relink(&[command, "--all", "--commit", "--yes"]).await;
            assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new(), "{command}");
            assert_eq!(open_retirements(&world).await, Vec::<String>::new(), "{command}");
        }
    }
}

async fn rename(world: &World, table: &str, other: &str) {
    let bare = other.rsplit('.').next().unwrap();
    let sql = format!("ALTER TABLE {table} RENAME TO {bare}");
    world.rows.execute(&sql).await;
}

on_each_backend! {
    async fn a_receiver_whose_tables_are_gone_is_not_healthy(world) {
        let serving = Serving::start(&world).await;
        let gone = world.journal_table("gone");
        for name in ["events", "payments", "incidents", "retirements"] {
            let table = world.journal_table(name);
            rename(&world, &table, &gone).await;
            let (status, said) = serving.get("healthz").await.unwrap();
            assert_eq!(status, 503, "{name}: {said}");
            rename(&world, &gone, &table).await;
            assert_eq!(serving.get("healthz").await.unwrap().0, 200, "{name}");
        }
        serving.stop().await;
    }
}
