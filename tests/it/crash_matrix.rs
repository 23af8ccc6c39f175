//! The real binary, killed by SIGKILL at every point of its way: at every request to Stripe, before and after its
//! effect, and at every commit, before and after. One re-run, and everything is as it must be.
//!
//! A request whose sender is dead is lost, carried out, or strays and arrives after the re-run.
//!
//! Each point again a day later: Stripe has forgotten every idempotency key before the re-run. The points of a
//! path are counted by a run that passes all of them, and each one counted is visited.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::invariants::{Must, check, live_families};
use crate::support::kill_points::{ADDRESS, KillPoints, Reached};
use crate::support::tally::tell;
use crate::support::world::*;

const NATIVE: Backend = Backend::Postgres(Flavour::NativeEnums);
const REGEN: &[&str] = &["regen", "--all"];

/// One way that a run takes: a world, a command, and what it must lead to.
struct Path {
    name: &'static str,
    command: Vec<String>,
    /// The same by its selection, without what would write.
    selection: Vec<String>,
    orders: Vec<(OrderId, Must)>,
    world: World,
    /// The ids that the rows held at first: published.
    published: Vec<String>,
    /// How many links all runs together make, however often they are killed.
    mints: usize,
}

/// Where a run is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The n-th request of the run, and what becomes of it without its sender.
    Request { nth: usize, fate: Fate },
    /// The n-th announcement of a commit: each commit has one before and one after.
    Commit { nth: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lost,
    /// Stripe had begun with it and carries it out before the next run begins.
    CarriedOut,
    /// It had happened; only its answer was under way.
    Answered,
    /// It strays about, and gets to Stripe when the next run has ended.
    Strays,
}

const FATES: [Fate; 4] = [Fate::Lost, Fate::CarriedOut, Fate::Answered, Fate::Strays];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    AtOnce,
    /// Stripe has forgotten all keys.
    NextDay,
}

/// In a world with nothing in it.
async fn set_out(name: &'static str, world: World) -> Path {
    let mut orders = Vec::new();
    let mut command: Vec<String> = REGEN.iter().map(|word| (*word).to_owned()).collect();
    let old_session = || open_session().minutes_old(600);
    match name {
        "dead" => orders.push(pending(5500).behind(expired_session())),
        "dying" => orders.push(pending(5500).behind(old_session())),
        "wrong" => orders.push(pending(5500).behind(active_link().of(4500))),
        "tabs" => orders
            .push(pending(5500).behind(inactive_link().with(old_session()).with(old_session()))),
        "wrong with tabs" => {
            orders.push(pending(5500).behind(active_link().of(4500).with(old_session())))
        }
        "two in flight" => {
            orders.push(pending(5500).behind(expired_session()));
            orders.push(pending(7000).behind(old_session()));
        }
        "duplicate" => orders.push(pending(5500).behind(active_link()).and_also(active_link())),
        "withdraw" => orders.push(pending(5500).behind(active_link().with(old_session()))),
        "leaked" | "leaked by id" => {
            orders.push(canceled(5500).behind(active_link().with(old_session())))
        }
        other => panic!("no path {other}"),
    }
    let must = if matches!(name, "withdraw" | "leaked" | "leaked by id") {
        Must::HoldNothingLive
    } else {
        Must::HoldOneLink
    };
    let mut made = Vec::new();
    let mut published = Vec::new();
    for order in orders {
        let id = world.order(order).await;
        published.extend(world.row(id.0).await.reference);
        made.push((id, must));
    }
    if name.starts_with("wrong") {
        command.push("--allow-amount-change".to_owned());
    }
    if must == Must::HoldNothingLive {
        command[0] = "retire".to_owned();
    }
    if name == "withdraw" {
        command.push("--pending".to_owned());
    }
    let selection = command.clone();
    if name == "leaked by id" {
        command.truncate(1);
        command.extend(published.iter().cloned());
    }
    command.extend(["--commit", "--yes"].map(ToOwned::to_owned));
    let mints = match name {
        "duplicate" | "withdraw" | "leaked" | "leaked by id" => 0,
        _ => made.len(),
    };
    let in_flight = if name == "two in flight" { "2" } else { "1" };
    command.extend(["--concurrency", in_flight].map(ToOwned::to_owned));
    Path {
        name,
        command,
        selection,
        orders: made,
        world,
        published,
        mints,
    }
}

impl Path {
    fn start(&self, points: &KillPoints) -> Running {
        let args: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let mut command = self.world.command(&args);
        command.env(ADDRESS, points.address());
        Running::start(command)
    }

    /// Every point of this path, by a run that passes all of them.
    async fn count(&self) -> Vec<Point> {
        let points = KillPoints::listen().await;
        let running = self.start(&points);
        let finish = running.finish();
        tokio::pin!(finish);
        let mut commits = 0;
        let output = loop {
            tokio::select! {
                biased;
                reached = points.next() => {
                    commits += 1;
                    reached.go_on();
                }
                output = &mut finish => break output,
            }
        };
        assert_eq!(
            output.code,
            Some(0),
            "{}: {}{}",
            self.name,
            output.stdout,
            output.stderr
        );
        check(&self.world, &self.orders, self.name).await;
        assert_eq!(mints(&self.world).await, self.mints, "{}", self.name);
        let mut all = Vec::new();
        for (index, request) in self.world.requests().await.iter().enumerate() {
            let nth = index + 1;
            // Of two orders in flight, which request comes n-th is not settled.
            let may_write = request["method"] != "GET" || self.orders.len() > 1;
            let fates = if may_write { &FATES[..] } else { &[Fate::Lost] };
            all.extend(fates.iter().map(|&fate| Point::Request { nth, fate }));
        }
        all.extend((1..=commits).map(|nth| Point::Commit { nth }));
        all
    }

    /// Runs up to the point, and kills there; whether the point was reached. A request that strays is still parked.
    async fn kill_at(&self, point: Point) -> bool {
        let points = KillPoints::listen().await;
        if let Point::Request { nth, fate } = point {
            let when = match fate {
                Fate::Lost | Fate::CarriedOut => "before",
                Fate::Answered => "after",
                // Whatever Stripe has not seen holds no key.
                Fate::Strays => "arrival",
            };
            self.world
                .fault(json!({"nth": nth, "times": 1, "when": when, "kind": "park"}))
                .await;
        }
        let running = self.start(&points);
        let reached = match point {
            Point::Request { fate, .. } => {
                let parked = self.parked(&points).await;
                drop(running);
                match (parked, fate) {
                    (Some(id), Fate::Lost) => self.world.drop_parked(id).await,
                    (Some(id), Fate::CarriedOut | Fate::Answered) => self.carry_out(id).await,
                    (_, Fate::Strays) | (None, _) => {}
                }
                parked.is_some()
            }
            Point::Commit { nth } => {
                let reached = nth_commit(&points, nth).await;
                drop(running);
                reached.is_some()
            }
        };
        self.world.clear_faults().await;
        reached
    }

    /// Lets a parked request go on, and waits for its end: nobody else does.
    async fn carry_out(&self, parked: u64) {
        self.world.release(parked).await;
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let requests = self.world.requests().await;
            let under_way = |it: &&Value| it["status"].is_null() && it["cut"].is_null();
            match requests.iter().find(under_way) {
                None => return,
                Some(request) => assert!(Instant::now() < until, "never ends: {request}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The request that the fault holds, while every commit passes.
    async fn parked(&self, points: &KillPoints) -> Option<u64> {
        let asked = self.world.stripe.ask("parked?count=1&wait_ms=10000");
        tokio::pin!(asked);
        loop {
            tokio::select! {
                reached = points.next() => reached.go_on(),
                parked = &mut asked => return parked[0]["id"].as_u64(),
            }
        }
    }

    /// The same command once more, and everything that must hold.
    async fn recover(&self, told: &str) {
        // Never two published objects that can be paid, not even before anybody has repaired anything.
        for (order, _) in &self.orders {
            let live = live_families(&self.world, *order).await;
            let held = self.world.row(order.0).await.reference;
            let published =
                |id: &&String| self.published.contains(id) || held.as_ref() == Some(*id);
            let payable: Vec<&String> = live.iter().filter(published).collect();
            assert!(payable.len() <= 1, "{told}: {payable:?}");
        }
        let expected = if self.is_done_by_id().await { 6 } else { 0 };
        let args: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let again = self.world.relink(&args).await;
        assert_eq!(
            again.code,
            Some(expected),
            "{told}: {}{}",
            again.stdout,
            again.stderr
        );
        check(&self.world, &self.orders, told).await;
        self.nothing_is_left(told).await;
        let strayed = self.world.stripe.ask("parked").await;
        if let Some(id) = strayed[0]["id"].as_u64() {
            self.carry_out(id).await;
            check(&self.world, &self.orders, told).await;
            self.nothing_is_left(told).await;
        }
        // A second link would be closed by now; that it was made at all is a key that was not the first one's.
        assert_eq!(mints(&self.world).await, self.mints, "{told}: links made");
    }

    /// An object given by its id that is closed, and was not left open by anybody, needs no closing: said so.
    async fn is_done_by_id(&self) -> bool {
        if self.name != "leaked by id" {
            return false;
        }
        let all = "SELECT CASE WHEN closed_at IS NULL THEN 'open' ELSE 'closed' END FROM {}";
        let [(order, _)] = self.orders[..] else {
            panic!("one order");
        };
        live_families(&self.world, order).await.is_empty()
            && self.world.journaled("operations", all).await == ["closed"]
    }

    /// A dry run finds no work.
    async fn nothing_is_left(&self, told: &str) {
        let words = self.selection.iter().map(String::as_str);
        let dry: Vec<&str> = words.chain(["-o", "json"]).collect();
        let dry = self.world.relink(&dry).await;
        let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
        for work in ["replace", "retire", "resume"] {
            assert_eq!(plan["counts"][work], 0, "{told}: {}", dry.stdout);
        }
    }
}

/// Links that were made, and not only answered once more.
async fn mints(world: &World) -> usize {
    let writes = world.writes().await;
    let made = |write: &&Value| write["path"] == "/v1/payment_links" && write["effect"] == true;
    writes.iter().filter(made).count()
}

async fn nth_commit(points: &KillPoints, nth: usize) -> Option<Reached> {
    for _ in 1..nth {
        points.next_within(Duration::from_secs(10)).await?.go_on();
    }
    points.next_within(Duration::from_secs(10)).await
}

async fn visit_every_point(name: &'static str, backend: Backend, later: Later) {
    let path = set_out(name, World::on(backend).await).await;
    let mut points = path.count().await;
    let mut world = path.world;
    if later == Later::NextDay {
        // Nobody believes that a request strays for a day.
        points.retain(|point| {
            !matches!(
                point,
                Point::Request {
                    fate: Fate::Strays,
                    ..
                }
            )
        });
    }
    assert!(points.len() > 20, "{name}: only {} points", points.len());
    let (mut killed, mut missed) = (0, Vec::new());
    for point in &points {
        let path = set_out(name, world.renewed().await).await;
        let told = format!("{name}, {backend:?}, {point:?}, {later:?}");
        if path.kill_at(*point).await {
            killed += 1;
        } else {
            missed.push(*point);
        }
        if later == Later::NextDay {
            path.world.a_day_passes().await;
        }
        path.recover(&told).await;
        world = path.world;
    }
    tell(&format!(
        "crash matrix: {name} on {backend:?}, re-run {later:?}: {} points, {killed} kills",
        points.len()
    ));
    // With two orders in flight, how many requests there are depends on who comes first.
    let may_miss = if name == "two in flight" { 4 } else { 0 };
    assert!(missed.len() <= may_miss, "{name}: not reached: {missed:?}");
}

macro_rules! paths {
    ($($module:ident = $name:literal;)*) => {$(
        mod $module {
            use super::*;

            #[tokio::test]
            async fn sqlite() {
                visit_every_point($name, Backend::Sqlite, Later::AtOnce).await;
            }

            #[tokio::test]
            async fn postgres() {
                visit_every_point($name, NATIVE, Later::AtOnce).await;
            }

            #[tokio::test]
            async fn sqlite_after_a_day() {
                visit_every_point($name, Backend::Sqlite, Later::NextDay).await;
            }

            #[tokio::test]
            async fn postgres_after_a_day() {
                visit_every_point($name, NATIVE, Later::NextDay).await;
            }
        }
    )*};
}

paths! {
    dead = "dead";
    dying = "dying";
    wrong = "wrong";
    tabs = "tabs";
    wrong_with_tabs = "wrong with tabs";
    two_in_flight = "two in flight";
    duplicate = "duplicate";
    withdraw = "withdraw";
    leaked = "leaked";
    leaked_by_id = "leaked by id";
}
