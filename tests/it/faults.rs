//! What a commit makes of a Stripe that fails, and of a world that moves while it works. In the end there is
//! exactly one live object per order, or none and a clear word about it.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

on_each_backend! {
    /// The link exists, the answer is lost: the repetition has the same key and gets the same link.
    async fn a_lost_answer_to_the_mint_makes_no_second_link(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "reset", "times": 1})).await;
        let output = world.relink(&COMMIT).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let writes = world.writes().await;
        assert_eq!(writes.len(), 2, "{writes:?}");
        assert_eq!(writes[0]["idempotency_key"], writes[1]["idempotency_key"]);
        assert_eq!(world.live_objects_of(order).await, [world.row(order.0).await.reference.unwrap()]);
    }
}

on_each_backend! {
    async fn a_mint_that_stays_unknown_is_said_to_be_unknown_and_the_next_run_ends_with_one_link(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "reset", "times": 20})).await;
        let output = world.relink(&COMMIT).await;
        assert_eq!(output.code, Some(9), "{}{}", output.stdout, output.stderr);
        assert!(world.row(order.0).await.reference.unwrap().starts_with("cs_"));
        world.clear_faults().await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_eq!(world.live_objects_of(order).await, [world.row(order.0).await.reference.unwrap()]);
    }
}

#[tokio::test]
async fn every_passing_fault_of_a_write_is_repeated_with_its_key() {
    for fault in [
        json!({"kind": "status", "status": 429, "headers": {"Stripe-Rate-Limited-Reason": "endpoint-rate"}, "body": {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "slow down"}}, "when": "before"}),
        json!({"kind": "status", "status": 409, "body": {"error": {"type": "invalid_request_error", "code": "idempotency_key_in_use", "message": "in flight"}}, "when": "before"}),
        json!({"kind": "status", "status": 502, "body": "<html>bad gateway</html>", "when": "before"}),
        json!({"kind": "reset", "when": "before"}),
        json!({"kind": "garbage", "when": "after"}),
        json!({"kind": "truncated", "when": "after"}),
    ] {
        let world = World::on(Backend::Sqlite).await;
        let order = world.order(pending(5500).behind(expired_session())).await;
        let mut rule = fault.clone();
        rule["method"] = json!("POST");
        rule["times"] = json!(1);
        world.fault(rule).await;
        let output = world.relink(&COMMIT).await;
        assert_eq!(
            output.code,
            Some(0),
            "{fault}: {}{}",
            output.stdout,
            output.stderr
        );
        assert_eq!(
            world.live_objects_of(order).await,
            [world.row(order.0).await.reference.unwrap()],
            "{fault}"
        );
    }
}

#[tokio::test]
async fn one_order_that_fails_does_not_stop_the_others() {
    let world = World::on(Backend::Sqlite).await;
    let mut orders = Vec::new();
    for _ in 0..4 {
        orders.push(world.order(pending(5500).behind(expired_session())).await);
    }
    let body = json!({"error": {"type": "card_error", "code": "card_declined", "message": "no"}});
    world.fault(json!({"method": "POST", "kind": "status", "status": 402, "body": body, "when": "before", "times": 1})).await;
    let output = world
        .relink(&[
            "regen",
            "--all",
            "--commit",
            "--yes",
            "--concurrency",
            "1",
            "-v",
        ])
        .await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    // A log that is kept says how each order ended.
    let logged = |words| output.stderr.matches(words).count();
    assert_eq!(
        (logged("order not done"), logged("link replaced")),
        (1, 3),
        "{}",
        output.stderr
    );
    let mut stored = 0;
    for order in &orders {
        stored += usize::from(
            world
                .row(order.0)
                .await
                .reference
                .unwrap()
                .starts_with("plink_"),
        );
    }
    assert_eq!(stored, 3, "{}", output.stdout);
}

#[tokio::test]
async fn a_listing_that_does_not_finish_holds_every_order() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world.fault(json!({"method": "GET", "path": "/v1/payment_links", "kind": "status", "status": 500, "body": {"error": {"type": "api_error", "message": "oops"}}, "times": 50})).await;
    let output = world.relink(&["regen", "--all", "-o", "json"]).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(plan["orders"][0]["verdict"], "unobserved");
    assert_eq!(plan["orders"][0]["order_id"], order.0);
}

/// Lets a run get as far as `rule`, changes the world, lets it go on.
async fn meanwhile<F: Future<Output = ()>>(
    world: &World,
    rule: Value,
    change: impl FnOnce() -> F,
) -> Output {
    world.fault(rule).await;
    let running = world.spawn(&["regen", "--all", "--commit", "--yes"]);
    let parked = world.wait_for_parked().await;
    change().await;
    world.release(parked).await;
    running.finish().await
}

on_each_backend! {
    async fn a_payment_between_plan_and_expiry_stops_the_mint(world) {
        let order = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let session = world.row(order.0).await.reference.unwrap();
        let rule = json!({"method": "POST", "path": "/v1/checkout/sessions/*/expire", "when": "before", "kind": "park", "times": 1});
        let output = meanwhile(&world, rule, || async { world.pay(&session).await }).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("paid"), "{}", output.stdout);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_eq!(world.row(order.0).await.reference, Some(session));
    }
}

on_each_backend! {
    async fn an_order_edited_between_mint_and_publication_keeps_its_row_and_the_new_link_is_closed(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let before = world.row(order.0).await.reference;
        let rule = json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1});
        let output = meanwhile(&world, rule, || async { world.rows.set(order.0, "amount_cents", "9900").await }).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.row(order.0).await.reference, before);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    }
}

on_each_backend! {
    async fn an_order_paid_in_the_database_meanwhile_gets_no_link(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let rule = json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1});
        let output = meanwhile(&world, rule, || async { world.rows.set(order.0, "status", "'paid'").await }).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("it is settled now"), "{}", output.stdout);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_signal_lets_the_request_at_hand_finish_and_no_other_begin() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let world = World::on(Backend::Sqlite).await;
        let first = world.order(pending(5500).behind(expired_session())).await;
        let second = world.order(pending(5500).behind(expired_session())).await;
        let third = world.order(pending(5500).behind(expired_session())).await;
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "after", "kind": "park", "times": 1})).await;
        let commit = ["regen", "--all", "--commit", "--yes", "--concurrency", "1"];
        let running = world.spawn(&commit);
        let parked = world.wait_for_parked().await;
        let asked = world.requests().await.len();
        running.signal(signal);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        world.release(parked).await;
        let output = running.finish().await;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(code), "{said}");
        assert_eq!(world.requests().await.len(), asked, "{said}");
        assert!(
            output.stdout.contains("the run was asked to stop"),
            "{said}"
        );
        let note = "note: finishing the requests at hand; a second Ctrl-C ends at once\n";
        assert_eq!(output.stderr.matches(note).count(), 1, "{said}");
        // Orders that were not begun are no progress.
        assert!(output.stderr.contains("\norders: 33 % (1 of 3)"), "{said}");
        assert!(!output.stderr.contains("\norders: 66 %"), "{said}");
        for order in [first, second, third] {
            let held = world.row(order.0).await.reference.unwrap();
            assert!(held.starts_with("cs_"), "{said}");
        }
        // Its answer was journaled: the next run stores that very link.
        let made = world.live_objects_of(first).await;
        assert_eq!(made.len(), 1, "{said}");
        let again = world.relink(&commit).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_eq!(world.row(first.0).await.reference.as_ref(), made.first());
        assert_eq!(world.live_objects_of(second).await.len(), 1);
    }
}

/// Held where the request is journaled and has not left: it waits for its turn in the budget there, say.
#[tokio::test]
async fn a_request_that_a_signal_kept_from_leaving_is_told_as_interrupted_and_is_no_failure() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let world = World::on(Backend::Sqlite).await;
        let order = world.order(pending(5500).behind(expired_session())).await;
        // One failure would stop the run.
        let commit = [&COMMIT[..], &["--max-failures", "1"]].concat();
        let output = world
            .signal_after_the_commit(&commit, "journal an intent", signal)
            .await;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(code), "{said}");
        assert_eq!(world.writes().await, Vec::<Value>::new(), "{said}");
        for words in [
            "minting a link: the run was asked to stop; the next run goes on",
            "1 approved: 0 done, 0 failed, 0 unknown, 1 interrupted, 0 need a person",
            "next: run the same command again: it is safe",
        ] {
            assert!(output.stdout.contains(words), "{words}: {said}");
        }
        for words in [
            "it may have happened",
            "exit statuses that hold",
            "failed one after",
        ] {
            assert!(!output.stdout.contains(words), "{words}: {said}");
        }

        let journaled = world
            .relink(&["journal", "show", "--order-id", &order.to_string()])
            .await;
        let refused = "┆ refused ┆";
        let not_sent = "it was not sent: the run was asked to stop";
        let is_told = |words| journaled.stdout.contains(words);
        assert!(
            is_told(refused) && is_told(not_sent),
            "{}",
            journaled.stdout
        );
        let inspected = world
            .relink(&["inspect", "--order-id", &order.to_string()])
            .await;
        assert!(
            inspected.stdout.contains("in_doubt"),
            "{}",
            inspected.stdout
        );
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_eq!(
            world.live_objects_of(order).await,
            [world.row(order.0).await.reference.unwrap()]
        );
    }
}

#[tokio::test]
async fn who_only_reads_ends_at_the_first_signal_and_finishes_nothing() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    world.fault(json!({"method": "GET", "path": "/v1/payment_links", "when": "before", "kind": "park", "times": 1})).await;
    let running = world.spawn(&["regen", "--all"]);
    world.wait_for_parked().await;
    running.signal("INT");
    let output = running.finish().await;
    assert_eq!(output.code, Some(130), "{}{}", output.stdout, output.stderr);
    assert!(!output.stderr.contains("finishing"), "{}", output.stderr);
}

#[tokio::test]
async fn a_run_of_one_order_that_a_signal_cuts_short_says_so_by_its_status() {
    // A terminal that goes away says so twice: its kernel does, and the shell.
    for (signals, status) in [
        (&["INT"][..], 130),
        (&["TERM"][..], 143),
        (&["HUP", "HUP"][..], 143),
    ] {
        let world = World::on(Backend::Sqlite).await;
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.fault(parked_mint()).await;
        let running = world.spawn(&["regen", "--all", "--commit", "--yes"]);
        let parked = world.wait_for_parked().await;
        for name in signals {
            running.signal(name);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        world.release(parked).await;
        let output = running.finish().await;
        assert_eq!(
            output.code,
            Some(status),
            "{signals:?}: {}{}",
            output.stdout,
            output.stderr
        );
        assert_eq!(world.live_objects_of(order).await.len(), 1);
        let plan = world
            .relink(&["inspect", "--order-id", &order.to_string()])
            .await;
        assert!(plan.stdout.contains("in_doubt"), "{}", plan.stdout);
    }
}

#[tokio::test]
async fn a_run_that_was_started_to_outlive_its_terminal_does() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world.fault(parked_mint()).await;
    let relink = world.command(&["regen", "--all", "--commit", "--yes"]);
    // As `nohup` starts a command.
    let running = Running::start(in_a_shell("trap '' HUP", &relink));
    let parked = world.wait_for_parked().await;
    running.signal("HUP");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    world.release(parked).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let row = world.row(order.0).await;
    assert!(row.reference.unwrap().starts_with("plink_"));
}

/// Cron and systemd set such limits; the signal would end the run at any write.
#[tokio::test]
async fn a_limit_on_the_size_of_files_is_a_full_disk_and_ends_no_run_without_a_word() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let relink = world.command(&COMMIT);
    let output = Running::start(in_a_shell("ulimit -f 1", &relink))
        .finish()
        .await;
    assert!(output.code.is_some_and(|code| code != 0), "{output:?}");
    assert!(output.stderr.contains("error: "), "{}", output.stderr);
    let again = world.relink(&COMMIT).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
}

#[tokio::test]
async fn whoever_waits_for_a_stripe_that_never_answers_can_stop() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let mut command = world.command(&["inspect", "--order-id", &order.to_string()]);
        command.env("STRIPE_API_BASE", &base);
        let running = Running::start(command);
        let (_asked, _) = silent.accept().unwrap();
        let begun = std::time::Instant::now();
        running.signal(signal);
        let output = running.finish().await;
        assert_eq!(output.code, Some(status), "{}", output.stderr);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }
}

fn parked_mint() -> Value {
    json!({"method": "POST", "path": "/v1/payment_links", "when": "before", "kind": "park", "times": 1})
}

/// A shell that says so and then becomes the command.
fn in_a_shell(first: &str, command: &std::process::Command) -> std::process::Command {
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .env_clear()
        .args(["-c", &format!("{first}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// What the key was first used for may exist: its link is looked for, and only when there is none does another
/// key mint.
#[tokio::test]
async fn a_key_that_stripe_knows_with_other_parameters_is_looked_for_before_another_one_mints() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
    let body = json!({"error": {"type": "idempotency_error", "message": message}});
    world
        .fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "arrival", "kind": "status", "status": 400, "body": body, "times": 1}))
        .await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let requests = world.requests().await;
    let mints: Vec<usize> = requests
        .iter()
        .enumerate()
        .filter(|(_, request)| request["method"] == "POST")
        .map(|(at, _)| at)
        .collect();
    let [first, second] = mints[..] else {
        panic!("{mints:?}");
    };
    let key = |at: usize| requests[at]["idempotency_key"].clone();
    assert_ne!(key(first), key(second));
    let looked = |request: &Value| request["path"] == "/v1/events";
    assert!(requests[first..second].iter().any(looked), "{requests:#?}");
    let held = world.row(order.0).await.reference.unwrap();
    assert_eq!(world.live_objects_of(order).await, [held]);
}

/// A key that was revoked in the middle of a run: no later order can fare better, so none is begun.
#[tokio::test]
async fn a_key_that_is_refused_midway_stops_the_run_and_the_report_says_what_was_not_begun() {
    let revoked = json!({"error": {"type": "invalid_request_error", "message": "revoked"}});
    let mode = json!({"error": {"type": "invalid_request_error", "code": "livemode_mismatch", "message": "live"}});
    for (status, body, code) in [(401, &revoked, 5), (403, &revoked, 5), (400, &mode, 4)] {
        let world = World::on(Backend::Sqlite).await;
        for _ in 0..4 {
            world.order(pending(5500).behind(expired_session())).await;
        }
        world
            .fault(json!({"method": "POST", "nth": 2, "times": 50, "when": "arrival", "kind": "status", "status": status, "body": body}))
            .await;
        let output = world
            .relink(&[
                "regen",
                "--all",
                "--commit",
                "--yes",
                "--concurrency",
                "1",
                "-o",
                "json",
            ])
            .await;
        assert_eq!(
            output.code,
            Some(code),
            "{}{}",
            output.stdout,
            output.stderr
        );
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        let outcomes: Vec<&str> = report["outcomes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|outcome| outcome["outcome"].as_str().unwrap())
            .collect();
        assert_eq!(outcomes, ["replaced", "refused", "not_begun", "not_begun"]);
        assert_eq!(report["exit_code"], code);
    }
}
