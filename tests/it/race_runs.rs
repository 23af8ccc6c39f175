//! Several runs on one selection at once: each order is one run's at a time, and in the end each has one link.
//! Then the same with runs that are killed at random and started again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::invariants::{Must, check, journal_is_whole};
use crate::support::tally::tell;
use crate::support::world::*;

const RUNS: usize = 4;
const COMMIT: [&str; 5] = ["regen", "--tournament-id", "1", "--commit", "--yes"];

async fn a_tournament(backend: Backend, orders: usize) -> (World, Vec<OrderId>) {
    let world = World::on(backend).await;
    let mut ids = Vec::new();
    for _ in 0..orders {
        let order = pending(5500).behind(expired_session()).in_tournaments(&[1]);
        ids.push(world.order(order).await);
    }
    (world, ids)
}

/// As `check` for each order, with one look at everything.
async fn each_order_holds_one_link(world: &World, orders: &[OrderId], told: &str) {
    let objects = world.objects().await;
    let live: BTreeSet<(String, String)> = objects
        .iter()
        .filter(|object| object["active"] == true || object["status"] == "open")
        .map(|object| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (text(&object["metadata"]["order_id"]), text(&object["id"]))
        })
        .collect();
    let rows = world.rows.orders().await;
    let held: BTreeSet<(String, String)> = rows
        .iter()
        .map(|row| {
            (
                row.id.to_string(),
                row.reference.clone().unwrap_or_default(),
            )
        })
        .collect();
    let payable = |(_, id): &&(String, String)| id.starts_with("plink_") || id.starts_with("cs_");
    let live: BTreeSet<_> = live.iter().filter(payable).cloned().collect();
    let differs: Vec<_> = live.symmetric_difference(&held).take(10).collect();
    assert!(differs.is_empty(), "{told}: {differs:?}");
    assert_eq!(held.len(), orders.len());
    journal_is_whole(world, told).await;
}

async fn mints(world: &World) -> usize {
    let writes = world.writes().await;
    let minted = |write: &&serde_json::Value| {
        write["path"] == "/v1/payment_links" && write["replayed"] == false
    };
    writes.iter().filter(minted).count()
}

async fn race(backend: Backend, orders: usize, times: usize) {
    let (mut done, mut held, mut moot) = (0, 0, 0);
    for round in 0..times {
        let (world, ids) = a_tournament(backend, orders).await;
        let mut args = COMMIT.to_vec();
        args.extend(["-o", "json"]);
        let runs: Vec<Running> = (0..RUNS).map(|_| world.spawn(&args)).collect();
        for run in runs {
            let output = run.finish().await;
            assert!(
                matches!(output.code, Some(0 | 8)),
                "{:?} {}{}",
                output.code,
                output.stdout,
                output.stderr
            );
            let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            let count = |name: &str| report["summary"][name].as_u64().unwrap();
            done += count("done");
            held += count("held_elsewhere");
            moot += count("moot");
        }
        let told = format!("{backend:?}, round {round}");
        each_order_holds_one_link(&world, &ids, &told).await;
        assert_eq!(mints(&world).await, orders, "{told}");
    }
    tell(&format!(
        "race: {RUNS} runs on {orders} orders, {times} times on {backend:?}: {done} orders done, each once; \
         {held} left to another run, {moot} found done"
    ));
    assert_eq!(done, (orders * times) as u64);
    assert!(held > 0, "the runs never met");
}

/// How often, and with how many orders: `tests/run --long` asks for 20 rounds of 200.
fn volume(everyday: (usize, usize)) -> (usize, usize) {
    match std::env::var("RELINK_TEST_RACES") {
        Ok(times) => (200, times.parse().unwrap()),
        Err(_) => everyday,
    }
}

#[tokio::test]
async fn four_runs_share_one_tournament_on_sqlite() {
    let (orders, times) = volume((200, 1));
    race(Backend::Sqlite, orders, times).await;
}

#[tokio::test]
async fn four_runs_share_one_tournament_on_postgres() {
    let (orders, times) = volume((200, 1));
    race(Backend::Postgres(Flavour::NativeEnums), orders, times).await;
}

/// A small generator of its own: the seed says it all.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

async fn killed_and_started_again(backend: Backend, seed: u64) {
    let (orders, _) = volume((60, 1));
    let (world, ids) = a_tournament(backend, orders).await;
    // A Stripe that takes its time, so that a kill meets a run in the middle of something.
    world
        .fault(serde_json::json!({"kind": "latency", "when": "before", "ms": 80, "times": null}))
        .await;
    let mut dice = Dice(seed);
    let mut runs: Vec<Running> = (0..RUNS).map(|_| world.spawn(&COMMIT)).collect();
    let (mut kills, mut ended) = (0, 0);
    // On a busy machine a run that lives so briefly gets nowhere: the later ones live longer, until some were
    // killed in the middle of an order.
    while (kills < 40 || (kills < 120 && taken_over(&world).await < 3)) && ended < 200 {
        let longer = if kills < 40 { 1 } else { 5 };
        let life = Duration::from_millis(longer * (20 + dice.below(120)));
        tokio::time::sleep(life).await;
        let victim = usize::try_from(dice.below(RUNS as u64)).unwrap();
        // Dropped, a run is killed; one that had ended by itself is only replaced.
        if runs[victim].has_ended() {
            ended += 1;
        } else {
            kills += 1;
        }
        runs[victim] = world.spawn(&COMMIT);
    }
    for run in runs {
        let output = run.finish().await;
        assert!(
            matches!(output.code, Some(0 | 8)),
            "seed {seed}: {:?} {}{}",
            output.code,
            output.stdout,
            output.stderr
        );
    }
    let last = world.relink(&COMMIT).await;
    assert_eq!(
        last.code,
        Some(0),
        "seed {seed}: {}{}",
        last.stdout,
        last.stderr
    );
    let told = format!("seed {seed} on {backend:?}");
    each_order_holds_one_link(&world, &ids, &told).await;
    check(&world, &[(ids[0], Must::HoldOneLink)], &told).await;
    let taken_over = taken_over(&world).await;
    tell(&format!(
        "race with kills: {RUNS} runs on {orders} orders on {backend:?}, seed {seed}: {kills} killed, \
         {taken_over} orders gone on with by another run"
    ));
    assert!(taken_over > 0, "seed {seed}: only {taken_over} take-overs");
}

/// Orders that another run went on with.
async fn taken_over(world: &World) -> usize {
    if !world.has_journal().await {
        return 0;
    }
    let by_another = "SELECT operation_id FROM {} WHERE begun_by <> held_by";
    world.journaled("operations", by_another).await.len()
}

#[tokio::test]
async fn runs_killed_at_random_and_started_again_end_with_one_link_per_order_on_sqlite() {
    killed_and_started_again(Backend::Sqlite, 20_261_124).await;
}

#[tokio::test]
async fn runs_killed_at_random_and_started_again_end_with_one_link_per_order_on_postgres() {
    killed_and_started_again(Backend::Postgres(Flavour::NativeEnums), 42).await;
}
