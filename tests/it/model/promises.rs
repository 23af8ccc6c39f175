//! What is promised of every world and of every transition. S: in each world. A: whenever the tool acts. J: of
//! the journal, before the tool acts.
//!
//! S3, one open operation per order, is not here: the journal of the model has room for one, as the real one
//! has a unique index.

use super::drive::Game;
use super::world::*;

impl Game {
    /// What the tool may not close.
    pub fn watch_closing(&mut self, world: &World, done: &World, slot: usize, label: &'static str) {
        let row = &world.database.row;
        let info = self.mind.info(world.processes[slot].operation);
        let closed = |family: &u8| {
            let at = *family as usize;
            world.families[at] != done.families[at]
        };
        let broken = (0..FAMILIES as u8).filter(closed).find_map(|family| {
            if info.targets >> family & 1 == 0 {
                return Some("A5 closed what no journaled set names");
            }
            let is_current = family == row.reference
                && row.status == PENDING
                && !world.is_settled()
                && !world.has_failed_over
                && !world.families[family as usize].has(IN_TWO_STEPS);
            if is_current && world.database.journal.record == 0 {
                return Some("A4 closed the row's object while no operation was open");
            }
            if is_current && family != info.expected.0 && !info.is_settling {
                return Some("A6 closed what the row came to name meanwhile");
            }
            None
        });
        self.broken = self.broken.or(broken.map(|rule| (rule, label)));
    }

    pub fn watch_publishing(&mut self, world: &World, minted: u8, expected: (u8, u8)) {
        let row = &world.database.row;
        let broken = if row.status != PENDING {
            Some("A1 published on a settled order")
        } else if (row.reference, row.amount) != expected {
            Some("A2 published over a row that moved")
        } else if !world.families[minted as usize].has(ACTIVE)
            && !world.families[minted as usize].has(TOO_LATE)
            && !world.has_failed_over
        {
            Some("A3 published a dead link")
        } else {
            None
        };
        self.broken = self.broken.or(broken.map(|rule| (rule, "T publish")));
    }

    /// Whether Stripe lets one more session of this family complete.
    pub fn takes_money(&self, family: &Family) -> bool {
        family.kind != OUR_LINK || !self.rules.is_limited || family.completions() == 0
    }

    /// Somebody could pay here, as far as Stripe is concerned, and could know of it.
    pub fn is_payable(&self, family: &Family) -> bool {
        family.has(PUBLISHED) && family.is_live() && self.takes_money(family)
    }
}

/// What the application did to itself by storing a session late: worlds with two payable families, and worlds in
/// which two payments were taken. No rule is broken by them, and every re-run must still put the order right.
#[derive(Default)]
pub struct Excused {
    pub payable: u64,
    pub payments: u64,
}

/// The rules of every world.
pub fn judge(game: &Game, world: &World, excused: &mut Excused) -> Option<&'static str> {
    let payable = world.families.iter().filter(|f| game.is_payable(f)).count();
    let taken: u8 = world.families.iter().map(payments).sum();
    if world.is_doubled {
        excused.payable += u64::from(payable > 1);
        excused.payments += u64::from(taken > 1);
        return None;
    }
    if payable > 1 {
        return Some("S1 two published families are payable");
    }
    (taken > 1).then_some("S2 paid or pending twice")
}

/// What was paid, or is about to be. Two payments through one link that is not ours, and that nobody limited,
/// are between the payer and whoever made it.
fn payments(family: &Family) -> u8 {
    let taken = family.counts(PAID) + family.counts(PROCESSING);
    if family.kind == OTHER_LINK {
        taken.min(1)
    } else {
        taken
    }
}
