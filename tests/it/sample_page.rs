//! `fixtures/README.md` says what each command does with every odd order; here the real binary is asked.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::on_each_backend;
use crate::support::world::*;

const PAGE: &str = include_str!("../../fixtures/README.md");

/// The table's rows: order, case, verdict, regen, retire, mint.
pub fn table() -> Vec<Vec<&'static str>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| 3"));
    let cell = |cell: &'static str| cell.trim().trim_matches('`');
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(cell).collect();
    rows.map(cells).collect()
}

/// What the plan says about one order, in the page's words.
fn told(order: &Value) -> String {
    let action = &order["action"];
    let retired = action["objects"].as_array().unwrap().len();
    match (action["kind"].as_str().unwrap(), retired) {
        ("replace", 0) => "mint".to_owned(),
        ("retire", 1) => "close".to_owned(),
        (kind, _) => kind.to_owned(),
    }
}

/// The page's cell without what is closed: the plan names ids instead.
fn kind(cell: &str) -> String {
    match cell.strip_prefix("close the ") {
        Some(_) => "close".to_owned(),
        None => cell.to_owned(),
    }
}

async fn plan(world: &World, command: &str) -> BTreeMap<i64, (String, String)> {
    let output = world
        .relink(&[command, "--tournament-id", "3", "-o", "json"])
        .await;
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    let orders = plan["orders"].as_array().unwrap().iter();
    let verdict = |order: &Value| order["verdict"].as_str().unwrap().to_owned();
    orders
        .map(|order| {
            let id = order["order_id"].as_i64().unwrap();
            (id, (verdict(order), told(order)))
        })
        .collect()
}

on_each_backend! {
    async fn the_page_tells_what_every_command_would_do(world) {
    world.load_sample().await;
    for (column, command) in [(3, "regen"), (4, "retire"), (5, "mint")] {
        let expected: BTreeMap<i64, (String, String)> = table()
            .iter()
            .map(|row| {
                let id = row[0].parse().unwrap();
                (id, (row[2].to_owned(), kind(row[column])))
            })
            .collect();
        let planned = plan(&world, command).await;
        for (id, expected) in &expected {
            assert_eq!(planned.get(id), Some(expected), "{command}, order {id}");
        }
        assert_eq!(planned.len(), expected.len(), "{command}");
    }
    assert_eq!(world.writes().await, Vec::<Value>::new());
}
}

#[tokio::test]
async fn the_healthy_tournament_needs_nothing() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let output = world
        .relink(&["regen", "--tournament-id", "1", "-o", "json"])
        .await;
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    let orders = plan["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 8);
    for order in orders {
        assert_eq!(told(order), "nothing", "{order}");
        let verdict = order["verdict"].as_str().unwrap();
        assert!(["healthy", "settled"].contains(&verdict), "{order}");
    }
}
