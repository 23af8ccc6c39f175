//! The main job on every database, through the real binary: the dry run is silent, the commit replaces
//! exactly the stranded orders, and a second run finds nothing to do.

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

const STRANDED: std::ops::RangeInclusive<i64> = 206..=222;

on_each_backend! {
    /// The double answers 500 to any write and remembers it; the database role may only SELECT.
    async fn the_dry_run_writes_nothing_anywhere(world) {
        world.load_sample().await;
        world.freeze_writes().await;
        let before = world.rows.dump().await;
        for command in ["inspect", "regen", "retire", "mint"] {
            for selection in [["--tournament-id", "1"], ["--tournament-id", "2"], ["--tournament-id", "3"]] {
                let output = world.relink_reading(&[command, selection[0], selection[1]]);
                assert_eq!(output.code, Some(0), "{command} {selection:?}: {}", output.stderr);
            }
            let output = world.relink_reading(&[command, "--all", "-o", "json"]);
            assert_eq!(output.code, Some(0), "{command} --all: {}", output.stderr);
        }
        assert_eq!(world.violations().await, Vec::<Value>::new());
        assert_eq!(world.rows.dump().await, before);
    }
}

on_each_backend! {
    async fn the_commit_replaces_the_seventeen_stranded_links_and_a_second_run_does_nothing(world) {
        world.load_sample().await;
        let before = world.rows.dump().await;
        let output = world.relink(&["regen", "--tournament-id", "2", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);

        for id in STRANDED {
            let row = world.row(id).await;
            let link = world.object(row.reference.as_deref().unwrap()).await;
            assert_eq!(link["object"], "payment_link", "order {id}");
            assert_eq!(link["active"], true, "order {id}");
            assert_eq!(link["url"].as_str(), row.url.as_deref(), "order {id}");
            assert_eq!(link["metadata"]["order_id"], id.to_string());
            assert_eq!(link["restrictions"]["completed_sessions"]["limit"], 1);
            assert_eq!(link["payment_intent_data"]["metadata"]["order_id"], id.to_string());
            assert_eq!(link["metadata"]["tournament_id"], "2");
            assert_eq!(link["metadata"]["relink_key"].as_str().unwrap().len(), 20);
        }
        let untouched = |dump: &[(i64, String)]| -> Vec<(i64, String)> {
            dump.iter().filter(|(id, _)| !STRANDED.contains(id)).cloned().collect()
        };
        assert_eq!(untouched(&world.rows.dump().await), untouched(&before));

        let writes = world.writes().await;
        assert_eq!(writes.len(), 17, "one call per order: price and link together");
        assert!(writes.iter().all(|w| w["path"] == "/v1/payment_links"), "{writes:?}");

        world.freeze_writes().await;
        let again = world.relink(&["regen", "--tournament-id", "2", "--commit", "--yes", "-o", "json"]).await;
        assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
        let report: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(report["outcomes"], json!([]));
        assert_eq!(world.violations().await, Vec::<Value>::new());
    }
}

on_each_backend! {
    /// Every order of the odd cases that regen works on ends with exactly one live object, in its row.
    async fn after_a_commit_over_everything_a_second_plan_is_empty(world) {
        world.load_sample().await;
        let first = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(first.code, Some(3), "some need a person: {}{}", first.stdout, first.stderr);
        let again = world.relink(&["regen", "--all", "-o", "json"]).await;
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        let plan: Value = serde_json::from_str(&again.stdout).unwrap();
        for order in plan["orders"].as_array().unwrap() {
            let kind = order["action"]["kind"].as_str().unwrap();
            assert!(["nothing", "hold"].contains(&kind), "{order}");
        }
    }
}

on_each_backend! {
    async fn an_open_session_is_expired_and_a_link_drained_before_the_mint(world) {
        let session = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let link = world.order(pending(5500).behind(inactive_link().with(open_session().minutes_old(600)))).await;
        let output = world.relink(&["regen", "--all", "--commit", "--yes", "--concurrency", "1"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let paths: Vec<String> = world.writes().await.iter().map(|w| shape(w["path"].as_str().unwrap())).collect();
        assert_eq!(paths, ["/v1/checkout/sessions/*/expire", "/v1/payment_links", "/v1/checkout/sessions/*/expire", "/v1/payment_links"]);
        for order in [session, link] {
            assert_eq!(world.live_objects_of(order).await, [world.row(order.0).await.reference.unwrap()]);
        }
    }
}

on_each_backend! {
    async fn an_active_link_with_another_amount_is_switched_off_drained_and_replaced_only_when_allowed(world) {
        let order = world.order(pending(6500).behind(active_link().of(5500).with(open_session().minutes_old(600)))).await;
        let held = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(held.code, Some(3), "{}{}", held.stdout, held.stderr);
        assert_eq!(world.writes().await, Vec::<Value>::new());

        let output = world.relink(&["regen", "--all", "--allow-amount-change", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let paths: Vec<String> = world.writes().await.iter().map(|w| shape(w["path"].as_str().unwrap())).collect();
        assert_eq!(paths, ["/v1/payment_links/*", "/v1/checkout/sessions/*/expire", "/v1/payment_links"]);
        let row = world.row(order.0).await;
        assert_eq!(world.live_objects_of(order).await, [row.reference.unwrap()]);
    }
}

on_each_backend! {
    async fn a_duplicate_is_closed_and_the_rows_own_good_link_kept(world) {
        let order = world.order(pending(5500).behind(active_link()).and_also(active_link())).await;
        let own = world.row(order.0).await.reference.unwrap();
        let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(world.live_objects_of(order).await, [own]);
    }
}

on_each_backend! {
    async fn a_live_link_that_the_row_does_not_hold_is_closed_before_another_is_minted(world) {
        let order = world.order(pending(5500).behind(expired_session()).and_also(active_link())).await;
        let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let paths: Vec<String> = world.writes().await.iter().map(|w| shape(w["path"].as_str().unwrap())).collect();
        assert_eq!(paths, ["/v1/payment_links/*", "/v1/payment_links"]);
        assert_eq!(world.live_objects_of(order).await, [world.row(order.0).await.reference.unwrap()]);
    }
}

on_each_backend! {
    async fn mint_serves_dead_orders_and_retires_nothing(world) {
        let dead = world.order(pending(5500).behind(expired_session())).await;
        let dying = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let output = world.relink(&["mint", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let writes = world.writes().await;
        assert_eq!(writes.len(), 1, "{writes:?}");
        assert_eq!(world.live_objects_of(dead).await, [world.row(dead.0).await.reference.unwrap()]);
        assert!(world.row(dying.0).await.reference.unwrap().starts_with("cs_"));
    }
}

/// A path with its ids left out.
fn shape(path: &str) -> String {
    let is_id = |part: &str| part.starts_with("cs_") || part.starts_with("plink_");
    let parts = path.split('/');
    let blank = |part| if is_id(part) { "*" } else { part };
    parts.map(blank).collect::<Vec<_>>().join("/")
}
