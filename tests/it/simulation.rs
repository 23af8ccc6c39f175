//! Random schedules: several processes, killed and paused anywhere, over a Stripe and a database that fail in every way,
//! while parents pay, the application writes, days pass, and in half of the seeds a receiver gets Stripe's events, late,
//! twice and in any order. Safety is checked after every step; then everything is
//! quiet, one run repairs, and everything must be as promised.
//!
//! A seed says it all: `RELINK_SIMULATION_SEED=N tests/run simulation` replays one, and tells its trace.
//! `RELINK_SIMULATION_MISTAKE=NAME` looks for one of the mistakes made on purpose and for no other.

mod broken;
mod closings;
mod deliveries;
mod endings;
mod life;
mod mail;
mod mistakes;
mod process;
mod show;
mod stage;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::tally::tell;
use endings::said;
use mistakes::{FOUND, Mistake, RARE, REDUNDANT};
use show::Show;
use stage::Stage;

/// Everyday; `tests/run --long --seeds N` asks for more.
const SEEDS: u64 = 2000;
/// Steps of chaos in one seed.
const STEPS: usize = 110;

/// What a seed came to.
struct Played {
    counts: BTreeMap<String, u64>,
    trace: Vec<String>,
    failure: Option<String>,
}

fn play(seed: u64, mistake: Mistake) -> Played {
    play_as(seed, mistake, mistake)
}

/// In the world of one mistake, with another made in it, or none.
fn play_as(seed: u64, mistake: Mistake, made: Mistake) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stage: Arc<std::sync::Mutex<Option<Arc<Stage>>>> = Arc::default();
    let kept = Arc::clone(&stage);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let mut show = Show::open(seed, mistake, made).await;
            *kept.lock().unwrap() = Some(Arc::clone(&show.stage));
            for _ in 0..mistake.steps(STEPS) {
                show.step().await;
            }
            show.end_chaos().await;
            show.repair().await;
            if show.stage.lingers() {
                show.stage.count("lost request arrived after the repair");
                show.deliver_lingering().await;
                show.repair().await;
            }
        });
    }));
    let stage = stage.lock().unwrap().clone();
    let failure = played.err().map(|panic| said(panic.as_ref()));
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

/// `RELINK_SIMULATION_SEED=N` alone, or `RELINK_SIMULATION_SEEDS=N` of them, from `RELINK_SIMULATION_FROM=N` on.
fn seeds() -> Range<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    if let Some(one) = number("RELINK_SIMULATION_SEED") {
        return one..one + 1;
    }
    let first = number("RELINK_SIMULATION_FROM").unwrap_or(0);
    first..first + number("RELINK_SIMULATION_SEEDS").unwrap_or(SEEDS)
}

/// What came of each, in their order. A seed has a thread, a clock and a world of its own, so several are played at once.
fn at_once<T: Copy + Sync, R: Send>(
    things: &[T],
    threads: usize,
    play: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(at) else { break };
            done.push((at, play(*thing)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The counts of a seed, or what went wrong in it, with all that is needed to see it again.
fn play_and_judge(seed: u64) -> Result<BTreeMap<String, u64>, String> {
    let once = play(seed, Mistake::None);
    if let Some(failure) = &once.failure {
        let trace = once.trace.join("\n");
        return Err(format!(
            "seed {seed}: {failure}\n{trace}\nreplay: RELINK_SIMULATION_SEED={seed} tests/run simulation"
        ));
    }
    // The same seed is the same story.
    if seed % 100 == 7 && once.trace != play(seed, Mistake::None).trace {
        return Err(format!("seed {seed} is not the same twice"));
    }
    Ok(once.counts)
}

#[test]
fn whatever_happens_one_run_repairs_it() {
    let seeds: Vec<u64> = seeds().collect();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let has_failed = AtomicBool::new(false);
    let played = at_once(&seeds, 4, |seed| {
        // Whoever replays one failure needs no second one.
        if has_failed.load(Ordering::Relaxed) {
            return Ok(BTreeMap::new());
        }
        let judged = play_and_judge(seed);
        has_failed.fetch_or(judged.is_err(), Ordering::Relaxed);
        judged
    });
    for once in played {
        for (what, n) in once.unwrap_or_else(|failure| panic!("{failure}")) {
            *counts.entry(what).or_insert(0) += n;
        }
    }
    let played = seeds.len();
    for (what, n) in &counts {
        tell(&format!("simulation, {played} seeds: {n:>7} {what}"));
    }
    // Of 500 seeds one in ninety such lots lacks the rarest ending.
    if played >= 1000 {
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
            "application made a session that a failover forgot",
            "in the end healthy",
            "in the end settled",
            "in the end paid_unrecorded",
            "in the end overpaid",
            "second charge: two pages of one link",
            "event delivered",
            "ended: event ruled settled",
            "ended: event ruled duplicate_delivery",
            "ended: event ruled on_its_way",
            "ended: event ruled payment_failed",
            "ended: event ruled other_amount",
            "ended: event ruled canceled_paid",
            "delivered at last: event ruled double_payment",
            "nothing to commit: receive a payment",
            "closed what the row held",
            "link known by its answer",
            "another attempt after a spent key or a dead replay",
            "ended: fenced",
            "ended: held elsewhere",
            "ended: unknown",
            "ended: paid_meanwhile",
            "operation closed: lost_race",
            "operation closed: moved",
            "operation closed: replaced",
            "operation closed: retired",
            "nothing to commit: journal an intent",
            "nothing to commit: journal an outcome",
            "nothing to commit: publish the link of an order",
            "nothing to commit: close an operation of the journal",
        ];
        let never: BTreeSet<_> = must_happen
            .into_iter()
            .filter(|what| !counts.contains_key(*what))
            .collect();
        assert!(never.is_empty(), "never happened: {never:?}");
    }
}

/// Whether taking one's time was asked for: it is the same word for the model.
fn is_long() -> bool {
    std::env::var_os("RELINK_MODEL_BOUNDS").is_some()
}

/// The first seed that one of these mistakes makes fail in the way in which it must show.
fn find(mistake: Mistake, seeds: u64) -> Option<(u64, String)> {
    (0..seeds).find_map(|seed| {
        let failure = play(seed, mistake).failure?;
        mistake.explains(&failure).then_some((seed, failure))
    })
}

#[test]
fn a_mistake_made_on_purpose_is_found_by_some_seed() {
    let one = std::env::var("RELINK_SIMULATION_MISTAKE").ok();
    let rare: &[Mistake] = if is_long() || one.is_some() {
        &RARE
    } else {
        &[]
    };
    let is_meant = |mistake: &Mistake| {
        one.as_deref()
            .is_none_or(|name| format!("{mistake:?}").contains(name))
    };
    let all = FOUND.iter().chain(rare).copied();
    let mistakes: Vec<Mistake> = all.filter(is_meant).collect();
    assert!(!mistakes.is_empty(), "no mistake is called {one:?}");
    let found = at_once(&mistakes, 2, |mistake| {
        find(mistake, if rare.contains(&mistake) { 10_000 } else { 400 })
    });
    let mut missed = Vec::new();
    for (mistake, found) in mistakes.iter().zip(found) {
        let Some((seed, failure)) = found else {
            missed.push(mistake);
            continue;
        };
        let honest = play_as(seed, *mistake, Mistake::None).failure;
        assert_eq!(honest, None, "{mistake:?}: seed {seed} without it");
        let failure: String = failure.replace('\n', " ").chars().take(100).collect();
        tell(&format!(
            "simulation: {mistake:?} found after {} seeds: {failure}",
            seed + 1
        ));
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// Else a rule would be called redundant that is none.
#[test]
fn what_other_rules_make_up_for_is_found_by_no_seed() {
    let seeds = if is_long() { 1000 } else { 30 };
    for (mistake, found) in REDUNDANT.iter().zip(at_once(&REDUNDANT, 2, |mistake| {
        (0..seeds).find_map(|seed| Some((seed, play(seed, mistake).failure?)))
    })) {
        assert_eq!(found, None, "{mistake:?}");
        tell(&format!(
            "simulation: {mistake:?} shows in none of {seeds} seeds"
        ));
    }
}
