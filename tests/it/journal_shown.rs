//! What `relink journal` tells: the runs, one run, one order over all runs; what is still open; nothing that is
//! secret; and a plain word where there is nothing to tell.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

async fn json_of(world: &World, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    let output = world.relink(&all).await;
    assert_eq!(
        output.code,
        Some(0),
        "{args:?}: {}{}",
        output.stdout,
        output.stderr
    );
    serde_json::from_str(&output.stdout).unwrap()
}

async fn runs(world: &World) -> Vec<Value> {
    json_of(world, &["journal", "list"]).await["runs"]
        .as_array()
        .unwrap()
        .clone()
}

on_each_backend! {
    async fn a_run_is_listed_and_shown_with_every_write_and_its_outcome(world) {
        let order = world.order(pending(5500).behind(open_session().minutes_old(600)).mailed_to("pat@example.com")).await;
        let mut commit = COMMIT.to_vec();
        commit.extend(["--reason", "parents wrote, key sk_test_51Secret"]);
        assert_eq!(world.relink(&commit).await.code, Some(0));

        let listed = runs(&world).await;
        assert_eq!(listed.len(), 1);
        let run = &listed[0];
        assert_eq!(run["exit_code"], 0);
        assert_eq!(run["operations"], 1);
        assert_eq!(run["left_open"], 0);
        assert_eq!(run["account"], "acct_1SandboxRelink");
        assert!(run["command"].as_str().unwrap().starts_with("relink regen --all --commit --yes"), "{run}");
        assert_eq!(run["plan_digest"].as_str().unwrap().len(), 9);
        assert!(!run["reason"].as_str().unwrap().contains("Secret"), "{run}");

        let id = run["id"].as_str().unwrap();
        let shown = json_of(&world, &["journal", "show", &id[..30]]).await;
        let told = |name: &str| -> Vec<String> {
            let steps = shown["steps"].as_array().unwrap();
            steps.iter().map(|step| step[name].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(told("action"), ["expire", "mint", "publish"]);
        for step in shown["steps"].as_array().unwrap() {
            assert_eq!(step["outcome"]["kind"], "done", "{step}");
        }
        // Every write that Stripe met is there, with its key and Stripe's own id for it.
        let keys = told("idempotency_key");
        for write in world.writes().await {
            assert!(keys.contains(&write["idempotency_key"].as_str().unwrap().to_owned()), "{write} {keys:?}");
        }
        assert!(shown["steps"][1]["outcome"]["stripe_request_id"].as_str().unwrap().starts_with("req_"));
        assert_eq!(shown["operations"][0]["ending"], "replaced");
        let minted = shown["steps"].as_array().unwrap().iter().find(|step| step["action"] == "mint").unwrap();
        let row = world.row(order.0).await;
        assert_eq!(minted["outcome"]["result_id"].as_str(), row.reference.as_deref(), "{minted}");
        assert_eq!(minted["outcome"]["result_url"].as_str(), row.url.as_deref(), "{minted}");

        let id = order.to_string();
        let of_order = json_of(&world, &["journal", "show", "--order-id", &id]).await;
        assert_eq!(of_order["steps"], shown["steps"]);
        let table = world.relink(&["journal", "show", "--order-id", &id]).await;
        assert!(!table.stdout.contains("pat@example.com"), "{}", table.stdout);
        assert!(table.stdout.contains("publish"), "{}", table.stdout);
    }
}

on_each_backend! {
    async fn what_a_killed_run_left_open_is_told_with_the_command_that_goes_on_and_then_who_ended_it(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1})).await;

        let first = runs(&world).await.remove(0);
        assert_eq!(first["exit_code"], Value::Null);
        assert_eq!(first["left_open"], 1);
        let first = first["id"].as_str().unwrap().to_owned();
        let open = world.relink(&["journal", "show", &first]).await;
        assert!(open.stdout.contains("open"), "{}", open.stdout);
        assert!(open.stdout.contains(&format!("next: relink regen --order-id {order}")), "{}", open.stdout);
        assert!(open.stdout.contains("not known"), "{}", open.stdout);

        assert_eq!(world.relink(&COMMIT).await.code, Some(0));
        let second = runs(&world).await.remove(0)["id"].as_str().unwrap().to_owned();
        let shown = json_of(&world, &["journal", "show", &first]).await;
        let operation = &shown["operations"][0];
        assert_eq!(operation["begun_by"].as_str(), Some(first.as_str()));
        assert_eq!(operation["held_by"].as_str(), Some(second.as_str()));
        assert_eq!(operation["ending"], "replaced");
        let steps = shown["steps"].as_array().unwrap();
        assert_eq!(steps[0]["run"].as_str(), Some(first.as_str()));
        assert_eq!(steps[0]["outcome"]["kind"], "unknown");
        assert_eq!(steps[0]["outcome"]["run"].as_str(), Some(second.as_str()));
        let table = world.relink(&["journal", "show", &first]).await;
        assert!(table.stdout.contains("(by run 01"), "{}", table.stdout);
        // The one that ended it shows the whole operation as well.
        let of_second = json_of(&world, &["journal", "show", &second]).await;
        assert_eq!(of_second["operations"], shown["operations"]);
    }
}

on_each_backend! {
    async fn where_nothing_was_written_the_journal_says_so_and_needs_no_tables(world) {
        world.order(pending(5500).behind(expired_session())).await;
        let output = world.relink(&["journal", "list"]).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "no run has written anything yet\n"));
        let output = world.relink(&["journal", "show", "--order-id", "7"]).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "no run has worked on this order\n"));
        let output = world.relink(&["journal", "show", "0197"]).await;
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        assert!(output.stderr.contains("knows no run `0197`"), "{}", output.stderr);
    }
}

on_each_backend! {
    async fn an_id_that_begins_more_than_one_run_is_refused_with_the_candidates(world) {
        for _ in 0..2 {
            world.order(pending(5500).behind(expired_session())).await;
            assert_eq!(world.relink(&COMMIT).await.code, Some(0));
        }
        let listed = runs(&world).await;
        assert_eq!(listed.len(), 2);
        let output = world.relink(&["journal", "show", "0"]).await;
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        for run in &listed {
            assert!(output.stderr.contains(run["id"].as_str().unwrap()), "{}", output.stderr);
        }
        let none = world.relink(&["journal", "show", "zz"]).await;
        assert_eq!(none.code, Some(2), "{}", none.stderr);
        assert!(none.stderr.contains("knows no run `zz`"), "{}", none.stderr);
        assert_eq!(json_of(&world, &["journal", "list", "--limit", "1"]).await["runs"].as_array().unwrap().len(), 1);
        assert_eq!(json_of(&world, &["journal", "list", "--since", "2100-01-01T00:00:00Z"]).await["runs"], json!([]));
        assert_eq!(json_of(&world, &["journal", "list", "--since", "1h"]).await["runs"].as_array().unwrap().len(), 2);
    }
}

on_each_backend! {
    async fn an_error_that_wants_to_be_more_than_text_is_shown_as_text(world) {
        world.order(pending(5500).behind(expired_session())).await;
        let body = json!({"error": {"type": "card_error", "code": "x", "message": "no\u{1b}[2J\u{202e}evil"}});
        world.fault(json!({"method": "POST", "kind": "status", "status": 402, "body": body, "times": 9})).await;
        assert_eq!(world.relink(&COMMIT).await.code, Some(3));
        let run = runs(&world).await.remove(0)["id"].as_str().unwrap().to_owned();
        for format in ["table", "json"] {
            let output = world.relink(&["journal", "show", &run, "-o", format]).await;
            assert!(output.stdout.contains("evil"), "{}", output.stdout);
            assert!(!output.stdout.contains('\u{1b}') && !output.stdout.contains('\u{202e}'), "{:?}", output.stdout);
        }
    }
}

#[tokio::test]
async fn the_sql_for_the_databases_owner_is_printed_without_a_connection_or_a_password() {
    let url = "postgres://shop%20app:hunter2@192.0.2.1/club";
    let output = run_binary(&["doctor", "--print-sql"], &[("DATABASE_URL", url)]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stdout.contains("CREATE SCHEMA IF NOT EXISTS"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.contains("TO \"shop app\""),
        "{}",
        output.stdout
    );
    assert!(!output.stdout.contains("hunter2"), "{}", output.stdout);
    let other = run_binary(
        &["doctor", "--print-sql", "--role", "night"],
        &[("DATABASE_URL", url)],
    );
    assert!(other.stdout.contains("TO \"night\""), "{}", other.stdout);
}

/// Before anything of the sandbox is there, and without making it.
#[tokio::test]
async fn the_sql_of_a_sandbox_that_nobody_has_used_yet_is_printed_too() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = format!("--sandbox={}", home.path().join("sandbox").display());
    let output = run_binary(&["doctor", "--print-sql", &sandbox], &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output
            .stdout
            .contains("CREATE TABLE IF NOT EXISTS relink_runs"),
        "{}",
        output.stdout
    );
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
