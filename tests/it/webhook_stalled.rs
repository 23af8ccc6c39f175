//! The receiver while its database keeps everybody waiting: it says so in time, and what is sent to it meanwhile fills no
//! memory.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AnyConnection, Connection};

use crate::support::serving::{SECRET, Serving, client};
use crate::support::world::*;
use crate::webhook_world::{Told, header, now, paid};

/// Before the database gives up whoever waits for a lock (10 s), and before Prometheus gives up a scrape.
const IN_TIME: Duration = Duration::from_secs(8);
/// As many as the receiver has places for.
const DELIVERIES: usize = 64;
const FORGED: usize = 200;
/// Kibibytes: the few large bodies that are held at once, and what 264 connections need.
const ROOM: u64 = 64 * 1024;

/// A world, its receiver, and what has the receiver's tables until it is closed.
async fn stalled() -> (World, Serving, AnyConnection) {
    let world = World::on(Backend::Postgres(Flavour::NativeEnums)).await;
    world.order(pending(5500).behind(active_link())).await;
    let serving = Serving::start(&world).await;
    sqlx::any::install_default_drivers();
    let mut holding = AnyConnection::connect(world.database_url()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE relink.events, orders IN ACCESS EXCLUSIVE MODE")
        .execute(&mut holding)
        .await
        .unwrap();
    (world, serving, holding)
}

#[tokio::test]
async fn health_and_metrics_are_told_in_time() {
    let (_world, serving, holding) = stalled().await;
    let begun = Instant::now();
    let (health, metrics) = tokio::join!(serving.get("healthz"), serving.get("metrics"));
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
    assert_eq!(health.unwrap().0, 503);
    let (status, metrics) = metrics.unwrap();
    assert_eq!(status, 200);
    assert!(metrics.contains("relink_database_up 0"), "{metrics}");
    holding.close().await.unwrap();
    assert_eq!(serving.get("healthz").await.unwrap().0, 200);
    serving.stop().await;
}

/// Deliveries have all places; whoever sends much waits with what was read of it.
#[tokio::test]
async fn large_bodies_that_wait_for_their_turn_fill_no_memory() {
    let (_world, serving, holding) = stalled().await;
    let mut sent = Vec::new();
    for nth in 0..DELIVERIES {
        let told = Told {
            order: json!("1001"),
            ..paid()
        };
        let body = told.body(&format!("evt_{nth}")).to_string().into_bytes();
        let signature = header(SECRET, now(), &body);
        let posting = client().post(serving.url());
        let posting = posting.header("Stripe-Signature", signature).body(body);
        sent.push(tokio::spawn(posting.send()));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = serving.memory();
    let large = bytes(1024 * 1024);
    for _ in 0..FORGED {
        let posting = client().post(serving.url()).body(large);
        sent.push(tokio::spawn(posting.send()));
    }
    let begun = Instant::now();
    let mut most = before;
    while begun.elapsed() < Duration::from_secs(5) {
        most = most.max(serving.memory());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(most < before + ROOM, "from {before} to {most} KiB");
    holding.close().await.unwrap();
    for posting in sent {
        posting.abort();
    }
    serving.stop().await;
}

fn bytes(length: usize) -> &'static [u8] {
    vec![b'x'; length].leak()
}
