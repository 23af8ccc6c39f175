//! One operation on one order: what it may rely on, what it has done, and where it stands. The journal keeps
//! it as it is, so that another process can go on from there.
//!
//! The retire set is always a list of ids seen at Stripe, never a wildcard: a process that wakes up late can
//! then only repeat what was meant, not close a link that somebody published meanwhile.

use std::collections::BTreeSet;

use crate::actions::Mint;
use crate::domain::{CheckoutReference, LinkId, Money, Order, OrderId, SessionId};
use crate::plan::{Action, Goal, Reason, Verdict};

/// What was approved for the order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Close what is live, mint a link, store it.
    Replace,
    /// Mint a link, store it; close nothing.
    Mint,
    /// Close what is leaked or duplicate.
    Retire,
    /// Close what is live for a pending order, on purpose: it stays without a link until somebody mints one.
    Withdraw,
    /// Close these, whomever they belong to: the operator insisted.
    RetireObjects(Vec<CheckoutReference>),
}

impl Task {
    /// The spelling of the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Task::Replace => "replace",
            Task::Mint => "mint",
            Task::Retire => "retire",
            Task::Withdraw => "withdraw",
            Task::RetireObjects(_) => "retire_objects",
        }
    }
}

/// The row as it was approved. Nothing is published over a row that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expected {
    pub reference: Option<CheckoutReference>,
    pub amount: Option<Money>,
}

/// A link of ours that is not in the row yet. Nobody but us knows its URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Minted {
    pub id: LinkId,
    pub url: String,
}

/// The mint that is journaled before it leaves, byte for byte. It is sent again as it stands, whatever this
/// version of relink would render.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intended {
    pub attempt: u32,
    pub mint: Mint,
}

/// One write that retires something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    Deactivate(LinkId),
    Expire(SessionId),
}

impl Write {
    #[must_use]
    pub fn target(&self) -> CheckoutReference {
        match self {
            Write::Deactivate(id) => CheckoutReference::Link(id.clone()),
            Write::Expire(id) => CheckoutReference::Session(id.clone()),
        }
    }
}

/// What follows once every target is proved dead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    Mint,
    End(Ending),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Claimed,
    /// Writes are sent in the order of `queue`; when it is empty, everything is read again.
    Retiring {
        targets: Vec<CheckoutReference>,
        queue: Vec<Write>,
        then: Then,
    },
    /// The request that mints is journaled and may have left.
    Minting,
    /// Taken over while minting: whether the link exists is not known. Everything is read before it is tried
    /// again.
    Doubting,
    /// The key cannot tell any more whether it minted: its link is looked for.
    Seeking,
    /// The new link exists; it is read, and everything else once more.
    Examining,
    Publishing,
    Confirming,
    Ended(Ending),
}

impl State {
    /// The spelling of the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            State::Claimed => "claimed",
            State::Retiring {
                then: Then::Mint, ..
            } => "retiring",
            State::Retiring {
                then: Then::End(_), ..
            } => "closing",
            State::Minting => "minting",
            State::Doubting => "doubting",
            State::Seeking => "seeking",
            State::Examining => "examining",
            State::Publishing => "publishing",
            State::Confirming => "confirming",
            State::Ended(_) => "ended",
        }
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Replaced {
        link: Minted,
        /// Why the last look at the old objects could not be had, if so.
        unconfirmed: Option<String>,
    },
    Retired,
    /// The order is not what was approved any more. What was done for it until then stands, but for a link of ours
    /// that was not stored.
    Moved {
        verdict: Verdict,
        reason: Reason,
    },
    /// Money was taken at Stripe, or is on its way, while the order was worked on; nothing new is payable.
    PaidMeanwhile {
        verdict: Verdict,
        reason: Reason,
    },
    /// The row changed while the order was worked on. Our own new link, if any, was retired.
    LostRace,
    /// Still live after the last round.
    StillLive(Vec<CheckoutReference>),
    /// A definite no, by Stripe or by what it showed; nothing happened by this request.
    Refused {
        what: String,
        why: String,
    },
    /// Nothing happened by this request, and nobody said no: Stripe was out of reach. Safe to run again.
    Unavailable {
        what: String,
        why: String,
    },
    /// It may or may not have happened. Safe to run again.
    Unknown {
        what: String,
        why: String,
    },
    /// Another run took the order over; nothing more was touched here.
    Fenced,
    /// Somebody asked the run to stop: no further request was made. The next run goes on.
    Interrupted {
        what: String,
    },
}

/// What becomes of the journal's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What was approved is done.
    Done,
    /// It cannot go on; the next run looks afresh.
    Closed,
    /// The next run goes on from here.
    LeftOpen,
    /// It is somebody else's now.
    NotOurs,
}

impl Ending {
    /// The spelling of the journal and of JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Ending::Replaced { .. } => "replaced",
            Ending::Retired => "retired",
            Ending::Moved { .. } => "moved",
            Ending::PaidMeanwhile { .. } => "paid_meanwhile",
            Ending::LostRace => "lost_race",
            Ending::StillLive(_) => "still_live",
            Ending::Refused { .. } => "refused",
            Ending::Unavailable { .. } => "unavailable",
            Ending::Unknown { .. } => "unknown",
            Ending::Fenced => "fenced",
            Ending::Interrupted { .. } => "interrupted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    pub order: Option<OrderId>,
    pub task: Task,
    pub expected: Expected,
    pub state: State,
    /// Part of the mint's idempotency key; counts from 1.
    pub attempt: u32,
    /// How often something live was found where nothing should be.
    pub rounds: u32,
    /// What was closed so far, in order.
    pub retired: Vec<CheckoutReference>,
    pub minted: Option<Minted>,
    /// The latest mint that was intended.
    pub mint: Option<Intended>,
    /// The intended mint's key is older than Stripe surely keeps one: sent again, it could mint again.
    pub key_is_old: bool,
    /// Its holder met a key that Stripe answers with a saved failure, and went on to the next one.
    pub has_spent_key: bool,
    /// A request that writes was journaled: the operation can no longer be dropped as if it had not begun.
    pub has_written: bool,
    /// Every object that was approved to go, that this operation meant to close, or that it made. Each look must show
    /// all of them: a link that was just switched off leaves the list of active ones, its open sessions do not.
    pub watched: BTreeSet<CheckoutReference>,
}

impl Operation {
    #[must_use]
    pub fn new(order: Option<OrderId>, task: Task, expected: Expected) -> Self {
        Operation {
            order,
            task,
            expected,
            state: State::Claimed,
            attempt: 1,
            rounds: 0,
            retired: Vec::new(),
            minted: None,
            mint: None,
            key_is_old: false,
            has_spent_key: false,
            has_written: false,
            watched: BTreeSet::new(),
        }
    }

    /// The operation that carries out `action` on the row as it was approved.
    #[must_use]
    pub fn approved(order: &Order, action: &Action, goal: Goal) -> Self {
        let task = match (action, goal) {
            (Action::Retire(objects), Goal::RetirePending | Goal::Undo)
                if withdraws(order, objects) =>
            {
                Task::Withdraw
            }
            (Action::Retire(_), _) => Task::Retire,
            (_, Goal::Mint) => Task::Mint,
            (_, Goal::Retire | Goal::RetirePending | Goal::Undo) => Task::Retire,
            (_, Goal::Regen) => Task::Replace,
        };
        let expected = Expected {
            reference: order.reference.clone(),
            amount: order.amount,
        };
        let mut operation = Operation::new(Some(order.id), task, expected);
        if let Action::Replace(objects) | Action::Retire(objects) = action {
            operation.watched.extend(objects.iter().cloned());
        }
        operation
    }

    /// The `relink_key` of the intended mint: what its link carries.
    #[must_use]
    pub fn relink_key(&self) -> Option<&str> {
        self.mint.as_ref().map(|i| i.mint.relink_key.as_str())
    }

    /// The mint of this attempt, if it was intended before.
    #[must_use]
    pub fn intended(&self, attempt: u32) -> Option<&Mint> {
        let intended = self.mint.as_ref()?;
        (intended.attempt == attempt).then_some(&intended.mint)
    }

    /// From here on this mint is the one of the current attempt.
    pub fn intend(&mut self, mint: Mint) {
        self.mint = Some(Intended {
            attempt: self.attempt,
            mint,
        });
    }

    /// Whether a look must show what appeared since the run began: once a link of ours exists, or may, nothing but a
    /// current reading counts.
    #[must_use]
    pub fn needs_current_index(&self) -> bool {
        self.minted.is_some() || matches!(self.state, State::Doubting)
    }

    /// What becomes of it when it ends like this.
    #[must_use]
    pub fn disposition(&self, ending: &Ending) -> Disposition {
        match ending {
            Ending::Replaced {
                unconfirmed: None, ..
            }
            | Ending::Retired => Disposition::Done,
            Ending::Moved { .. }
            | Ending::PaidMeanwhile { .. }
            | Ending::LostRace
            | Ending::StillLive(_)
            | Ending::Refused { .. } => Disposition::Closed,
            Ending::Replaced {
                unconfirmed: Some(_),
                ..
            } => Disposition::LeftOpen,
            Ending::Unavailable { .. } | Ending::Unknown { .. } | Ending::Interrupted { .. } => {
                if self.has_written {
                    Disposition::LeftOpen
                } else {
                    Disposition::Closed
                }
            }
            Ending::Fenced => Disposition::NotOurs,
        }
    }
}

/// Whether the pending order's own object goes, so that it is left without one on purpose.
fn withdraws(order: &Order, objects: &[CheckoutReference]) -> bool {
    let own = |object: &CheckoutReference| Some(object) == order.reference.as_ref();
    !order.status.is_settled() && objects.iter().any(own)
}
