//! `relink doctor`, as a person runs it before anything else: each thing that can be wrong is named with what to do,
//! keeps nothing else from being looked at, and decides the exit code. It writes nothing anywhere.

use serde_json::{Value, json};

use crate::doctor_world::*;
use crate::on_each_backend;
use crate::sandbox_process::in_sandbox;
use crate::support::world::*;

on_each_backend! {
    async fn a_world_that_is_ready_passes_and_nothing_is_written(world) {
        world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        register(&world, json!({})).await;
        world.freeze_writes().await;
        let before = world.listing().await;
        let said = diagnosed(&world).await;
        assert_eq!(said.code, Some(0), "{:#}", said.document);
        assert_eq!(said.names("failed"), Vec::<&str>::new());
        // The tests' server spares its disk, and the double's clock stands in March.
        let warned: &[&str] = match world.database_url().starts_with("sqlite") {
            true => &["clock"],
            false => &["durability", "clock"],
        };
        assert_eq!(said.names("warned"), warned, "{:#}", said.document);
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

/// Two spellings of one name: what relink takes for two tables would be one.
#[tokio::test]
async fn a_table_that_stands_for_two_is_named_and_nothing_works_with_it() {
    let world = World::on(Backend::Postgres(Flavour::NativeEnums)).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    std::fs::write(&file, "schema.tables.tournaments = 'public.parents'\n").unwrap();
    let variable = ("RELINK_CONFIG", file.to_str().unwrap());
    let said = diagnosed_with(&world, &[variable]).await;
    said.fails(4, "tables", "`parents` and `public.parents` are one table");
    let refused = world.relink_with(&["inspect", "--all"], &[variable]).await;
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    let named = refused
        .stderr
        .contains("`parents` and `public.parents` are one table");
    assert!(named, "{}", refused.stderr);
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
