//! What was missed is made good: from Stripe's events, from a file, or off an order's own sessions; and whatever needs
//! a person stays an alarm until that person has said so.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::receiver::Receiver;
use crate::support::world::*;

const REGEN: [&str; 4] = ["regen", "--all", "--commit", "--yes"];
const REPLAY: [&str; 4] = ["webhook", "replay", "--since", "72h"];
const CHECK: [&str; 3] = ["inspect", "--all", "--check"];

/// An order with a link of ours, paid while nobody received events.
async fn paid_unheard(world: &World) -> OrderId {
    let order = world.order(pending(5500).behind(expired_session())).await;
    let output = world.relink(&REGEN).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let link = world.row(order.0).await.reference.unwrap();
    world.visit(&link).await;
    world.pay(&link).await;
    order
}

async fn committed(world: &World, command: &[&str]) -> Output {
    let command = [command, &["--commit", "--yes"]].concat();
    world.relink(&command).await
}

async fn status(world: &World, order: OrderId) -> String {
    world.row(order.0).await.status
}

/// Every event with all that follows from it: first as it is foreseen, which writes nothing, then as it was taken in.
async fn foreseen_and_done(world: &World, command: &[&str]) -> (Value, Value) {
    let before = world.listing().await;
    let dry = world.relink(&[command, &["-o", "json"]].concat()).await;
    assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
    assert_eq!(world.listing().await, before);
    let done = committed(world, &[command, &["-o", "json"]].concat()).await;
    let told = |output: &Output| {
        let told: Value = serde_json::from_str(&output.stdout).unwrap();
        json!([told["events"], told["received_before"]])
    };
    (told(&dry), told(&done))
}

/// What became of each event, in one word, and how many were received before.
fn rulings(told: &Value) -> (Vec<&str>, &Value) {
    let events = told[0].as_array().unwrap().iter();
    (
        events
            .map(|event| event["ruling"].as_str().unwrap())
            .collect(),
        &told[1],
    )
}

/// The id of the one incident that `inspect --check` names.
async fn incident(world: &World) -> String {
    let checked = world.relink(&CHECK).await;
    assert_eq!(
        checked.code,
        Some(11),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    let after = checked.stderr.split("incident ").nth(1);
    let named = after.unwrap_or_else(|| panic!("{}", checked.stderr));
    named.split(':').next().unwrap().to_owned()
}

on_each_backend! {
    async fn a_payment_that_nobody_heard_of_is_shown_then_settled_and_its_link_closed(world) {
        let order = paid_unheard(&world).await;
        let id = order.to_string();
        let inspected = world.relink(&["inspect", "--order-id", &id]).await;
        let next = format!("relink webhook replay --order-id {id}");
        assert!(inspected.stdout.contains(&next), "{}", inspected.stdout);

        let before = world.listing().await;
        let dry = world.relink_reading(&REPLAY);
        assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
        assert!(dry.stdout.contains("would settle 1 order"), "{}", dry.stdout);
        assert_eq!(world.listing().await, before);
        let unasked = world.relink(&[&REPLAY[..], &["--commit"]].concat()).await;
        assert_eq!(unasked.code, Some(6), "{}", unasked.stderr);
        let accepted = format!("relink {} --commit", REPLAY.join(" "));
        let hint = unasked.stderr.lines().find(|line| line.contains(&accepted));
        assert!(hint.is_some_and(|hint| hint.ends_with(" --yes")), "{}", unasked.stderr);
        assert_eq!(world.listing().await, before);

        let done = committed(&world, &REPLAY).await;
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        assert_eq!(status(&world, order).await, "paid");
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        let again = committed(&world, &REPLAY).await;
        assert!(again.stdout.contains("1 received before"), "{}", again.stdout);
        assert_eq!(world.relink(&CHECK).await.code, Some(0));
    }
}

on_each_backend! {
    async fn a_payment_older_than_stripes_events_is_settled_off_the_orders_own_sessions(world) {
        let order = paid_unheard(&world).await;
        world.pass(40 * 86_400).await;
        let since = committed(&world, &["webhook", "replay", "--since", "60d"]).await;
        assert_eq!(since.code, Some(0), "{}{}", since.stdout, since.stderr);
        assert!(since.stderr.contains("Stripe keeps events for 30 days"), "{}", since.stderr);
        assert_eq!(status(&world, order).await, "pending");

        let named = committed(&world, &["webhook", "replay", "--order-id", &order.to_string()]).await;
        assert_eq!(named.code, Some(0), "{}{}", named.stdout, named.stderr);
        assert_eq!(status(&world, order).await, "paid");
        let again = committed(&world, &["webhook", "replay", "--order-id", &order.to_string()]).await;
        assert!(again.stdout.contains("1 received before; nothing to take in"), "{}", again.stdout);
    }
}

on_each_backend! {
    /// Whoever ended the alarm as the first command said may learn only then that the order stays unpaid.
    async fn an_amount_is_accepted_also_after_its_incident_was_ended(world) {
        let order = paid_unheard(&world).await;
        world.rows.set(order.0, "amount_cents", "6000").await;
        committed(&world, &REPLAY).await;
        let incident = incident(&world).await;
        let id = order.to_string();
        let resolve = ["resolve", "--order-id", &id, "--incident", &incident, "--commit", "--reason"];
        let dry = world.relink(&[&resolve[..5], &["--reason", "seen"]].concat()).await;
        assert!(dry.stdout.contains("its payment settles nothing then"), "{}", dry.stdout);
        let ended = world.relink(&[&resolve[..], &["seen"]].concat()).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(world.relink(&CHECK).await.code, Some(11), "the order does not know of its payment");

        let replay = ["webhook", "replay", "--order-id", &id];
        let replayed = world.relink(&replay).await;
        assert!(replayed.stdout.contains("settle 0 orders") || replayed.stdout.contains("nothing to take in"), "{}", replayed.stdout);
        assert!(replayed.stderr.contains("(seen), so that cs_"), "{}", replayed.stderr);
        let way_out = format!("relink resolve --order-id {id} --incident {incident} --accept-amount");
        assert!(replayed.stderr.contains(&way_out), "{}", replayed.stderr);

        let accept = [&resolve[..], &["agreed", "--accept-amount"]].concat();
        let accepted = world.relink(&accept).await;
        assert_eq!(accepted.code, Some(0), "{}{}", accepted.stdout, accepted.stderr);
        assert_eq!(status(&world, order).await, "paid");
        let said = world.journaled("incidents", "SELECT reason FROM {}").await;
        assert!(said[0].starts_with("agreed (before, acknowledged by "), "{said:?}");
        assert!(said[0].ends_with(": seen)"), "{said:?}");
        committed(&world, &["retire", "--all"]).await;
        assert_eq!(world.relink(&CHECK).await.code, Some(0));
        assert_eq!(world.relink(&accept).await.code, Some(2), "it was accepted, and is so once");
    }
}

on_each_backend! {
    async fn another_amount_is_an_alarm_until_a_person_accepts_it(world) {
        let order = paid_unheard(&world).await;
        world.rows.set(order.0, "amount_cents", "6000").await;
        let done = committed(&world, &REPLAY).await;
        assert_eq!(done.code, Some(3), "{}{}", done.stdout, done.stderr);
        assert_eq!(status(&world, order).await, "pending");

        let incident = incident(&world).await;
        let id = order.to_string();
        let resolve = ["resolve", "--order-id", &id, "--incident", &incident, "--reason", "agreed", "--accept-amount"];
        let dry = world.relink(&resolve).await;
        assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
        assert_eq!(status(&world, order).await, "pending");
        let other = world.relink(&["resolve", "--order-id", "999999", "--incident", &incident, "--reason", "x", "--commit"]).await;
        assert_eq!(other.code, Some(2), "{}", other.stderr);
        let accepted = world.relink(&[&resolve[..], &["--commit"]].concat()).await;
        assert_eq!(accepted.code, Some(0), "{}{}", accepted.stdout, accepted.stderr);
        assert_eq!(status(&world, order).await, "paid");
        let noted = world.journaled("incidents", "SELECT reason FROM {}").await;
        assert_eq!(noted, ["agreed"]);
        let checked = world.relink(&CHECK).await;
        assert!(!checked.stderr.contains("incident"), "{}", checked.stderr);
    }
}

on_each_backend! {
    /// Two sessions of one link, both paid: the first one settles the order, and the second one is one too many.
    async fn two_payments_of_one_order_are_foreseen_as_they_are_taken_in(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let output = world.relink(&REGEN).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let link = world.row(order.0).await.reference.unwrap();
        let (first, second) = (world.visit(&link).await, world.visit(&link).await);
        for session in [first, second] {
            world.pay(session["id"].as_str().unwrap()).await;
        }
        let dry = world.relink_reading(&REPLAY);
        let words = "2 events, 0 received before; would settle 1 order, would open 1 incident";
        assert!(dry.stdout.contains(words), "{}", dry.stdout);
        let (foreseen, done) = foreseen_and_done(&world, &REPLAY).await;
        assert_eq!(rulings(&done), (vec!["settled", "double_payment"], &json!(0)), "{done}");
        assert_eq!(foreseen, done);
        assert_eq!(status(&world, order).await, "paid");
    }
}

on_each_backend! {
    async fn an_event_whose_incident_is_known_is_foreseen_as_it_is_taken_in(world) {
        let order = paid_unheard(&world).await;
        world.rows.set(order.0, "amount_cents", "6000").await;
        let id = order.to_string();
        let named = ["webhook", "replay", "--order-id", &id];
        // The same session under its own event, and then under the one made of it, each for the first time and again.
        for command in [&REPLAY[..], &named] {
            let (foreseen, done) = foreseen_and_done(&world, command).await;
            assert_eq!(rulings(&done), (vec!["other_amount"], &json!(0)), "{done}");
            assert_eq!(foreseen[0][0]["incident"], done[0][0]["incident"]);
            let again = world.relink(command).await;
            let words = "1 event, 1 received before; nothing to take in";
            assert!(again.stdout.contains(words), "{}", again.stdout);
            let (foreseen, done) = foreseen_and_done(&world, command).await;
            assert_eq!(rulings(&done), (vec![], &json!(1)), "{done}");
            assert_eq!(foreseen, done);
        }
        // What the row says now makes another thing of it.
        world.rows.set(order.0, "amount_cents", "5500").await;
        let (foreseen, done) = foreseen_and_done(&world, &named).await;
        assert_eq!(rulings(&done), (vec!["settled"], &json!(0)), "{done}");
        assert_eq!(foreseen, done);
        let (foreseen, done) = foreseen_and_done(&world, &REPLAY).await;
        assert_eq!(rulings(&done), (vec![], &json!(1)), "{done}");
        assert_eq!(foreseen, done);
    }
}

#[tokio::test]
async fn events_come_from_a_file_whole_or_not_at_all() {
    let world = World::on(Backend::Sqlite).await;
    let witness = Receiver::start().await;
    world
        .send_webhooks(&witness.url(), "whsec_for_the_witness")
        .await;
    let order = paid_unheard(&world).await;
    let event = witness.wait_for(1).await.remove(0).body;
    let event: Value = serde_json::from_str(&event).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    let path = file.to_str().unwrap();
    let replay = ["webhook", "replay", "--from-file", path];

    std::fs::write(&file, format!("{event}\n\nno event\n")).unwrap();
    let bad = committed(&world, &replay).await;
    assert_eq!(bad.code, Some(2), "{}", bad.stderr);
    assert!(bad.stderr.contains("line 3 is no event"), "{}", bad.stderr);
    assert_eq!(status(&world, order).await, "pending");

    let mut twin = event.clone();
    twin["id"] = json!("evt_twin");
    std::fs::write(&file, format!("{event}\n{event}\n{twin}\n")).unwrap();
    let (foreseen, done) = foreseen_and_done(&world, &replay).await;
    let expected = (vec!["settled", "duplicate_delivery"], &json!(1));
    assert_eq!(rulings(&done), expected, "{done}");
    assert_eq!(foreseen, done);
    assert_eq!(status(&world, order).await, "paid");
    let missing = world
        .relink(&["webhook", "replay", "--from-file", "/nowhere/events"])
        .await;
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
}

#[tokio::test]
async fn a_check_tells_monitoring_what_waits() {
    let world = World::on(Backend::Sqlite).await;
    let healthy = world.order(pending(5500).behind(active_link())).await;
    assert_eq!(world.relink(&CHECK).await.code, Some(0));
    world.order(pending(5500).behind(expired_session())).await;
    assert_eq!(world.relink(&CHECK).await.code, Some(10));
    world.rows.set(healthy.0, "status", "'canceled'").await;
    assert_eq!(world.relink(&CHECK).await.code, Some(11));
}

#[tokio::test]
async fn a_payment_for_an_order_that_is_nowhere_is_an_alarm_by_itself_until_it_is_acknowledged() {
    let world = World::on(Backend::Sqlite).await;
    let order = paid_unheard(&world).await;
    let delete = format!("DELETE FROM orders WHERE id = {order}");
    world.rows.execute(&delete).await;
    assert_eq!(
        world.relink(&CHECK).await.code,
        Some(0),
        "nobody was told yet"
    );
    let done = committed(&world, &REPLAY).await;
    assert_eq!(done.code, Some(3), "{}{}", done.stdout, done.stderr);
    let (incident, id) = (incident(&world).await, order.to_string());
    let resolve = [
        "resolve",
        "--order-id",
        &id,
        "--incident",
        &incident,
        "--reason",
        "refunded",
        "--commit",
    ];
    let resolved = world.relink(&resolve).await;
    assert_eq!(
        resolved.code,
        Some(0),
        "{}{}",
        resolved.stdout,
        resolved.stderr
    );
    assert_eq!(world.relink(&CHECK).await.code, Some(0));
}

/// The database took the payment in and then refuses what the closing would journal.
#[tokio::test]
async fn what_was_taken_in_is_told_where_the_rest_fails() {
    let world = World::on(Backend::Sqlite).await;
    let order = paid_unheard(&world).await;
    let refused =
        "CREATE TRIGGER refused BEFORE INSERT ON relink_runs BEGIN SELECT RAISE(ABORT, 'no'); END";
    world.rows.execute(refused).await;
    let done = committed(&world, &REPLAY).await;
    assert_ne!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout.contains("settled 1 order, opened 0 incidents"),
        "{}{}",
        done.stdout,
        done.stderr
    );
    assert_eq!(status(&world, order).await, "paid");

    world.rows.execute("DROP TRIGGER refused").await;
    let retired = committed(&world, &["retire", "--all"]).await;
    assert_eq!(
        retired.code,
        Some(0),
        "{}{}",
        retired.stdout,
        retired.stderr
    );
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
}

/// Between two events, as between two orders.
#[tokio::test]
async fn a_signal_ends_a_replay_between_two_events_and_what_was_taken_in_is_told() {
    let world = World::on(Backend::Sqlite).await;
    let first = world.order(pending(5500).behind(expired_session())).await;
    let second = world.order(pending(5500).behind(expired_session())).await;
    world.relink(&REGEN).await;
    for order in [first, second] {
        let link = world.row(order.0).await.reference.unwrap();
        world.visit(&link).await;
        world.pay(&link).await;
    }
    let command = [&REPLAY[..], &["--commit", "--yes"]].concat();
    let stopped = world
        .signal_after_the_commit(&command, "receive a payment", "TERM")
        .await;
    let said = format!("{}{}", stopped.stdout, stopped.stderr);
    assert_eq!(stopped.code, Some(143), "{said}");
    assert!(said.contains("settled 1 order"), "{said}");
    assert!(
        said.contains("the same command takes in the rest"),
        "{said}"
    );
    let states = [status(&world, first).await, status(&world, second).await];
    assert_eq!(states, ["paid", "pending"], "{said}");
    let again = committed(&world, &REPLAY).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    assert_eq!(status(&world, second).await, "paid");
}
