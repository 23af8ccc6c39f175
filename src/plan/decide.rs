//! The plan: one decision per order, never a list of requests. What exactly must be retired is known only
//! after the claim, when the same functions are asked again over fresh facts.
//!
//! `decide` is pure and total: every order of the snapshot appears exactly once.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::act::act;
use super::judge::{Moment, judge};
use super::{Goal, Policy, Reason, Release, Verdict};
use crate::domain::{
    AccountId, CheckoutReference, LinkId, Mode, Money, Order, OrderFacts, OrderId, OrderStatus,
    Reading, SessionState, Snapshot, Stored, StripeObject, Timestamp,
};

/// Why nothing is done although something is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It settles by itself, or was wanted so.
    Waits,
    /// An operator must look. `release` is the flag that would let the run go on.
    NeedsPerson { release: Option<Release> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Nothing,
    Hold(Hold),
    /// Close these, mint nothing.
    Retire(Vec<CheckoutReference>),
    /// Close these (none, when nothing is live), mint a link, store it.
    Replace(Vec<CheckoutReference>),
    /// Go on with what an earlier run left open; then whatever is still due.
    Resume,
    /// Go on with what an earlier run left open, and do nothing after it: what was approved of the order has moved since.
    Conclude,
}

impl Action {
    /// Whether a commit would write anything.
    #[must_use]
    pub fn is_work(&self) -> bool {
        matches!(
            self,
            Action::Retire(_) | Action::Replace(_) | Action::Resume | Action::Conclude
        )
    }
}

/// What the row's object looked like, in two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoredState {
    Nothing,
    Unknown,
    Unread,
    NotFound,
    NotLive,
    SessionOpen,
    SessionExpired,
    SessionPaid,
    SessionProcessing,
    SessionFailed,
    LinkActive,
    LinkInactive,
    NotAsked,
}

impl StoredState {
    fn of(stored: &Stored) -> Self {
        let reading = match stored {
            Stored::Nothing => return StoredState::Nothing,
            Stored::Unknown(_) => return StoredState::Unknown,
            Stored::Skipped => return StoredState::NotAsked,
            Stored::Read(_, reading) => reading,
        };
        match &**reading {
            Reading::NotLive => StoredState::NotLive,
            Reading::NoSuchObject => StoredState::NotFound,
            Reading::Unread(_) => StoredState::Unread,
            Reading::Seen(StripeObject::Link(family)) if family.link.active => {
                StoredState::LinkActive
            }
            Reading::Seen(StripeObject::Link(_)) => StoredState::LinkInactive,
            Reading::Seen(StripeObject::Session(session)) => match session.state {
                SessionState::Open => StoredState::SessionOpen,
                SessionState::Expired => StoredState::SessionExpired,
                SessionState::Paid(_) => StoredState::SessionPaid,
                SessionState::Processing => StoredState::SessionProcessing,
                SessionState::Failed => StoredState::SessionFailed,
                SessionState::Unknown(_) => StoredState::Unread,
            },
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StoredState::Nothing => "none",
            StoredState::Unknown => "unknown object",
            StoredState::Unread => "unread",
            StoredState::NotFound => "not found",
            StoredState::NotLive => "not live",
            StoredState::SessionOpen => "session open",
            StoredState::SessionExpired => "session expired",
            StoredState::SessionPaid => "session paid",
            StoredState::SessionProcessing => "session processing",
            StoredState::SessionFailed => "session failed",
            StoredState::LinkActive => "link active",
            StoredState::LinkInactive => "link inactive",
            StoredState::NotAsked => "not read",
        }
    }
}

impl fmt::Display for StoredState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for StoredState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub order: Arc<Order>,
    pub stored: StoredState,
    pub verdict: Verdict,
    pub reason: Reason,
    /// Flags that this decision used.
    pub released: Vec<Release>,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub policy: Policy,
    pub mode: Mode,
    pub account: Option<AccountId>,
    pub taken_at: Timestamp,
    /// By order id.
    pub decisions: Vec<Decision>,
    /// Orders whose rows are gone: what an earlier run left open for them is concluded, and nothing else done.
    pub gone: Vec<OrderId>,
    /// Links of paid orders that the receiver asked to be closed, and that nobody has closed yet.
    pub paid_links: Vec<LinkId>,
    /// Objects to be retired although they belong to no order in scope: the operator insisted.
    pub forced: Vec<CheckoutReference>,
    /// What the operator named that is neither a session nor a link: reported, never touched.
    pub left_alone: Vec<String>,
}

/// Every order of the snapshot, each exactly once, in the order of its id.
#[must_use]
pub fn decide(snapshot: &Snapshot, policy: &Policy) -> Plan {
    let moment = Moment::from(snapshot);
    let mut decisions: Vec<Decision> = snapshot
        .orders
        .iter()
        .map(|facts| decide_order(facts, moment, policy))
        .collect();
    decisions.sort_by_key(|decision| decision.order.id);
    decisions.dedup_by_key(|decision| decision.order.id);
    Plan {
        policy: policy.clone(),
        mode: snapshot.mode,
        account: snapshot.account.clone(),
        taken_at: snapshot.taken_at,
        decisions,
        gone: Vec::new(),
        paid_links: Vec::new(),
        forced: Vec::new(),
        left_alone: Vec::new(),
    }
}

/// The decision for one order. Asked once for the plan, and again at the claim, over facts read anew.
#[must_use]
pub fn decide_order(facts: &OrderFacts, moment: Moment, policy: &Policy) -> Decision {
    let judgement = judge(facts, moment, policy);
    let action = act(&judgement, facts, moment, policy);
    Decision {
        order: facts.order.clone(),
        stored: StoredState::of(&facts.stored),
        verdict: judgement.verdict,
        reason: judgement.reason,
        released: judgement.released,
        action,
    }
}

impl Plan {
    pub fn work(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|d| d.action.is_work())
    }

    /// Whether a commit would write anything at all.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.forced.is_empty()
            || !self.gone.is_empty()
            || !self.paid_links.is_empty()
            || self.work().next().is_some()
    }

    /// Orders that a commit would touch, and objects without one.
    #[must_use]
    pub fn size(&self) -> usize {
        self.work().count() + self.gone.len() + self.paid_links.len() + self.forced.len()
    }

    /// Decisions that an operator must look at.
    pub fn for_a_person(&self) -> impl Iterator<Item = &Decision> {
        // Closing an overpaid order's live object gives nobody money back.
        let overpaid = |d: &&Decision| d.verdict == Verdict::Overpaid;
        self.decisions.iter().filter(move |d| {
            matches!(d.action, Action::Hold(Hold::NeedsPerson { .. })) || overpaid(d)
        })
    }

    /// Orders on which an earlier run's operation is gone on with, and which may end with a new link.
    pub fn resumed(&self) -> impl Iterator<Item = &Decision> {
        let mints = match self.goal() {
            Goal::Regen | Goal::Mint => true,
            Goal::Retire | Goal::RetirePending | Goal::Undo => false,
        };
        self.decisions.iter().filter(move |d| {
            mints
                && matches!(d.action, Action::Resume | Action::Conclude)
                && d.order.status == OrderStatus::Pending
        })
    }

    /// What the links of [`Plan::resumed`] may ask for, per currency.
    #[must_use]
    pub fn resumed_totals(&self) -> Vec<Money> {
        Money::totals(self.resumed().filter_map(|d| d.order.amount))
    }

    /// The most that all links together may ask for that a commit would mint, per currency.
    #[must_use]
    pub fn most(&self) -> Vec<Money> {
        Money::totals(self.totals().into_iter().chain(self.resumed_totals()))
    }

    /// What would be minted, per currency: nothing for orders that are only retired, or gone on with.
    #[must_use]
    pub fn totals(&self) -> Vec<Money> {
        let replaced = |d: &&Decision| matches!(d.action, Action::Replace(_));
        Money::totals(
            self.decisions
                .iter()
                .filter(replaced)
                .filter_map(|d| d.order.amount),
        )
    }

    /// The same with none of its orders: what stands around the pages of a plan.
    #[must_use]
    pub fn without_orders(&self) -> Plan {
        Plan {
            policy: self.policy.clone(),
            mode: self.mode,
            account: self.account.clone(),
            taken_at: self.taken_at,
            decisions: Vec::new(),
            gone: self.gone.clone(),
            paid_links: self.paid_links.clone(),
            forced: self.forced.clone(),
            left_alone: self.left_alone.clone(),
        }
    }

    /// Narrows to some verdicts; all of them when `verdicts` is empty.
    #[must_use]
    pub fn narrowed_to(mut self, verdicts: &[Verdict]) -> Plan {
        if !verdicts.is_empty() {
            self.decisions.retain(|d| verdicts.contains(&d.verdict));
        }
        self
    }

    #[must_use]
    pub fn goal(&self) -> Goal {
        self.policy.goal
    }

    #[must_use]
    pub fn decision(&self, order: OrderId) -> Option<&Decision> {
        self.decisions.iter().find(|d| d.order.id == order)
    }
}
