//! What a later run makes of what an earlier one left behind, with the real binary: killed in the middle, cut off
//! from its answers, overtaken. Each ends with one live link or with a word about why there is none.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::kill_points::{self, KillPoints};
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

async fn assert_one_link_in_its_row(world: &World, order: OrderId) {
    let held = world.row(order.0).await.reference.unwrap();
    assert_eq!(world.live_objects_of(order).await, [held]);
}

fn at_the_mint(when: &str) -> Value {
    json!({"method": "POST", "path": "/v1/payment_links", "when": when, "kind": "park", "times": 1})
}

async fn mints(world: &World) -> Vec<Value> {
    let writes = world.writes().await;
    let mint = |write: &Value| write["path"] == "/v1/payment_links";
    writes.into_iter().filter(mint).collect()
}

on_each_backend! {
    async fn a_run_killed_at_its_mint_is_shown_in_doubt_and_the_next_one_ends_with_that_very_link(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, at_the_mint("after")).await;
        let minted = world.live_objects_of(order).await;
        assert_eq!(minted.len(), 1, "{minted:?}");

        let inspected = world.relink(&["inspect", "--order-id", &order.to_string(), "-o", "json"]).await;
        let shown: Value = serde_json::from_str(&inspected.stdout).unwrap();
        assert_eq!(shown["verdict"], "in_doubt", "{}", inspected.stdout);
        assert_eq!(shown["journal"]["in_doubt"]["state"], "minting", "{}", inspected.stdout);
        let dry = world.relink(&["regen", "--all"]).await;
        assert_eq!(dry.code, Some(0), "{}", dry.stderr);
        assert!(dry.stdout.contains("would go on"), "{}", dry.stdout);

        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
        assert_eq!(world.live_objects_of(order).await, minted);
    }
}

on_each_backend! {
    async fn a_mint_that_never_arrived_is_made_by_the_next_run_with_the_same_key_and_body(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let lost = json!({"method": "POST", "path": "/v1/payment_links", "when": "arrival", "kind": "park", "times": 1});
        world.kill_unheard(&COMMIT, lost).await;
        // What would be asked for today is another request; Stripe takes a key for one only.
        world.rows.execute("UPDATE products SET name = 'Renamed since'").await;

        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
        for column in ["idempotency_key", "body"] {
            let query = format!("SELECT {column} FROM {{}} WHERE action = 'mint'");
            let sent = world.journaled("steps", &query).await;
            assert_eq!(sent.len(), 2, "{sent:?}");
            assert_eq!(sent[0], sent[1], "{column}");
        }
    }
}

on_each_backend! {
    async fn a_day_later_the_link_is_found_and_adopted_and_none_is_minted_twice(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, at_the_mint("after")).await;
        world.a_day_passes().await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
        assert_eq!(mints(&world).await.len(), 1);
    }
}

on_each_backend! {
    async fn a_day_later_a_mint_that_left_no_link_is_made_under_another_key(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "before", "kind": "reset", "times": 20})).await;
        let first = world.relink(&COMMIT).await;
        assert_eq!(first.code, Some(9), "{}{}", first.stdout, first.stderr);
        world.clear_faults().await;
        world.a_day_passes().await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
        let keys: std::collections::BTreeSet<String> = mints(&world)
            .await
            .iter()
            .map(|write| write["idempotency_key"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(keys.len(), 2, "{keys:?}");
    }
}

on_each_backend! {
    async fn a_mint_whose_failure_stripe_saved_is_looked_for_and_its_link_adopted(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "status", "status": 500, "times": 1})).await;
        let output = world.relink(&COMMIT).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_one_link_in_its_row(&world, order).await;
        let made = world.ids_where(|object| object["object"] == "payment_link").await;
        assert_eq!(made, world.live_objects_of(order).await);
    }
}

on_each_backend! {
    async fn a_link_that_was_given_up_is_followed_by_one_of_the_next_attempt(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1})).await;
        let running = world.spawn(&COMMIT);
        let parked = world.wait_for_parked().await;
        world.rows.set(order.0, "amount_cents", "6000").await;
        world.release(parked).await;
        running.finish().await;
        world.rows.set(order.0, "amount_cents", "5500").await;

        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
        assert_eq!(mints(&world).await.len(), 2, "the first key was not sent again");
    }
}

on_each_backend! {
    async fn an_order_edited_while_its_mint_is_in_doubt_loses_that_link_and_gets_one_of_the_new_amount(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, at_the_mint("after")).await;
        let first = world.live_objects_of(order).await;
        world.rows.set(order.0, "amount_cents", "6000").await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
        assert_ne!(world.live_objects_of(order).await, first);
        assert_eq!(world.link(order).await["line_items"]["data"][0]["amount_total"], 6000);
    }
}

on_each_backend! {
    async fn an_order_paid_while_its_mint_is_in_doubt_ends_without_a_live_link(world) {
        let order = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let session = world.row(order.0).await.reference.unwrap();
        let rule = json!({"method": "POST", "path": "/v1/checkout/sessions/*/expire", "when": "before", "kind": "park", "times": 1});
        let parked = world.kill_while_parked(&COMMIT, rule).await;
        world.pay(&session).await;
        world.release(parked).await;
        world.clear_faults().await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(3), "{}{}", again.stdout, again.stderr);
        assert!(again.stdout.contains("paid_unrecorded"), "{}", again.stdout);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert!(mints(&world).await.is_empty());
    }
}

on_each_backend! {
    async fn what_another_run_is_at_is_left_to_it_and_said_so(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(at_the_mint("before")).await;
        let first = world.spawn(&COMMIT);
        let parked = world.wait_for_parked().await;
        let second = world.relink(&COMMIT).await;
        assert_eq!(second.code, Some(8), "{}{}", second.stdout, second.stderr);
        assert!(second.stdout.contains("worked on by another run"), "{}", second.stdout);
        world.release(parked).await;
        let first = first.finish().await;
        assert_eq!(first.code, Some(0), "{}{}", first.stdout, first.stderr);
        assert_one_link_in_its_row(&world, order).await;
        assert_eq!(mints(&world).await.len(), 1);
    }
}

on_each_backend! {
    async fn a_run_that_has_another_order_to_work_on_is_not_kept_from_it(world) {
        let first_order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(at_the_mint("before")).await;
        let first = world.spawn(&COMMIT);
        let parked = world.wait_for_parked().await;
        let other = world.order(pending(7000).behind(expired_session())).await;
        let second = world.relink(&COMMIT).await;
        assert_eq!(second.code, Some(0), "{}{}", second.stdout, second.stderr);
        assert_one_link_in_its_row(&world, other).await;
        world.release(parked).await;
        first.finish().await;
        assert_one_link_in_its_row(&world, first_order).await;
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_run_at_once_and_the_next_run_repairs_it() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world.fault(at_the_mint("after")).await;
    let running = world.spawn(&COMMIT);
    let parked = world.wait_for_parked().await;
    running.signal("INT");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    running.signal("INT");
    let output = running.finish().await;
    assert_eq!(output.code, Some(130), "{}", output.stderr);
    let last = output.stderr.lines().last();
    let words = "warning: ended at once, in the middle of its work; run the same command again";
    assert_eq!(last, Some(words), "{}", output.stderr);
    world.release(parked).await;
    world.clear_faults().await;
    let again = world.relink(&COMMIT).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    assert_one_link_in_its_row(&world, order).await;
}

/// A run that SIGKILL ends once it has stored its link and before it has looked at it again.
async fn kill_after_the_publication(world: &World, order: OrderId) {
    let points = KillPoints::listen().await;
    let mut command = world.command(&COMMIT);
    command.env(kill_points::ADDRESS, points.address());
    let running = Running::start(command);
    loop {
        let reached = points.next().await;
        let held = world.row(order.0).await.reference.unwrap_or_default();
        if !reached.before && held.starts_with("plink_") {
            break running.signal("KILL");
        }
        reached.go_on();
    }
    running.finish().await;
}

on_each_backend! {
    async fn a_row_that_moved_on_before_a_publication_was_confirmed_is_repaired_by_the_same_run(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        kill_after_the_publication(&world, order).await;
        // The application has stored a checkout of its own since, and nobody used it.
        let dead = world.order(pending(5500).behind(expired_session())).await;
        let own = world.row(dead.0).await;
        let (id, url) = (own.reference.unwrap(), own.url.unwrap());
        world.rows.set(dead.0, "status", "'canceled'").await;
        world.rows.set(order.0, "stripe_checkout_session_id", &format!("'{id}x'")).await;
        world.rows.set(order.0, "stripe_checkout_url", &format!("'{url}x'")).await;
        let mut session = world.object(&id).await;
        session["id"] = json!(format!("{id}x"));
        session["url"] = json!(format!("{url}x"));
        session["metadata"]["order_id"] = json!(order.to_string());
        world.put_objects(json!([session])).await;

        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_one_link_in_its_row(&world, order).await;
    }
}

on_each_backend! {
    async fn a_retirement_by_id_that_was_killed_goes_on_with_the_same_command(world) {
        for killed_at in ["claim an order", "journal an intent"] {
            let order = world.order(canceled(5500).behind(active_link())).await;
            let link = world.row(order.0).await.reference.unwrap();
            let args = ["retire", &link, "--commit", "--yes"];
            world.kill_after_the_commit(&args, killed_at).await;
            assert_eq!(world.object(&link).await["active"], true, "{killed_at}");

            let again = world.relink(&args).await;
            assert_eq!(again.code, Some(0), "{killed_at}: {}{}", again.stdout, again.stderr);
            assert_eq!(world.object(&link).await["active"], false, "{killed_at}");
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new(), "{killed_at}");
        }
    }
}

on_each_backend! {
    /// A record of a newer relink does not heal by running this one again.
    async fn an_operation_that_cannot_be_read_ends_the_run_with_4_and_no_later_order_is_begun(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.order(pending(7000).behind(expired_session())).await;
        let one_by_one = ["regen", "--all", "--commit", "--yes", "--concurrency", "1"];
        world.kill_after_the_commit(&one_by_one, "claim an order").await;
        let operations = world.journal_table("operations");
        world.rows.execute(&format!("UPDATE {operations} SET record = '{{}}'")).await;

        let again = world.relink(&one_by_one).await;
        assert_eq!(again.code, Some(4), "{}{}", again.stdout, again.stderr);
        assert!(again.stdout.contains("1 not begun"), "{}", again.stdout);
        assert!(!again.stdout.contains("9 ("), "{}", again.stdout);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    }
}

on_each_backend! {
    /// Whoever approved the plan saw another amount: what an earlier run left is concluded, and nothing is begun.
    async fn an_order_edited_since_the_approval_is_only_concluded(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, at_the_mint("after")).await;
        let points = KillPoints::listen().await;
        let mut command = world.command(&COMMIT);
        command.env(kill_points::ADDRESS, points.address());
        let running = Running::start(command);
        loop {
            let reached = points.next().await;
            if !reached.before && reached.what == "claim an order" {
                world.rows.set(order.0, "amount_cents", "6000").await;
                break;
            }
            reached.go_on();
        }
        // Nobody listens any more: it goes on by itself.
        drop(points);
        let output = running.finish().await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        let begun = world.journaled("operations", "SELECT state FROM {}").await;
        assert_eq!(begun, ["ended"], "{}", output.stdout);
    }
}

on_each_backend! {
    /// Its first try may have arrived: that is for whoever holds the order now.
    async fn a_request_is_not_repeated_once_another_run_holds_the_order(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(at_the_mint("arrival")).await;
        let running = world.spawn(&COMMIT);
        let parked = world.wait_for_parked().await;
        let operations = world.journal_table("operations");
        world.rows.execute(&format!("UPDATE {operations} SET lease_token = 'another'")).await;
        world.drop_parked(parked).await;
        let output = running.finish().await;
        assert_ne!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_eq!(mints(&world).await.len(), 1, "it was sent again: {}", output.stdout);
    }
}
