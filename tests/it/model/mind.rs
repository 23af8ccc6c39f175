//! What a process thinks: relink's own `decide_order` and `step`, asked once per question and remembered.
//!
//! Nothing of the protocol is written again here. A mutant changes what is shown to it, or its answer.

use std::collections::HashMap;

use relink::domain::*;
use relink::plan::*;
use relink::saga::*;

use super::eyes::{facts_key, minted, place};
use super::mutants::Mutant;
use super::numbers::{Info, Key};
use super::table::Memo;
use super::world::{Digest, Row, World};
use crate::support::facts::NOW;

pub const ORDER: i64 = 42;
pub const AMOUNTS: [i64; 2] = [5500, 6000];

pub const REGEN: u8 = 0;
pub const RETIRE: u8 = 1;
pub const MINT: u8 = 2;
pub const WITHDRAW: u8 = 3;

/// What can be observed besides a look: a kind, and for some of them a family.
pub const CLAIMED: u16 = 1;
pub const TAKEN_OVER: u16 = 2;
pub const DONE: u16 = 3;
pub const MINTED: u16 = 4;
pub const REFUSED: u16 = 5;
pub const UNAVAILABLE: u16 = 6;
pub const UNKNOWN: u16 = 7;
pub const KEY_SPENT: u16 = 8;
pub const SOUGHT: u16 = 9;
pub const SOUGHT_NOTHING: u16 = 10;
pub const FENCED: u16 = 11;
pub const STORED: u16 = 12;
pub const ROW_MOVED: u16 = 13;
pub const UNREAD: u16 = 14;

pub fn seen(kind: u16, of: u8) -> u16 {
    kind | u16::from(of) << 8
}

pub struct Mind {
    pub mutant: Mutant,
    pub infos: Vec<Info>,
    pub numbers: HashMap<Operation, u32>,
    pub keys: Vec<Key>,
    steps: Memo<(u32, u16)>,
    looks: Memo<[u64; 6]>,
    plans: Memo<[u64; 6]>,
}

impl Mind {
    pub fn new(mutant: Mutant) -> Self {
        let mut mind = Mind {
            mutant,
            infos: Vec::new(),
            numbers: HashMap::new(),
            keys: Vec::new(),
            steps: Memo::new(),
            looks: Memo::new(),
            plans: Memo::new(),
        };
        // Number zero stands for no operation.
        let none = Expected {
            reference: None,
            amount: None,
        };
        mind.number(Operation::new(None, Task::Retire, none));
        mind
    }

    /// `step`, for anything but a look.
    pub fn step(&mut self, operation: u32, seen: u16) -> u32 {
        let key = (operation, seen);
        let mut digest = Digest(u64::from(operation));
        digest.add(u64::from(seen));
        if let Some(known) = self.steps.get(&key, digest.0) {
            return known;
        }
        let observed = observed(seen);
        let number = self.moved(operation, observed);
        self.steps.put(key, digest.0, number);
        number
    }

    fn moved(&mut self, operation: u32, observed: Observed) -> u32 {
        let before = self.info(operation).operation.clone();
        let (moved, next) = match self.mutant.before(&before, &observed) {
            Some(moved) => (moved, None),
            None => {
                let shown = match &observed {
                    Observed::Looked(look) => Some(look.clone()),
                    _ => None,
                };
                let observed = self.mutant.observed(observed);
                let (moved, next) = step(before.clone(), observed);
                let is_next = (self.mutant == Mutant::None).then_some(next);
                (self.mutant.after(&before, moved, shown.as_deref()), is_next)
            }
        };
        let number = self.number(moved);
        if let Some(next) = next {
            assert!(self.follows(number, &next), "{next:?} does not follow");
        }
        number
    }

    /// The driver reads off the state what comes next; the saga must have said the same.
    fn follows(&self, operation: u32, next: &Next) -> bool {
        let operation = &self.info(operation).operation;
        match (next, &operation.state) {
            (Next::Send { write, round }, State::Retiring { queue, .. }) => {
                queue.first() == Some(write) && *round == operation.rounds
            }
            (Next::Mint { attempt }, State::Minting) => *attempt == operation.attempt,
            (Next::Seek, State::Seeking) => true,
            (Next::Publish(minted), State::Publishing) => operation.minted.as_ref() == Some(minted),
            (Next::End(ending), State::Ended(ended)) => ending == ended,
            (Next::Look, State::Retiring { queue, .. }) => queue.is_empty(),
            (Next::Look, state) => matches!(
                state,
                State::Claimed | State::Doubting | State::Examining | State::Confirming
            ),
            _ => false,
        }
    }

    /// `step`, for a look at these families through an index that names these links and sessions.
    pub fn look(
        &mut self,
        operation: u32,
        goal: u8,
        world: &World,
        row: Row,
        index: (u8, u16),
    ) -> u32 {
        let info = self.info(operation);
        let journal = &world.database.journal;
        let journaled = match info.is_claimed {
            true => (journal.unstored, journal.withdrawn),
            false => (0, 0),
        };
        let (key, digest) = facts_key(operation, goal, world, row, index, journaled);
        if let Some(known) = self.looks.get(&key, digest) {
            return known;
        }
        let facts = self.facts(world, row, index, Some(operation), journaled);
        let mut look = Look::at_order(&facts, moment(), &policy(goal));
        let operation_of = self.info(operation).operation.clone();
        for reference in &operation_of.watched {
            if !look.objects.iter().any(|o| o.reference() == *reference) {
                look.objects
                    .push(self.object(world, place(reference), Some(operation)));
            }
        }
        let number = self.moved(operation, Observed::Looked(Box::new(look)));
        self.looks.put(key, digest, number);
        number
    }

    /// The operation that a plan with this goal would begin; zero when there is nothing to do.
    pub fn plan(&mut self, goal: u8, world: &World, index: (u8, u16), knows_open: bool) -> u32 {
        let journal = &world.database.journal;
        let open = if knows_open { journal.record } else { 0 };
        let row = world.database.row;
        let journaled = (journal.unstored, journal.withdrawn);
        let (key, digest) = facts_key(open, goal, world, row, index, journaled);
        if let Some(known) = self.plans.get(&key, digest) {
            return known;
        }
        let mut facts = self.facts(world, row, index, None, journaled);
        if open != 0 {
            let operation = &self.info(open).operation;
            facts.journal.open = Some(OpenOperation {
                task: match operation.task {
                    Task::Replace => OpenTask::Replace,
                    Task::Mint => OpenTask::Mint,
                    _ => OpenTask::Retire,
                },
                state: operation.state.name().to_owned(),
                run: RunId("another".to_owned()),
                host: "elsewhere".to_owned(),
                since: Timestamp(NOW),
                is_held: false,
            });
        }
        let decision = decide_order(&facts, moment(), &policy(goal));
        let number = if decision.action.is_work() {
            let operation =
                Operation::approved(&decision.order, &decision.action, policy(goal).goal);
            self.number(operation)
        } else {
            0
        };
        self.plans.put(key, digest, number);
        number
    }
}

fn policy(goal: u8) -> Policy {
    let goal = match goal {
        REGEN => Goal::Regen,
        MINT => Goal::Mint,
        WITHDRAW => Goal::RetirePending,
        _ => Goal::Retire,
    };
    let mut policy = Policy::new(goal);
    policy.releases.insert(Release::AllowAmountChange);
    policy
}

fn moment() -> Moment {
    Moment {
        taken_at: Timestamp(NOW),
        witness: Witness::Read,
    }
}

fn observed(seen: u16) -> Observed {
    let of = (seen >> 8) as u8;
    let why = || "it failed".to_owned();
    match seen & 0xff {
        CLAIMED => Observed::Claimed,
        TAKEN_OVER => Observed::TakenOver {
            mint_age: [None, Some(60), Some(25 * 3600)][of as usize],
        },
        DONE => Observed::Done,
        MINTED => Observed::Minted(minted(of)),
        REFUSED => Observed::Refused(why()),
        UNAVAILABLE => Observed::Unavailable(why()),
        UNKNOWN => Observed::Unknown(why()),
        KEY_SPENT => Observed::KeySpent(why()),
        SOUGHT => Observed::Sought(Some(minted(of))),
        SOUGHT_NOTHING => Observed::Sought(None),
        FENCED => Observed::Fenced,
        STORED => Observed::Published,
        ROW_MOVED => Observed::RowMoved,
        _ => Observed::Unread(why()),
    }
}
