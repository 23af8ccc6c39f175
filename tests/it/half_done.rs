//! What was begun and can no longer be done as it was meant: the row is gone, or of another category, an object is
//! gone at Stripe, or Stripe fails every mint. Nothing that was begun stays payable, and nothing stays open for ever.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

fn parked(path: &str, when: &str) -> Value {
    json!({"method": "POST", "path": path, "when": when, "kind": "park", "times": 1})
}

async fn open_operations(world: &World) -> Vec<String> {
    world
        .journaled(
            "operations",
            "SELECT subject FROM {} WHERE closed_at IS NULL",
        )
        .await
}

async fn steps_without_an_outcome(world: &World) -> Vec<String> {
    let outcomes = world.journal_table("outcomes");
    let query =
        format!("SELECT step_id FROM {{}} WHERE step_id NOT IN (SELECT step_id FROM {outcomes})");
    world.journaled("steps", &query).await
}

async fn delete_row(world: &World, order: OrderId) {
    let sql = format!("DELETE FROM orders WHERE id = {order}");
    world.rows.execute(&sql).await;
}

async fn mints(world: &World) -> usize {
    let writes = world.writes().await;
    let mint = |write: &&Value| write["path"] == "/v1/payment_links";
    writes.iter().filter(mint).count()
}

async fn assert_all_concluded(world: &World) {
    assert_eq!(open_operations(world).await, Vec::<String>::new());
    assert_eq!(steps_without_an_outcome(world).await, Vec::<String>::new());
}

on_each_backend! {
    async fn what_was_to_be_closed_is_closed_although_the_row_is_gone_since(world) {
        let order = world.order(pending(5500).behind(active_link().of(4500).with(open_session().minutes_old(600)))).await;
        let mut releasing = COMMIT.to_vec();
        releasing.push("--allow-amount-change");
        world.kill_unheard(&releasing, parked("/v1/payment_links/*", "before")).await;
        delete_row(&world, order).await;
        assert!(!world.live_objects_of(order).await.is_empty());

        let dry = world.relink(&["regen", "--all"]).await;
        assert_eq!(dry.code, Some(0), "{}", dry.stderr);
        assert!(dry.stdout.contains(&format!("order {order}: its row is gone; would conclude")), "{}", dry.stdout);
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(3), "{}{}", again.stdout, again.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_all_concluded(&world).await;
    }
}

on_each_backend! {
    async fn a_link_that_was_minted_for_a_row_that_is_gone_since_is_closed(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, parked("/v1/payment_links", "after")).await;
        assert_eq!(world.live_objects_of(order).await.len(), 1);
        delete_row(&world, order).await;

        let id = order.to_string();
        let excluding = [&COMMIT[..], &["--exclude-order-id", &id]].concat();
        world.relink(&excluding).await;
        assert_eq!(world.live_objects_of(order).await.len(), 1, "it was excluded");

        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(3), "{}{}", again.stdout, again.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_all_concluded(&world).await;
        assert_eq!(mints(&world).await, 1);
        let quiet = world.relink(&COMMIT).await;
        assert_eq!(quiet.code, Some(0), "{}{}", quiet.stdout, quiet.stderr);
    }
}

on_each_backend! {
    async fn an_order_that_left_the_scope_half_done_loses_its_new_link_and_gets_no_other(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_at(&COMMIT, parked("/v1/payment_links", "after")).await;
        let set = format!("UPDATE products SET category = 'jersey' WHERE id = (SELECT product_id FROM orders WHERE id = {order})");
        world.rows.execute(&set).await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(3), "{}{}", again.stdout, again.stderr);
        assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
        assert_all_concluded(&world).await;
        assert_eq!(mints(&world).await, 1);
        // From now on it is nobody's business.
        let quiet = world.relink(&COMMIT).await;
        assert_eq!(quiet.code, Some(0), "{}{}", quiet.stdout, quiet.stderr);
    }
}

on_each_backend! {
    /// Stripe deletes test data on request; nothing of it ever comes back.
    async fn an_object_that_is_gone_at_stripe_ends_the_operation_and_is_a_persons_to_judge(world) {
        let order = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let healthy = world.order(pending(7000).behind(active_link())).await;
        let session = world.row(order.0).await.reference.unwrap();
        world.kill_unheard(&COMMIT, parked("/v1/checkout/sessions/*/expire", "before")).await;
        // No list shows it any more either.
        world.pass(90_000).await;
        let gone = json!({"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such checkout session"}});
        let rule = json!({"path": format!("/v1/checkout/sessions/{session}"), "kind": "status", "status": 404, "body": gone, "times": null});
        world.fault(rule).await;

        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(3), "{}{}", again.stdout, again.stderr);
        assert!(again.stdout.contains("does not exist"), "{}", again.stdout);
        assert_all_concluded(&world).await;
        let inspected = world.relink(&["inspect", "--order-id", &order.to_string(), "-o", "json"]).await;
        let shown: Value = serde_json::from_str(&inspected.stdout).unwrap();
        assert_eq!(shown["verdict"], "missing", "{}", inspected.stdout);
        let by_name = order.to_string();
        let released = world.relink(&["regen", "--order-id", &by_name, "--order-id", &healthy.to_string(), "--missing-is-dead", "--commit", "--yes"]).await;
        assert_eq!(released.code, Some(0), "{}{}", released.stdout, released.stderr);
        assert!(world.row(order.0).await.reference.unwrap().starts_with("plink_"));
    }
}

on_each_backend! {
    async fn a_stripe_that_fails_every_mint_is_asked_for_two_links_per_run_and_not_for_a_hundred(world) {
        world.order(pending(5500).behind(expired_session())).await;
        let rule = json!({"method": "POST", "path": "/v1/payment_links", "kind": "status", "status": 500, "headers": {"Idempotent-Replayed": "true"}, "times": null});
        world.fault(rule).await;
        let first = world.relink(&COMMIT).await;
        assert_eq!(first.code, Some(9), "{}{}", first.stdout, first.stderr);
        let keys = "SELECT DISTINCT idempotency_key FROM {} WHERE action = 'mint'";
        let keys = world.journaled("steps", keys).await;
        assert_eq!(keys.len(), 2, "{}{}", first.stdout, first.stderr);
        world.clear_faults().await;
        let again = world.relink(&COMMIT).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        assert_all_concluded(&world).await;
    }
}

/// What the journal's database says to the end of an operation, in SQLite's words.
async fn at_an_end(world: &World, when: &str, words: &str) {
    let operations = world.journal_table("operations");
    let sql = format!(
        "CREATE TRIGGER at_an_end {when} UPDATE ON {operations} WHEN NEW.closed_at IS NOT NULL BEGIN {words}; END"
    );
    world.rows.execute(&sql).await;
}

async fn no_more_at_an_end(world: &World) {
    world.rows.execute("DROP TRIGGER at_an_end").await;
}

/// An order whose mint is in doubt, and whose amount was edited since: the operation is ended without a link, and
/// another one is due.
async fn edited_in_doubt(world: &World) -> OrderId {
    let order = world.order(pending(5500).behind(expired_session())).await;
    world
        .kill_at(&COMMIT, parked("/v1/payment_links", "after"))
        .await;
    world.rows.set(order.0, "amount_cents", "6000").await;
    order
}

/// It is not "another run's": this run itself holds it open, and the next one can end it.
#[tokio::test]
async fn an_operation_whose_end_the_journal_refuses_is_said_to_be_left_open() {
    let world = World::on(Backend::Sqlite).await;
    let order = edited_in_doubt(&world).await;
    at_an_end(&world, "BEFORE", "SELECT RAISE(ABORT, 'no room')").await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(9), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains("the journal still holds it open"),
        "{}",
        output.stdout
    );
    assert_eq!(open_operations(&world).await, [format!("order:{order}")]);

    no_more_at_an_end(&world).await;
    let again = world.relink(&COMMIT).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    assert_eq!(
        world.live_objects_of(order).await,
        [world.row(order.0).await.reference.unwrap()]
    );
    assert_all_concluded(&world).await;
}

/// Between two transactions of this run another one began anew, and died: what it left is the next run's, which must
/// not have to wait for the end of this one.
#[tokio::test]
async fn what_another_run_left_between_two_transactions_is_left_open_and_let_go() {
    let world = World::on(Backend::Sqlite).await;
    let order = edited_in_doubt(&world).await;
    let operations = world.journal_table("operations");
    let taken = "subject, order_id, mode, account, task, state, record, attempt, expected_reference, begun_by, \
                 held_by, held_since, last_tx, begun_at, updated_at";
    let left = format!(
        "INSERT INTO {operations} (operation_id, {taken}) SELECT 'left', {taken} FROM {operations} \
         WHERE (SELECT COUNT(*) FROM {operations}) = 1"
    );
    at_an_end(&world, "AFTER", &left).await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(9), "{}{}", output.stdout, output.stderr);
    let leased = "SELECT operation_id FROM {} WHERE closed_at IS NULL AND lease_token IS NULL";
    assert_eq!(world.journaled("operations", leased).await, ["left"]);

    no_more_at_an_end(&world).await;
    let again = world.relink(&COMMIT).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    assert_eq!(
        world.live_objects_of(order).await,
        [world.row(order.0).await.reference.unwrap()]
    );
    assert_all_concluded(&world).await;
}

/// The same, and it lives and is at it.
#[tokio::test]
async fn what_another_run_took_between_two_transactions_is_said_to_be_worked_on_by_it() {
    let world = World::on(Backend::Sqlite).await;
    let order = edited_in_doubt(&world).await;
    let (runs, operations) = (
        world.journal_table("runs"),
        world.journal_table("operations"),
    );
    let process = "command, os_user, host, machine, boot_id, pid_namespace, pid, process_started, beacon, version, \
                   mode, account, plan_digest, started_at";
    let taken = "subject, order_id, mode, account, task, state, record, attempt, expected_reference, begun_by, \
                 held_since, last_tx, begun_at, updated_at, lease_until";
    let took = format!(
        "INSERT INTO {runs} (run_id, {process}) SELECT 'other', {process} FROM {runs} \
         WHERE run_id = NEW.held_by AND (SELECT COUNT(*) FROM {operations}) = 1; \
         INSERT INTO {operations} (operation_id, held_by, lease_token, {taken}) \
         SELECT 'taken', 'other', 'token', {taken} FROM {operations} \
         WHERE (SELECT COUNT(*) FROM {operations}) = 1"
    );
    at_an_end(&world, "AFTER", &took).await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(8), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("run other on "), "{}", output.stdout);
    let taken = "SELECT operation_id || ' ' || held_by FROM {} WHERE closed_at IS NULL";
    assert_eq!(world.journaled("operations", taken).await, ["taken other"]);
    assert_eq!(mints(&world).await, 1, "order {order}");
}
