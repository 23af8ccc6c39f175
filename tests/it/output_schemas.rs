//! Whatever a program reads is what its JSON Schema says, for every command, and when one fails.

use serde_json::Value;

use crate::support::world::*;

/// What `relink schema NAME` prints is what is held against the documents.
fn schema(name: &str) -> jsonschema::Validator {
    let printed = run_binary(&["schema", name], &[]);
    assert_eq!(printed.code, Some(0), "{name}: {}", printed.stderr);
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(schema["title"], format!("relink.{name}/1"));
    jsonschema::validator_for(&schema).unwrap()
}

/// The whole of stdout is one document of this kind.
fn is(name: &str, output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|e| panic!("{name}: {e}: {}{}", output.stdout, output.stderr));
    assert_eq!(
        document["schema"],
        format!("relink.{name}/1"),
        "{}",
        output.stdout
    );
    let mistakes: Vec<String> = schema(name)
        .iter_errors(&document)
        .map(|mistake| format!("{}: {mistake}", mistake.instance_path()))
        .collect();
    assert_eq!(mistakes, Vec::<String>::new(), "{name}: {}", output.stdout);
    document
}

async fn json(world: &World, arguments: &[&str]) -> Output {
    let mut all = arguments.to_vec();
    all.extend(["-o", "json"]);
    world.relink(&all).await
}

#[tokio::test]
async fn every_document_is_as_its_schema_says() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let dying = world
        .order(pending(5500).behind(open_session().minutes_old(600)))
        .await;
    world
        .order(
            pending(5500)
                .of_category("jersey")
                .behind(expired_session()),
        )
        .await;
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join("plan.json");
    let path = file.to_str().unwrap();
    is("plan", &json(&world, &["inspect", "--all"]).await);
    is(
        "plan",
        &json(&world, &["regen", "--all", "--plan-out", path]).await,
    );
    let saved = std::fs::read_to_string(&file).unwrap();
    let saved: Value = serde_json::from_str(&saved).unwrap();
    assert!(schema("saved_plan").is_valid(&saved), "{saved}");
    world.rows.set(dying.0, "amount_cents", "6500").await;
    is(
        "standing",
        &json(&world, &["inspect", "--plan", path]).await,
    );
    is("plan", &json(&world, &["regen", "--plan", path]).await);
    for id in (301..=340).map(|id| id.to_string()) {
        let output = json(&world, &["inspect", "--order-id", &id]).await;
        if output.code == Some(0) {
            is("order", &output);
        }
    }
    is(
        "report",
        &json(&world, &["regen", "--plan", path, "--commit", "--yes"]).await,
    );
    is(
        "report",
        &json(&world, &["retire", "--all", "--commit", "--yes"]).await,
    );
    is("plan", &json(&world, &["mint", "--all"]).await);
    let runs = is("runs", &json(&world, &["journal", "list"]).await);
    let run = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    is("run", &json(&world, &["journal", "show", &run]).await);
    let order = dying.to_string();
    is(
        "order_history",
        &json(&world, &["journal", "show", "--order-id", &order]).await,
    );
    is(
        "replay",
        &json(&world, &["webhook", "replay", "--since", "72h"]).await,
    );
    is("doctor", &json(&world, &["doctor"]).await);
}

#[tokio::test]
async fn every_failure_is_as_its_schema_says() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    for (arguments, code) in [
        (&["regen", "--order-id", "99"][..], 2),
        (&["regen", "--every"], 2),
        (&["regen", "--all", "--commit"], 6),
        (
            &[
                "regen",
                "--all",
                "--commit",
                "--yes",
                "--expect",
                "0000-0000",
            ],
            7,
        ),
        (&["regen", "--all", "--live"], 4),
        (&["regen", "--plan", "/nowhere/plan.json"], 2),
        (&["journal", "show", "0197"], 2),
        (&["inspect", "--tournament-id", "99"], 2),
        (&["retire", "plink_unknown"], 2),
        (
            &[
                "resolve",
                "--order-id",
                "1",
                "--incident",
                "1f0c9a3b5d7e",
                "--reason",
                "x",
            ],
            2,
        ),
        (&["doctor", "--currency", "xyz"], 2),
    ] {
        let output = json(&world, arguments).await;
        assert_eq!(output.code, Some(code), "{arguments:?}: {}", output.stderr);
        if arguments[0] != "doctor" {
            let document = is("error", &output);
            assert_eq!(document["exit_code"], code, "{arguments:?}");
        }
    }
    let refused = serde_json::json!({"error": {"type": "invalid_request_error", "message": "no"}});
    world.fault(serde_json::json!({"method": "GET", "path": "/v1/account", "kind": "status", "status": 401, "body": refused, "times": 5})).await;
    let output = json(&world, &["regen", "--all"]).await;
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    is("error", &output);
}

#[tokio::test]
async fn every_event_is_as_its_schema_says() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let events = schema("events");
    for arguments in [
        &["inspect", "--all"][..],
        &["inspect", "--order-id", "207"],
        &["regen", "--tournament-id", "2", "--commit", "--yes"],
        &["journal", "list"],
        &["journal", "show", "--order-id", "207"],
        &["webhook", "replay", "--since", "72h"],
        &["doctor"],
        &["regen", "--order-id", "99"],
        &["regen", "--every"],
    ] {
        let mut all = arguments.to_vec();
        all.extend(["-o", "jsonl"]);
        let output = world.relink(&all).await;
        let lines: Vec<Value> = output
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["type"], "header", "{arguments:?}");
        assert_eq!(lines[lines.len() - 1]["type"], "summary", "{arguments:?}");
        for line in &lines {
            assert!(events.is_valid(line), "{arguments:?}: {line}");
        }
    }
}

/// A script with a line of JSON before it is no script.
#[test]
fn a_text_of_its_own_kind_stands_alone_with_any_format() {
    let database = [("DATABASE_URL", "postgres://relink@nowhere/club")];
    for arguments in [
        &["completions", "bash"][..],
        &["man"],
        &["schema", "plan"],
        &["help", "exit-codes"],
        &["doctor", "--print-sql"],
    ] {
        let plain = run_binary(arguments, &database);
        assert_eq!(plain.code, Some(0), "{arguments:?}: {}", plain.stderr);
        for format in ["json", "jsonl", "csv"] {
            let mut all = arguments.to_vec();
            all.extend(["-o", format]);
            let output = run_binary(&all, &database);
            assert_eq!(output.stdout, plain.stdout, "{all:?}");
        }
    }
}

#[test]
fn every_schema_has_its_name() {
    let names = run_binary(&["schema"], &[]);
    assert_eq!(names.code, Some(0));
    assert!(names.stdout.lines().count() > 10, "{}", names.stdout);
    for name in names.stdout.lines() {
        schema(name);
    }
}
