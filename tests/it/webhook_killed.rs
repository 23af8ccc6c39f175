//! The receiver killed around each of its commits while a payment is told, then started again and told again: the order
//! is paid once, nothing of it can be paid again, and nobody is alarmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::kill_points::{self, KillPoints};
use crate::support::serving::{SECRET, Serving, free_port};
use crate::support::tally::tell;
use crate::support::world::*;

/// Lets the first points pass, and holds the one that is asked for.
struct Held {
    armed: Arc<AtomicBool>,
    reached: Arc<AtomicUsize>,
    holds: Arc<AtomicBool>,
}

impl Held {
    fn at(points: KillPoints, nth: usize) -> Held {
        let held = Held {
            armed: Arc::default(),
            reached: Arc::default(),
            holds: Arc::default(),
        };
        let (armed, reached) = (Arc::clone(&held.armed), Arc::clone(&held.reached));
        let holds = Arc::clone(&held.holds);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                let point = points.next().await;
                let is_told = armed.load(Ordering::SeqCst);
                if is_told && reached.fetch_add(1, Ordering::SeqCst) == nth {
                    holds.store(true, Ordering::SeqCst);
                    kept.push(point);
                } else {
                    point.go_on();
                }
            }
        });
        held
    }
}

async fn is_closed(world: &World, order: OrderId) -> bool {
    let due = "SELECT link FROM {} WHERE done_at IS NULL";
    world.row(order.0).await.status == "paid"
        && world.live_objects_of(order).await.is_empty()
        && world.journaled("retirements", due).await.is_empty()
}

async fn wait_until(what: &str, reached: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !reached().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// False when the telling has no such point.
async fn survives_a_kill_at(backend: Backend, nth: usize) -> bool {
    let world = World::on(backend).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let minted = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(minted.code, Some(0), "{}{}", minted.stdout, minted.stderr);
    let link = world.row(order.0).await.reference.unwrap();
    let points = KillPoints::listen().await;
    let address = points.address();
    let held = Held::at(points, nth);
    let port = free_port();
    let announced = [(kill_points::ADDRESS, address.as_str())];
    let process = Serving::on(&world, port, &announced).await;
    world.send_webhooks(&process.url(), SECRET).await;
    // A second page is open: closing the link has something to do.
    world.visit(&link).await;
    held.armed.store(true, Ordering::SeqCst);
    world.pay(&link).await;
    let reached = async || held.holds.load(Ordering::SeqCst) || is_closed(&world, order).await;
    wait_until("neither held nor closed", reached).await;
    let was_held = held.holds.load(Ordering::SeqCst);
    process.kill().await;

    let again = Serving::on(&world, port, &[]).await;
    world.deliveries().await;
    let closed = async || is_closed(&world, order).await;
    wait_until(&format!("not closed after a kill at point {nth}"), closed).await;
    let ended = again.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let settled = world
        .journaled("events", "SELECT ruling FROM {} WHERE ruling = 'settled'")
        .await;
    assert_eq!(settled.len(), 1, "point {nth}");
    assert_eq!(
        world
            .journaled("incidents", "SELECT incident_id FROM {}")
            .await,
        Vec::<String>::new(),
        "point {nth}"
    );
    was_held
}

async fn kill_everywhere(backend: Backend, name: &str) {
    let mut points = 0;
    while survives_a_kill_at(backend, points).await {
        points += 1;
        assert!(points < 200, "there is no end of points");
    }
    assert!(points >= 6, "only {points} points: were they announced?");
    tell(&format!("receiver on {name}: {points:>4} points killed at"));
}

#[tokio::test]
async fn sqlite() {
    kill_everywhere(Backend::Sqlite, "SQLite").await;
}

#[tokio::test]
async fn postgres() {
    kill_everywhere(Backend::Postgres(Flavour::NativeEnums), "Postgres").await;
}
