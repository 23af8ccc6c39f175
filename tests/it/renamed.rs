//! A deployment whose every table, column and state has another name: what relink does there is what it does anywhere.
//!
//! Every name that relink knows is renamed, with a space and a quote in it, so that one that was forgotten or left
//! unquoted ends in an error of the database.

use std::collections::BTreeMap;

use relink::store::{Access, Names, Renames, Store};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::serving::{SECRET, Serving, free_port};
use crate::support::world::*;
use crate::webhook_world::{Told, is_settled, paid as paid_event, policy};

const STATES: [(&str, &str); 4] = [
    ("pending", "open"),
    ("paid", "settled"),
    ("canceled", "dropped"),
    ("refunded", "undone"),
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_postgres(world: &World) -> bool {
    world.database_url().starts_with("postgres")
}

/// `tables.orders` to the name that the database is going to have.
fn new_names(world: &World) -> BTreeMap<String, String> {
    let rename = |(key, name): (String, String)| {
        let new = match key.split('.').collect::<Vec<_>>().as_slice() {
            // One in another schema, which `search_path` does not reach.
            ["tables", "orders"] if is_postgres(world) => "billing.shop \"orders\"".to_owned(),
            ["tables", _] => format!("shop \"{name}\""),
            ["status", word] => STATES.iter().find(|it| it.0 == *word).unwrap().1.to_owned(),
            _ => format!("its \"{name}\""),
        };
        (key, new)
    };
    Names::default().entries().into_iter().map(rename).collect()
}

/// Renames everything, and writes the file that says so.
async fn rename_everything(world: &World, file: &std::path::Path) -> String {
    let names = new_names(world);
    let mut sql = String::new();
    for (key, new) in names.iter().filter(|(key, _)| key.starts_with("columns.")) {
        let parts: Vec<&str> = key.split('.').collect();
        let (table, column) = (parts[1], parts[2]);
        sql += &format!(
            "ALTER TABLE {table} RENAME COLUMN {column} TO {};\n",
            quoted(new)
        );
    }
    let is_native = is_postgres(world)
        && !world
            .rows
            .texts("SELECT CAST(typname AS TEXT) FROM pg_type WHERE typname = 'orderstatus'")
            .await
            .is_empty();
    for (word, new) in STATES {
        if is_native {
            sql += &format!("ALTER TYPE orderstatus RENAME VALUE '{word}' TO '{new}';\n");
        } else {
            let status = quoted(&names["columns.orders.status"]);
            sql += &format!("UPDATE orders SET {status} = '{new}' WHERE {status} = '{word}';\n");
        }
    }
    if is_postgres(world) {
        sql += "CREATE SCHEMA billing; ALTER TABLE orders SET SCHEMA billing;\n";
    }
    for (key, new) in names.iter().filter(|(key, _)| key.starts_with("tables.")) {
        let old = &key["tables.".len()..];
        let (place, new) = match new.split_once('.') {
            Some((schema, new)) => (format!("{schema}.{old}"), new),
            None => (old.to_owned(), new.as_str()),
        };
        sql += &format!("ALTER TABLE {place} RENAME TO {};\n", quoted(new));
    }
    world.rows.execute(&sql).await;
    let mut text = String::new();
    for (key, new) in &names {
        text += &format!("schema.{key} = '{new}'\n");
    }
    std::fs::write(file, &text).unwrap();
    text
}

/// One column of the order's row, as text.
async fn column(world: &World, order: OrderId, column: &str) -> String {
    let names = new_names(world);
    let table: Vec<String> = names["tables.orders"].split('.').map(quoted).collect();
    let of = |name: &str| quoted(&names[&format!("columns.orders.{name}")]);
    let sql = format!(
        "SELECT CAST({} AS TEXT) FROM {} WHERE {} = {order}",
        of(column),
        table.join("."),
        of("id")
    );
    world.rows.texts(&sql).await.remove(0)
}

async fn verdicts(world: &World, select: &[&str], variable: (&str, &str)) -> Vec<(i64, String)> {
    let mut words = vec!["inspect", "-o", "json"];
    words.extend(select);
    let output = world.relink_with(&words, &[variable]).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let shown: Value = serde_json::from_str(&output.stdout).unwrap();
    let of = |decided: &Value| {
        let id = decided["order_id"]
            .as_i64()
            .or(decided["order"]["id"].as_i64())
            .unwrap();
        (id, decided["verdict"].as_str().unwrap().to_owned())
    };
    shown["orders"].as_array().unwrap().iter().map(of).collect()
}

on_each_backend! {
    async fn under_other_names_everything_is_inspected_replaced_paid_and_retired(world) {
        let dead = world.order(pending(5500).in_tournaments(&[2]).behind(expired_session())).await;
        let missed = world.order(pending(6500).in_tournaments(&[2]).behind(expired_session())).await;
        let leaked = world.order(canceled(5500).behind(active_link())).await;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        rename_everything(&world, &file).await;
        let variable = ("RELINK_CONFIG", file.to_str().unwrap());

        let strange = world.relink(&["inspect", "--all"]).await;
        assert_eq!(strange.code, Some(4), "{}", strange.stderr);
        assert!(strange.stderr.contains("table `orders` is missing"), "{}", strange.stderr);

        let looked = world.relink_with(&["doctor", "-o", "json"], &[variable]).await;
        let checks: Value = serde_json::from_str(&looked.stdout).unwrap();
        let of_names = ["tables", "columns", "types", "lengths"];
        for name in of_names {
            let checks = checks["checks"].as_array().unwrap();
            let check = checks.iter().find(|check| check["name"] == name).unwrap();
            assert_eq!(check["outcome"], "passed", "{}", looked.stdout);
        }
        let found = verdicts(&world, &["--all"], variable).await;
        let dead_ones = [(dead.0, "dead".to_owned()), (missed.0, "dead".to_owned())];
        assert_eq!(found[..2], dead_ones);
        assert_eq!(found[2], (leaked.0, "leaked".to_owned()));
        assert_eq!(verdicts(&world, &["--tournament-id", "2"], variable).await, dead_ones);

        let regen = world.relink_with(&["regen", "--all", "--commit", "--yes"], &[variable]).await;
        assert_eq!(regen.code, Some(0), "{}{}", regen.stdout, regen.stderr);
        let link = column(&world, dead, "stripe_checkout_session_id").await;
        assert!(link.starts_with("plink_"), "{link}");
        let url = column(&world, dead, "stripe_checkout_url").await;
        assert_eq!(world.object(&link).await["url"], url.as_str());

        // Several at once and by themselves: a delivery, and a replay of what was missed.
        let serving = Serving::on(&world, free_port(), &[variable]).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        world.pay(&link).await;
        let deliveries = world.deliveries().await;
        assert!(deliveries.iter().all(|it| it["status"] == 200), "{deliveries:?}");
        assert_eq!(column(&world, dead, "status").await, "settled");
        assert_ne!(column(&world, dead, "paid_at").await, "");
        assert!(column(&world, dead, "stripe_payment_intent_id").await.starts_with("pi_"));
        serving.stop().await;
        world.send_webhooks("http://127.0.0.1:9/none", SECRET).await;
        let other = column(&world, missed, "stripe_checkout_session_id").await;
        world.pay(&other).await;
        let replay = ["webhook", "replay", "--since", "24h", "--commit", "--yes"];
        let replayed = world.relink_with(&replay, &[variable]).await;
        assert_eq!(replayed.code, Some(0), "{}{}", replayed.stdout, replayed.stderr);
        assert_eq!(column(&world, missed, "status").await, "settled");

        let retired = world.relink_with(&["retire", "--all", "--commit", "--yes"], &[variable]).await;
        assert_eq!(retired.code, Some(0), "{}{}", retired.stdout, retired.stderr);
        for order in [dead, missed, leaked] {
            assert_eq!(world.live_objects_of(order).await, [""; 0]);
        }
        assert_eq!(column(&world, leaked, "status").await, "dropped");
        let settled = verdicts(&world, &["--all"], variable).await;
        assert!(settled.iter().all(|(_, verdict)| verdict == "settled"), "{settled:?}");
        assert_eq!(world.violations().await, Vec::<String>::new());
    }
}

on_each_backend! {
    /// What an earlier run left open for a row that is gone is found by the row's own table.
    async fn an_order_that_is_there_is_not_taken_for_a_gone_one(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        rename_everything(&world, &file).await;
        let variable = ("RELINK_CONFIG", file.to_str().unwrap());
        let done = world.relink_with(&["regen", "--all", "--commit", "--yes"], &[variable]).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let operations = world.journal_table("operations");
        world.rows.execute(&format!("UPDATE {operations} SET closed_at = NULL")).await;
        let plan = world.relink_with(&["regen", "--all", "-o", "json"], &[variable]).await;
        assert_eq!(plan.code, Some(0), "{}", plan.stderr);
        let shown: Value = serde_json::from_str(&plan.stdout).unwrap();
        assert_eq!(shown["gone_orders"].as_array().map_or(0, Vec::len), 0, "{}", plan.stdout);
        let names = new_names(&world);
        let table: Vec<String> = names["tables.orders"].split('.').map(quoted).collect();
        world.rows.execute(&format!("DELETE FROM {}", table.join("."))).await;
        let plan = world.relink_with(&["regen", "--all"], &[variable]).await;
        assert_eq!(plan.code, Some(0), "{}", plan.stderr);
        assert!(plan.stdout.contains(&order.to_string()), "{}", plan.stdout);
    }
}

/// As the store takes them.
fn renames(world: &World) -> Renames {
    let mut renames = Renames::default();
    for (key, new) in new_names(world) {
        match key.split('.').collect::<Vec<_>>().as_slice() {
            ["tables", word] => renames.tables.insert((*word).to_owned(), new),
            ["status", word] => renames.states.insert((*word).to_owned(), new),
            ["columns", table, word] => {
                let columns = renames.columns.entry((*table).to_owned()).or_default();
                columns.insert((*word).to_owned(), new)
            }
            _ => panic!("{key}"),
        };
    }
    renames
}

/// What cannot be settled together is settled by itself, so that a delivery alone would show nothing.
#[tokio::test]
async fn under_other_names_events_are_settled_together_too() {
    for flavour in [Flavour::NativeEnums, Flavour::TextColumns] {
        let world = World::on(Backend::Postgres(flavour)).await;
        let orders = [
            world.order(pending(5500)).await,
            world.order(pending(5500)).await,
        ];
        let home = tempfile::tempdir().unwrap();
        rename_everything(&world, &home.path().join("config.toml")).await;
        let names = Names::renamed(&renames(&world)).unwrap();
        let url = SecretString::from(world.database_url().to_owned());
        let store = Store::connect_named(&url, Access::ReadWrite, &names)
            .await
            .unwrap();
        let receiver = store.open_receiver(policy()).await.unwrap();
        let told = |order: OrderId, session, intent| Told {
            order: json!(order.to_string()),
            session,
            intent: Some(intent),
            link: None,
            ..paid_event()
        };
        let events = [
            told(orders[0], "cs_test_first", "pi_first").event("evt_first"),
            told(orders[1], "cs_test_second", "pi_second").event("evt_second"),
        ];
        let receipts = receiver.receive_together(&[&events[0], &events[1]]).await;
        for (order, receipt) in orders.into_iter().zip(receipts) {
            assert!(receipt.as_ref().is_some_and(is_settled), "{receipt:?}");
            assert_eq!(column(&world, order, "status").await, "settled");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_column_that_was_named_must_be_there_even_where_relink_can_do_without() {
    let world = World::on(Backend::Sqlite).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    let variable = ("RELINK_CONFIG", file.to_str().unwrap());
    for (column, code) in [("updated_at", 0), ("changed_at", 4)] {
        std::fs::write(
            &file,
            format!("[schema.columns.orders]\nupdated_at = \"{column}\"\n"),
        )
        .unwrap();
        for command in [&["inspect", "--all"][..], &["doctor"]] {
            let output = world.relink_with(command, &[variable]).await;
            assert_eq!(
                output.code,
                Some(code),
                "{}{}",
                output.stdout,
                output.stderr
            );
        }
    }
    let output = world.relink_with(&["inspect", "--all"], &[variable]).await;
    assert!(
        output
            .stderr
            .contains("column `orders.changed_at` is missing"),
        "{}",
        output.stderr
    );
    std::fs::write(&file, "[schema.tables]\norders = \"billing.orders\"\n").unwrap();
    let output = world.relink_with(&["inspect", "--all"], &[variable]).await;
    assert_eq!(output.code, Some(4));
    assert!(
        output.stderr.contains("SQLite has no schemas"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_name_that_cannot_be_is_told_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let args = ["inspect", "--all", "--config", file.to_str().unwrap()];
        let output = run_binary(&args, &[]);
        let shown = output.stderr.replace(file.to_str().unwrap(), "FILE");
        format!("exit {}\n{shown}", output.code.unwrap())
    };
    insta::assert_snapshot!(refused("[schema.columns.orders]\namount_cent = \"price\"\n"), @"
    exit 4
    error: `FILE`, line 2: unknown key `schema.columns.orders.amount_cent`
    hint: did you mean `schema.columns.orders.amount_cents`?
    ");
    insta::assert_snapshot!(refused("[schema.columns.order]\nid = \"nr\"\n"), @"
    exit 4
    error: `FILE`, line 1: unknown key `schema.columns.order`
    hint: did you mean `schema.columns.orders`?
    ");
    insta::assert_snapshot!(refused("[schema.tables]\norders = \"a.b.c\"\n"), @"
    exit 4
    error: `FILE`, line 2: `schema.tables.orders`: it has more than one point
    hint: names are as the database writes them, each for one thing
    ");
    insta::assert_snapshot!(refused("[schema.status]\npaid = \"pending\"\n"), @"
    exit 4
    error: `FILE`, line 2: `schema.status.paid`: `pending` is `status.pending` already
    hint: names are as the database writes them, each for one thing
    ");
    insta::assert_snapshot!(refused("[schema.status]\nvoid = \"void\"\n"), @"
    exit 4
    error: `FILE`, line 2: unknown key `schema.status.void`
    hint: in [schema.status] there are canceled, paid, pending, refunded
    ");
}
