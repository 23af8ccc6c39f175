//! One seed as it is played: processes come and go over a world that fails in every way, then everything is quiet, one
//! run repairs, and everything must be as promised.
//!
//! It decides nothing about what is right: `truth` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use relink::plan::{Goal, Verdict};
use serde_json::json;
use tokio::task::JoinHandle;

use super::endings::{count_endings, said};
use super::life::Life;
use super::mail;
use super::mistakes::{Ground, Mistake};
use super::process::{self, Cast, Ended, Task};
use super::stage::{Actor, Dice, Reach, Stage, Word, admin, deliver, rates};
use super::truth::{self, check_quiet, check_receipt, check_step};
use crate::support::world::*;

/// One process on the stage.
struct Player {
    run: String,
    task: JoinHandle<Ended>,
    /// Others believe that it is gone.
    is_buried: bool,
}

pub struct Show {
    pub stage: Arc<Stage>,
    pub(super) ground: Arc<Ground>,
    orders: Vec<OrderId>,
    pub(super) life: Life,
    players: BTreeMap<usize, Player>,
    seed: u64,
    made: usize,
    /// Of those that were made.
    runs: usize,
}

impl Show {
    /// `made` is the mistake that is really made: `mistake`, or none in a world that is as it is for `mistake`.
    pub async fn open(seed: u64, mistake: Mistake, made: Mistake) -> Self {
        let mut dice = Dice::new(seed);
        let mut rates = rates(&mut dice);
        mistake.sharpen(&mut rates);
        let world = World::on(Backend::Sqlite).await;
        let mut orders = Vec::new();
        for _ in 0..=dice.below(3) {
            let old = || open_session().minutes_old(600);
            let order = match dice.below(9) {
                0 | 1 => pending(5500).behind(expired_session()),
                2 => pending(5500).behind(old()),
                3 => pending(5500).behind(active_link().of(4500)),
                4 => pending(5500).behind(active_link().of(4500).with(old())),
                5 => pending(5500).behind(inactive_link().with(old())),
                6 => pending(5500).behind(active_link()).and_also(active_link()),
                7 => pending(5500).behind(inactive_link()),
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
            ground: Arc::new(Ground::new(world, made)),
            orders,
            life,
            players: BTreeMap::new(),
            seed,
            made: 0,
            runs: 0,
        }
    }

    pub(super) fn cast(&mut self, task: Task) -> Cast {
        self.made += 1;
        let run = format!("{:08x}-0000-7000-8000-{:012}", self.seed, self.made);
        Cast {
            database: self.ground.world.database_url().to_owned(),
            task,
            run: run.clone(),
            actor: Arc::new(Actor {
                process: self.made,
                run,
                begun: std::sync::Mutex::default(),
                stage: Arc::clone(&self.stage),
                world: Arc::clone(&self.ground) as Arc<dyn Reach>,
            }),
        }
    }

    fn start_run(&mut self) {
        self.runs += 1;
        self.start(Task::Run(Goal::Regen), "starts");
    }

    pub(super) fn start(&mut self, task: Task, told: &str) {
        let cast = self.cast(task);
        let (stage, run) = (Arc::clone(&self.stage), cast.run.clone());
        self.stage.enters();
        self.stage.note(format!("{} {told}", self.made));
        let task = tokio::task::spawn_local(async move {
            let running = std::panic::AssertUnwindSafe(process::run(cast));
            let ended = running.catch_unwind().await.unwrap_or_else(|panic| {
                stage.fail(said(panic.as_ref()));
                Ended::Failed("it panicked".to_owned())
            });
            count_endings(&stage, "ended", &ended);
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
                "UPDATE {runs} SET process_started = -1 WHERE run_id = '{0}' OR command = '{0}'",
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

    /// Until every process waits; what a process found wrong is said here.
    async fn rest(&self) -> Vec<(usize, String)> {
        let waiting = self.stage.at_rest().await;
        if let Some(why) = self.stage.failed() {
            panic!("{why}");
        }
        waiting
    }

    /// One step: somebody goes on, or something happens.
    pub async fn step(&mut self) {
        let waiting = self.rest().await;
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
        if self.stage.dice().per_mille(rates.mail) && self.deliver_some_event().await {
            return;
        }
        if waiting.len() < 2 && self.runs < 9 || waiting.is_empty() {
            self.start_run();
            return;
        }
        let (process, at) = self.stage.dice().pick(&waiting).unwrap().clone();
        let (crashes, buried) = {
            let mut dice = self.stage.dice();
            (dice.per_mille(rates.crash), dice.per_mille(rates.buried))
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
        // Nothing but a publication changes a row on our side, and nothing but a POST an object.
        let publishes = at.starts_with("begin publish");
        let closes = at.starts_with("POST") && at != "POST /v1/payment_links";
        let receives = at == "begin receive a payment";
        let before = if publishes || closes || receives {
            truth::all(&self.ground.world).await
        } else {
            BTreeMap::new()
        };
        let run = self.players[&process].run.clone();
        self.stage.say(process, word);
        self.rest().await;
        if closes {
            self.check_closings(&run, &before).await;
        }
        if receives {
            for (order, truth) in truth::all(&self.ground.world).await {
                check_receipt(&before[&order], &truth);
            }
        }
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

    pub async fn deliver_lingering(&mut self) {
        for request in self.stage.take_lingering() {
            self.stage.note(format!(
                "a lost request arrives: {} {}",
                request.method, request.target
            ));
            self.stage.count("lost request arrived late");
            let _ = deliver(self.ground.double(), request).await;
        }
    }

    /// Everybody is gone, what lingers arrives now, never, or after the repair; debits are settled.
    pub async fn end_chaos(&mut self) {
        let fate = self.stage.dice().below(3);
        match fate {
            0 => self.deliver_lingering().await,
            1 => drop(self.stage.take_lingering()),
            // When everything has been repaired already.
            _ => {}
        }
        self.rest().await;
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

    /// One run repairs, one closes what is leaked, and then everything must be as promised. Where there is a receiver,
    /// it has every event by then.
    pub async fn repair(&mut self) {
        let has_receiver = self.stage.rates.mail > 0;
        if has_receiver {
            self.deliver_all_events().await;
        }
        for goal in [Goal::Regen, Goal::Retire] {
            if goal == Goal::Retire && !self.ground.sweeps() {
                continue;
            }
            let cast = self.cast(Task::Run(goal));
            let ended = process::run(cast).await;
            count_endings(&self.stage, "repaired", &ended);
            let told = match &ended {
                Ended::Reported(report) => report
                    .outcomes
                    .iter()
                    .map(|o| format!("{:?}", o.conclusion))
                    .collect(),
                Ended::NothingToDo | Ended::Received(_) => vec!["nothing to do".to_owned()],
                Ended::Failed(why) => vec![why.clone()],
            };
            self.stage.note(format!("{goal:?}: {told:?}"));
            assert!(process::status(&ended).is_some(), "{goal:?}: {ended:?}");
        }
        let cast = self.cast(Task::Run(Goal::Regen));
        let plan = process::plan(&cast, Goal::Regen).await.unwrap();
        let truths = truth::all(&self.ground.world).await;
        for decision in &plan.decisions {
            let truth = &truths[&decision.order.id.0];
            let verdict = decision.verdict.to_string();
            self.stage.count(&format!("in the end {verdict}"));
            check_quiet(truth, &verdict, &self.life.published, &self.life.failed);
            self.judge_second_charges(truth, decision.verdict);
        }
        if has_receiver {
            for truth in truths.values() {
                mail::check_books(&self.ground.world, truth).await;
            }
            mail::check_nothing_is_owed(&self.ground.world).await;
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
            self.count_mints().await;
        }
    }

    /// How the links of the journal came to be known.
    async fn count_mints(&self) {
        let world = &self.ground.world;
        let (steps, outcomes) = (
            world.journal_table("steps"),
            world.journal_table("outcomes"),
        );
        let answered = format!(
            "EXISTS (SELECT 1 FROM {steps} s JOIN {outcomes} u ON u.step_id = s.step_id \
             WHERE s.operation_id = o.operation_id AND u.result_id = o.minted_id)"
        );
        let kinds = [
            (
                "link known by its answer",
                format!("o.minted_id IS NOT NULL AND {answered}"),
            ),
            (
                "link adopted",
                format!("o.minted_id IS NOT NULL AND NOT {answered}"),
            ),
            (
                "another attempt after a spent key or a dead replay",
                "o.attempt > 1".to_owned(),
            ),
        ];
        for (told, condition) in kinds {
            let query = format!("SELECT o.operation_id FROM {{}} o WHERE {condition}");
            for _ in world.journaled("operations", &query).await {
                self.stage.count(told);
            }
        }
        let again = "SELECT idempotency_key FROM {} WHERE action = 'mint' \
                     GROUP BY idempotency_key HAVING COUNT(*) > 1";
        for _ in world.journaled("steps", again).await {
            self.stage.count("the same key sent again by a later run");
        }
        for ending in world
            .journaled("operations", "SELECT COALESCE(ending, '') FROM {}")
            .await
        {
            self.stage.count(&format!("operation closed: {ending}"));
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
}
