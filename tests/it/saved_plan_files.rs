//! The file of a saved plan: whose it is, how long it holds, what it is taken for when it was damaged, and that nothing it
//! says is suggested as a command that commits.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use relink::saved_plan::SavedPlan;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::approval_guards::suggested;
use crate::saved_plans::{Desk, commit, holds_a_link, read, save, stranded};
use crate::support::world::*;

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
