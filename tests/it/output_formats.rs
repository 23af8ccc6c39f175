//! One result in each format: for people, for programs as one document or line by line, for spreadsheets, as bare ids.
//! stdout holds the result and nothing else, also when there is none.

use serde_json::{Value, json};

use crate::support::world::*;

async fn mixed() -> (World, [OrderId; 3]) {
    let world = World::on(Backend::Sqlite).await;
    let dead = pending(5500)
        .for_player("=cmd|'/c calc'!A1")
        .mailed_to("ann.lee@example.com");
    let dead = world
        .order(dead.in_tournaments(&[7]).behind(expired_session()))
        .await;
    let other = pending(6500)
        .for_player("Zoë, \"Z\" 李")
        .behind(expired_session());
    let other = world.order(other).await;
    let healthy = world.order(pending(5500).behind(active_link())).await;
    (world, [dead, other, healthy])
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = output.stdout.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn events_begin_with_a_header_and_end_with_the_exit_code() {
    let (world, [dead, ..]) = mixed().await;
    let dry = world.relink(&["regen", "--all", "-o", "jsonl"]).await;
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    let told = lines(&dry);
    assert_eq!(
        types(&told),
        ["header", "order", "order", "order", "totals", "summary"]
    );
    assert_eq!(told[0]["schema"], "relink.events/1");
    assert_eq!(told[1]["order_id"], json!(dead.0));
    assert_eq!(told[4]["counts"]["replace"], 2);
    assert_eq!(told[5]["exit_code"], 0);

    let done = world
        .relink(&["regen", "--all", "-o", "jsonl", "--commit", "--yes"])
        .await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let told = lines(&done);
    assert_eq!(
        types(&told),
        ["header", "outcome", "outcome", "totals", "summary"]
    );
    assert!(told[1]["link"]["url"].as_str().unwrap().starts_with("http"));
    assert_eq!(told[3]["summary"]["links_minted"], 2);

    let failed = world
        .relink(&["regen", "--order-id", "99", "-o", "jsonl"])
        .await;
    let told = lines(&failed);
    assert_eq!(types(&told), ["header", "error", "summary"]);
    assert_eq!(told[1]["code"], "unknown_order");
    assert_eq!(told[2]["exit_code"], 2);
    let mistyped = world.relink(&["regen", "--every", "-o=jsonl"]).await;
    assert_eq!(types(&lines(&mistyped)), ["header", "error", "summary"]);
}

/// The outcome of an order is told when it ends, not when the run does.
#[tokio::test]
async fn an_outcome_is_an_event_of_its_moment() {
    use std::io::{BufRead, BufReader};
    let (world, _) = mixed().await;
    let second = json!({"method": "POST", "path": "/v1/payment_links", "nth": 2, "when": "before", "kind": "park", "times": 1});
    world.fault(second).await;
    let mut command = world.command(&[
        "regen",
        "--all",
        "-o",
        "jsonl",
        "--commit",
        "--yes",
        "--concurrency",
        "1",
    ]);
    let command = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped());
    let mut running = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let out = BufReader::new(running.stdout.take().unwrap());
    let reading = tokio::task::spawn_blocking(move || {
        let mut told = out.lines();
        let first: Vec<String> = told.by_ref().take(2).map(Result::unwrap).collect();
        (first, told)
    });
    let parked = world.wait_for_parked().await;
    let (first, rest) = reading.await.unwrap();
    assert!(first[1].starts_with(r#"{"type":"outcome""#), "{first:?}");
    world.release(parked).await;
    let rest = tokio::task::spawn_blocking(move || rest.count())
        .await
        .unwrap();
    assert_eq!(rest, 3);
    assert!(running.wait().unwrap().success());
}

#[tokio::test]
async fn a_spreadsheet_has_numbers_as_numbers_and_no_formulas() {
    let (world, [dead, other, healthy]) = mixed().await;
    let output = world.relink(&["inspect", "--all", "-o", "csv"]).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let mut reader = csv::Reader::from_reader(output.stdout.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        let at = names.iter().position(|found| found == name).unwrap();
        rows.iter()
            .map(|row| row[at].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        column("order_id"),
        [dead, other, healthy].map(|id| id.to_string())
    );
    assert_eq!(column("amount"), ["55.00", "65.00", "55.00"]);
    assert_eq!(column("currency"), ["USD", "USD", "USD"]);
    assert_eq!(column("player")[0], "'=cmd|'/c calc'!A1");
    assert_eq!(column("player")[1], "Zoë, \"Z\" 李");
    assert_eq!(column("parent_email")[0], "ann.lee@example.com");
    assert_eq!(column("verdict"), ["dead", "dead", "healthy"]);
    let bare = world
        .relink(&["inspect", "--all", "-o", "csv", "--no-headers"])
        .await;
    assert_eq!(bare.stdout.lines().count(), 3);
}

#[tokio::test]
async fn ids_are_for_the_next_command() {
    let (world, [dead, other, healthy]) = mixed().await;
    let output = world.relink(&["inspect", "--all", "-o", "ids"]).await;
    assert_eq!(output.stdout, format!("{dead}\n{other}\n{healthy}\n"));
    let dead_ones = world
        .relink(&["inspect", "--all", "--verdict", "dead", "-o", "ids"])
        .await;
    assert_eq!(dead_ones.stdout, format!("{dead}\n{other}\n"));
    world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    let runs = world.relink(&["journal", "list", "-o", "ids"]).await;
    assert_eq!(runs.stdout.lines().count(), 1);
    let of_the_run = world
        .relink(&["journal", "show", runs.stdout.trim(), "-o", "ids"])
        .await;
    // In the order in which they were done.
    let mut ids: Vec<&str> = of_the_run.stdout.lines().collect();
    ids.sort_unstable();
    assert_eq!(ids, [dead.to_string(), other.to_string()]);
    let failed = world
        .relink(&["inspect", "--order-id", "99", "-o", "ids"])
        .await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(2), ""));
}

#[tokio::test]
async fn wide_is_one_line_per_order_with_whole_ids_and_masked_addresses() {
    let (world, [dead, ..]) = mixed().await;
    let output = world
        .relink(&["inspect", "--all", "-o", "wide", "--no-headers"])
        .await;
    let row = output
        .stdout
        .lines()
        .find(|line| line.contains(&dead.to_string()));
    let row = row.unwrap_or_else(|| panic!("{}", output.stdout));
    assert!(row.contains("a…@example.com"), "{row}");
    assert!(!output.stdout.contains("ann.lee"), "{}", output.stdout);
    assert!(
        !output.stdout.contains("what would be done"),
        "{}",
        output.stdout
    );
    assert!(row.contains("would mint"), "{row}");
    let shown = world
        .relink(&["inspect", "--all", "-o", "wide", "--show-pii"])
        .await;
    assert!(
        shown.stdout.contains("ann.lee@example.com"),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stdout.contains("what would be done"),
        "{}",
        shown.stdout
    );
    let table = world.relink(&["inspect", "--all"]).await;
    assert!(!table.stdout.contains("example.com"), "{}", table.stdout);
    let document = world.relink(&["inspect", "--all", "-o", "json"]).await;
    assert!(
        document.stdout.contains("ann.lee@example.com"),
        "{}",
        document.stdout
    );
    let one = world
        .relink(&["inspect", "--order-id", &dead.to_string()])
        .await;
    assert!(one.stdout.contains("<a…@example.com>"), "{}", one.stdout);
}

#[tokio::test]
async fn quiet_says_nothing_when_there_is_nothing_to_say() {
    let (world, _) = mixed().await;
    let commit = ["regen", "--all", "--commit", "--yes", "-q"];
    let first = world.relink(&commit).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        first.stdout.contains("2 approved: 2 done"),
        "{}",
        first.stdout
    );
    for arguments in [
        &commit[..],
        &["regen", "--all", "-q"],
        &["inspect", "--all", "--check", "-q"],
        &["retire", "--all", "--commit", "--yes", "-q"],
    ] {
        let output = world.relink(arguments).await;
        assert_eq!(output.code, Some(0), "{arguments:?}: {}", output.stderr);
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("", ""),
            "{arguments:?}"
        );
    }
    let document = world.relink(&["regen", "--all", "-q", "-o", "json"]).await;
    assert!(document.stdout.starts_with('{'), "{}", document.stdout);
    world.order(paid(5500).behind(active_link())).await;
    let needed = world.relink(&["inspect", "--all", "--check", "-q"]).await;
    assert_eq!(needed.code, Some(11));
    assert!(needed.stdout.contains("leaked"), "{}", needed.stdout);
}

/// The probe says what is worst; what it could not read is nothing that waits for a repair.
#[tokio::test]
async fn a_check_that_could_not_read_an_order_or_needs_a_person_does_not_call_it_work() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let check = ["inspect", "--all", "--check"];
    assert_eq!(world.relink(&check).await.code, Some(10));
    let wrong = world
        .order(pending(5500).behind(active_link().of(4500)))
        .await;
    assert_eq!(world.relink(&check).await.code, Some(3));
    world.rows.set(wrong.0, "status", "'canceled'").await;
    assert_eq!(world.relink(&check).await.code, Some(11));
    world.rows.set(wrong.0, "status", "'refunded'").await;
    let rule = serde_json::json!({"method": "GET", "path": "/v1/payment_links", "kind": "status", "status": 500, "times": 9});
    world.fault(rule).await;
    assert_eq!(world.relink(&check).await.code, Some(3));
}

#[tokio::test]
async fn a_list_that_cannot_be_written_leaves_one_document_alone() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(active_link())).await;
    let output = world
        .relink(&[
            "inspect",
            "--all",
            "-o",
            "json",
            "--csv-out",
            "/nowhere/x.csv",
        ])
        .await;
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["schema"], "relink.error/1");
}

/// Stripe repeats what it refuses, and a parent's address is among what it is sent.
#[tokio::test]
async fn an_address_that_stripe_repeats_is_not_shown() {
    let world = World::on(Backend::Sqlite).await;
    let order = pending(5500).mailed_to("carmen@example.com");
    world.order(order.behind(expired_session())).await;
    let body = serde_json::json!({"error": {"type": "invalid_request_error", "message": "Invalid value: carmen@example.com"}});
    let rule = serde_json::json!({"method": "POST", "kind": "status", "status": 400, "body": body, "times": 9});
    world.fault(rule).await;
    let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains("Invalid value: …@…"),
        "{}",
        output.stdout
    );
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains("carmen@"), "{text}");
    }
}
