//! The facts of one moment: every selected order with what Stripe said about it. `decide` sees nothing
//! else, so a fact that is not in here cannot influence a plan.

use super::{AccountId, CheckoutReference, Listing, Mode, Order, Reading, StripeObject, Timestamp};

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

/// What relink's own journal knows about the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFacts {
    /// An earlier run left an operation open, or minted a link that the row does not hold.
    pub in_doubt: Option<String>,
    /// An operator retired the order's link on purpose.
    pub withdrawn: bool,
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
    pub order: Order,
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
