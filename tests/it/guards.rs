//! What a commit asks for before it closes anything: the right account, the right to store what it mints,
//! the right to look before it publishes. And what narrows a selection.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

#[tokio::test]
async fn a_role_that_may_only_read_is_refused_before_anything_is_closed() {
    for flavour in [Flavour::NativeEnums, Flavour::TextColumns] {
        let world = World::on(Backend::Postgres(flavour)).await;
        let order = world
            .order(pending(5500).behind(open_session().minutes_old(600)))
            .await;
        world.freeze_writes().await;
        let output = world.relink_reading(&COMMIT);
        assert_eq!(output.code, Some(5), "{}{}", output.stdout, output.stderr);
        assert!(output.stderr.contains("may not"), "{}", output.stderr);
        assert_eq!(world.violations().await, Vec::<Value>::new());
        assert_eq!(world.live_objects_of(order).await.len(), 1);
    }
}

/// The first run mints and cannot store; the link is live and nobody holds it. The next run closes it, does
/// not publish the replay of it, and ends with one live link in the row.
#[tokio::test]
async fn a_link_that_could_not_be_stored_is_closed_by_the_next_run() {
    let world = World::on(Backend::Sqlite).await;
    let order = world
        .order(pending(5500).behind(open_session().minutes_old(600)))
        .await;
    world
        .rows
        .execute("CREATE TRIGGER no BEFORE UPDATE ON orders BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(9), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await.len(), 1);
    world.rows.execute("DROP TRIGGER no").await;
    let again = world.relink(&COMMIT).await;
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    let held = world.row(order.0).await.reference.unwrap();
    assert_eq!(world.live_objects_of(order).await, [held]);
}

#[tokio::test]
async fn a_key_that_may_not_read_events_is_refused_before_anything_is_closed() {
    let world = World::on(Backend::Sqlite).await;
    world
        .order(pending(5500).behind(open_session().minutes_old(600)))
        .await;
    world.freeze_writes().await;
    let message = "Having the 'rak_event_read' permission would allow this request to continue.";
    let body = json!({"error": {"type": "invalid_request_error", "message": message}});
    world.fault(json!({"method": "GET", "path": "/v1/events", "kind": "status", "status": 403, "body": body, "times": 50})).await;
    let output = world.relink(&COMMIT).await;
    assert_eq!(output.code, Some(5), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stderr.contains("rak_event_read"),
        "{}",
        output.stderr
    );
    assert_eq!(world.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_account_must_be_known_and_the_expected_one() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let mut other = COMMIT.to_vec();
    other.extend(["--expect-account", "acct_another"]);
    let output = world.relink(&other).await;
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(output.stderr.contains("acct_another"), "{}", output.stderr);

    let body =
        json!({"error": {"type": "invalid_request_error", "message": "needs rak_accounts_read"}});
    world.fault(json!({"method": "GET", "path": "/v1/account", "kind": "status", "status": 403, "body": body, "times": 50})).await;
    let dry = world.relink(&["regen", "--all"]).await;
    assert_eq!(dry.code, Some(0), "a dry run goes without: {}", dry.stderr);
    let unknown = world.relink(&COMMIT).await;
    assert_eq!(unknown.code, Some(4), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("--expect-account"),
        "{}",
        unknown.stderr
    );
    assert_eq!(world.writes().await, Vec::<Value>::new());
    let mut named = COMMIT.to_vec();
    named.extend(["--expect-account", "acct_1SandboxRelink"]);
    let output = world.relink(&named).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

on_each_backend! {
    async fn exclusions_and_verdicts_narrow_what_is_done_and_out_of_scope_is_never_touched(world) {
        let wanted = world.order(pending(5500).behind(expired_session())).await;
        let excluded = world.order(pending(5500).behind(expired_session())).await;
        let dying = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let jersey = world.order(pending(5500).of_category("jersey").behind(expired_session())).await;
        let id = excluded.to_string();
        let output = world.relink(&["regen", "--all", "--exclude-order-id", &id, "--verdict", "dead", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert!(world.row(wanted.0).await.reference.unwrap().starts_with("plink_"));
        for left in [excluded, dying, jersey] {
            assert!(world.row(left.0).await.reference.unwrap().starts_with("cs_"));
        }
        let named = jersey.to_string();
        let output = world.relink(&["regen", "--order-id", &named, "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert!(world.row(jersey.0).await.reference.unwrap().starts_with("cs_"));
    }
}

on_each_backend! {
    async fn an_order_of_several_tournaments_is_done_once_and_names_none_of_them(world) {
        let order = world.order(pending(5500).in_tournaments(&[7, 8]).shared_by_teams(2).behind(expired_session())).await;
        let output = world.relink(&["regen", "--tournament-id", "7", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.writes().await.len(), 1);
        let link = world.link(order).await;
        assert_eq!(link["metadata"]["tournament_id"], Value::Null);
    }
}

#[tokio::test]
async fn a_failure_is_one_json_document_too() {
    let world = World::on(Backend::Sqlite).await;
    let output = world
        .relink(&["regen", "--order-id", "9", "-o", "json"])
        .await;
    assert_eq!(output.code, Some(2));
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["exit_code"], 2);
    assert_eq!(document["error"]["code"], "unknown_order");

    let usage = run_binary(&["regen", "-o", "json", "--order-id", "x"], &[]);
    assert_eq!(usage.code, Some(2));
    let document: Value = serde_json::from_str(&usage.stdout).unwrap();
    assert_eq!(document["error"]["code"], "usage");
    assert!(usage.stderr.contains("--order-id"), "{}", usage.stderr);
}

on_each_backend! {
    /// The webhook could never match its payment; it may be somebody else's.
    async fn an_open_session_that_names_no_order_is_held_until_it_is_adopted_by_id(world) {
        let order = world.order(pending(5500).behind(open_session().minutes_old(600).unowned())).await;
        let held = world.relink(&COMMIT).await;
        assert_eq!(held.code, Some(3), "{}{}", held.stdout, held.stderr);
        assert_eq!(world.writes().await, Vec::<Value>::new());
        let id = order.to_string();
        let adopted = world.relink(&["regen", "--order-id", &id, "--adopt-unowned", "--commit", "--yes"]).await;
        assert_eq!(adopted.code, Some(0), "{}{}", adopted.stdout, adopted.stderr);
        let held = world.row(order.0).await.reference.unwrap();
        assert_eq!(world.live_objects_of(order).await, [held]);
    }
}

/// The role of many an application: it may change rows and make nothing.
#[tokio::test]
async fn a_role_that_may_not_create_tables_is_told_the_sql_that_its_owner_runs_and_then_it_works() {
    let world = World::on(Backend::Postgres(Flavour::NativeEnums)).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let role = format!("shop_{}", std::process::id());
    world
        .rows
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'only-rows'; \
             GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await;
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("only-rows")).unwrap();
    let as_role = [("DATABASE_URL", url.as_str())];
    world.freeze_writes().await;
    let refused = world.relink_with(&COMMIT, &as_role).await;
    assert_eq!(
        refused.code,
        Some(4),
        "{}{}",
        refused.stdout,
        refused.stderr
    );
    assert!(
        refused
            .stderr
            .contains("CREATE TABLE IF NOT EXISTS relink.steps"),
        "{}",
        refused.stderr
    );
    assert_eq!(world.violations().await, Vec::<Value>::new());

    let printed = world
        .relink_with(&["doctor", "--print-sql"], &as_role)
        .await;
    for statement in printed.stdout.lines() {
        assert!(refused.stderr.contains(statement), "{statement}");
    }
    world.rows.execute_script(&printed.stdout).await;
    world.thaw_writes().await;
    let done = world.relink_with(&COMMIT, &as_role).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(world.live_objects_of(order).await.len(), 1);
    world
        .rows
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

/// It may mint as well: what its link may ask for is held against the limit and put before whoever agrees.
#[tokio::test]
async fn an_order_that_is_gone_on_with_counts_with_its_amount() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let mint = json!({"method": "POST", "path": "/v1/payment_links", "when": "arrival", "kind": "park", "times": 1});
    world.kill_unheard(&COMMIT, mint).await;
    world.order(pending(1000).behind(expired_session())).await;
    let before = world.writes().await.len();
    let id = order.to_string();
    let one = ["regen", "--order-id", &id, "--commit"];

    let dry = world.relink(&["regen", "--all"]).await;
    let said = "would mint 1 link, 10.00 USD; would go on with 1 order, 55.00 USD";
    assert!(dry.stdout.contains(said), "{}", dry.stdout);
    let unasked = world.relink(&one).await;
    assert_eq!(
        unasked.code,
        Some(6),
        "{}{}",
        unasked.stdout,
        unasked.stderr
    );
    let said = "1 order to go on with (55.00 USD) waits for a yes";
    assert!(unasked.stderr.contains(said), "{}", unasked.stderr);
    let limit = |limit: &'static str| [&one[..], &["--yes", "--max-amount", limit]].concat();
    let output = world.relink(&limit("0.01:USD")).await;
    assert_eq!(output.code, Some(6), "{}{}", output.stdout, output.stderr);
    for said in [
        "the link of 1 order to go on with may ask 55.00 USD",
        "--max-amount 55.00:USD",
    ] {
        assert!(
            output.stderr.contains(said),
            "{said} is not in {}",
            output.stderr
        );
    }
    let both = [
        "regen",
        "--all",
        "--commit",
        "--yes",
        "--max-amount",
        "64.99:USD",
    ];
    let output = world.relink(&both).await;
    assert_eq!(output.code, Some(6), "{}{}", output.stdout, output.stderr);
    let said = "the new link and that of 1 order to go on with may ask 65.00 USD";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_eq!(world.writes().await.len(), before);
    let output = world.relink(&limit("55.00:USD")).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await.len(), 1);
}
