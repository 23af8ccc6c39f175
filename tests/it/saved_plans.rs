//! Plans in files: what was approved is what is done. Facts that moved take their order out, the rest goes on, and a plan
//! is carried out once, in the place that it was made for, while it is young.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use relink::saved_plan::SavedPlan;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::approval_guards::suggested;
use crate::on_each_backend;
use crate::support::kill_points::{self, KillPoints};
use crate::support::world::*;

/// A folder for one test's plan.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Desk(tempfile::tempdir().unwrap())
    }

    fn plan(&self) -> PathBuf {
        self.0.path().join("plan.json")
    }
}

async fn save(world: &World, path: &Path, arguments: &[&str]) -> Output {
    let mut all = arguments.to_vec();
    all.extend(["--plan-out", path.to_str().unwrap()]);
    let output = world.relink(&all).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    output
}

async fn commit(world: &World, path: &Path, more: &[&str]) -> Output {
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

/// Writes it as somebody would who knows how the checksum is made: it has no key.
fn forge(path: &Path, change: impl Fn(&mut SavedPlan)) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut plan = SavedPlan::parse(&text, "plan").unwrap();
    change(&mut plan);
    plan.checksum.clear();
    let sum = Sha256::digest(serde_json::to_vec(&plan).unwrap());
    plan.checksum = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(path, plan.render().unwrap()).unwrap();
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

async fn stranded<const N: usize>(world: &World) -> [OrderId; N] {
    let mut orders = Vec::new();
    for n in 0..N {
        let order = pending(5500).for_player(&format!("Player {n}"));
        orders.push(world.order(order.behind(expired_session())).await);
    }
    orders.try_into().unwrap()
}

async fn holds_a_link(world: &World, order: OrderId) -> bool {
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
        world.fault(at_the_second).await;
        let path = desk.plan();
        let path = path.to_str().unwrap();
        let running = world.spawn(&["regen", "--plan", path, "--commit", "--yes", "--concurrency", "1"]);
        let parked = world.wait_for_parked().await;
        running.signal("KILL");
        running.finish().await;
        world.release(parked).await;
        world.clear_faults().await;
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
    assert!(output.stderr.contains("25 hours ago"), "{}", output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
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

/// A moment that is still to come would keep a plan young for ever.
#[tokio::test]
async fn a_plan_from_the_future_is_no_plan() {
    let world = World::on(Backend::Sqlite).await;
    stranded::<1>(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    forge(&desk.plan(), |plan| plan.made_at.0 += 40 * 86_400);
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stderr.contains("minutes from now"),
        "{}",
        output.stderr
    );
    assert_eq!(world.writes().await, Vec::<Value>::new());
    // Clocks of two hosts may differ a little.
    forge(&desk.plan(), |plan| plan.made_at.0 += 200 - 40 * 86_400);
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

#[tokio::test]
async fn no_text_of_a_file_is_suggested_as_a_command_and_none_that_commits_is_in_it() {
    let world = World::on(Backend::Sqlite).await;
    let [_, left] = stranded(&world).await;
    let desk = Desk::new();
    let left = left.to_string();
    let loaded = [
        "regen",
        "--all",
        "--exclude-order-id",
        &left,
        "--commit",
        "--yes",
        "--max-orders=9",
        "--expect-count",
        "9",
    ];
    let mut loaded = loaded.to_vec();
    let path = desk.plan();
    loaded.extend(["--plan-out", path.to_str().unwrap()]);
    let refused = world.relink(&loaded).await;
    assert_eq!(
        refused.code,
        Some(6),
        "{}{}",
        refused.stdout,
        refused.stderr
    );
    let command = read(&path)["command"].as_str().unwrap().to_owned();
    let kept = format!("relink regen --all --exclude-order-id {left} --rps 0");
    assert_eq!(command, kept);

    let evil = "relink regen --all --commit --yes";
    forge(&path, |plan| plan.command = evil.to_owned());
    world.pass(25 * 3600).await;
    let output = commit(&world, &path, &[]).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
    assert!(!output.stderr.contains(evil), "{}", output.stderr);
    let anew = suggested(&output);
    assert_eq!(anew, ["regen", "--exclude-order-id", &left, "--all"]);
    let anew: Vec<&str> = anew.iter().map(String::as_str).collect();
    let output = world.relink(&anew).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
}

/// The command after `next: `, as a shell takes it.
fn next_of(output: &Output) -> Vec<String> {
    let line = output
        .stdout
        .lines()
        .find(|line| line.starts_with("next: "));
    let line = line.unwrap_or_else(|| panic!("no next line: {}", output.stdout));
    line.split(' ').skip(2).map(str::to_owned).collect()
}

/// A key that may not read its account: what is suggested names it, and a look needs no flag for it.
#[tokio::test]
async fn a_key_that_may_not_read_its_account_is_led_from_the_plan_to_the_commit() {
    let world = World::on(Backend::Sqlite).await;
    let [order] = stranded(&world).await;
    let body =
        json!({"error": {"type": "invalid_request_error", "message": "needs rak_accounts_read"}});
    world.fault(json!({"method": "GET", "path": "/v1/account", "kind": "status", "status": 403, "body": body, "times": 50})).await;
    let desk = Desk::new();
    let arguments = ["regen", "--all", "--expect-account", "acct_1SandboxRelink"];
    let saved = save(&world, &desk.plan(), &arguments).await;
    let path = desk.plan();
    let looked = world
        .relink(&["inspect", "--plan", path.to_str().unwrap()])
        .await;
    assert_eq!(looked.code, Some(0), "{}{}", looked.stdout, looked.stderr);
    assert!(
        looked.stderr.contains("could not be checked"),
        "{}",
        looked.stderr
    );
    let next = next_of(&saved);
    assert_eq!(next_of(&looked), next);
    let mut words: Vec<&str> = next.iter().map(String::as_str).collect();
    words.push("--yes");
    let output = world.relink(&words).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert!(holds_a_link(&world, order).await);
}

#[tokio::test]
async fn a_plan_goes_to_a_file_whatever_it_is_called() {
    let world = World::on(Backend::Sqlite).await;
    stranded::<1>(&world).await;
    let desk = Desk::new();
    let mut command = world.command(&["regen", "--all", "--plan-out", "-"]);
    command.current_dir(desk.0.path());
    let output = Running::start(command).finish().await;
    assert_eq!(output.code, Some(2), "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains("--plan-out"), "{}", output.stderr);
    assert_eq!(std::fs::read_dir(desk.0.path()).unwrap().count(), 0);

    let mut command = world.command(&["regen", "--all", "--plan-out=-plan.json"]);
    command.current_dir(desk.0.path());
    let output = Running::start(command).finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let next = next_of(&output);
    assert_eq!(next, ["regen", "--plan=-plan.json", "--commit"]);
    let mut words: Vec<&str> = next.iter().map(String::as_str).collect();
    words.push("--yes");
    let mut command = world.command(&words);
    command.current_dir(desk.0.path());
    let output = Running::start(command).finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

/// Made by whoever may only read, committed by another role, both by the one file.
#[tokio::test]
async fn a_plan_is_of_one_database_whichever_role_reads_it() {
    for flavour in [Flavour::NativeEnums, Flavour::TextColumns] {
        let world = World::on(Backend::Postgres(flavour)).await;
        let [order] = stranded(&world).await;
        let desk = Desk::new();
        let path = desk.plan();
        let made = world.relink_reading(&["regen", "--all", "--plan-out", path.to_str().unwrap()]);
        assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
        let elsewhere = World::on(Backend::Postgres(flavour)).await;
        let refused = commit(&elsewhere, &path, &[]).await;
        assert_eq!(
            refused.code,
            Some(4),
            "{}{}",
            refused.stdout,
            refused.stderr
        );
        assert!(
            refused.stderr.contains("is for database"),
            "{}",
            refused.stderr
        );
        let output = commit(&world, &path, &[]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert!(holds_a_link(&world, order).await);
    }
}

#[tokio::test]
async fn a_plan_is_of_one_account() {
    let world = World::on(Backend::Sqlite).await;
    stranded::<1>(&world).await;
    let desk = Desk::new();
    save(&world, &desk.plan(), &["regen", "--all"]).await;
    let other = json!({"id": "acct_another", "object": "account"});
    world.fault(json!({"method": "GET", "path": "/v1/account", "kind": "status", "status": 200, "body": other, "times": 5})).await;
    let output = commit(&world, &desk.plan(), &[]).await;
    assert_eq!(output.code, Some(4), "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains("acct_another"), "{}", output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_file_that_is_not_the_plan_that_was_written_is_refused_and_says_why() {
    let world = World::on(Backend::Sqlite).await;
    stranded::<1>(&world).await;
    let desk = Desk::new();
    let path = desk.plan();
    save(&world, &path, &["regen", "--all"]).await;
    let good = read(&path);
    let mut dearer = good.clone();
    dearer["orders"][0]["amount"]["minor"] = json!(1);
    let mut extended = good.clone();
    extended["made_at"] = json!("2031-01-01T00:00:00Z");
    let mut newer = good.clone();
    newer["schema"] = json!("relink.saved_plan/9");
    let mut extra = good.clone();
    extra["note"] = json!("hello");
    let cases = [
        (dearer.to_string(), "was changed since it was written"),
        (extended.to_string(), "was changed since it was written"),
        (newer.to_string(), "relink.saved_plan/9"),
        (extra.to_string(), "unknown field `note`"),
        ("{}".to_owned(), "names no schema"),
        ("not a plan".to_owned(), "is not JSON"),
        (good.to_string()[..200].to_owned(), "is not JSON"),
    ];
    for (text, why) in cases {
        std::fs::write(&path, &text).unwrap();
        let output = commit(&world, &path, &[]).await;
        assert_eq!(
            output.code,
            Some(2),
            "{text}: {}{}",
            output.stdout,
            output.stderr
        );
        assert!(
            output.stderr.contains(why),
            "{why} is not in {}",
            output.stderr
        );
    }
    std::fs::remove_file(&path).unwrap();
    let output = commit(&world, &path, &[]).await;
    assert_eq!(output.code, Some(2), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
    // Laid out differently, it is the same plan.
    std::fs::write(&path, good.to_string()).unwrap();
    assert_eq!(commit(&world, &path, &[]).await.code, Some(0));
}

#[tokio::test]
async fn a_plan_is_committed_by_the_command_that_made_it() {
    let world = World::on(Backend::Sqlite).await;
    stranded::<1>(&world).await;
    let desk = Desk::new();
    let path = desk.plan();
    save(&world, &path, &["mint", "--all"]).await;
    let output = commit(&world, &path, &[]).await;
    assert_eq!(output.code, Some(2), "{}{}", output.stdout, output.stderr);
    let path = path.to_str().unwrap();
    let instead = format!("relink mint --plan {path} --commit --yes");
    assert!(output.stderr.contains(&instead), "{}", output.stderr);
    let output = world
        .relink(&["mint", "--plan", path, "--commit", "--yes"])
        .await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

#[tokio::test]
async fn the_file_is_private_and_holds_no_address_and_no_key() {
    let world = World::on(Backend::Sqlite).await;
    let order = pending(5500).mailed_to("parent@example.com");
    world.order(order.behind(expired_session())).await;
    let desk = Desk::new();
    let path = desk.plan();
    save(&world, &path, &["regen", "--all"]).await;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    for secret in ["parent@example.com", KEY] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    // It is written whole or not at all, and leaves nothing beside it.
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1);
    world.rows.set(1001, "updated_at", "created_at").await;
    world
        .rows
        .execute("UPDATE parents SET email = 'moved@example.com'")
        .await;
    let output = commit(&world, &path, &[]).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
}

#[tokio::test]
async fn where_no_file_can_be_written_nothing_else_is_done() {
    let world = World::on(Backend::Sqlite).await;
    stranded::<1>(&world).await;
    for path in ["/nowhere/at/all/plan.json", "/", "/dev/null/plan.json"] {
        let output = world
            .relink(&["regen", "--all", "--plan-out", path, "--commit", "--yes"])
            .await;
        assert_eq!(
            output.code,
            Some(4),
            "{path}: {}{}",
            output.stdout,
            output.stderr
        );
        assert!(output.stderr.contains(path), "{}", output.stderr);
    }
    assert_eq!(world.writes().await, Vec::<Value>::new());
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

/// A commit of the plan that SIGKILL ends right after the first commit whose transaction is this one.
async fn kill_after(world: &World, path: &Path, what: &str) {
    let points = KillPoints::listen().await;
    let path = path.to_str().unwrap();
    let mut command = world.command(&["regen", "--plan", path, "--commit", "--yes"]);
    command.env(kill_points::ADDRESS, points.address());
    let running = Running::start(command);
    loop {
        let reached = points.next().await;
        if !reached.before && reached.what == what {
            break running.signal("KILL");
        }
        reached.go_on();
    }
    running.finish().await;
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
