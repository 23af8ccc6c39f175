//! Random schedules: several processes, killed and paused anywhere, over a Stripe and a database that fail in every way,
//! while parents pay, the application writes, and days pass. Safety is checked after every step; then everything is
//! quiet, one run repairs, and everything must be as promised.
//!
//! A seed says it all: `RELINK_SIMULATION_SEED=N tests/run simulation` replays one, and tells its trace.

mod life;
mod process;
mod stage;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use relink::plan::{Goal, Verdict};
use relink::sandbox::double::Double;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::tally::tell;
use crate::support::world::*;
use life::Life;
use process::{Cast, Ended};
use stage::{Actor, Dice, Rates, Reach, Stage, Word, admin, deliver};
use truth::{check_quiet, check_step};

/// Everyday; `tests/run --long --seeds N` asks for more.
const SEEDS: u64 = 2000;
/// Steps of chaos in one seed.
const STEPS: usize = 160;

/// A mistake made on purpose around the product, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// The open sessions of a link are not shown in its list.
    HideTabs,
    /// A complete session reads as an expired one.
    CompleteReadsExpired,
    /// A link reads as active for ever.
    LinksReadActive,
    /// Nothing is found by its metadata.
    NothingNamesTheOrder,
}

struct Ground {
    world: World,
    mistake: Mistake,
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the world")
    }
}

impl Reach for Ground {
    fn double(&self) -> &Double {
        self.world.stripe.double()
    }

    fn is_journaled<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let query = format!("SELECT action FROM {{}} WHERE idempotency_key = '{key}'");
            !self.world.journaled("steps", &query).await.is_empty()
        })
    }

    fn spoil(&self, method: &str, target: &str, body: Vec<u8>) -> Vec<u8> {
        if method != "GET" || self.mistake == Mistake::None {
            return body;
        }
        let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(&body) else {
            return body;
        };
        match self.mistake {
            Mistake::HideTabs if target.contains("payment_link=") => {
                if let Some(data) = value["data"].as_array_mut() {
                    data.retain(|session| session["status"] != "open");
                }
            }
            Mistake::NothingNamesTheOrder if !target.contains("payment_link=") => {
                if let Some(data) = value["data"].as_array_mut() {
                    data.clear();
                }
                if value["has_more"].is_boolean() {
                    value["has_more"] = json!(false);
                }
            }
            Mistake::CompleteReadsExpired => {
                rewrite(&mut value, "status", "complete", json!("expired"))
            }
            Mistake::LinksReadActive if target.starts_with("/v1/payment_links/") => {
                value["active"] = json!(true)
            }
            _ => {}
        }
        value.to_string().into_bytes()
    }
}

fn rewrite(value: &mut serde_json::Value, field: &str, from: &str, to: serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => items
            .iter_mut()
            .for_each(|item| rewrite(item, field, from, to.clone())),
        serde_json::Value::Object(fields) => {
            for (name, inner) in fields {
                if name == field && inner == from {
                    *inner = to.clone();
                } else {
                    rewrite(inner, field, from, to.clone());
                }
            }
        }
        _ => {}
    }
}

/// One process on the stage.
struct Player {
    run: String,
    task: JoinHandle<Ended>,
    /// Others believe that it is gone.
    is_buried: bool,
}

struct Show {
    stage: Arc<Stage>,
    ground: Arc<Ground>,
    orders: Vec<OrderId>,
    life: Life,
    players: BTreeMap<usize, Player>,
    seed: u64,
    made: usize,
}

fn rates(dice: &mut Dice) -> Rates {
    let mut rate = |most: usize| {
        if dice.per_mille(250) {
            0
        } else {
            dice.below(most)
        }
    };
    Rates {
        lost: rate(60),
        lingers: rate(40),
        fault: rate(80),
        unanswered: rate(60),
        crash: rate(40),
        commit_unknown: rate(60),
        world: rate(160),
        time: rate(25),
    }
}

impl Show {
    async fn open(seed: u64, mistake: Mistake) -> Self {
        let mut dice = Dice::new(seed);
        let rates = rates(&mut dice);
        let world = World::on(Backend::Sqlite).await;
        let mut orders = Vec::new();
        for _ in 0..=dice.below(3) {
            let old = || open_session().minutes_old(600);
            let order = match dice.below(8) {
                0 | 1 => pending(5500).behind(expired_session()),
                2 => pending(5500).behind(old()),
                3 => pending(5500).behind(active_link().of(4500)),
                4 => pending(5500).behind(active_link().of(4500).with(old())),
                5 => pending(5500).behind(inactive_link().with(old())),
                6 => pending(5500).behind(active_link()).and_also(active_link()),
                _ => pending(5500).behind(active_link().with(old())),
            };
            orders.push(world.order(order).await);
        }
        let stage = Stage::new(dice, rates);
        let mut life = Life::default();
        for truth in truth::all(&world).await.values() {
            life.see(truth);
        }
        Show {
            stage,
            ground: Arc::new(Ground { world, mistake }),
            orders,
            life,
            players: BTreeMap::new(),
            seed,
            made: 0,
        }
    }

    fn cast(&mut self, goal: Goal) -> Cast {
        self.made += 1;
        Cast {
            database: self.ground.world.database_url().to_owned(),
            goal,
            run: format!("{:08x}-0000-7000-8000-{:012}", self.seed, self.made),
            actor: Arc::new(Actor {
                process: self.made,
                stage: Arc::clone(&self.stage),
                world: Arc::clone(&self.ground) as Arc<dyn Reach>,
            }),
        }
    }

    fn start(&mut self) {
        let cast = self.cast(Goal::Regen);
        let (stage, run) = (Arc::clone(&self.stage), cast.run.clone());
        self.stage.enters();
        self.stage.note(format!("{} starts", self.made));
        let task = tokio::task::spawn_local(async move {
            let ended = process::run(cast).await;
            stage.leaves();
            ended
        });
        let player = Player {
            run,
            task,
            is_buried: false,
        };
        self.players.insert(self.made, player);
    }

    /// Others find its process gone.
    async fn bury(&mut self, process: usize) {
        let Some(player) = self.players.get_mut(&process) else {
            return;
        };
        player.is_buried = true;
        if self.ground.world.has_journal().await {
            let runs = self.ground.world.journal_table("runs");
            let sql = format!(
                "UPDATE {runs} SET process_started = -1 WHERE run_id = '{}'",
                player.run
            );
            self.ground.world.rows.execute(&sql).await;
        }
    }

    async fn crash(&mut self, process: usize) {
        self.stage.strike(process);
        self.bury(process).await;
        if let Some(player) = self.players.remove(&process) {
            player.task.abort();
            let _ = player.task.await;
        }
        self.stage.count("crash");
    }

    async fn pass_time(&mut self) {
        let hours = 1 + self.stage.dice().below(30);
        self.stage.note(format!("{hours} hours pass"));
        self.stage.count("time jump");
        let seconds = i64::try_from(hours).unwrap() * 3600;
        self.ground.world.pass(seconds).await;
        if hours >= 24 {
            self.stage.count("keys forgotten");
            admin(self.ground.double(), "POST", "forget-keys", "").await;
        }
        if self.ground.world.has_journal().await {
            self.ground.world.age_journal(seconds).await;
        }
    }

    /// What befalls a process at its gate.
    fn word_at(&self, at: &str) -> Word {
        let rates = self.stage.rates;
        let mut dice = self.stage.dice();
        let is_request = at.starts_with("GET") || at.starts_with("POST");
        let is_answer = at.starts_with("answer");
        if is_request && dice.per_mille(rates.lost) {
            Word::Lost
        } else if at.starts_with("POST") && dice.per_mille(rates.lingers) {
            Word::Lingers
        } else if is_request && dice.per_mille(rates.fault) {
            let when = *dice.pick(&["before", "after"]).unwrap();
            let status = *dice.pick(&[409, 429, 500, 500, 503]).unwrap();
            let kind = *dice
                .pick(&["status", "status", "status", "garbage", "truncated"])
                .unwrap();
            Word::Fault(json!({"kind": kind, "when": when, "status": status, "times": 1}))
        } else if is_answer && dice.per_mille(rates.unanswered) {
            Word::Unanswered
        } else {
            Word::Go
        }
    }

    /// One step: somebody goes on, or something happens.
    async fn step(&mut self) {
        let waiting = self.stage.at_rest().await;
        self.players.retain(|process, player| {
            waiting.iter().any(|(id, _)| id == process) || !player.task.is_finished()
        });
        let rates = self.stage.rates;
        let (happens, passes, lingers) = {
            let mut dice = self.stage.dice();
            (
                dice.per_mille(rates.world),
                dice.per_mille(rates.time),
                dice.per_mille(60),
            )
        };
        if happens {
            self.life
                .happen(&self.stage, &self.ground.world, &self.orders)
                .await;
        }
        if passes {
            self.pass_time().await;
        }
        if lingers {
            self.deliver_lingering().await;
        }
        if waiting.len() < 2 && self.made < 9 || waiting.is_empty() {
            self.start();
            return;
        }
        let (process, at) = self.stage.dice().pick(&waiting).unwrap().clone();
        let (crashes, buried) = {
            let mut dice = self.stage.dice();
            (dice.per_mille(rates.crash), dice.per_mille(rates.crash / 3))
        };
        if crashes {
            self.crash(process).await;
            return;
        }
        if buried && !self.players[&process].is_buried {
            // It sleeps where nobody sees it, and wakes up when others have gone on with its work.
            self.stage.count("taken for dead, and wakes up later");
            self.stage.note(format!("{process} is taken for dead"));
            self.bury(process).await;
            return;
        }
        let word = self.word_at(&at);
        // Nothing but a publication changes a row on our side: that is the step to be looked at.
        let publishes = at.starts_with("begin publish");
        let before = if publishes {
            truth::all(&self.ground.world).await
        } else {
            BTreeMap::new()
        };
        self.stage.say(process, word);
        self.stage.at_rest().await;
        if publishes {
            for (order, truth) in truth::all(&self.ground.world).await {
                check_step(
                    &before[&order],
                    &truth,
                    &self.life.published,
                    &self.life.failed,
                );
                self.life.see(&truth);
            }
        }
    }

    async fn deliver_lingering(&mut self) {
        for request in self.stage.take_lingering() {
            self.stage.note(format!(
                "a lost request arrives: {} {}",
                request.method, request.target
            ));
            self.stage.count("lost request arrived late");
            let _ = deliver(self.ground.double(), request).await;
        }
    }

    /// Everybody is gone, what lingers has arrived or never will; debits are settled.
    async fn end_chaos(&mut self) {
        let arrives = self.stage.dice().per_mille(500);
        if arrives {
            self.deliver_lingering().await;
        } else {
            self.stage.take_lingering();
        }
        self.stage.at_rest().await;
        for process in self.players.keys().copied().collect::<Vec<_>>() {
            self.crash(process).await;
        }
        admin(self.ground.double(), "DELETE", "faults", "").await;
        for truth in truth::all(&self.ground.world).await.values() {
            for session in truth.on_its_way(&self.life.failed) {
                let succeeds = self.stage.dice().per_mille(500);
                self.life
                    .settle_as(&self.ground.world, &session, succeeds)
                    .await;
            }
        }
        self.stage.note("quiet".to_owned());
        self.stage.be_quiet();
    }

    /// One run repairs, one closes what is leaked, and then everything must be as promised.
    async fn repair(&mut self) {
        for goal in [Goal::Regen, Goal::Retire] {
            let cast = self.cast(goal);
            let ended = process::run(cast).await;
            self.count_endings(&ended);
            let told = match &ended {
                Ended::Reported(report) => report
                    .outcomes
                    .iter()
                    .map(|o| format!("{:?}", o.conclusion))
                    .collect(),
                Ended::NothingToDo => vec!["nothing to do".to_owned()],
                Ended::Failed(why) => vec![why.clone()],
            };
            self.stage.note(format!("{goal:?}: {told:?}"));
            assert!(process::status(&ended).is_some(), "{goal:?}: {ended:?}");
        }
        let cast = self.cast(Goal::Regen);
        let plan = process::plan(&cast).await.unwrap();
        let truths = truth::all(&self.ground.world).await;
        for decision in &plan.decisions {
            let truth = &truths[&decision.order.id.0];
            let verdict = decision.verdict.to_string();
            self.stage.count(&format!("in the end {verdict}"));
            check_quiet(truth, &verdict, &self.life.published, &self.life.failed);
            self.judge_second_charges(truth, decision.verdict);
        }
        assert_eq!(
            plan.work().count(),
            0,
            "{:?}",
            plan.work().collect::<Vec<_>>()
        );
        if self.ground.world.has_journal().await {
            let world = &self.ground.world;
            let ids = |table: &'static str| {
                world.journaled(table, "SELECT step_id FROM {} ORDER BY step_id")
            };
            assert_eq!(
                ids("steps").await,
                ids("outcomes").await,
                "each step has one outcome"
            );
            let open = "SELECT subject FROM {} WHERE closed_at IS NULL";
            assert_eq!(
                world.journaled("operations", open).await,
                Vec::<String>::new()
            );
            let taken = "SELECT subject FROM {} WHERE begun_by <> held_by";
            for _ in world.journaled("operations", taken).await {
                self.stage.count("taken over");
            }
        }
    }

    /// An order is paid twice only through pages that were open already, or through what the application made.
    fn judge_second_charges(&self, truth: &truth::Truth, verdict: Verdict) {
        let paid = truth.paid();
        let made: Vec<_> = self
            .life
            .payments
            .iter()
            .filter(|(order, session, _)| *order == truth.row.id && paid.contains(session))
            .collect();
        for pair in made.windows(2) {
            let ((_, _, first), (_, _, second)) = (pair[0], pair[1]);
            let cause = if first == second {
                "second charge: two pages of one link"
            } else if truth.is_ours(second) {
                // Ours was published before the first payment, or check_step would have said so.
                "second charge: an older page, open before it was retired"
            } else {
                "second charge: something the application made"
            };
            self.stage.count(cause);
            assert_eq!(verdict, Verdict::Overpaid);
        }
    }

    fn count_endings(&self, ended: &Ended) {
        if let Ended::Reported(report) = ended {
            for outcome in &report.outcomes {
                let ending = match &outcome.conclusion {
                    relink::report::Conclusion::Ended(ending) => ending.name(),
                    relink::report::Conclusion::Held(_) => "held elsewhere",
                    relink::report::Conclusion::NotBegun => "not begun",
                };
                self.stage.count(&format!("repaired: {ending}"));
            }
        }
    }
}

/// What a seed came to.
struct Played {
    counts: BTreeMap<String, u64>,
    trace: Vec<String>,
    failure: Option<String>,
}

fn play(seed: u64, mistake: Mistake) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stage: Arc<std::sync::Mutex<Option<Arc<Stage>>>> = Arc::default();
    let kept = Arc::clone(&stage);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let mut show = Show::open(seed, mistake).await;
            *kept.lock().unwrap() = Some(Arc::clone(&show.stage));
            for _ in 0..STEPS {
                show.step().await;
            }
            show.end_chaos().await;
            show.repair().await;
        });
    }));
    let stage = stage.lock().unwrap().clone();
    let failure = played.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default()
    });
    Played {
        counts: stage
            .as_ref()
            .map(|stage| stage.counts())
            .unwrap_or_default(),
        trace: stage
            .as_ref()
            .map(|stage| stage.trace())
            .unwrap_or_default(),
        failure,
    }
}

/// The seeds of this half of the work: `RELINK_SIMULATION_SEED=N` or `RELINK_SIMULATION_SEEDS=N`.
fn seeds(half: u64) -> Range<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    if let Some(one) = number("RELINK_SIMULATION_SEED") {
        return if half == 0 { one..one + 1 } else { 0..0 };
    }
    let all = number("RELINK_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let middle = all / 2;
    if half == 0 { 0..middle } else { middle..all }
}

fn play_all(half: u64) {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let range = seeds(half);
    let played = range.clone().count();
    for seed in range.clone() {
        let once = play(seed, Mistake::None);
        if let Some(failure) = &once.failure {
            let trace = once.trace.join("\n");
            panic!(
                "seed {seed}: {failure}\n{trace}\nreplay: RELINK_SIMULATION_SEED={seed} tests/run simulation"
            );
        }
        // The same seed is the same story.
        if seed % 100 == 7 {
            let again = play(seed, Mistake::None);
            assert_eq!(once.trace, again.trace, "seed {seed} is not the same twice");
        }
        for (what, n) in once.counts {
            *counts.entry(what).or_insert(0) += n;
        }
    }
    for (what, n) in &counts {
        tell(&format!(
            "simulation, half {half}, {played} seeds: {n:>7} {what}"
        ));
    }
    if played >= 500 {
        let must_happen = [
            "crash",
            "taken over",
            "request lost",
            "request lingers",
            "lost request arrived late",
            "answer lost",
            "fault at Stripe",
            "commit done, answer lost",
            "commit not done, answer lost",
            "time jump",
            "keys forgotten",
            "taken for dead, and wakes up later",
            "parent paid by card",
            "parent paid by debit",
            "application marked it paid",
            "application edited the amount",
            "application canceled it",
            "application made a session",
            "in the end healthy",
            "in the end settled",
            "in the end paid_unrecorded",
            "in the end overpaid",
            "second charge: two pages of one link",
        ];
        let never: BTreeSet<_> = must_happen
            .into_iter()
            .filter(|what| !counts.contains_key(*what))
            .collect();
        assert!(never.is_empty(), "never happened: {never:?}");
    }
}

#[test]
fn whatever_happens_one_run_repairs_it_first_half_of_the_seeds() {
    play_all(0);
}

#[test]
fn whatever_happens_one_run_repairs_it_second_half_of_the_seeds() {
    play_all(1);
}

#[test]
fn a_mistake_made_on_purpose_is_found_by_some_seed() {
    for mistake in [
        Mistake::HideTabs,
        Mistake::CompleteReadsExpired,
        Mistake::LinksReadActive,
        Mistake::NothingNamesTheOrder,
    ] {
        let found = (0..400).find(|seed| play(*seed, mistake).failure.is_some());
        let found = found.unwrap_or_else(|| panic!("{mistake:?} was not found in 400 seeds"));
        tell(&format!(
            "simulation: {mistake:?} found after {} seeds",
            found + 1
        ));
    }
}
