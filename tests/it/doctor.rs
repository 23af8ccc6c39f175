//! `relink doctor`, as a person runs it before anything else: each thing that can be wrong is named with what to do,
//! keeps nothing else from being looked at, and decides the exit code. It writes nothing anywhere.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::sandbox_process::in_sandbox;
use crate::support::world::*;

const JSON: [&str; 3] = ["doctor", "-o", "json"];

/// What a run said, as programs read it.
struct Said {
    code: Option<i32>,
    document: Value,
}

impl Said {
    fn of(output: &Output) -> Said {
        let document = serde_json::from_str(&output.stdout);
        let document: Value = document.unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(document["schema"], "relink.doctor/1", "{document:#}");
        assert_eq!(document["exit_code"], output.code.unwrap(), "{document:#}");
        Said {
            code: output.code,
            document,
        }
    }

    fn check(&self, name: &str) -> &Value {
        let checks = self.document["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no check `{name}` in {:#}", self.document))
    }

    fn outcome(&self, name: &str) -> &str {
        self.check(name)["outcome"].as_str().unwrap()
    }

    /// The names of the checks that ended so.
    fn names(&self, outcome: &str) -> Vec<&str> {
        let checks = self.document["checks"].as_array().unwrap();
        let such = checks.iter().filter(|check| check["outcome"] == outcome);
        such.map(|check| check["name"].as_str().unwrap()).collect()
    }

    /// Exactly this failed, ends the run with this code, and says this.
    #[track_caller]
    fn fails(&self, code: i32, name: &str, said: &str) {
        assert_eq!(self.names("failed"), [name], "{:#}", self.document);
        assert_eq!(self.code, Some(code), "{:#}", self.document);
        self.tells(name, said);
    }

    #[track_caller]
    fn tells(&self, name: &str, said: &str) {
        let check = self.check(name);
        let texts = ["found", "why", "remedy"].map(|field| check[field].as_str().unwrap_or(""));
        assert!(
            texts.iter().any(|text| text.contains(said)),
            "`{said}` is not in {check:#}"
        );
    }
}

async fn diagnosed(world: &World) -> Said {
    Said::of(&world.relink(&JSON).await)
}

async fn diagnosed_with(world: &World, environment: &[(&str, &str)]) -> Said {
    Said::of(&world.relink_with(&JSON, environment).await)
}

/// Stripe refuses these reads to a restricted key.
async fn refuse(world: &World, path: &str, permission: &str) {
    let message =
        format!("Having the '{permission}' permission would allow this request to continue.");
    let body = json!({"error": {"type": "invalid_request_error", "message": message}});
    world
        .fault(json!({"method": "GET", "path": path, "kind": "status", "status": 403, "body": body, "times": null}))
        .await;
}

async fn register(world: &World, endpoint: Value) {
    let mut endpoint = endpoint;
    endpoint["object"] = json!("webhook_endpoint");
    world.put_objects(json!([endpoint])).await;
}

on_each_backend! {
    async fn a_world_that_is_ready_passes_and_nothing_is_written(world) {
        world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        register(&world, json!({})).await;
        world.freeze_writes().await;
        let before = world.listing().await;
        let said = diagnosed(&world).await;
        assert_eq!(said.code, Some(0), "{:#}", said.document);
        assert_eq!(said.names("failed"), Vec::<&str>::new());
        // The double's clock stands in March.
        assert_eq!(said.names("warned"), ["clock"], "{:#}", said.document);
        assert_eq!(said.names("not_checked"), Vec::<&str>::new(), "{:#}", said.document);
        said.tells("account", "acct_1SandboxRelink (Utah Hoops Club (sandbox))");
        said.tells("key", "a secret key of test mode");
        said.tells("journal", "the first --commit makes it");
        said.tells("webhook_endpoint", "https://club.example.com/stripe/webhook");
        // What a second run finds is what the first found: the journal was not made.
        assert_eq!(diagnosed(&world).await.document, said.document);
        assert_eq!(world.listing().await, before);
        assert_eq!(world.violations().await, Vec::<Value>::new());
    }
}

on_each_backend! {
    async fn a_missing_table_is_named_and_stripe_is_looked_at_all_the_same(world) {
        world.rows.execute("DROP TABLE tournament_products").await;
        let said = diagnosed(&world).await;
        said.fails(4, "tables", "missing: `tournament_products`");
        assert_eq!(said.outcome("columns"), "passed");
        assert_eq!(said.outcome("read_refunds"), "passed");
    }
}

on_each_backend! {
    async fn a_database_without_any_table_says_so_and_what_could_not_be_checked(world) {
        for table in ["tournament_products", "orders", "tournaments", "players", "products", "parents"] {
            world.rows.execute(&format!("DROP TABLE {table}")).await;
        }
        let said = diagnosed(&world).await;
        said.fails(4, "tables", "`orders`");
        for unchecked in ["columns", "types", "lengths", "times"] {
            assert_eq!(said.outcome(unchecked), "not_checked", "{:#}", said.check(unchecked));
        }
    }
}

on_each_backend! {
    async fn every_missing_column_is_named_and_one_of_the_receiver_is_a_warning(world) {
        world.rows.execute("ALTER TABLE orders RENAME COLUMN amount_cents TO amount").await;
        world.rows.execute("ALTER TABLE parents DROP COLUMN email").await;
        let said = diagnosed(&world).await;
        said.fails(4, "columns", "missing: `orders.amount_cents`, `parents.email`");
        assert_eq!(said.outcome("receiver_rights"), "passed");
        world.rows.execute("ALTER TABLE orders RENAME COLUMN amount TO amount_cents").await;
        world.rows.execute("ALTER TABLE parents ADD COLUMN email VARCHAR(255)").await;
        world.rows.execute("ALTER TABLE orders DROP COLUMN paid_at").await;
        let said = diagnosed(&world).await;
        assert_eq!(said.code, Some(0), "{:#}", said.document);
        assert_eq!(said.outcome("receiver_rights"), "warned");
        said.tells("receiver_rights", "missing: `orders.paid_at`");
    }
}

/// Gives a column of `orders` another type, by one connection: SQLite's others still know the old one.
async fn remake(world: &World, column: &str, declared: &str) {
    world
        .rows
        .execute(&format!(
            "ALTER TABLE orders DROP COLUMN {column}; ALTER TABLE orders ADD COLUMN {column} {declared}"
        ))
        .await;
}

on_each_backend! {
    async fn an_amount_that_may_have_a_fraction_is_a_wrong_type(world) {
        remake(&world, "amount_cents", "REAL").await;
        let said = diagnosed(&world).await;
        said.fails(4, "types", "relink needs a whole number of minor units");
        said.tells("types", "`orders.amount_cents` is `");
    }
}

on_each_backend! {
    async fn a_column_that_is_too_short_for_a_url_fails_and_one_for_an_id_is_a_warning(world) {
        remake(&world, "stripe_payment_intent_id", "VARCHAR(100)").await;
        let said = diagnosed(&world).await;
        assert_eq!((said.code, said.outcome("lengths")), (Some(0), "warned"));
        said.tells("lengths", "`orders.stripe_payment_intent_id` holds 100 characters, not 255");
        remake(&world, "stripe_checkout_url", "VARCHAR(499)").await;
        let said = diagnosed(&world).await;
        said.fails(4, "lengths", "`orders.stripe_checkout_url` holds 499 characters, not 500");
    }
}

#[tokio::test]
async fn an_enum_that_spells_its_words_otherwise_is_a_wrong_type() {
    let world = World::on(Backend::Postgres(Flavour::NativeEnums)).await;
    world
        .rows
        .execute("ALTER TYPE orderstatus RENAME VALUE 'paid' TO 'PAID'")
        .await;
    let said = diagnosed(&world).await;
    said.fails(4, "types", "`orders.status` is an enum without `paid`");
}

#[tokio::test]
async fn a_time_without_a_zone_is_a_warning_that_says_how_it_is_read() {
    let world = World::on(Backend::Postgres(Flavour::TextColumns)).await;
    world
        .rows
        .execute("ALTER TABLE orders ALTER COLUMN created_at TYPE timestamp")
        .await;
    let said = diagnosed(&world).await;
    assert_eq!((said.code, said.outcome("times")), (Some(0), "warned"));
    said.tells(
        "times",
        "without a time zone: `orders.created_at`; relink reads and writes them as UTC",
    );
}

/// A role of its own in this world's database, with these rights, and its URL.
async fn role(world: &World, name: &str, grants: &str) -> String {
    let role = format!("{name}_{}", std::process::id());
    let grants = grants.replace("$role", &role);
    world
        .rows
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'only-rows'; {grants}"
        ))
        .await;
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("only-rows")).unwrap();
    url.into()
}

async fn drop_role(world: &World, name: &str) {
    let role = format!("{name}_{}", std::process::id());
    world
        .rows
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

async fn postgres() -> World {
    World::on(Backend::Postgres(Flavour::NativeEnums)).await
}

#[tokio::test]
async fn a_role_that_may_only_read_lacks_the_right_to_store_and_the_journal() {
    let world = postgres().await;
    let mut args = JSON.to_vec();
    args.push("-q");
    let said = Said::of(&world.relink_reading(&args));
    assert_eq!(said.code, Some(5), "{:#}", said.document);
    assert_eq!(said.names("failed"), ["update_rights", "journal"]);
    said.tells("update_rights", "`orders.stripe_checkout_url`");
    said.tells("update_rights", "GRANT UPDATE on `orders`");
    said.tells("journal", "relink doctor --print-sql");
    assert_eq!(said.check("journal")["exit_code"], 4);
    assert_eq!(said.outcome("select_rights"), "passed");
    assert_eq!(said.outcome("receiver_rights"), "warned");
}

#[tokio::test]
async fn rights_on_single_columns_are_told_apart() {
    let world = postgres().await;
    let url = role(
        &world,
        "doctor_columns",
        "GRANT SELECT ON orders, players, products, tournaments, tournament_products TO $role; \
         GRANT SELECT (id, name) ON parents TO $role; \
         GRANT UPDATE (stripe_checkout_session_id, stripe_checkout_url, updated_at) ON orders TO $role; \
         CREATE SCHEMA relink AUTHORIZATION $role",
    )
    .await;
    let said = diagnosed_with(&world, &[("DATABASE_URL", &url)]).await;
    said.fails(5, "select_rights", "may not read `parents.email`");
    assert_eq!(said.outcome("update_rights"), "passed");
    assert_eq!(said.outcome("journal"), "passed");
    said.tells(
        "receiver_rights",
        "may not update `orders.status`, `orders.stripe_payment_intent_id`, `orders.paid_at`",
    );
    drop_role(&world, "doctor_columns").await;
}

#[tokio::test]
async fn a_role_whose_sessions_are_read_only_or_whose_commits_are_early_is_a_setting_to_mend() {
    let world = postgres().await;
    let url = role(
        &world,
        "doctor_settings",
        "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO $role; CREATE SCHEMA relink AUTHORIZATION $role; \
         ALTER ROLE $role SET default_transaction_read_only = on",
    )
    .await;
    let as_role = [("DATABASE_URL", url.as_str())];
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(4, "update_rights", "default_transaction_read_only");
    let name = format!("doctor_settings_{}", std::process::id());
    world
        .rows
        .execute(&format!(
            "ALTER ROLE {name} RESET ALL; ALTER ROLE {name} SET synchronous_commit = off"
        ))
        .await;
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(4, "durability", "synchronous_commit");
    drop_role(&world, "doctor_settings").await;
}

#[tokio::test]
async fn rows_that_the_database_hides_from_the_role_are_a_warning() {
    let world = postgres().await;
    let url = role(
        &world,
        "doctor_rows",
        "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO $role; CREATE SCHEMA relink AUTHORIZATION $role; \
         ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    )
    .await;
    let said = diagnosed_with(&world, &[("DATABASE_URL", &url)]).await;
    assert_eq!(
        (said.code, said.outcome("select_rights")),
        (Some(0), "warned")
    );
    said.tells("select_rights", "row-level security");
    drop_role(&world, "doctor_rows").await;
}

/// Makes the journal, by a commit as the superuser.
async fn commit_once(world: &World) {
    world.order(pending(5500).behind(expired_session())).await;
    let done = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
}

#[tokio::test]
async fn a_journal_that_the_role_may_not_write_names_the_right_and_one_that_is_closed_says_so() {
    let world = postgres().await;
    commit_once(&world).await;
    let url = role(
        &world,
        "doctor_journal",
        "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO $role",
    )
    .await;
    let as_role = [("DATABASE_URL", url.as_str())];
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(5, "journal", "may not look into the schema `relink`");
    assert_eq!(said.outcome("account_of_database"), "not_checked");
    let name = format!("doctor_journal_{}", std::process::id());
    world
        .rows
        .execute(&format!(
            "GRANT USAGE ON SCHEMA relink TO {name}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA relink TO {name}; \
             REVOKE UPDATE ON relink.operations FROM {name}"
        ))
        .await;
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(5, "journal", "this role lacks UPDATE on relink.operations");
    world
        .rows
        .execute(&format!("GRANT UPDATE ON relink.operations TO {name}"))
        .await;
    assert_eq!(diagnosed_with(&world, &as_role).await.code, Some(0));
    // Another's tables are not this role's to upgrade.
    world
        .rows
        .execute("UPDATE relink.meta SET value = '2' WHERE name = 'version'")
        .await;
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(
        4,
        "journal",
        "of version 2, relink needs 3, and this role may not upgrade it",
    );
    drop_role(&world, "doctor_journal").await;
}

on_each_backend! {
    async fn a_journal_of_another_version_is_upgraded_by_a_commit_or_refused(world) {
        commit_once(&world).await;
        let said = diagnosed(&world).await;
        said.tells("journal", "of version 3");
        said.tells("account_of_database", "journaled for this account");
        let meta = match world.database_url().starts_with("sqlite") {
            true => "relink_meta",
            false => "relink.meta",
        };
        let set = |version: u32| format!("UPDATE {meta} SET value = '{version}' WHERE name = 'version'");
        world.rows.execute(&set(2)).await;
        let said = diagnosed(&world).await;
        assert_eq!((said.code, said.outcome("journal")), (Some(0), "passed"));
        said.tells("journal", "the next --commit makes it 3");
        world.rows.execute(&set(999)).await;
        let said = diagnosed(&world).await;
        said.fails(4, "journal", "of version 999, and 3 is the newest");
        assert_eq!(said.outcome("account_of_database"), "not_checked");
    }
}

on_each_backend! {
    async fn a_database_of_another_account_is_refused_before_any_run(world) {
        commit_once(&world).await;
        let meta = match world.database_url().starts_with("sqlite") {
            true => "relink_meta",
            false => "relink.meta",
        };
        world.rows.execute(&format!("UPDATE {meta} SET value = 'acct_other' WHERE name = 'account.test'")).await;
        let said = diagnosed(&world).await;
        said.fails(4, "account_of_database", "journaled for acct_other, and the key is of acct_1SandboxRelink");
    }
}

#[tokio::test]
async fn each_permission_that_a_restricted_key_lacks_is_named() {
    let world = World::on(Backend::Sqlite).await;
    let restricted = [("STRIPE_API_KEY", "rk_test_some")];
    let said = diagnosed_with(&world, &restricted).await;
    assert_eq!(said.code, Some(0), "{:#}", said.document);
    said.tells("key", "a restricted key of test mode");
    assert_eq!(said.outcome("write_permissions"), "not_checked");
    for (path, permission, check) in [
        (
            "/v1/checkout/sessions",
            "rak_checkout_session_read",
            "read_checkout_sessions",
        ),
        (
            "/v1/payment_links",
            "rak_payment_link_read",
            "read_payment_links",
        ),
        (
            "/v1/payment_intents",
            "rak_payment_intent_read",
            "read_payment_intents",
        ),
        ("/v1/refunds", "rak_charge_read", "read_refunds"),
        ("/v1/events", "rak_event_read", "read_events"),
    ] {
        refuse(&world, path, permission).await;
        let said = diagnosed_with(&world, &restricted).await;
        said.fails(5, check, permission);
        said.tells(check, "give the restricted key read on");
        world.clear_faults().await;
    }
}

#[tokio::test]
async fn what_relink_can_do_without_is_no_failure() {
    let world = World::on(Backend::Sqlite).await;
    refuse(&world, "/v1/account", "rak_accounts_kyc_id_numbers_read").await;
    refuse(&world, "/v1/webhook_endpoints", "rak_webhook_read").await;
    let said = diagnosed(&world).await;
    assert_eq!(said.code, Some(0), "{:#}", said.document);
    assert_eq!(said.outcome("stripe"), "passed");
    assert_eq!(said.outcome("account"), "warned");
    said.tells("account", "--expect-account");
    assert_eq!(said.outcome("webhook_endpoint"), "not_checked");
    said.tells("webhook_endpoint", "rak_webhook_read");
    world.clear_faults().await;
    let mut args = JSON.to_vec();
    args.extend(["--stripe-account", "acct_connected"]);
    let said = Said::of(&world.relink(&args).await);
    assert_eq!(said.outcome("webhook_endpoint"), "not_checked");
    said.tells("webhook_endpoint", "an endpoint of its platform");
}

#[tokio::test]
async fn a_key_whose_mode_was_not_meant_is_named_and_not_used() {
    let world = World::on(Backend::Sqlite).await;
    let live = [("STRIPE_API_KEY", "sk_live_some"), ("STRIPE_API_BASE", "")];
    let said = diagnosed_with(&world, &live).await;
    assert_eq!(said.code, Some(4), "{:#}", said.document);
    said.tells("mode", "this is a live key, and --live was not given");
    let mut args = JSON.to_vec();
    args.push("--live");
    let said = Said::of(&world.relink(&args).await);
    said.fails(4, "mode", "--live was given with a test key");
    for unchecked in [
        "stripe",
        "account",
        "read_events",
        "webhook_endpoint",
        "clock",
    ] {
        assert_eq!(said.outcome(unchecked), "not_checked");
        said.tells(unchecked, "the key and `--live` disagree");
    }
    assert_eq!(said.outcome("columns"), "passed");
    assert_eq!(world.requests().await, Vec::<Value>::new());
}

#[tokio::test]
async fn without_a_key_or_with_one_that_is_none_the_database_is_still_looked_at() {
    let world = World::on(Backend::Sqlite).await;
    for (key, why) in [
        ("", "empty"),
        ("pk_test_zebra", "publishable"),
        ("zebra", "malformed"),
    ] {
        let said = diagnosed_with(&world, &[("STRIPE_API_KEY", key)]).await;
        said.fails(4, "key", why);
        assert_eq!(said.outcome("mode"), "not_checked");
        assert_eq!(said.outcome("update_rights"), "passed");
        assert!(!said.document.to_string().contains("zebra"));
    }
    assert_eq!(world.requests().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_key_that_stripe_does_not_accept_is_tried_once() {
    let world = World::on(Backend::Sqlite).await;
    let said = diagnosed_with(&world, &[("STRIPE_API_KEY", "sk_test_invalid_zebra")]).await;
    said.fails(5, "stripe", "does not accept the key");
    assert!(!said.document.to_string().contains("zebra"));
    assert_eq!(said.outcome("account"), "not_checked");
    assert_eq!(said.outcome("read_refunds"), "not_checked");
    assert_eq!(world.requests().await.len(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_reached_keeps_stripe_from_nothing() {
    let world = World::on(Backend::Sqlite).await;
    let nobody = "postgres://club:s3cr3t@127.0.0.1:1/club";
    let said = diagnosed_with(&world, &[("DATABASE_URL", nobody)]).await;
    said.fails(9, "database", "cannot be reached");
    assert!(!said.document.to_string().contains("s3cr3t"));
    for unchecked in [
        "tables",
        "types",
        "update_rights",
        "journal",
        "account_of_database",
    ] {
        said.tells(unchecked, "the database was not reached");
        assert_eq!(said.outcome(unchecked), "not_checked");
    }
    assert_eq!(said.outcome("read_events"), "passed");
    let nowhere = diagnosed_with(&world, &[("DATABASE_URL", "sqlite:///nowhere/club.db")]).await;
    nowhere.fails(4, "database", "there is no such database");
    let none = diagnosed_with(&world, &[("DATABASE_URL", "")]).await;
    none.fails(4, "database", "no database");
}

#[tokio::test]
async fn a_login_that_is_refused_is_a_right() {
    let world = postgres().await;
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_username("nobody_of_this_name").unwrap();
    let said = diagnosed_with(&world, &[("DATABASE_URL", url.as_str())]).await;
    said.fails(5, "database", "refused the login");
}

on_each_backend! {
    async fn a_stripe_that_is_not_reached_keeps_the_database_from_nothing(world) {
        let said = diagnosed_with(&world, &[("STRIPE_API_BASE", "http://127.0.0.1:1")]).await;
        said.fails(9, "stripe", "Stripe could not be reached");
        for unchecked in ["account", "read_payment_links", "write_permissions", "webhook_endpoint", "clock"] {
            assert_eq!(said.outcome(unchecked), "not_checked", "{:#}", said.document);
        }
        assert_eq!(said.outcome("columns"), "passed");
    }
}

#[tokio::test]
async fn a_failure_of_one_read_is_that_reads_alone() {
    let world = World::on(Backend::Sqlite).await;
    world
        .fault(json!({"method": "GET", "path": "/v1/refunds", "kind": "status", "status": 500, "times": null}))
        .await;
    let said = diagnosed(&world).await;
    said.fails(9, "read_refunds", "Stripe failed with 500");
    assert_eq!(said.outcome("read_events"), "passed");
}

#[tokio::test]
async fn the_worst_of_several_failures_decides() {
    let world = World::on(Backend::Sqlite).await;
    world.rows.execute("DROP TABLE tournament_products").await;
    let unreachable = [("STRIPE_API_BASE", "http://127.0.0.1:1")];
    let said = diagnosed_with(&world, &unreachable).await;
    assert_eq!(
        said.code,
        Some(4),
        "schema before reachability: {:#}",
        said.document
    );
    assert_eq!(said.names("failed"), ["tables", "stripe"]);
    refuse(&world, "/v1/events", "rak_event_read").await;
    let said = diagnosed(&world).await;
    assert_eq!(
        said.code,
        Some(5),
        "permission before schema: {:#}",
        said.document
    );
}

#[tokio::test]
async fn an_endpoint_is_missing_disabled_or_not_sent_everything_and_each_is_a_warning() {
    let world = World::on(Backend::Sqlite).await;
    let said = diagnosed(&world).await;
    assert_eq!(
        (said.code, said.outcome("webhook_endpoint")),
        (Some(0), "warned")
    );
    said.tells("webhook_endpoint", "none is registered in test mode");
    said.tells(
        "webhook_endpoint",
        "`checkout.session.async_payment_failed`",
    );

    let live = json!({"id": "we_live", "livemode": true, "url": "https://live.example.com/hook"});
    register(&world, live).await;
    let hook = |id: &str, status: &str, events: Value| {
        json!({"id": id, "status": status, "enabled_events": events,
            "url": format!("https://{id}.example.com/hook?token=s3cr3t")})
    };
    register(&world, hook("we_off", "disabled", json!(["*"]))).await;
    let said = diagnosed(&world).await;
    said.tells(
        "webhook_endpoint",
        "https://we_off.example.com/hook is disabled",
    );

    let two = json!([
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded"
    ]);
    register(&world, hook("we_two", "enabled", two)).await;
    let said = diagnosed(&world).await;
    assert_eq!(
        (said.code, said.outcome("webhook_endpoint")),
        (Some(0), "warned")
    );
    said.tells(
        "webhook_endpoint",
        "is not sent `checkout.session.async_payment_failed`, `checkout.session.expired`",
    );

    register(&world, hook("we_all", "enabled", json!(["*"]))).await;
    let said = diagnosed(&world).await;
    assert_eq!(said.outcome("webhook_endpoint"), "passed");
    said.tells(
        "webhook_endpoint",
        "https://we_all.example.com/hook is sent all",
    );
    assert!(
        !said.document.to_string().contains("s3cr3t"),
        "{:#}",
        said.document
    );
}

/// The double's clock can only be moved forward, to the host's.
#[tokio::test]
async fn a_clock_that_is_off_is_a_warning_and_one_that_agrees_passes() {
    let world = World::on(Backend::Sqlite).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    let behind = now - relink::sandbox::double::CLOCK_START;
    world.pass(behind - 600).await;
    let said = diagnosed(&world).await;
    assert_eq!((said.code, said.outcome("clock")), (Some(0), "warned"));
    said.tells("clock", "this host's clock is 10 min ahead of Stripe's");
    world.pass(600).await;
    assert_eq!(diagnosed(&world).await.outcome("clock"), "passed");
    world.pass(400).await;
    diagnosed(&world).await.tells("clock", "behind Stripe's");
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_named() {
    let world = World::on(Backend::Sqlite).await;
    let url = format!("{}?mode=ro", world.database_url());
    let said = diagnosed_with(&world, &[("DATABASE_URL", &url)]).await;
    said.fails(4, "update_rights", "mode=ro");
    assert_eq!(said.outcome("receiver_rights"), "not_checked");
}

/// A user other than root, since root may write everything; the binary goes where that user can reach it.
#[tokio::test]
async fn a_file_that_this_user_may_not_write_is_a_right() {
    let world = World::on(Backend::Sqlite).await;
    let file = PathBuf::from(world.database_url().trim_start_matches("sqlite://"));
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(file.parent().unwrap(), 0o755);
    set(&file, 0o444);
    let place = tempfile::tempdir().unwrap();
    set(place.path(), 0o755);
    let binary = place.path().join("relink");
    std::fs::copy(env!("CARGO_BIN_EXE_relink"), &binary).unwrap();
    let given = world.command(&JSON);
    let mut command = Command::new(&binary);
    command.args(given.get_args()).env_clear();
    for (name, value) in given.get_envs() {
        command.env(name, value.unwrap());
    }
    if std::fs::metadata(&file).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    let said = Said::of(&Running::start(command).finish().await);
    said.fails(5, "update_rights", "club.db` cannot be written");
}

#[tokio::test]
async fn a_table_says_the_same_to_a_person_with_what_to_do_below_it() {
    let world = World::on(Backend::Sqlite).await;
    world.rows.execute("DROP TABLE tournament_products").await;
    let body = json!({"id": "acct_1", "object": "account",
        "settings": {"dashboard": {"display_name": "Evil\u{1b}[2J\u{202e}Club"}}});
    world
        .fault(json!({"method": "GET", "path": "/v1/account", "kind": "status", "status": 200, "body": body, "times": null}))
        .await;
    let output = world.relink(&["doctor"]).await;
    assert_eq!(output.code, Some(4), "{}", output.stdout);
    let line = |name: &str| {
        let mut lines = output.stdout.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{}", output.stdout))
    };
    assert!(line("│ tables").contains("failed"), "{}", output.stdout);
    assert!(
        line("tables: ").contains("check that DATABASE_URL names"),
        "{}",
        output.stdout
    );
    assert!(
        line("│ account ").contains("Evil\\u{1b}[2J\\u{202e}Club"),
        "{}",
        output.stdout
    );
    assert!(!output.stdout.contains('\u{1b}') && !output.stdout.contains('\u{202e}'));
    assert!(
        output.stdout.ends_with("not checked; exit 4\n"),
        "{}",
        output.stdout
    );
    assert_eq!(output.stderr, "");
}

#[tokio::test]
async fn the_sandbox_is_fit_to_rehearse_in() {
    let dir = tempfile::tempdir().unwrap();
    let said = Said::of(&in_sandbox(dir.path(), &JSON));
    assert_eq!(said.code, Some(0), "{:#}", said.document);
    assert_eq!(said.names("not_checked"), ["clock"]);
    assert_eq!(said.names("warned"), ["webhook_endpoint"]);
}

#[tokio::test]
async fn a_role_is_only_named_for_the_sql_and_a_malformed_value_is_a_usage_error() {
    let url = [("DATABASE_URL", "postgres://shop@192.0.2.1/club")];
    let named = run_binary(&["doctor", "--role", "night"], &url);
    assert_eq!(named.code, Some(2), "{}", named.stderr);
    assert!(named.stderr.contains("--print-sql"), "{}", named.stderr);
    let currency = run_binary(&["doctor", "--currency", "dollars"], &url);
    assert_eq!(currency.code, Some(2), "{}", currency.stderr);
}
