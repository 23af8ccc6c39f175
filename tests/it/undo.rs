//! `retire --run`: what a run minted is closed, and nothing mints it again until a person asks.

use serde_json::Value;

use crate::on_each_backend;
use crate::support::world::*;

const REGEN: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

async fn last_run(world: &World) -> String {
    let query = "SELECT run_id FROM {} ORDER BY started_at DESC LIMIT 1";
    world.journaled("runs", query).await.remove(0)
}

async fn verdict(world: &World, order: OrderId) -> String {
    let output = world
        .relink(&["inspect", "--order-id", &order.to_string(), "-o", "json"])
        .await;
    let shown: Value = serde_json::from_str(&output.stdout).unwrap();
    shown["verdict"].as_str().unwrap().to_owned()
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
            assert_eq!(verdict(&world, order).await, "withdrawn");
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
        .relink(&["retire", "--run", "0197", "--commit", "--yes"])
        .await;
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("no run `0197`"),
        "{}",
        unknown.stderr
    );
    world
        .relink(&["retire", "--all", "--commit", "--yes"])
        .await;
    let run = last_run(&world).await;
    let nothing = world.relink(&["retire", "--run", &run]).await;
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
    assert!(
        nothing.stderr.contains("minted nothing"),
        "{}",
        nothing.stderr
    );
}
