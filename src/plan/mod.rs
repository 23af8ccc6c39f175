//! From a snapshot to a plan: what is true of each order, and what a run would do about it.
//!
//! Pure and total: no clock, no database, no network, no error. Odd data becomes a verdict with a reason.

mod act;
mod advice;
mod audit;
mod cost;
mod decide;
mod digest;
mod judge;
mod objects;
mod reason;
mod tally;
mod verdict;

pub use advice::{Advice, advise};
pub use audit::{Violation, audit};
pub use cost::Cost;
pub use decide::{Action, Decision, Hold, Plan, StoredState, decide, decide_order};
pub use digest::{Approvable, Deed, Digest, Line};
pub use judge::{Judgement, Moment, is_good_link, judge, unread_object};
pub use objects::{live_objects, objects, open_sessions, payments, sessions};
pub use reason::Reason;
pub use tally::Tally;
pub use verdict::{UnknownVerdict, Verdict};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{CheckoutReference, OrderId};

/// What the operator asked for; verdicts do not depend on it, actions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Retire what is live and wrong, mint, store.
    Regen,
    /// Mint and store where nothing is live.
    Mint,
    /// Close leaked and duplicate objects.
    Retire,
    /// The same, and healthy links of pending orders too.
    RetirePending,
    /// Of these, only what a run brought about: its orders stay without a link until somebody asks for one.
    Undo,
}

impl Goal {
    /// The subcommand that has it.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Goal::Regen => "regen",
            Goal::Mint => "mint",
            Goal::Retire | Goal::RetirePending | Goal::Undo => "retire",
        }
    }
}

/// A flag that releases a hold. Each is named in the plan where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Release {
    MissingIsDead,
    AcceptRecoveryUrl,
    AdoptUnowned,
    AllowAmountChange,
    AllowCurrencyChange,
    OverForeign,
    /// Never given as such: the age that a session must have is the policy's `min_age`.
    Youth,
}

impl Release {
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Release::MissingIsDead => "--missing-is-dead",
            Release::AcceptRecoveryUrl => "--accept-recovery-url",
            Release::AdoptUnowned => "--adopt-unowned",
            Release::AllowAmountChange => "--allow-amount-change",
            Release::AllowCurrencyChange => "--allow-currency-change",
            Release::OverForeign => "--over-foreign",
            Release::Youth => "--min-age 0s",
        }
    }

    /// Only an order that the operator named by id is released by these.
    #[must_use]
    pub fn needs_named_order(self) -> bool {
        matches!(
            self,
            Release::MissingIsDead | Release::AdoptUnowned | Release::OverForeign
        )
    }
}

/// Everything besides the facts that a decision depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub goal: Goal,
    /// Product categories that relink may touch.
    pub scope: Vec<String>,
    /// An open session younger than this is left alone: a parent may be typing a card number. Seconds.
    pub min_age: i64,
    pub releases: BTreeSet<Release>,
    /// Orders given by `--order-id`.
    pub named: BTreeSet<OrderId>,
    /// When not empty, only these objects are retired: the operator gave them by id.
    pub objects: BTreeSet<CheckoutReference>,
}

impl Policy {
    #[must_use]
    pub fn new(goal: Goal) -> Self {
        Policy {
            goal,
            scope: Policy::default_scope(),
            min_age: 30 * 60,
            releases: BTreeSet::new(),
            named: BTreeSet::new(),
            objects: BTreeSet::new(),
        }
    }

    /// Unless the configuration says otherwise.
    #[must_use]
    pub fn default_scope() -> Vec<String> {
        vec!["tournament".to_owned()]
    }

    /// Whether `release` was given, and may be used for `order`.
    #[must_use]
    pub fn releases(&self, release: Release, order: OrderId) -> bool {
        self.releases.contains(&release)
            && (!release.needs_named_order() || self.named.contains(&order))
    }
}
