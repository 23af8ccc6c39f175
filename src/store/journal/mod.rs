//! relink's own tables beside the application's: every run, every operation, every write at Stripe with its
//! one outcome. What is not committed here is not sent.
//!
//! An operation is held by a lease with a random token, on the database's clock. Every later change checks
//! the token in its own transaction; who lost the lease writes nothing more.

mod change;
mod claim;
mod examine;
mod facts;
mod history;
mod holder;
mod lease;
mod life;
mod open;
mod process;
mod publications;
mod rows;
mod runs;
mod schema;
mod steps;
mod under_plan;

use std::fmt;

use uuid::Uuid;

use super::{Store, StoreError};
use crate::actions::StripeWrite;
use crate::domain::{AccountId, CheckoutReference, Mode, OrderId, RunId, Timestamp};
use crate::saga::Operation;
use crate::stripe::Timings;

pub use history::{FoundRun, History, OperationEntry, OutcomeEntry, RunEntry, StepEntry};
pub use lease::{Lease, Moment};
pub use publications::StoredBy;
pub use schema::journal_sql;

pub(super) use change::{Settling, Work, Writing};
pub(super) use facts::unless_closed_to_us;
pub(super) use schema::{RECEIVES_SINCE, Tables};

use lease::Leases;
use life::Heartbeat;
use process::ProcessIdentity;

/// What a run says of itself before it begins.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub id: RunId,
    /// The command line, already without secrets.
    pub command: String,
    pub os_user: String,
    pub host: String,
    pub version: &'static str,
    pub mode: Mode,
    pub account: AccountId,
    pub plan_digest: String,
    pub reason: Option<String>,
}

/// What an operation is about. At most one is open for each, in each mode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Order(OrderId),
    Object(CheckoutReference),
}

impl Subject {
    const OBJECT: &'static str = "object:";

    fn order(&self) -> Option<OrderId> {
        match self {
            Subject::Order(id) => Some(*id),
            Subject::Object(_) => None,
        }
    }
}

/// As the journal spells it: `order:7`, `object:plink_1`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Order(id) => write!(f, "order:{id}"),
            Subject::Object(reference) => write!(f, "{}{reference}", Self::OBJECT),
        }
    }
}

/// Who works on a subject from now on.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Nothing was open. The operation is journaled with this attempt: one more than the highest that an
    /// ended operation of this subject intended while the row held the same object; else 1.
    Fresh { lease: Lease, attempt: u32 },
    /// An operation was open, and its holder is gone. It is ours now, with a new token. Its intents without
    /// an outcome have the outcome `unknown`.
    TakenOver {
        lease: Lease,
        operation: Box<Operation>,
        /// Seconds since the latest mint was first intended, on the database's clock.
        mint_age: Option<i64>,
    },
    /// Somebody is at it.
    Held(Holder),
}

/// The run that holds an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Empty while its claim is not committed yet.
    pub run: RunId,
    /// `cron@db1`
    pub host: String,
    pub pid: u32,
    /// When it took the operation, on the database's clock.
    pub since: Timestamp,
}

impl Holder {
    /// Somebody whose claim is under way: there is no name to read yet.
    fn unnamed() -> Self {
        Holder {
            run: RunId(String::new()),
            host: String::new(),
            pid: 0,
            since: Timestamp(0),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder {
            run,
            host,
            pid,
            since,
        } = self;
        if run.as_str().is_empty() {
            return f.write_str("another run, which is claiming it just now");
        }
        write!(f, "run {run} on {host}, process {pid}, since {since}")
    }
}

/// One write at Stripe, or the publication, by a UUIDv7.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(String);

impl StepId {
    fn new() -> Self {
        StepId(Uuid::now_v7().to_string())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is about to be sent.
#[derive(Clone, Debug)]
pub struct Intent {
    pub action: StepAction,
    pub object: Option<CheckoutReference>,
    pub attempt: u32,
    pub write: StripeWrite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepAction {
    Expire,
    Deactivate,
    Mint,
    Publish,
}

impl StepAction {
    /// The spelling of the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StepAction::Expire => "expire",
            StepAction::Deactivate => "deactivate",
            StepAction::Mint => "mint",
            StepAction::Publish => "publish",
        }
    }
}

/// What came of a step. There is one for each, and it never changes.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub kind: OutcomeKind,
    pub result_id: Option<String>,
    pub result_url: Option<String>,
    /// Stripe's `Request-Id`.
    pub request_id: Option<String>,
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    Done,
    Refused,
    Unknown,
}

impl OutcomeKind {
    /// The spelling of the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            OutcomeKind::Done => "done",
            OutcomeKind::Refused => "refused",
            OutcomeKind::Unknown => "unknown",
        }
    }
}

/// Why a change was not journaled.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operation is somebody else's now: nothing more may be written for it.
    #[error("another run took the order over")]
    Fenced,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run at work. Dropped without [`Journal::finish`], it looks like a crash: its sign of life is gone and
/// what it held is open.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    tables: Tables,
    run: RunId,
    mode: Mode,
    account: AccountId,
    process: ProcessIdentity,
    timings: Timings,
    leases: Leases,
    heartbeat: Heartbeat,
}

impl Journal {
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }
}
