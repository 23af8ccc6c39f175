//! The facts of one moment: every selected order with what Stripe said about it. `decide` sees nothing
//! else, so a fact that is not in here cannot influence a plan.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{
    AccountId, CheckoutReference, LinkId, Listing, Mode, Order, Reading, RunId, StripeObject,
    Timestamp,
};

/// The object that the row names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The row names none.
    Nothing,
    /// An id of another kind; never read.
    Unknown(String),
    /// Not read, since nothing can follow from it (the order is out of scope).
    Skipped,
    Read(CheckoutReference, Box<Reading>),
}

/// What an operation is about, as far as a decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OpenTask {
    Replace,
    Mint,
    Retire,
}

/// An operation that a run began and did not conclude.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenOperation {
    pub task: OpenTask,
    /// Where it stands, in the journal's words: `retiring`, `minting`, …
    pub state: String,
    /// The run that last worked on it.
    pub run: RunId,
    /// Where that run is or was, such as `cron@db1`.
    pub host: String,
    /// On the database's clock.
    pub since: Timestamp,
    /// That run is still at it, as far as the database can tell.
    pub is_held: bool,
}

/// `minting, run 0197…, cron@db1 since 2026-11-24T02:00:00Z`
impl fmt::Display for OpenOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, run {} on {} since {}",
            self.state, self.run, self.host, self.since
        )
    }
}

/// What relink's own journal knows about the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFacts {
    pub open: Option<OpenOperation>,
    /// Links that ended operations minted and never stored. Nobody was told their URLs.
    pub unstored: BTreeSet<LinkId>,
    /// The object that the row held when an operator retired it on purpose. While the row still holds it, the
    /// order is meant to be without a link.
    pub withdrawn: Option<CheckoutReference>,
}

/// Whether some other object of this database was read in this account: the only thing that tells a
/// deleted object from a wrong account, since a wrong account answers 404 to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    Read,
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    pub order: Arc<Order>,
    pub stored: Stored,
    /// Every other object found whose metadata names this order, or that is a recovered copy of one of its
    /// sessions. Sessions of the stored link are in `stored`.
    pub others: Listing<StripeObject>,
    /// What went back of the payment that the row itself records, in minor units; for a paid order whose
    /// payment's session is out of sight. Only read where it matters.
    pub recorded_returned: i64,
    pub journal: JournalFacts,
}

/// `taken_at` is Stripe's clock (the `Date` header), so that ages never compare two hosts' clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub taken_at: Timestamp,
    pub mode: Mode,
    /// `None` where the key may not read the account and none was expected.
    pub account: Option<AccountId>,
    pub witness: Witness,
    pub orders: Vec<OrderFacts>,
}
