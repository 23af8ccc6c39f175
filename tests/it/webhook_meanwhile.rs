//! The receiver beside a run that works on the same order, and after its order was canceled: the payment counts, nothing
//! more can be paid, and the run stores nothing over it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::serving::{SECRET, Serving};
use crate::support::world::*;

const REGEN: [&str; 4] = ["regen", "--all", "--commit", "--yes"];
const MINT: &str = "/v1/payment_links";

async fn receive(world: &World) -> Serving {
    let serving = Serving::start(world).await;
    world.send_webhooks(&serving.url(), SECRET).await;
    serving
}

fn park(path: &str, when: &str) -> Value {
    json!({"method": "POST", "path": path, "when": when, "kind": "park", "times": 1})
}

async fn wait_until_told(world: &World) {
    let deliveries = world.deliveries().await;
    let taken = |delivery: &Value| delivery["status"] == 200;
    assert!(deliveries.iter().any(taken), "{deliveries:?}");
}

/// Paid once, nothing of it payable, nothing left to do, and nobody alarmed.
async fn assert_settled_for_good(world: &World, order: OrderId) {
    let begun = Instant::now();
    let owed = "SELECT link FROM {} WHERE done_at IS NULL";
    while !world.journaled("retirements", owed).await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "a link is owed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let row = world.row(order.0).await;
    assert_eq!(row.status, "paid");
    assert!(row.payment_intent.unwrap().starts_with("pi_"));
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    let settled = "SELECT ruling FROM {} WHERE ruling = 'settled'";
    assert_eq!(world.journaled("events", settled).await.len(), 1);
    let check = world.relink(&["inspect", "--all", "--check"]).await;
    assert_eq!(check.code, Some(0), "{}{}", check.stdout, check.stderr);
}

async fn links(world: &World) -> Vec<String> {
    world
        .ids_where(|object| object["object"] == "payment_link")
        .await
}

on_each_backend! {
    async fn a_payment_told_while_its_page_is_being_closed_settles_and_no_link_is_minted(world) {
        let order = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let page = world.row(order.0).await.reference.unwrap();
        let serving = receive(&world).await;
        world.fault(park("/v1/checkout/sessions/*/expire", "before")).await;
        let running = world.spawn(&REGEN);
        let parked = world.wait_for_parked().await;
        world.pay(&page).await;
        wait_until_told(&world).await;
        assert_eq!(world.row(order.0).await.status, "paid");
        world.release(parked).await;
        let output = running.finish().await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(links(&world).await, Vec::<String>::new());
        assert_settled_for_good(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_link_paid_before_its_run_has_stored_it_settles_and_is_never_stored(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let before = world.row(order.0).await.reference;
        let serving = receive(&world).await;
        world.fault(park(MINT, "after")).await;
        let running = world.spawn(&REGEN);
        let parked = world.wait_for_parked().await;
        let [link] = &links(&world).await[..] else { panic!("one link") };
        world.visit(link).await;
        world.pay(link).await;
        wait_until_told(&world).await;
        world.release(parked).await;
        let output = running.finish().await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.row(order.0).await.reference, before, "{}", output.stdout);
        assert_settled_for_good(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_link_paid_after_its_run_was_killed_before_storing_it_settles_and_the_next_run_closes_the_rest(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let serving = receive(&world).await;
        world.kill_at(&REGEN, park(MINT, "after")).await;
        let [link] = &links(&world).await[..] else { panic!("one link") };
        world.visit(link).await;
        world.pay(link).await;
        wait_until_told(&world).await;
        let next = world.relink(&REGEN).await;
        assert_eq!(next.code, Some(0), "{}{}", next.stdout, next.stderr);
        assert_eq!(links(&world).await.len(), 1, "{}", next.stdout);
        assert_settled_for_good(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_payment_told_after_a_cancel_asks_a_person_and_its_link_is_closed(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        assert_eq!(world.relink(&REGEN).await.code, Some(0));
        let link = world.row(order.0).await.reference.unwrap();
        let page = world.visit(&link).await;
        let page = page["id"].as_str().unwrap();
        let other = world.visit(&link).await;
        let other = other["id"].as_str().unwrap();
        world.rows.set(order.0, "status", "'canceled'").await;
        let serving = receive(&world).await;
        world.pay(page).await;
        wait_until_told(&world).await;
        let begun = Instant::now();
        while world.object(other).await["status"] != "expired" {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", world.listing().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(world.row(order.0).await.status, "canceled");
        let check = world.relink(&["inspect", "--all", "--check"]).await;
        assert_eq!(check.code, Some(11), "{}{}", check.stdout, check.stderr);
        let open = "SELECT kind FROM {} WHERE resolved_at IS NULL";
        assert_eq!(world.journaled("incidents", open).await, ["canceled_paid"]);
        serving.stop().await;
    }
}
