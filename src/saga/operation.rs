//! One operation on one order: what it may rely on, what it has done, and where it stands.
//!
//! The retire set is always a list of ids seen at Stripe, never a wildcard: a process that wakes up late can
//! then only repeat what was meant, not close a link that somebody published meanwhile.

use std::collections::BTreeSet;

use crate::domain::{CheckoutReference, LinkId, Money, OrderId, SessionId};
use crate::plan::{Reason, Verdict};

/// What was approved for the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Close what is live, mint a link, store it.
    Replace,
    /// Mint a link, store it; close nothing.
    Mint,
    /// Close what is leaked or duplicate.
    Retire,
    /// Close these, whomever they belong to: the operator insisted.
    RetireObjects(Vec<CheckoutReference>),
}

/// The row as it was approved. Nothing is published over a row that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub reference: Option<CheckoutReference>,
    pub amount: Option<Money>,
}

/// A link of ours that is not in the row yet. Nobody but us knows its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    pub id: LinkId,
    pub url: String,
}

/// One write that retires something.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    Mint,
    End(Ending),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Claimed,
    /// Writes are sent in the order of `queue`; when it is empty, everything is read again.
    Retiring {
        targets: Vec<CheckoutReference>,
        queue: Vec<Write>,
        then: Then,
    },
    Minting,
    /// The new link exists; it is read, and everything else once more.
    Examining,
    Publishing,
    Confirming,
    Ended(Ending),
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Replaced {
        link: Minted,
        /// Why the last look at the old objects could not be had, if so.
        unconfirmed: Option<String>,
    },
    Retired,
    /// The facts moved since the approval; nothing was written for this order.
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
    /// Stripe said no; nothing happened by this request.
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Every object that this operation meant to close or made. Each look must show all of them: a link
    /// that was just switched off leaves the list of active ones, its open sessions do not.
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
            watched: BTreeSet::new(),
        }
    }
}
