//! Everything that is not relink: payers, the bank, the application, the clock, the database's failover, and
//! whoever kills processes.

use super::drive::{Game, Step};
use super::world::*;

impl Game {
    /// Everything that can happen around the processes.
    pub fn happen(&mut self, world: &World) {
        self.kill(world);
        if world.left.events == 0 {
            return;
        }
        let mut later = *world;
        later.left.events -= 1;
        for at in 0..FAMILIES {
            if world.families[at].kind != NOTHING {
                self.pay(&later, at);
            }
        }
        self.application(&later);
        self.switch_off(&later);
        if later.left.days > 0 {
            self.steps.push((a_day_later(later), "a day passes"));
        }
        if world.left.failovers > 0 && world.earlier_known > 0 {
            let mut next = *world;
            next.left.failovers -= 1;
            next.has_failed_over = true;
            next.database = world.earlier[world.earlier_known as usize - 1];
            next.earlier = [Database::default(); 2];
            next.earlier_known = 0;
            self.steps.push((next, "failover loses our last"));
        }
    }

    fn kill(&mut self, world: &World) {
        for slot in 0..PROCESSES {
            if world.processes[slot].at != IDLE {
                let mut next = *world;
                next.processes[slot] = Process::default();
                self.steps.push((next, KILL));
            }
        }
    }

    fn pay(&mut self, world: &World, at: usize) {
        let family = world.families[at];
        let (is_known, tabs) = (family.has(PUBLISHED), self.rules.tabs);
        let mut change = |tab: u8, state: u8, label: &'static str| {
            let mut next = *world;
            let changed = &mut next.families[at];
            changed.set_tab(tab, state);
            let completes = matches!(state, PAID | PROCESSING);
            if completes && changed.kind == OUR_LINK && self.rules.is_limited {
                changed.flags &= !ACTIVE;
            }
            self.steps.push((next, label));
        };
        for tab in 0..2 {
            match family.tab(tab) {
                // One after the other.
                NONE if tab < tabs
                    && family.has(ACTIVE)
                    && is_known
                    && (tab == 0 || family.tab(0) != NONE) =>
                {
                    change(tab, OPEN, "payer opens the link");
                }
                OPEN if is_known => {
                    let is_open_to_money = family.kind != OUR_LINK
                        || !self.rules.is_limited
                        || family.completions() == 0;
                    if is_open_to_money {
                        change(tab, PAID, "payer pays");
                        change(tab, PROCESSING, "payer pays by debit");
                    }
                    change(tab, EXPIRED, "session expires");
                }
                PROCESSING => {
                    change(tab, PAID, "bank: paid");
                    change(tab, FAILED, "bank: failed");
                }
                _ => {}
            }
        }
    }

    fn application(&mut self, world: &World) {
        let row = world.database.row;
        let mut change = |world: &World, row: Row, label: &'static str| {
            let mut next = *world;
            commit_of_theirs(self.rules.loses_theirs, &mut next, row);
            self.steps.push((next, label));
        };
        if row.status == PENDING && world.families.iter().any(|f| f.counts(PAID) > 0) {
            let paid = Row {
                status: ROW_PAID,
                ..row
            };
            change(world, paid, "webhook");
        }
        let mut fewer = *world;
        if world.left.cancellations > 0 && row.status != ROW_PAID {
            fewer.left.cancellations -= 1;
            let (status, label) = match row.status {
                PENDING => (CANCELED, "app cancels"),
                _ => (PENDING, "app reopens"),
            };
            change(&fewer, Row { status, ..row }, label);
        }
        let mut fewer = *world;
        if world.left.edits > 0 && row.status == PENDING {
            fewer.left.edits -= 1;
            let amount = 1 - row.amount;
            change(&fewer, Row { amount, ..row }, "app edits the amount");
        }
        self.checkout(world);
    }

    /// The application writes its session into the row, without a look at what is there.
    fn store_checkout(&mut self, world: &World) {
        let row = world.database.row;
        let is_waiting = |f: &Family| f.has(IN_TWO_STEPS) && !f.has(PUBLISHED);
        let Some(at) = world.families.iter().position(is_waiting) else {
            return;
        };
        if row.status != PENDING {
            return;
        }
        let mut next = *world;
        next.families[at].flags |= PUBLISHED;
        let is_payable = |f: &&Family| self.is_payable(f);
        next.is_doubled |= next.families.iter().filter(is_payable).count() > 1;
        let reference = at as u8;
        let row = Row { reference, ..row };
        commit_of_theirs(self.rules.loses_theirs, &mut next, row);
        self.steps.push((next, "app stores its session"));
    }

    /// Somebody switches a link off by hand.
    fn switch_off(&mut self, world: &World) {
        if world.left.switches == 0 {
            return;
        }
        for at in 0..FAMILIES {
            if world.families[at].has(ACTIVE) {
                let mut next = *world;
                next.left.switches -= 1;
                next.families[at].flags &= !ACTIVE;
                let publishes = |process: &Process| {
                    let minted = self.mind.info(process.operation).minted;
                    process.at == PUBLISH && minted as usize == at
                };
                if world.processes.iter().any(publishes) {
                    next.families[at].flags |= TOO_LATE;
                }
                self.steps.push((next, "switched off by hand"));
            }
        }
    }

    /// The application opens a session of its own where it sees nothing that could be paid.
    fn checkout(&mut self, world: &World) {
        let row = world.database.row;
        let is_free = row.status == PENDING
            && !world.is_settled()
            && !world.families.iter().any(|family| self.is_payable(family));
        if self.rules.stores_later {
            self.store_checkout(world);
        }
        let made = world.families_made();
        if world.left.checkouts == 0 || !is_free || made as usize >= FAMILIES {
            return;
        }
        let mut next = *world;
        next.left.checkouts -= 1;
        next.families[made as usize] = Family {
            kind: SESSION,
            flags: PUBLISHED | (AMOUNT * row.amount),
            tabs: OPEN,
            key: 0,
        };
        if self.rules.stores_later {
            let family = &mut next.families[made as usize];
            family.flags = (family.flags | IN_TWO_STEPS) & !PUBLISHED;
            self.steps.push((next, "app makes a session"));
            return;
        }
        let reference = made;
        let row = Row { reference, ..row };
        commit_of_theirs(self.rules.loses_theirs, &mut next, row);
        self.steps.push((next, "app makes a checkout"));
    }
}

pub const KILL: &str = "kill -9";

/// A commit of the application's: what a failover may lose, or what ends all that it may lose.
fn commit_of_theirs(may_be_lost: bool, world: &mut World, row: Row) {
    let may_fail_over = may_be_lost && world.left.failovers > 0;
    world.earlier = [Database::default(); 2];
    if may_fail_over {
        world.earlier[0] = world.database;
    }
    world.earlier_known = u8::from(may_fail_over);
    world.database.row = row;
}

/// Stripe forgets its answers, and every mint so far is too old to be sent again.
fn a_day_later(mut world: World) -> World {
    world.left.days -= 1;
    for family in world.families.iter_mut() {
        family.flags &= !(SAVED | FAILED_ANSWER);
    }
    world.spent = 0;
    let age = |database: &mut Database| {
        if database.journal.mint_age == YOUNG {
            database.journal.mint_age = OLD;
        }
    };
    age(&mut world.database);
    world.earlier.iter_mut().for_each(age);
    world
}

/// The plain outcome of a step list.
pub fn first(steps: &[Step]) -> Option<Step> {
    steps.first().copied()
}
