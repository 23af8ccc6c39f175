//! Plans in files: what was approved is what is done. Facts that moved take their order out, the rest goes on, and a plan
//! is carried out once, in the place that it was made for, while it is young.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

/// A folder for one test's plan.
pub struct Desk(pub tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        Desk(tempfile::tempdir().unwrap())
    }

    pub fn plan(&self) -> PathBuf {
        self.0.path().join("plan.json")
    }
}

pub async fn save(world: &World, path: &Path, arguments: &[&str]) -> Output {
    let mut all = arguments.to_vec();
    all.extend(["--plan-out", path.to_str().unwrap()]);
    let output = world.relink(&all).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    output
}

pub async fn commit(world: &World, path: &Path, more: &[&str]) -> Output {
    let mut all = vec![
        "regen",
        "--plan",
        path.to_str().unwrap(),
        "--commit",
        "--yes",
    ];
    all.extend(more);
    world.relink(&all).await
}

pub fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub async fn stranded<const N: usize>(world: &World) -> [OrderId; N] {
    let mut orders = Vec::new();
    for n in 0..N {
        let order = pending(5500).for_player(&format!("Player {n}"));
        orders.push(world.order(order.behind(expired_session())).await);
    }
    orders.try_into().unwrap()
}

pub async fn holds_a_link(world: &World, order: OrderId) -> bool {
    let reference = world.row(order.0).await.reference.unwrap();
    reference.starts_with("plink_")
}

on_each_backend! {
    async fn one_paid_one_edited_one_canceled_and_exactly_the_rest_is_done(world) {
        let [first, paid, edited, canceled, last] = stranded(&world).await;
        let desk = Desk::new();
        let saved = save(&world, &desk.plan(), &["regen", "--all"]).await;
        let digest = read(&desk.plan())["digest"].as_str().unwrap().to_owned();
        assert!(saved.stdout.contains(&format!("digest: {digest}\n")), "{}", saved.stdout);
        world.rows.set(paid.0, "status", "'paid'").await;
        world.rows.set(edited.0, "amount_cents", "6500").await;
        world.rows.set(canceled.0, "status", "'canceled'").await;

        let output = commit(&world, &desk.plan(), &["--expect", &digest]).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        for order in [first, last] {
            assert!(holds_a_link(&world, order).await);
        }
        for order in [paid, edited, canceled] {
            assert!(!holds_a_link(&world, order).await);
        }
        assert_eq!(world.writes().await.len(), 2);
        for said in [
            "5 approved: 2 done",
            "3 passed over",
            "Player 1, 55.00 USD: moved: status was pending, is paid",
            "Player 2, 55.00 USD: moved: amount was 55.00 USD, is 65.00 USD",
            "Player 3, 55.00 USD: moved: status was pending, is canceled",
        ] {
            assert!(output.stdout.contains(said), "{said} is not in {}", output.stdout);
        }
        let journaled = world.journaled("runs", "SELECT plan_digest FROM {}").await;
        assert_eq!(journaled, [digest.as_str()]);

        let again = commit(&world, &desk.plan(), &[]).await;
        assert_eq!(again.code, Some(7), "{}{}", again.stdout, again.stderr);
        assert!(again.stderr.contains("2 done, 0 refused, 3 moved"), "{}", again.stderr);
        assert_eq!(world.writes().await.len(), 2);
    }
}

on_each_backend! {
    async fn a_commit_that_was_killed_goes_on_and_what_it_did_counts_as_done(world) {
        let [first, second, third] = stranded(&world).await;
        let desk = Desk::new();
        save(&world, &desk.plan(), &["regen", "--all"]).await;
        let at_the_second = json!({"method": "POST", "path": "/v1/payment_links", "nth": 2, "when": "after", "kind": "park", "times": 1});
        let path = desk.plan();
        let path = path.to_str().unwrap();
        world.kill_at(&["regen", "--plan", path, "--commit", "--yes", "--concurrency", "1"], at_the_second).await;
        assert!(holds_a_link(&world, first).await);
        assert!(!holds_a_link(&world, third).await);

        let looked = world.relink(&["inspect", "--plan", path, "-o", "json"]).await;
        assert_eq!(looked.code, Some(0), "{}{}", looked.stdout, looked.stderr);
        let document: Value = serde_json::from_str(&looked.stdout).unwrap();
        let orders = document["orders"].as_array().unwrap();
        let stands: Vec<&str> = orders.iter().map(|o| o["stands"].as_str().unwrap()).collect();
        assert_eq!(stands, ["done", "begun", "due"]);

        let output = commit(&world, &desk.plan(), &["--strict-plan"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("3 approved: 2 done"), "{}", output.stdout);
        assert!(output.stdout.contains("done under this plan"), "{}", output.stdout);
        for order in [first, second, third] {
            let held = world.row(order.0).await.reference.unwrap();
            assert_eq!(world.live_objects_of(order).await, [held]);
        }
        let applied = commit(&world, &desk.plan(), &[]).await;
        assert_eq!(applied.code, Some(7), "{}{}", applied.stdout, applied.stderr);
        assert!(applied.stderr.contains("is applied already: 3 done"), "{}", applied.stderr);
    }
}

#[tokio::test]
async fn a_strict_plan_is_all_or_nothing() {
    let world = World::on(Backend::Sqlite).await;
    let [_, edited] = stranded(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    world.rows.set(edited.0, "amount_cents", "6500").await;
    let output = commit(&world, &desk.plan(), &["--strict-plan"]).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stderr.contains(&format!("order {edited}")),
        "{}",
        output.stderr
    );
    assert_eq!(world.writes().await, Vec::<Value>::new());
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.writes().await.len(), 1);
}

#[tokio::test]
async fn a_plan_expires_on_stripes_clock() {
    let world = World::on(Backend::Sqlite).await;
    let [order] = stranded(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    world.pass(25 * 3600).await;
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
    assert!(
        output
            .stderr
            .contains("25 h 0 min ago, and --plan-max-age is, unless given, 24h"),
        "{}",
        output.stderr
    );
    assert_eq!(world.writes().await, Vec::<Value>::new());
    let output = commit(&world, &desk.plan(), &["--plan-max-age", "90m"]).await;
    assert!(
        output.stderr.contains("--plan-max-age says 90m"),
        "{}",
        output.stderr
    );
    let output = commit(&world, &desk.plan(), &["--plan-max-age", "26h"]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert!(holds_a_link(&world, order).await);
}

/// Whoever was told that it was passed over may have dealt with it otherwise.
#[tokio::test]
async fn what_a_commit_passed_over_does_not_become_due_again() {
    let world = World::on(Backend::Sqlite).await;
    let [_, edited] = stranded(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    world.rows.set(edited.0, "amount_cents", "6500").await;
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    world.rows.set(edited.0, "amount_cents", "5500").await;
    let again = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(again.code, Some(7), "{}{}", again.stdout, again.stderr);
    assert!(
        again.stderr.contains("1 done, 0 refused, 1 moved"),
        "{}",
        again.stderr
    );
    assert!(!holds_a_link(&world, edited).await);
    // A new plan is another one, of the same orders or not.
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

on_each_backend! {
    async fn links_to_be_closed_are_saved_and_closed_once(world) {
        let leaked = world.order(paid(5500).behind(active_link())).await;
        let desk = Desk::new();
        let path = desk.plan();
        save(&world, &path, &["retire", "--all"]).await;
        let path = path.to_str().unwrap();
        let arguments = ["retire", "--plan", path, "--commit", "--yes"];
        let output = world.relink(&arguments).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(leaked).await, Vec::<String>::new());
        let again = world.relink(&arguments).await;
        assert_eq!(again.code, Some(7), "{}{}", again.stdout, again.stderr);
        assert!(again.stderr.contains("is applied already"), "{}", again.stderr);
    }
}

#[tokio::test]
async fn a_row_that_is_gone_has_moved() {
    let world = World::on(Backend::Sqlite).await;
    let [gone, left] = stranded(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    let delete = format!("DELETE FROM orders WHERE id = {gone}");
    world.rows.execute(&delete).await;
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains("row was there, is gone"),
        "{}",
        output.stdout
    );
    assert!(holds_a_link(&world, left).await);
}

#[tokio::test]
async fn an_order_that_another_run_did_meanwhile_is_not_this_plans() {
    let world = World::on(Backend::Sqlite).await;
    let [done, left] = stranded(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    let id = done.to_string();
    let other = world
        .relink(&["regen", "--order-id", &id, "--commit", "--yes"])
        .await;
    assert_eq!(other.code, Some(0), "{}{}", other.stdout, other.stderr);
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains("checkout id was cs_"),
        "{}",
        output.stdout
    );
    assert!(holds_a_link(&world, left).await);
    assert_eq!(world.writes().await.len(), 2);
}

async fn kill_after(world: &World, path: &Path, what: &str) {
    let path = path.to_str().unwrap();
    let args = ["regen", "--plan", path, "--commit", "--yes"];
    world.kill_after_the_commit(&args, what).await;
}

async fn standing(world: &World, path: &Path) -> Value {
    let output = world
        .relink(&["inspect", "--plan", path.to_str().unwrap(), "-o", "json"])
        .await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    document["orders"][0].clone()
}

on_each_backend! {
    /// The amount that was approved is not the row's any more: nothing is minted at another.
    async fn what_moved_since_a_killed_commit_began_it_is_concluded_and_gets_nothing_new(world) {
        // With the mints that have left by then.
        let killed = [("claim an order", 0), ("journal an intent", 0), ("journal an outcome", 1)];
        for (killed_at, minted) in killed {
            let order = world.order(pending(5500).behind(expired_session())).await;
            let desk = Desk::new();
            save(&world, &desk.plan(), &["regen", "--order-id", &order.to_string()]).await;
            let digest = read(&desk.plan())["digest"].as_str().unwrap().to_owned();
            let before = world.writes().await.len();
            kill_after(&world, &desk.plan(), killed_at).await;
            world.rows.set(order.0, "amount_cents", "6500").await;

            let shown = standing(&world, &desk.plan()).await;
            assert_eq!(shown["stands"], "stale", "{killed_at}: {shown}");
            assert_eq!(shown["moved"][0]["fact"], "amount", "{killed_at}: {shown}");
            let strict = commit(&world, &desk.plan(), &["--strict-plan"]).await;
            assert_eq!(strict.code, Some(7), "{killed_at}: {}{}", strict.stdout, strict.stderr);
            let output = commit(&world, &desk.plan(), &["--expect", &digest]).await;
            assert_eq!(output.code, Some(3), "{killed_at}: {}{}", output.stdout, output.stderr);
            let said = "moved: amount was 55.00 USD, is 65.00 USD";
            assert!(output.stdout.contains(said), "{killed_at}: {}", output.stdout);
            assert!(!holds_a_link(&world, order).await, "{killed_at}");
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new(), "{killed_at}");
            // Each that was minted was closed.
            assert_eq!(world.writes().await.len() - before, 2 * minted, "{killed_at}");
            let again = commit(&world, &desk.plan(), &[]).await;
            assert_eq!(again.code, Some(7), "{killed_at}: {}{}", again.stdout, again.stderr);
            assert_eq!(world.writes().await.len() - before, 2 * minted, "{killed_at}");
        }
    }
}

on_each_backend! {
    /// What a link says is approved as well: the mint that was journaled may be sent as it is, and no other.
    async fn where_an_address_moved_only_the_mint_that_was_journaled_is_sent(world) {
        for (killed_at, minted) in [("claim an order", false), ("journal an intent", true)] {
            let order = pending(5500).mailed_to(&format!("then{minted}@example.com"));
            let order = world.order(order.behind(expired_session())).await;
            let desk = Desk::new();
            save(&world, &desk.plan(), &["regen", "--order-id", &order.to_string()]).await;
            kill_after(&world, &desk.plan(), killed_at).await;
            world.rows.execute(&format!("UPDATE parents SET email = 'since{minted}@example.com'")).await;
            let output = commit(&world, &desk.plan(), &[]).await;
            assert_eq!(output.code, Some(3), "{killed_at}: {}{}", output.stdout, output.stderr);
            assert!(output.stdout.contains("moved: parent's e-mail"), "{killed_at}: {}", output.stdout);
            assert_eq!(holds_a_link(&world, order).await, minted, "{killed_at}");
        }
    }
}

on_each_backend! {
    /// The row moved by the commit's own hand.
    async fn a_commit_that_was_killed_after_it_stored_its_link_has_moved_nothing(world) {
        let [order] = stranded(&world).await;
        let desk = Desk::new();
        save(&world, &desk.plan(), &["regen", "--all"]).await;
        kill_after(&world, &desk.plan(), "publish the link of an order").await;
        assert!(holds_a_link(&world, order).await);
        assert_eq!(standing(&world, &desk.plan()).await["stands"], "begun");
        let output = commit(&world, &desk.plan(), &["--strict-plan"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.writes().await.len(), 1);
    }
}
