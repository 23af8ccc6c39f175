//! The driver's loop, one transition for each point at which a process can be stopped: what `execute` does,
//! with the database and Stripe in place of the wires.
//!
//! The first transition of a process is always the one without a fault.

use super::mind::*;
use super::mutants::Mutant;
use super::world::*;
use relink::saga::{Disposition, State, Task};

pub type Step = (World, &'static str);

/// What may happen in one scenario besides what the world itself still allows.
#[derive(Clone, Copy)]
pub struct Rules {
    /// How often a link is opened.
    pub tabs: u8,
    /// One completed session closes a link of ours.
    pub is_limited: bool,
    /// A look reads the row and Stripe at two moments.
    pub splits_looks: bool,
    /// A look that finds another row afterwards begins anew.
    pub looks_twice: bool,
    /// The application makes a session first and stores it later, whatever the row holds by then.
    pub stores_later: bool,
    /// How many commits a failover may lose.
    pub loses: u8,
    /// Those of the application among them.
    pub loses_theirs: bool,
    pub processes: usize,
    pub goals: &'static [u8],
}

pub struct Game {
    pub mind: Mind,
    pub rules: Rules,
    pub steps: Vec<Step>,
    /// The first rule that a transition broke.
    pub broken: Option<(&'static str, &'static str)>,
}

impl Game {
    pub fn new(mutant: Mutant, rules: Rules) -> Self {
        Game {
            mind: Mind::new(mutant),
            rules,
            steps: Vec::new(),
            broken: None,
        }
    }

    /// Everything that one process can do next.
    pub fn advance(&mut self, world: &World, slot: usize) {
        let process = world.processes[slot];
        match process.at {
            IDLE => {}
            CLAIM => self.claim(world, slot),
            LOOK => self.look(world, slot),
            LOOK_AT_STRIPE => self.look_at_stripe(world, slot, process.row),
            INTEND => self.intend(world, slot),
            REQUEST => self.request(world, slot),
            CONCLUDE => self.conclude(world, slot),
            SEEK => self.seek(world, slot),
            PUBLISH => self.publish(world, slot),
            END => self.end(world, slot),
            DECIDE_AGAIN => self.decide_again(world, slot),
            CLAIM_AGAIN => self.claim_again(world, slot),
            UNDO => self.undo(world, slot),
            _ => unreachable!(),
        }
    }

    /// Reads everything and decides; only what would write goes on.
    pub fn plan(&mut self, world: &World, slot: usize, goal: u8) {
        let (links, sessions) = index(world);
        let job = self.mind.plan(goal, world, (links, sessions), true);
        if job == 0 || world.left.claims == 0 {
            return;
        }
        let mut next = *world;
        next.processes[slot] = Process {
            at: CLAIM,
            goal,
            links,
            sessions,
            born: world.families_made(),
            job,
            ..Process::default()
        };
        let label = if goal == REGEN { "plan" } else { "plan retire" };
        self.steps.push((next, label));
    }

    fn claim(&mut self, world: &World, slot: usize) {
        if world.left.claims == 0 {
            return;
        }
        let record = world.database.journal.record;
        if record == 0 {
            return self.begin(world, slot);
        }
        let mut next = *world;
        let token = world.unused_token();
        next.left.claims -= 1;
        self.commit(&mut next, |database| database.journal.token = token);
        let age = world.database.journal.mint_age;
        next.processes[slot].token = token;
        next.processes[slot].took_over = true;
        next.processes[slot].saw_old_key = age == OLD;
        let operation = self.mind.step(record, seen(TAKEN_OVER, age));
        self.go(&mut next, slot, operation);
        self.steps.push((next, "T take over"));
    }

    fn begin(&mut self, world: &World, slot: usize) {
        let mut next = *world;
        let token = world.unused_token();
        let job = world.processes[slot].job;
        let old = self.mind.info(job).expected.0;
        let attempt = world.database.journal.attempts[old as usize] + 1;
        let operation = self.mind.with_attempt(job, attempt);
        let record = self.mind.committed(operation);
        next.left.claims -= 1;
        self.commit(&mut next, |database| {
            database.journal.record = record;
            database.journal.token = token;
            database.journal.mint_age = 0;
            database.journal.is_published = false;
        });
        next.processes[slot].token = token;
        next.processes[slot].saw_old_key = false;
        next.processes[slot].is_secret = false;
        let operation = self.mind.step(operation, CLAIMED);
        self.go(&mut next, slot, operation);
        self.steps.push((next, "T claim"));
    }

    /// What follows from the operation as it now stands in memory.
    pub fn go(&mut self, world: &mut World, slot: usize, operation: u32) {
        let info = self.mind.info(operation);
        let process = &mut world.processes[slot];
        process.at = info.at;
        process.operation = operation;
        process.seen = 0;
        process.row = Row::default();
        if info.at == END && info.ending.is_some_and(|e| e.0 == Disposition::NotOurs) {
            *process = Process::default();
        }
    }

    pub fn follow(&mut self, world: &World, slot: usize, seen: u16, label: &'static str) {
        let mut next = *world;
        let operation = self.mind.step(world.processes[slot].operation, seen);
        self.go(&mut next, slot, operation);
        self.steps.push((next, label));
    }

    pub fn fail(&mut self, world: &World, slot: usize, seen: u16, label: &'static str) {
        if world.left.faults > 0 {
            let mut next = *world;
            next.left.faults -= 1;
            self.follow(&next, slot, seen, label);
        }
    }

    pub fn commit(&self, world: &mut World, change: impl FnOnce(&mut Database)) {
        if world.left.failovers > 0 {
            world.earlier = [world.database, world.earlier[0]];
            world.earlier_known = (world.earlier_known + 1).min(self.rules.loses);
            if self.rules.loses == 1 {
                world.earlier[1] = Database::default();
            }
        }
        change(&mut world.database);
    }

    pub fn holds(&self, world: &World, slot: usize) -> bool {
        let token = world.database.journal.token;
        let holds = world.processes[slot].token == token && world.database.journal.record != 0;
        holds || self.mind.mutant == Mutant::NoToken
    }

    pub fn fenced(&mut self, world: &World, slot: usize) {
        let info = self.mind.info(world.processes[slot].operation);
        if self.mind.mutant == Mutant::FencedUndoes && info.minted != NOBODY {
            let mut next = *world;
            next.processes[slot].at = UNDO;
            self.steps.push((next, "fenced, and undoes"));
        } else {
            self.follow(world, slot, FENCED, "T fenced");
        }
    }

    fn look(&mut self, world: &World, slot: usize) {
        let row = world.database.row;
        if self.rules.splits_looks {
            let mut next = *world;
            next.processes[slot].at = LOOK_AT_STRIPE;
            next.processes[slot].row = row;
            self.steps.push((next, "look at the row"));
        } else {
            self.look_at_stripe(world, slot, row);
        }
    }

    fn look_at_stripe(&mut self, world: &World, slot: usize, row: Row) {
        let mut next = *world;
        let process = &mut next.processes[slot];
        if self.rules.looks_twice && row != world.database.row {
            process.at = LOOK;
            process.row = Row::default();
            self.steps.push((next, "the row moved: look again"));
            return;
        }
        let operation = process.operation;
        if self.mind.info(operation).operation.needs_current_index() {
            refresh(process, world);
        }
        let index = (process.links, process.sessions);
        let shown = self.recalled(world, slot);
        let moved = self.mind.look(operation, process.goal, &shown, row, index);
        self.go(&mut next, slot, moved);
        self.steps.push((next, "look"));
        self.fail(world, slot, UNREAD, "look fails");
    }

    /// The look after the publication shows a link of the process's own making as it was right before it. What else is
    /// recalled cannot change here: what has expired, and links that were shut with nothing open.
    fn recalled(&self, world: &World, slot: usize) -> World {
        let process = &world.processes[slot];
        let info = self.mind.info(process.operation);
        let mut shown = *world;
        if process.is_secret && info.operation.state == State::Confirming {
            let own = &mut shown.families[info.minted as usize];
            own.flags |= ACTIVE;
            own.tabs = 0;
        }
        shown
    }

    fn conclude(&mut self, world: &World, slot: usize) {
        let process = world.processes[slot];
        let moved = self.mind.step(process.operation, process.seen);
        let mut concluded = *world;
        concluded.processes[slot].operation = moved;
        if !self.holds(world, slot) {
            return self.fenced(&concluded, slot);
        }
        // An operation that ends here is written as ended by its end, or left as it stood.
        let standing = match self.mind.info(moved).at {
            END => process.operation,
            _ => moved,
        };
        let record = self.mind.committed(standing);
        let lost = concluded;
        self.commit(&mut concluded, |database| keep(database, record));
        let mut next = concluded;
        self.go(&mut next, slot, moved);
        self.steps.push((next, "T conclude"));
        self.fail(&lost, slot, UNKNOWN, "T conclude: unknown, lost");
        self.fail(&concluded, slot, UNKNOWN, "T conclude: unknown, done");
    }

    fn seek(&mut self, world: &World, slot: usize) {
        let mut next = *world;
        refresh(&mut next.processes[slot], world);
        let key = self.mind.info(world.processes[slot].operation).key;
        let mut found = NOBODY;
        for (at, family) in world.families.iter().enumerate() {
            let is_it = family.kind == OUR_LINK && family.key == key;
            if is_it && (found == NOBODY || family.has(ACTIVE)) {
                found = at as u8;
            }
        }
        let answer = match found {
            NOBODY => SOUGHT_NOTHING,
            family => seen(SOUGHT, family),
        };
        self.follow(&next, slot, answer, "seek");
        self.fail(world, slot, UNREAD, "seek fails");
    }

    fn publish(&mut self, world: &World, slot: usize) {
        if !self.holds(world, slot) {
            return self.fenced(world, slot);
        }
        let operation = world.processes[slot].operation;
        let info = self.mind.info(operation);
        let (minted, expected) = (info.minted, info.expected);
        let row = world.database.row;
        let holds_it = row.reference == minted;
        let is_as_approved = match self.mind.mutant {
            Mutant::NoCompare => true,
            Mutant::CompareWithoutStatus => (row.reference, row.amount) == expected,
            _ => (row.reference, row.amount) == expected && row.status == PENDING,
        };
        if !holds_it && !is_as_approved {
            return self.follow(world, slot, ROW_MOVED, "T publish: the row moved");
        }
        if !holds_it {
            self.watch_publishing(world, minted, expected);
        }
        let published = self.mind.step(operation, STORED);
        let record = self.mind.committed(published);
        let mut done = *world;
        self.commit(&mut done, |database| {
            database.row.reference = minted;
            keep(database, record);
            database.journal.is_published = true;
        });
        done.families[minted as usize].flags |= PUBLISHED;
        let mut next = done;
        self.go(&mut next, slot, published);
        self.steps.push((next, "T publish"));
        if self.mind.mutant == Mutant::StoredIsLost {
            self.follow(&done, slot, ROW_MOVED, "T publish: stored, taken for lost");
        }
        self.fail(world, slot, UNKNOWN, "T publish: unknown, lost");
        self.fail(&done, slot, UNKNOWN, "T publish: unknown, done");
    }

    fn end(&mut self, world: &World, slot: usize) {
        let process = world.processes[slot];
        let info = self.mind.info(process.operation);
        let Some((disposition, is_concluded)) = info.ending else {
            unreachable!()
        };
        let minted = info.minted;
        let withdrawn = match info.operation.task {
            Task::Withdraw => info.expected.0 + 1,
            _ => 0,
        };
        let mut next = *world;
        let mut label = "T end: fenced";
        if self.holds(world, slot) && world.database.journal.record != 0 {
            label = "T close";
            let record = self.mind.info(world.database.journal.record);
            let (old, attempt) = (record.expected.0, record.key_attempt);
            self.commit(&mut next, |database| {
                let journal = &mut database.journal;
                journal.token = 0;
                if disposition == Disposition::LeftOpen {
                    return;
                }
                let highest = &mut journal.attempts[old as usize];
                *highest = attempt.max(*highest);
                if minted != NOBODY && !journal.is_published {
                    journal.unstored |= 1 << minted;
                }
                if disposition == Disposition::Done {
                    journal.withdrawn = withdrawn;
                }
                journal.record = 0;
                journal.mint_age = 0;
                journal.is_published = false;
            });
            if disposition == Disposition::LeftOpen {
                label = "T release";
            }
        }
        if process.took_over && is_concluded {
            next.processes[slot] = Process {
                at: DECIDE_AGAIN,
                token: 0,
                took_over: false,
                operation: 0,
                seen: 0,
                ..process
            };
        } else {
            next.processes[slot] = Process::default();
        }
        self.steps.push((next, label));
    }

    fn decide_again(&mut self, world: &World, slot: usize) {
        let process = world.processes[slot];
        let mut next = *world;
        next.processes[slot] = Process::default();
        let approved = self.mind.info(process.job).expected;
        let row = world.database.row;
        if approved == (row.reference, row.amount) {
            let index = (process.links, process.sessions);
            let job = self.mind.plan(process.goal, world, index, false);
            if job != 0 {
                next.processes[slot] = Process {
                    at: CLAIM_AGAIN,
                    job,
                    ..process
                };
            }
        }
        self.steps.push((next, "decide again"));
    }

    fn claim_again(&mut self, world: &World, slot: usize) {
        if world.left.claims == 0 {
            return;
        }
        if world.database.journal.record == 0 {
            return self.begin(world, slot);
        }
        // Left open again between two transactions: it is the next run's.
        let mut next = *world;
        self.commit(&mut next, |database| database.journal.token = 0);
        next.processes[slot] = Process::default();
        self.steps.push((next, "T let go"));
    }
}

/// Only without a token does anybody write to an operation that has ended.
pub fn keep(database: &mut Database, record: u32) {
    if database.journal.record != 0 {
        database.journal.record = record;
    }
}

/// What an index read now names: active links, and sessions that are open or complete.
fn index(world: &World) -> (u8, u16) {
    let (mut links, mut sessions) = (0, 0);
    for (at, family) in world.families.iter().enumerate() {
        links |= u8::from(family.has(ACTIVE)) << at;
        for tab in 0..2 {
            let is_named = !matches!(family.tab(tab), NONE | EXPIRED);
            sessions |= u16::from(is_named) << (2 * at + tab as usize);
        }
    }
    (links, sessions)
}

/// Adds what was made since. Nothing is ever taken back.
fn refresh(process: &mut Process, world: &World) {
    let (_, sessions) = index(world);
    process.sessions |= sessions;
    for at in process.born..world.families_made() {
        let is_link = world.families[at as usize].kind > SESSION;
        process.links |= u8::from(is_link) << at;
    }
}
