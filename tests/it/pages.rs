//! `inspect` over more orders than a page holds: every format tells of each once and as of one plan, and what moves
//! meanwhile is not judged.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

/// Orders of a page.
const PAGE: i64 = 1000;

/// Paid orders with these ids, of the family of order 1001.
async fn paid_orders(world: &World, from: i64, to: i64) {
    let now = "'2026-03-08T16:00:00+00:00'";
    world
        .rows
        .execute(&format!(
            "INSERT INTO orders (id, tenant_id, player_id, product_id, status, amount_cents, created_at, updated_at, paid_at) \
             WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) \
             SELECT i, 1, 1001, 1001, 'paid', 5500, {now}, {now}, {now} FROM n"
        ))
        .await;
}

/// Three pages: on the first all are paid but the last one, 1001, which is dead; the second begins with these others.
async fn three_pages(backend: Backend, others: Vec<Order>) -> World {
    let world = World::on(backend).await;
    world.order(pending(5500).behind(expired_session())).await;
    for order in others {
        world.order(order).await;
    }
    paid_orders(&world, 1, PAGE - 1).await;
    paid_orders(&world, 2 * PAGE, 3 * PAGE + 99).await;
    world
}

async fn inspect(world: &World, args: &[&str]) -> Output {
    let mut all = vec!["inspect", "--all"];
    all.extend(args);
    world.relink(&all).await
}

fn odd() -> Vec<Order> {
    vec![
        pending(5500).behind(active_link()).and_also(active_link()),
        pending(7000).behind(active_link()),
        pending(5500).behind(expired_session()),
    ]
}

on_each_backend! {
    async fn every_format_tells_of_each_order_once_and_of_all_together(world) {
        world.order(pending(5500).behind(expired_session())).await;
        for order in odd() {
            world.order(order).await;
        }
        paid_orders(&world, 1, PAGE - 1).await;
        paid_orders(&world, 2 * PAGE, 3 * PAGE + 99).await;
        let orders = PAGE - 1 + 4 + PAGE + 100;

        let shown = inspect(&world, &["-o", "json"]).await;
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        let plan: Value = serde_json::from_str(&shown.stdout).unwrap();
        let whole = serde_json::to_string_pretty(&plan).unwrap() + "\n";
        assert!(shown.stdout == whole, "the pieces fit together");
        let list = plan["orders"].as_array().unwrap();
        let ids: Vec<i64> = list.iter().map(|o| o["order_id"].as_i64().unwrap()).collect();
        assert_eq!(ids.len() as i64, orders);
        assert!(ids.is_sorted_by(|one, other| one < other));
        assert_eq!(
            plan["counts"],
            json!({
                "orders": orders,
                "verdicts": {"settled": orders - 4, "duplicate": 1, "dead": 2, "healthy": 1},
                "replace": 2, "retire": 1, "resume": 0, "wait": 0, "need_person": 0, "objects": 1,
            })
        );
        assert_eq!(plan["totals"], json!([{"minor": 11000, "currency": "usd"}]));

        let lines = inspect(&world, &["-o", "jsonl"]).await.stdout;
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let rest = lines.iter().find(|line| line["type"] == "totals").unwrap();
        let items: Vec<_> = lines.iter().filter(|line| line["type"] == "order").collect();
        let untyped = |line: &Value| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().shift_remove("type");
            line
        };
        assert_eq!(items.len(), list.len());
        for (item, order) in items.iter().zip(list) {
            assert_eq!(untyped(item), *order);
        }
        let mut around = plan.clone();
        around.as_object_mut().unwrap().shift_remove("orders");
        for name in ["counts", "totals", "policy", "goal", "schema"] {
            assert_eq!(rest[name], around[name], "{name}");
        }

        let told = inspect(&world, &["-o", "ids"]).await.stdout;
        let told: Vec<i64> = told.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(told, ids);

        let rows = inspect(&world, &["-o", "csv"]).await.stdout;
        assert_eq!(rows.lines().count() as i64, orders + 1);
        assert_eq!(rows.matches("order_id").count(), 1);

        let table = inspect(&world, &[]).await.stdout;
        assert_eq!(table.matches("what would be done").count(), 3, "a header on each page");
        let sums = format!("{orders} orders: {} settled, 1 duplicate, 2 dead, 1 healthy", orders - 4);
        assert!(table.contains(&sums), "{}", &table[table.len() - 400..]);
        assert!(table.contains("next: relink regen --all"), "{}", &table[table.len() - 400..]);
    }

}

on_each_backend! {
    /// It keeps nobody waiting and changes no exit code: the next look judges it. It is said all the same, under `-q` too.
    async fn what_moves_while_everything_is_listed_is_left_to_the_next_look(world) {
        world.order(pending(5500).behind(active_link())).await;
        world.order(pending(5500).behind(active_link())).await;
        world.order(pending(5500).behind(active_link()).of_category("jersey")).await;
        paid_orders(&world, 1, PAGE - 1).await;
        paid_orders(&world, 2 * PAGE, 2 * PAGE + 9).await;
        let park = json!({"kind": "park", "method": "GET", "path": "/v1/payment_links", "nth": 1, "times": 1, "when": "after"});
        world.fault(park).await;
        let running = world.spawn(&["inspect", "--all", "--check", "-q", "-o", "json"]);
        let parked = world.wait_for_parked().await;
        // Made and stored after the listing was read: it is not dead because it is not listed.
        world.rows.set(1002, "stripe_checkout_session_id", "'cs_test_made_meanwhile'").await;
        world.rows.execute("UPDATE products SET category = 'tournament' WHERE id = 1003").await;
        paid_orders(&world, 4 * PAGE, 4 * PAGE).await;
        world.release(parked).await;
        let shown = running.finish().await;
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        let plan: Value = serde_json::from_str(&shown.stdout).unwrap();
        let orders = plan["orders"].as_array().unwrap();
        let ids: BTreeSet<i64> = orders.iter().map(|o| o["order_id"].as_i64().unwrap()).collect();
        assert_eq!(ids.len() as i64, PAGE - 1 + 1 + 10);
        assert!(ids.is_disjoint(&BTreeSet::from([1002, 1003, 4 * PAGE])));
        let told = "3 orders changed, or came, while everything was read and is left to the next look: 1002, 1003, 4000";
        assert!(shown.stderr.contains(told), "{}", shown.stderr);
    }
}

/// Half of the orders would look like few, and half of a document like none.
#[tokio::test]
async fn a_look_that_fails_on_a_later_page_says_nothing_but_that() {
    let world = three_pages(Backend::Sqlite, odd()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relink.prom");
    let metrics = format!("--metrics-file={}", file.display());
    let whole = inspect(&world, &["--check", &metrics]).await;
    assert_eq!(whole.code, Some(11), "{}", whole.stderr);
    let counts = || {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("relink_orders"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = counts();
    let live = "UPDATE orders SET stripe_checkout_session_id = 'cs_live_a1' WHERE id = 3000";
    world.rows.execute(live).await;
    let failed = inspect(&world, &["--check", &metrics, "-o", "json"]).await;
    assert_eq!(failed.code, Some(4), "{}", failed.stderr);
    let document: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(document["schema"], "relink.error/1");
    assert_eq!(counts(), before);
}

#[tokio::test]
async fn quiet_passes_over_a_page_on_which_nobody_is_needed() {
    let world = three_pages(Backend::Sqlite, Vec::new()).await;
    let shown = inspect(&world, &["-q"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(shown.stdout.matches("what would be done").count(), 1);
    assert!(
        shown.stdout.contains("2100 orders: 2099 settled, 1 dead"),
        "{}",
        shown.stdout
    );

    let dead = "UPDATE orders SET status = 'paid' WHERE id = 1001";
    world.rows.execute(dead).await;
    let shown = inspect(&world, &["-q"]).await;
    assert_eq!((shown.stdout.as_str(), shown.code), ("", Some(0)));
}

#[tokio::test]
async fn what_is_found_on_any_page_is_the_exit_code_and_in_the_metrics() {
    let world = three_pages(Backend::Sqlite, odd()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relink.prom");
    let metrics = format!("--metrics-file={}", file.display());
    let shown = inspect(&world, &["--check", "-q", &metrics]).await;
    assert_eq!(shown.code, Some(11), "{}{}", shown.stdout, shown.stderr);
    let told = std::fs::read_to_string(&file).unwrap();
    let orders = told
        .lines()
        .filter(|line| line.starts_with("relink_orders") || line.starts_with("relink_stranded"));
    let counted: Vec<String> = orders
        .filter(|line| !line.ends_with(" 0"))
        .map(|line| line.rsplit(',').next().unwrap_or_default().to_owned())
        .collect();
    insta::assert_snapshot!(counted.join("\n"), @r#"
    verdict="settled"} 2099
    verdict="duplicate"} 1
    verdict="dead"} 2
    verdict="healthy"} 1
    scope="all"} 2
    currency="usd"} 11000
    "#);
}

#[tokio::test]
async fn verdicts_that_are_asked_for_are_shown_of_every_page() {
    let world = three_pages(Backend::Sqlite, odd()).await;
    let shown = inspect(
        &world,
        &["--verdict", "dead", "--verdict", "healthy", "-o", "json"],
    )
    .await;
    let plan: Value = serde_json::from_str(&shown.stdout).unwrap();
    let orders = plan["orders"].as_array().unwrap();
    let ids: BTreeSet<i64> = orders
        .iter()
        .map(|o| o["order_id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, BTreeSet::from([1001, 1003, 1004]));
    assert_eq!(plan["counts"]["orders"], 3);

    let none = inspect(&world, &["--verdict", "foreign", "-o", "json"]).await;
    let plan: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!(plan["orders"], json!([]));
    let none = inspect(&world, &["--verdict", "foreign", "-o", "csv"]).await;
    assert_eq!(none.stdout.lines().count(), 1, "{}", none.stdout);
}

#[tokio::test]
async fn the_list_for_the_mail_has_the_healthy_orders_of_every_page() {
    let world = three_pages(Backend::Sqlite, odd()).await;
    paid_orders(&world, 5 * PAGE, 5 * PAGE).await;
    world.rows.execute("UPDATE orders SET status = 'pending', stripe_checkout_session_id = 'pi_1' WHERE id = 5000").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blast.csv");
    let shown = inspect(&world, &["--csv-out", file.to_str().unwrap()]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let ids = |path: &str| {
        let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
        let rows = text.lines().skip(1);
        rows.map(|row| row.split(',').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("blast.csv"), ["1003"]);
    assert_eq!(ids("blast.needs-person.csv"), ["5000"]);
}
