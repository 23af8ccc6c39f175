//! The requests that write: the intent is committed, the request leaves, and what became of it is observed.
//!
//! A request may be lost, its answer may be lost, and Stripe may have saved an answer before.

use relink::saga::State;

use super::drive::{Game, keep};
use super::mind::*;
use super::mutants::Mutant;
use super::world::*;

impl Game {
    pub fn intend(&mut self, world: &World, slot: usize) {
        let mut operation = world.processes[slot].operation;
        if self.mind.info(operation).operation.state == State::Minting {
            operation = self.mind.intended(operation);
        }
        let mut unsent = *world;
        unsent.processes[slot].operation = operation;
        if !self.holds(world, slot) {
            return self.fenced(&unsent, slot);
        }
        let mut next = unsent;
        let record = self.mind.committed(operation);
        let key = self.mind.info(operation).key;
        let is_mint = self.mind.info(operation).operation.state == State::Minting;
        let journaled = self.mind.info(world.database.journal.record).key;
        self.commit(&mut next, |database| {
            if is_mint && (journaled != key || database.journal.mint_age == 0) {
                database.journal.mint_age = YOUNG;
            }
            keep(database, record);
        });
        if is_mint && journaled == key && world.processes[slot].saw_old_key {
            let rule = "J2 sent a key again that Stripe may have forgotten";
            self.broken = self.broken.or(Some((rule, "T intend")));
        }
        let intended = next;
        next.processes[slot].at = REQUEST;
        self.steps.push((next, "T intend"));
        self.fail(&unsent, slot, UNKNOWN, "T intend: unknown, lost");
        self.fail(&intended, slot, UNKNOWN, "T intend: unknown, done");
    }

    pub fn request(&mut self, world: &World, slot: usize) {
        match self.mind.info(world.processes[slot].operation).write {
            Some((family, None)) => {
                let mut next = *world;
                next.families[family as usize].flags &= !ACTIVE;
                self.wrote(world, next, slot, family, DONE, "H deactivate");
            }
            Some((family, Some(tab))) => {
                let mut next = *world;
                let is_open = world.families[family as usize].tab(tab) == OPEN;
                if is_open {
                    next.families[family as usize].set_tab(tab, EXPIRED);
                }
                let answer = if is_open { DONE } else { REFUSED };
                self.wrote(world, next, slot, family, answer, "H expire");
            }
            None => self.mint(world, slot),
        }
    }

    /// One request that closes something, with all that can become of it.
    fn wrote(
        &mut self,
        world: &World,
        mut done: World,
        slot: usize,
        family: u8,
        answer: u16,
        label: &'static str,
    ) {
        if self.mind.mutant == Mutant::Wildcard {
            for other in done.families.iter_mut() {
                other.flags &= !ACTIVE;
            }
        }
        self.watch_closing(world, &done, slot, label);
        self.answered(done, slot, answer, label);
        if self.mind.mutant == Mutant::MissingIsDead && family == 0 {
            self.answered(*world, slot, REFUSED, "H 404");
        }
        if world.left.faults > 0 {
            let lost = |world: &World| {
                let mut world = *world;
                world.left.faults -= 1;
                world
            };
            self.answered(lost(&done), slot, UNKNOWN, "H retires, answer lost");
            self.answered(lost(world), slot, UNKNOWN, "H request lost");
            self.answered(lost(world), slot, REFUSED, "H refused");
            self.answered(lost(world), slot, UNAVAILABLE, "H unavailable");
        }
    }

    fn answered(&mut self, mut world: World, slot: usize, seen: u16, label: &'static str) {
        world.processes[slot].at = CONCLUDE;
        world.processes[slot].seen = seen;
        self.steps.push((world, label));
    }

    fn mint(&mut self, world: &World, slot: usize) {
        let key = self.mind.info(world.processes[slot].operation).key;
        let journaled = world.database.journal;
        let is_known = self.mind.info(journaled.record).key == key;
        if self.holds(world, slot) && !is_known && !world.has_failed_over {
            self.broken = Some(("J1 minted with a key that was not journaled", "H mint"));
        }
        let made = world
            .families
            .iter()
            .find(|f| f.kind == OUR_LINK && f.key == key && f.has(SAVED));
        if world.spent == key || made.is_some_and(|family| family.has(FAILED_ANSWER)) {
            return self.answered(*world, slot, KEY_SPENT, "H mint: saved failure");
        }
        if made.is_some() {
            let of = |f: &Family| f.kind == OUR_LINK && f.key == key && f.has(SAVED);
            let first = world.families.iter().position(of).unwrap_or(0) as u8;
            let mut replayed = *world;
            replayed.processes[slot].is_secret = false;
            self.answered(replayed, slot, seen(MINTED, first), "H mint: replayed");
        } else {
            let at = world.families_made();
            if at as usize >= FAMILIES {
                return;
            }
            let mut next = *world;
            let amount = self.mind.amount_of_key(key) * AMOUNT;
            next.families[at as usize] = Family {
                kind: OUR_LINK,
                flags: ACTIVE | SAVED | amount,
                tabs: 0,
                key,
            };
            next.processes[slot].is_secret = true;
            self.answered(next, slot, seen(MINTED, at), "H mint");
            if world.left.faults > 0 {
                next.left.faults -= 1;
                self.answered(next, slot, UNKNOWN, "H mints, answer lost");
                next.families[at as usize].flags |= FAILED_ANSWER;
                self.answered(next, slot, UNKNOWN, "H mints, answers 500");
            }
        }
        if world.left.faults > 0 {
            let mut next = *world;
            next.left.faults -= 1;
            self.answered(next, slot, UNKNOWN, "H mint lost");
            self.answered(next, slot, REFUSED, "H mint refused");
            self.answered(next, slot, UNAVAILABLE, "H mint unavailable");
            if made.is_none() {
                next.spent = key;
                self.answered(next, slot, UNKNOWN, "H mint answers 500");
            }
        }
    }

    pub fn undo(&mut self, world: &World, slot: usize) {
        let mut next = *world;
        let minted = self.mind.info(world.processes[slot].operation).minted;
        next.families[minted as usize].flags &= !ACTIVE;
        next.processes[slot] = Process::default();
        self.steps.push((next, "H undoes"));
    }
}
