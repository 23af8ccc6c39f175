//! Breadth first over every world that a scenario allows; and from each of them, with everything killed and
//! the surroundings still, one operator's runs to their end.

use super::drive::Game;
use super::mind::{REGEN, RETIRE};
use super::mutants::Mutant;
use super::promises::{Excused, judge};
use super::scenarios::Scenario;
use super::surroundings::{KILL, first};
use super::table::{Memo, Table};
use super::world::*;

pub struct Found {
    pub rule: String,
    pub trace: Vec<&'static str>,
}

#[derive(Default)]
pub struct Report {
    pub worlds: usize,
    pub steps: u64,
    pub kills: u64,
    pub reruns: u64,
    pub distinct_reruns: usize,
    /// Re-runs whose second run had work as well.
    pub second_runs: u64,
    pub longest: u32,
    pub is_exhaustive: bool,
    pub excused: Excused,
    pub operations: usize,
    pub found: Option<Found>,
}

/// The runs of a re-run: `regen` until it has nothing to do, at the latest the third time; the cron's `retire`,
/// and again; then `regen` must still have nothing to do.
const GOALS: [u8; 6] = [REGEN, REGEN, REGEN, RETIRE, RETIRE, REGEN];
/// Where a run without work leads.
const WHEN_IDLE: [u8; 6] = [3, 3, 3, 5, 5, 6];

/// Steps of all runs together; a run that needs more does not end.
const LONGEST: u32 = 400;

pub struct Checker {
    game: Game,
    worlds: Table<World>,
    parents: Vec<(u32, &'static str)>,
    /// How many steps are left from a world of a re-run, by its stage and whether it has minted.
    ends: Memo<(World, u8, bool)>,
    /// What the latest re-run did.
    rerun: Vec<&'static str>,
    result: Report,
}

impl Checker {
    pub fn check(scenario: &Scenario, mutant: Mutant, most: usize) -> Report {
        let mut checker = Checker {
            game: Game::new(mutant, scenario.rules),
            worlds: Table::new(),
            parents: Vec::new(),
            ends: Memo::new(),
            rerun: Vec::new(),
            result: Report::default(),
        };
        checker.add(scenario.start, 0, "the beginning");
        checker.explore(most);
        checker.result.worlds = checker.worlds.len();
        checker.result.distinct_reruns = checker.ends.len();
        checker.result.operations = checker.game.mind.infos.len();
        checker.result
    }

    fn add(&mut self, world: World, parent: u32, label: &'static str) -> u32 {
        let world = world.normalized();
        let (number, is_new) = self.worlds.insert(world, world.digest());
        if is_new {
            self.parents.push((parent, label));
        }
        number
    }

    fn explore(&mut self, most: usize) {
        let mut at = 0;
        while at < self.worlds.len() && self.worlds.len() < most {
            let world = self.worlds.keys[at];
            let parent = at as u32;
            if let Some(rule) = judge(&self.game, &world, &mut self.result.excused) {
                return self.report(rule.to_owned(), parent, Vec::new());
            }
            if let Err(rule) = self.converge(&world) {
                let rerun = std::mem::take(&mut self.rerun);
                return self.report(rule, parent, rerun);
            }
            let steps = self.successors(&world);
            self.result.steps += steps.len() as u64;
            for (next, label) in &steps {
                if *label == KILL {
                    self.result.kills += 1;
                }
                if let Some((rule, broke)) = self.game.broken
                    && broke == *label
                {
                    return self.report(rule.to_owned(), parent, vec![broke]);
                }
                self.add(*next, parent, label);
            }
            self.game.steps = steps;
            at += 1;
        }
        self.result.is_exhaustive = at == self.worlds.len();
    }

    fn successors(&mut self, world: &World) -> Vec<super::drive::Step> {
        self.game.steps.clear();
        let mut is_idle_seen = false;
        for slot in 0..self.game.rules.processes {
            if world.processes[slot].at != IDLE {
                self.game.advance(world, slot);
            } else if !is_idle_seen {
                // One idle process is like another.
                is_idle_seen = true;
                for goal in self.game.rules.goals {
                    self.game.plan(world, slot, *goal);
                }
            }
        }
        self.game.happen(world);
        std::mem::take(&mut self.game.steps)
    }

    fn report(&mut self, rule: String, at: u32, last: Vec<&'static str>) {
        let mut trace = last;
        trace.reverse();
        let mut at = at;
        loop {
            let (parent, label) = self.parents[at as usize];
            trace.push(label);
            if at == 0 {
                break;
            }
            at = parent;
        }
        trace.reverse();
        self.result.found = Some(Found { rule, trace });
    }

    /// Everything is killed and nothing happens any more: one operator's runs must put the order right.
    fn converge(&mut self, world: &World) -> Result<(), String> {
        let mut still = *world;
        still.processes = [Process::default(); PROCESSES];
        still.earlier = [Database::default(); 2];
        still.earlier_known = 0;
        still.left = Left {
            claims: 20,
            ..Left::default()
        };
        still.database.journal.token = 0;
        still.has_failed_over = false;
        self.run_again(still)?;
        let is_paid = still.families.iter().any(|f| f.counts(PAID) > 0);
        if is_paid && still.database.row.status == PENDING {
            still.database.row.status = ROW_PAID;
            self.run_again(still)?;
        }
        Ok(())
    }

    fn run_again(&mut self, start: World) -> Result<(), String> {
        self.result.reruns += 1;
        let made_before = start.families_made();
        let mut world = start;
        let mut path = Vec::new();
        self.rerun = vec!["all killed, all still"];
        let mut stage = 0;
        let steps = loop {
            let has_minted = world.families_made() != made_before;
            let place = (world, stage, has_minted);
            let mut digest = Digest(world.digest());
            digest.add(u64::from(stage) << 1 | u64::from(has_minted));
            if let Some(rest) = self.ends.get(&place, digest.0) {
                break rest;
            }
            path.push((place, digest.0));
            if path.len() as u32 > LONGEST {
                return Err("L3 a re-run does not end".to_owned());
            }
            self.game.steps.clear();
            if world.processes[0].at != IDLE {
                self.game.advance(&world, 0);
                let Some((next, label)) = first(&self.game.steps) else {
                    return Err("the model's bounds end a re-run".to_owned());
                };
                self.rerun.push(label);
                if let Some((rule, _)) = self.game.broken {
                    return Err(format!("re-run: {rule}"));
                }
                world = next;
                if let Some(rule) = judge(&self.game, &world, &mut Excused::default()) {
                    return Err(format!("re-run: {rule}"));
                }
                continue;
            }
            // A new process has a token of its own; the number does not matter.
            world.left.claims = 20;
            world.database.journal.token = 0;
            let goal = GOALS[stage as usize];
            if goal == REGEN || self.game.mind.mutant != Mutant::NoSweep {
                self.game.plan(&world, 0, goal);
            }
            let Some((next, label)) = first(&self.game.steps) else {
                stage = WHEN_IDLE[stage as usize];
                if stage == 6 {
                    self.put_right(&world, has_minted)?;
                    break 0;
                }
                continue;
            };
            self.rerun.push(label);
            stage = match stage {
                0 => 1,
                1 => {
                    self.result.second_runs += 1;
                    2
                }
                3 => 4,
                _ => return Err("L3 a finished run leaves work to the next one".to_owned()),
            };
            world = next;
        };
        let length = path.len() as u32;
        for (at, (key, digest)) in path.into_iter().enumerate() {
            self.ends.put(key, digest, steps + length - at as u32);
        }
        self.result.longest = self.result.longest.max(steps + length);
        Ok(())
    }

    /// What the runs must have made of it.
    fn put_right(&self, end: &World, has_minted: bool) -> Result<(), String> {
        let row = &end.database.row;
        let live = end.live();
        if end.database.journal.record != 0 {
            return Err("L the operation is left open".to_owned());
        }
        let own = &end.families[row.reference as usize];
        let is_processing = end.families.iter().any(|f| f.counts(PROCESSING) > 0);
        if row.status == PENDING && !end.is_settled() {
            let is_right = live == 1 << row.reference
                && own.has(ACTIVE)
                && own.has(AMOUNT) == (row.amount == 1);
            let is_withdrawn = end.database.journal.withdrawn == row.reference + 1;
            let is_meant = is_withdrawn && live == 0;
            if !is_right && !is_meant {
                let count = live.count_ones();
                return Err(format!(
                    "L1 an unpaid order has {count} live families, or a wrong one"
                ));
            }
            return Ok(());
        }
        // Held for a person, or until the bank has spoken: nothing new was made, and what was closed stays so.
        let is_held = row.status == PENDING || is_processing;
        if is_held && has_minted {
            return Err("L2 a held order got something new".to_owned());
        }
        if !is_held && live != 0 {
            let count = live.count_ones();
            return Err(format!("L2 a settled order has {count} live families"));
        }
        Ok(())
    }
}
