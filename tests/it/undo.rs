//! `retire --run`: what a run minted is closed, and nothing mints it again until a person asks.

use serde_json::json;

use crate::on_each_backend;
use crate::support::world::*;

const REGEN: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

async fn last_run(world: &World) -> String {
    let query = "SELECT run_id FROM {} ORDER BY started_at DESC LIMIT 1";
    world.journaled("runs", query).await.remove(0)
}

on_each_backend! {
    async fn a_run_is_undone_and_cron_does_not_mint_again(world) {
        let earlier = world.order(pending(5500).behind(expired_session())).await;
        world.relink(&REGEN).await;
        let kept = world.row(earlier.0).await.reference.unwrap();
        let one = world.order(pending(5500).behind(expired_session())).await;
        let other = world.order(pending(6500).behind(expired_session())).await;
        let output = world.relink(&REGEN).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let run = last_run(&world).await;

        let dry = world.relink(&["retire", "--run", &run]).await;
        assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
        assert!(dry.stdout.contains("2 orders: 2 healthy; would retire 2 objects"), "{}", dry.stdout);
        let output = world.relink(&["retire", "--run", &run, "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(earlier).await, [kept]);
        for order in [one, other] {
            assert!(world.live_objects_of(order).await.is_empty());
            assert_eq!(world.verdict(order).await, "withdrawn");
        }
        let cron = world.relink(&REGEN).await;
        assert_eq!(cron.code, Some(0), "{}{}", cron.stdout, cron.stderr);
        for order in [one, other] {
            assert!(world.live_objects_of(order).await.is_empty());
        }
        let again = world.relink(&["retire", "--run", &run, "--commit", "--yes"]).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        let asked = world.relink(&["mint", "--order-id", &one.to_string(), "--commit", "--yes"]).await;
        assert_eq!(asked.code, Some(0), "{}{}", asked.stdout, asked.stderr);
        assert_eq!(world.live_objects_of(one).await.len(), 1);
    }
}

#[tokio::test]
async fn what_was_paid_or_replaced_since_is_left_as_it_is() {
    let world = World::on(Backend::Sqlite).await;
    let paid = world.order(pending(5500).behind(expired_session())).await;
    let replaced = world.order(pending(5500).behind(expired_session())).await;
    let left = world.order(pending(5500).behind(expired_session())).await;
    world.relink(&REGEN).await;
    let run = last_run(&world).await;
    let link = world.row(paid.0).await.reference.unwrap();
    world.pay(&link).await;
    world.rows.set(replaced.0, "amount_cents", "6500").await;
    let id = replaced.to_string();
    let other = [
        "regen",
        "--order-id",
        &id,
        "--allow-amount-change",
        "--commit",
        "--yes",
    ];
    let output = world.relink(&other).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let newer = world.row(replaced.0).await.reference.unwrap();

    let output = world
        .relink(&["retire", "--run", &run, "--commit", "--yes"])
        .await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert!(world.live_objects_of(left).await.is_empty());
    assert_eq!(world.live_objects_of(replaced).await, [newer]);
    assert!(
        output.stdout.contains("paid_unrecorded"),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn a_run_that_nobody_knows_or_that_minted_nothing_is_said_to_be_so() {
    let world = World::on(Backend::Sqlite).await;
    world.order(paid(5500).behind(active_link())).await;
    let unknown = world
        .relink(&[
            "retire",
            "--run",
            "0197",
            "--commit",
            "--yes",
            "--currency",
            "usd",
        ])
        .await;
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("no run `0197`"),
        "{}",
        unknown.stderr
    );
    let hint = "relink journal list --currency usd names them";
    assert!(unknown.stderr.contains(hint), "{}", unknown.stderr);
    world
        .relink(&["retire", "--all", "--commit", "--yes"])
        .await;
    let run = last_run(&world).await;
    let nothing = world
        .relink(&["retire", "--run", &run, "--currency", "usd"])
        .await;
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
    assert!(
        nothing.stderr.contains("minted nothing"),
        "{}",
        nothing.stderr
    );
    let hint = format!("relink journal show {run} --currency usd");
    assert!(nothing.stderr.contains(&hint), "{}", nothing.stderr);
}

async fn undo(world: &World, run: &str) -> Output {
    world
        .relink(&["retire", "--run", run, "--commit", "--yes"])
        .await
}

/// A run that SIGKILL ends while its mint is under way, before or after Stripe made the link.
async fn kill_at_the_mint(world: &World, when: &str) -> String {
    let mint = json!({"method": "POST", "path": "/v1/payment_links", "when": when, "kind": "park", "times": 1});
    if when == "arrival" {
        world.kill_unheard(&REGEN, mint).await;
    } else {
        world.kill_at(&REGEN, mint).await;
    }
    last_run(world).await
}

on_each_backend! {
    async fn a_link_that_is_closed_already_is_withdrawn_too(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let doubled = world.order(pending(6500).behind(expired_session())).await;
        world.relink(&REGEN).await;
        let run = last_run(&world).await;
        // By hand, at Stripe's own pages; one of the orders got another link, which is not the run's to close.
        for order in [order, doubled] {
            let link = world.row(order.0).await.reference.unwrap();
            let mut object = world.object(&link).await;
            object["active"] = json!(false);
            world.put_objects(json!([object])).await;
        }
        let stray = world.order(pending(6500).behind(active_link().naming(doubled))).await;
        world.rows.set(stray.0, "stripe_checkout_session_id", "NULL").await;
        world.rows.set(stray.0, "status", "'canceled'").await;
        let before = world.writes().await.len();

        let dry = world.relink(&["retire", "--run", &run]).await;
        assert!(dry.stdout.contains("would mark"), "{}", dry.stdout);
        let output = undo(&world, &run).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.writes().await.len(), before, "what is closed was closed again");
        assert_eq!(world.live_objects_of(doubled).await.len(), 1);
        assert_eq!(world.verdict(order).await, "withdrawn");
        let cron = world.relink(&REGEN).await;
        assert_eq!(cron.code, Some(0), "{}{}", cron.stdout, cron.stderr);
        for order in [order, doubled] {
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
            assert_eq!(world.verdict(order).await, "withdrawn");
        }
    }
}

on_each_backend! {
    /// Who stored it has put it before the parents, whoever minted it.
    async fn a_link_that_the_run_took_over_from_a_killed_one_is_closed(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let killed = kill_at_the_mint(&world, "after").await;
        let output = world.relink(&REGEN).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let run = last_run(&world).await;
        assert_ne!(run, killed);
        let output = undo(&world, &run).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_eq!(world.verdict(order).await, "withdrawn");
    }
}

on_each_backend! {
    async fn a_link_is_undone_with_the_run_that_got_it_and_no_other(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let killed = kill_at_the_mint(&world, "arrival").await;
        let output = world.relink(&REGEN).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let run = last_run(&world).await;
        let link = world.row(order.0).await.reference.unwrap();
        let nothing = undo(&world, &killed).await;
        assert_eq!(nothing.code, Some(2), "{}{}", nothing.stdout, nothing.stderr);
        let instead = format!("relink retire --run {run}");
        assert!(nothing.stderr.contains(&instead), "{}", nothing.stderr);
        assert_eq!(world.live_objects_of(order).await, [link]);
        let output = undo(&world, &run).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    }
}

on_each_backend! {
    /// Whether there is a link is not known, and the next run would store it.
    async fn a_mint_in_doubt_is_held_and_the_way_out_is_named(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let killed = kill_at_the_mint(&world, "after").await;
        let link = world.live_objects_of(order).await;
        let before = world.writes().await.len();
        let dry = world.relink(&["retire", "--run", &killed]).await;
        assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
        assert!(dry.stdout.contains("in_doubt"), "{}", dry.stdout);
        let output = undo(&world, &killed).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("in_doubt"), "{}", output.stdout);
        let end_it = format!("relink regen --order-id {order} --commit");
        let withdraw = format!("relink retire --order-id {order} --pending --commit");
        for said in [&end_it, &withdraw] {
            assert!(output.stderr.contains(said), "{said} is not in {}", output.stderr);
        }
        assert_eq!(world.writes().await.len(), before);
        assert_eq!(world.live_objects_of(order).await, link);
    }
}

#[tokio::test]
async fn the_link_of_an_order_whose_row_is_gone_is_closed_and_named() {
    let world = World::on(Backend::Sqlite).await;
    let gone = world.order(pending(5500).behind(expired_session())).await;
    let left = world.order(pending(6500).behind(expired_session())).await;
    world.relink(&REGEN).await;
    let run = last_run(&world).await;
    let link = world.row(gone.0).await.reference.unwrap();
    let delete = format!("DELETE FROM orders WHERE id = {gone}");
    world.rows.execute(&delete).await;
    let excluded = gone.to_string();
    let dry = world
        .relink(&["retire", "--run", &run, "--exclude-order-id", &excluded])
        .await;
    assert!(!dry.stdout.contains(&link), "{}", dry.stdout);
    let output = undo(&world, &run).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains(&link), "{}", output.stdout);
    let said = format!("order {gone}: its row is gone");
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert_eq!(world.object(&link).await["active"], false);
    assert!(world.live_objects_of(left).await.is_empty());
}

/// Nobody would ever look there again: what is open is concluded, and its link goes with it.
#[tokio::test]
async fn what_is_open_for_an_order_whose_row_is_gone_is_concluded() {
    let world = World::on(Backend::Sqlite).await;
    let gone = world.order(pending(5500).behind(expired_session())).await;
    let killed = kill_at_the_mint(&world, "after").await;
    let delete = format!("DELETE FROM orders WHERE id = {gone}");
    world.rows.execute(&delete).await;
    assert_eq!(world.live_objects_of(gone).await.len(), 1);
    let output = undo(&world, &killed).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    let said = format!("order {gone}: its row is gone");
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert_eq!(world.live_objects_of(gone).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_saved_undo_is_carried_out_as_it_was_approved() {
    let world = World::on(Backend::Sqlite).await;
    let live = world.order(pending(5500).behind(expired_session())).await;
    let closed = world.order(pending(6500).behind(expired_session())).await;
    world.relink(&REGEN).await;
    let run = last_run(&world).await;
    let link = world.row(closed.0).await.reference.unwrap();
    let mut object = world.object(&link).await;
    object["active"] = json!(false);
    world.put_objects(json!([object])).await;
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join("undo.json");
    let path = file.to_str().unwrap();
    let saved = world
        .relink(&["retire", "--run", &run, "--plan-out", path])
        .await;
    assert_eq!(saved.code, Some(0), "{}{}", saved.stdout, saved.stderr);
    let output = world
        .relink(&["retire", "--plan", path, "--commit", "--yes"])
        .await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    for order in [live, closed] {
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_eq!(world.verdict(order).await, "withdrawn");
    }
}
