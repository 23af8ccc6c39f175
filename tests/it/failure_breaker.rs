//! A run that keeps failing is stopped before it has tried everything.

use serde_json::json;

use crate::support::world::*;

const ONE_BY_ONE: [&str; 6] = ["regen", "--all", "--commit", "--yes", "--concurrency", "1"];

async fn world_with(orders: usize) -> World {
    let world = World::on(Backend::Sqlite).await;
    for _ in 0..orders {
        world.order(pending(5500).behind(expired_session())).await;
    }
    world
}

async fn refuse_mints(world: &World, nth: u64, times: u64) {
    let body = json!({"error": {"type": "card_error", "code": "card_declined", "message": "no"}});
    world
        .fault(json!({"method": "POST", "kind": "status", "status": 402, "body": body, "nth": nth, "times": times}))
        .await;
}

async fn mints(world: &World) -> usize {
    world.writes().await.len()
}

#[tokio::test]
async fn five_failures_in_a_row_stop_the_run_with_12_and_what_was_not_begun_is_said() {
    let world = world_with(8).await;
    refuse_mints(&world, 1, 100).await;
    let output = world.relink(&ONE_BY_ONE).await;
    assert_eq!(output.code, Some(12), "{}{}", output.stdout, output.stderr);
    assert_eq!(mints(&world).await, 5);
    assert!(output.stdout.contains("3 not begun"), "{}", output.stdout);
    assert!(
        output
            .stdout
            .contains("stopped early: 5 orders failed one after the other"),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn the_number_of_failures_can_be_given_and_zero_is_none() {
    let world = world_with(4).await;
    refuse_mints(&world, 1, 100).await;
    let mut args = ONE_BY_ONE.to_vec();
    args.extend(["--max-failures", "2"]);
    let output = world.relink(&args).await;
    assert_eq!(output.code, Some(12), "{}{}", output.stdout, output.stderr);
    assert_eq!(mints(&world).await, 2);
    args.pop();
    args.push("0");
    assert_eq!(world.relink(&args).await.code, Some(2));
}

#[tokio::test]
async fn a_few_failures_among_many_stop_nothing() {
    let world = world_with(12).await;
    refuse_mints(&world, 3, 4).await;
    let output = world.relink(&ONE_BY_ONE).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(mints(&world).await, 12);
    let again = world.relink(&ONE_BY_ONE).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
}
