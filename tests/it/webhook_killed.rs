//! The receiver killed around each of its commits and each of its requests to Stripe while a payment is told, then started
//! again and told again: the order is paid once, nothing of it can be paid again, and nobody is alarmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

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

/// Where it is killed. Points and requests count from the payment on.
#[derive(Clone, Copy, Debug)]
enum At {
    Commit(usize),
    /// Before Stripe does it, or after it has and before it says so.
    Request(usize, &'static str),
}

/// False when the telling does not come there.
async fn survives_a_kill_at(backend: Backend, at: At) -> bool {
    let world = World::on(backend).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let minted = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(minted.code, Some(0), "{}{}", minted.stdout, minted.stderr);
    let link = world.row(order.0).await.reference.unwrap();
    let points = KillPoints::listen().await;
    let address = points.address();
    let held = match at {
        At::Commit(nth) => Held::at(points, nth),
        At::Request(..) => Held::at(points, usize::MAX),
    };
    let port = free_port();
    let announced = [(kill_points::ADDRESS, address.as_str())];
    let process = Serving::on(&world, port, &announced).await;
    world.send_webhooks(&process.url(), SECRET).await;
    // A second page is open: closing the link has something to do.
    world.visit(&link).await;
    if let At::Request(nth, when) = at {
        let rule = json!({"nth": nth + 1, "times": 1, "when": when, "kind": "park"});
        world.fault(rule).await;
    }
    held.armed.store(true, Ordering::SeqCst);
    world.pay(&link).await;
    let is_held = async || held.holds.load(Ordering::SeqCst) || parked(&world).await.is_some();
    let reached = async || is_held().await || is_closed(&world, order).await;
    wait_until("neither held nor closed", reached).await;
    let was_held = is_held().await;
    process.kill().await;
    if let Some(request) = parked(&world).await {
        world.drop_parked(request).await;
    }
    world.clear_faults().await;

    let again = Serving::on(&world, port, &[]).await;
    world.deliveries().await;
    let closed = async || is_closed(&world, order).await;
    wait_until(&format!("not closed after a kill at {at:?}"), closed).await;
    let ended = again.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let settled = world
        .journaled("events", "SELECT ruling FROM {} WHERE ruling = 'settled'")
        .await;
    assert_eq!(settled.len(), 1, "{at:?}");
    assert_eq!(
        world
            .journaled("incidents", "SELECT incident_id FROM {}")
            .await,
        Vec::<String>::new(),
        "{at:?}"
    );
    was_held
}

async fn parked(world: &World) -> Option<u64> {
    world.stripe.ask("parked").await[0]["id"].as_u64()
}

async fn count_points(backend: Backend, at: impl Fn(usize) -> At) -> usize {
    let mut points = 0;
    while survives_a_kill_at(backend, at(points)).await {
        points += 1;
        assert!(points < 200, "there is no end of points");
    }
    points
}

async fn kill_everywhere(backend: Backend, name: &str) {
    let commits = count_points(backend, At::Commit).await;
    let before = count_points(backend, |nth| At::Request(nth, "before")).await;
    let after = count_points(backend, |nth| At::Request(nth, "after")).await;
    assert!(commits >= 6, "only {commits} points: were they announced?");
    assert!(before >= 3, "only {before} requests");
    assert_eq!(before, after);
    tell(&format!(
        "receiver on {name}: killed at {commits} points around commits, before {before} requests and after {after}"
    ));
}

#[tokio::test]
async fn sqlite() {
    kill_everywhere(Backend::Sqlite, "SQLite").await;
}

#[tokio::test]
async fn postgres() {
    kill_everywhere(Backend::Postgres(Flavour::NativeEnums), "Postgres").await;
}
