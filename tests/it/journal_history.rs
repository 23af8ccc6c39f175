//! What the journal tells of rows that several runs wrote: who began, who settled, who ended; to a role that
//! may only read; nothing of a request's body.

use serde_json::Value;

use relink::domain::Mode;
use relink::exit::ExitStatus;
use relink::saga::{Ending, Operation, State};
use relink::sandbox::Sandbox;
use relink::store::{Journal, Lease, NewRun, Outcome, OutcomeKind};

use crate::journal_world::{
    begin, begin_at, claim_fresh, die, done, minted, minting, new_run, order, publication,
    replacement, take_over, timings,
};
use crate::store_world::{World, on_each_database};
use crate::support::world::{Output, run_binary};

on_each_database!(World:
    a_run_that_only_settled_what_another_left_is_shown_with_it,
    a_role_that_may_only_read_is_told_the_same,
    an_order_is_told_in_both_modes_and_the_next_command_means_the_right_one,
    nothing_of_a_body_and_no_address_is_shown_and_no_text_is_obeyed,
    a_list_that_was_cut_says_so,
);

fn relink_on(url: &str, args: &[&str]) -> Output {
    // No key, no address of Stripe: the journal needs neither.
    run_binary(args, &[("DATABASE_URL", url)])
}

fn shown(url: &str, args: &[&str]) -> String {
    let output = relink_on(url, args);
    assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
    assert_eq!(output.stderr, "");
    output.stdout
}

fn document(url: &str, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    serde_json::from_str(&shown(url, &all)).unwrap()
}

/// Mints and publishes what the lease is for, and ends the operation.
async fn conclude(journal: &Journal, lease: &Lease, operation: &Operation, key: &str) {
    let (operation, intent) = minting(operation, 1, key);
    let step = journal.intend(lease, &operation, &intent).await.unwrap();
    let operation = minted(&operation, "plink_new");
    let outcome = done("plink_new");
    journal
        .conclude(lease, &operation, step, &outcome)
        .await
        .unwrap();
    let published = publication(1, Some("cs_test_one"), 5500);
    journal
        .publish(lease, &operation, &published)
        .await
        .unwrap();
    let link = operation.minted.clone().unwrap();
    let ended = Operation {
        state: State::Ended(Ending::Replaced {
            link,
            unconfirmed: None,
        }),
        ..operation
    };
    journal.close(lease, &ended, true).await.unwrap();
}

/// The first run mints and dies, the second takes over and dies, the third concludes.
async fn two_deaths_and_an_end(world: &World) {
    let first = begin(world, "0197-first").await;
    let lease = claim_fresh(&first, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "k1");
    first.intend(&lease, &operation, &intent).await.unwrap();
    die(world, first).await;
    let second = begin(world, "0197-second").await;
    take_over(&second, &order(1)).await;
    die(world, second).await;
    let third = begin(world, "0197-third").await;
    let (lease, operation, _) = take_over(&third, &order(1)).await;
    conclude(&third, &lease, &operation, "k1").await;
    third.finish(ExitStatus::Done).await.unwrap();
}

async fn a_run_that_only_settled_what_another_left_is_shown_with_it(world: World) {
    two_deaths_and_an_end(&world).await;
    let of_first = document(&world.url, &["journal", "show", "0197-f"]);
    let of_second = document(&world.url, &["journal", "show", "0197-s"]);
    let of_third = document(&world.url, &["journal", "show", "0197-t"]);
    for shown in [&of_second, &of_third] {
        assert_eq!(shown["operations"], of_first["operations"], "{shown}");
        assert_eq!(shown["steps"], of_first["steps"], "{shown}");
    }
    let operation = &of_first["operations"][0];
    assert_eq!(operation["begun_by"], "0197-first");
    assert_eq!(operation["held_by"], "0197-third");
    assert_eq!(operation["ending"], "replaced");
    let cut_short = &of_first["steps"][0];
    assert_eq!(cut_short["run"], "0197-first");
    assert_eq!(cut_short["outcome"]["run"], "0197-second");
    assert_eq!(cut_short["outcome"]["kind"], "unknown");

    let runs = document(&world.url, &["journal", "list"])["runs"].clone();
    let counted = |at: usize| {
        ["id", "orders", "stripe_writes", "steps", "left_open"]
            .map(|name| runs[at][name].to_string())
            .join(" ")
    };
    assert_eq!(counted(0), "\"0197-third\" 1 1 2 0");
    assert_eq!(counted(1), "\"0197-second\" 1 0 0 0");
    assert_eq!(counted(2), "\"0197-first\" 1 1 1 0");
    let table = shown(&world.url, &["journal", "show", "0197-second"]);
    assert!(table.contains("unknown (by this one)"), "{table}");
    assert!(table.contains("replaced (by run 0197-third)"), "{table}");
}

async fn a_role_that_may_only_read_is_told_the_same(world: World) {
    two_deaths_and_an_end(&world).await;
    let asked: [&[&str]; 3] = [
        &["journal", "list"],
        &["journal", "show", "0197-first"],
        &["journal", "show", "--order-id", "1"],
    ];
    if world.is_postgres() {
        for args in asked {
            let refused = relink_on(world.readonly_url(), args);
            assert_eq!(
                refused.code,
                Some(5),
                "{}{}",
                refused.stdout,
                refused.stderr
            );
            assert_eq!(refused.stdout, "");
        }
        let reader = "relink_test_reader";
        let grants = format!(
            "GRANT USAGE ON SCHEMA relink TO {reader}; GRANT SELECT ON ALL TABLES IN SCHEMA relink TO {reader}"
        );
        world.run(&grants).await;
    }
    let before = world.journal_text().await;
    for args in asked {
        assert_eq!(shown(world.readonly_url(), args), shown(&world.url, args));
    }
    assert_eq!(world.journal_text().await, before);
}

async fn an_order_is_told_in_both_modes_and_the_next_command_means_the_right_one(world: World) {
    two_deaths_and_an_end(&world).await;
    let live = NewRun {
        mode: Mode::Live,
        ..new_run("0198-live")
    };
    let journal = begin_at(&world.url, live, timings()).await;
    claim_fresh(&journal, &order(1), &replacement()).await;
    let told = document(&world.url, &["journal", "show", "--order-id", "1"]);
    let modes: Vec<&Value> = [0, 1].map(|at| &told["operations"][at]["mode"]).to_vec();
    assert_eq!(modes, ["test", "live"]);
    assert_eq!(told["next"]["command"], "relink regen --order-id 1 --live");
    let table = shown(&world.url, &["journal", "show", "0198"]);
    assert!(
        table.contains("┆ open  ┆ claimed, last by this one"),
        "{table}"
    );
    assert!(table.contains("\n1 operation is open"), "{table}");
    journal.finish(ExitStatus::Interrupted).await.unwrap();
}

async fn nothing_of_a_body_and_no_address_is_shown_and_no_text_is_obeyed(world: World) {
    let bad = "no\u{1b}[2J\n\u{202e}evil";
    let run = NewRun {
        command: bad.to_owned(),
        os_user: bad.to_owned(),
        host: bad.to_owned(),
        reason: Some(bad.to_owned()),
        ..new_run("0197-bad")
    };
    let journal = begin_at(&world.url, run, timings()).await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, mut intent) = minting(&replacement(), 1, "k1");
    intent.write.body = "payment_intent_data[metadata][parent_email]=pat%40example.org".to_owned();
    let step = journal.intend(&lease, &operation, &intent).await.unwrap();
    let refused = Outcome {
        kind: OutcomeKind::Refused,
        result_id: None,
        result_url: None,
        request_id: Some(bad.to_owned()),
        error: Some(format!("{bad}: no such address pat@example.org")),
    };
    journal
        .conclude(&lease, &operation, step, &refused)
        .await
        .unwrap();
    journal.release(&lease).await.unwrap();
    journal.finish(ExitStatus::Partial).await.unwrap();

    let asked: [&[&str]; 3] = [
        &["journal", "list"],
        &["journal", "show", "0197-bad"],
        &["journal", "show", "--order-id", "1"],
    ];
    for args in asked {
        for format in ["table", "json"] {
            let mut all = args.to_vec();
            all.extend(["-o", format]);
            let text = shown(&world.url, &all);
            assert!(text.contains("evil"), "{text}");
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
            assert!(!text.contains("example.org"), "{text}");
        }
    }
}

async fn a_list_that_was_cut_says_so(world: World) {
    for id in ["0197-a", "0197-b", "0197-c"] {
        let journal = begin(&world, id).await;
        journal.finish(ExitStatus::Done).await.unwrap();
    }
    let ids = |told: &Value| -> Vec<String> {
        let runs = told["runs"].as_array().unwrap();
        runs.iter()
            .map(|run| run["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let cut = document(&world.url, &["journal", "list", "--limit", "2"]);
    assert_eq!(ids(&cut), ["0197-c", "0197-b"]);
    assert_eq!(cut["more"], true);
    let all = document(&world.url, &["journal", "list", "--limit", "3"]);
    assert_eq!(ids(&all), ["0197-c", "0197-b", "0197-a"]);
    assert_eq!(all["more"], false);
    let table = shown(&world.url, &["journal", "list", "--limit", "2"]);
    assert!(
        table.ends_with("there are older ones: these are the newest 2 runs\n"),
        "{table}"
    );
    let table = shown(&world.url, &["journal", "show", "0197-a"]);
    assert!(table.ends_with("\nit touched nothing\n"), "{table}");
    let since = ["journal", "list", "--since", "2100-01-01T00:00:00Z"];
    assert_eq!(
        shown(&world.url, &since),
        "no run that writes has begun since 2100-01-01 00:00:00 UTC\n"
    );
}

#[test]
fn an_empty_id_names_no_run() {
    let output = relink_on("sqlite:///nowhere.db", &["journal", "show", ""]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
}

#[tokio::test]
async fn the_sandboxs_journal_is_read_while_another_process_works_there() {
    let dir = tempfile::tempdir().unwrap();
    let at_work = Sandbox::open(dir.path()).await.unwrap();
    let sandbox = format!("--sandbox={}", dir.path().display());
    let output = run_binary(&["journal", "list", &sandbox], &[]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(0), "no run has written anything yet\n"),
        "{}",
        output.stderr
    );
    at_work.close().await.unwrap();
}
