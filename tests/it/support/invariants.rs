//! What must hold over a whole world, database and Stripe, once a run has finished: the promises of
//! docs/guarantees.md, looked up and not believed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::{OrderId, World};

/// What an order must have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// One live payable object, of the order's own amount, and the row holds it.
    HoldOneLink,
    /// Nothing that can be paid.
    HoldNothingLive,
}

/// Everything at once; `told` names the case in a failure.
pub async fn check(world: &World, orders: &[(OrderId, Must)], told: &str) {
    for (order, must) in orders {
        let live = live_families(world, *order).await;
        match must {
            Must::HoldOneLink => {
                let held = world.row(order.0).await.reference.unwrap_or_default();
                assert_eq!(
                    live,
                    BTreeSet::from([held.clone()]),
                    "{told}: order {order}"
                );
                let row = world.row(order.0).await;
                let link = world.object(&held).await;
                assert_eq!(link["active"], true, "{told}: {link}");
                assert_eq!(row.url.as_deref(), link["url"].as_str(), "{told}");
                assert_eq!(amount(&link), row.amount_cents, "{told}: {link}");
            }
            Must::HoldNothingLive => assert_eq!(live, BTreeSet::new(), "{told}: order {order}"),
        }
    }
    journal_is_whole(world, told).await;
}

/// Every write that Stripe met is in the journal as what it was, with exactly one outcome, and nothing is left
/// open or held.
pub async fn journal_is_whole(world: &World, told: &str) {
    let journaled: BTreeSet<String> = world
        .journaled(
            "steps",
            "SELECT idempotency_key || ' ' || action || ' ' || COALESCE(object, '-') FROM {} \
             WHERE idempotency_key IS NOT NULL",
        )
        .await
        .into_iter()
        .collect();
    for write in world.writes().await {
        let step = format!("{} {}", text(&write, "idempotency_key"), deed(&write));
        assert!(
            journaled.contains(&step),
            "{told}: not in the journal: {step}"
        );
    }
    let steps = world
        .journaled("steps", "SELECT step_id FROM {} ORDER BY step_id")
        .await;
    let outcomes = world
        .journaled("outcomes", "SELECT step_id FROM {} ORDER BY step_id")
        .await;
    assert_eq!(steps, outcomes, "{told}: steps and their outcomes");
    let open = "SELECT subject FROM {} WHERE closed_at IS NULL OR lease_token IS NOT NULL";
    assert_eq!(
        world.journaled("operations", open).await,
        Vec::<String>::new(),
        "{told}"
    );
}

/// What a write does, as the journal names it: `mint -`, `deactivate plink_1`, `expire cs_1`.
fn deed(write: &Value) -> String {
    let path = text(write, "path");
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["v1", "payment_links"] => "mint -".to_owned(),
        ["v1", "payment_links", link] => format!("deactivate {link}"),
        ["v1", "checkout", "sessions", session, "expire"] => format!("expire {session}"),
        _ => format!("what relink never does: {path}"),
    }
}

/// Links that can be opened or have open sessions, and open sessions that no such link opened, by id.
pub async fn live_families(world: &World, order: OrderId) -> BTreeSet<String> {
    let objects = world.objects().await;
    let owner = order.to_string();
    let ours = |object: &&Value| object["metadata"]["order_id"] == owner.as_str();
    let mut live = BTreeSet::new();
    for object in objects.iter().filter(ours) {
        if object["active"] == true {
            live.insert(text(object, "id"));
        } else if object["status"] == "open" {
            let link = object["payment_link"].as_str();
            live.insert(link.map_or_else(|| text(object, "id"), ToOwned::to_owned));
        }
    }
    live
}

fn amount(link: &Value) -> Option<i64> {
    link["line_items"]["data"][0]["amount_total"].as_i64()
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}
