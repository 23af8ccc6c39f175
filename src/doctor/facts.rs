//! What was found of the settings, the database and Stripe, each part by itself: one that failed keeps no other from
//! being looked at.
//!
//! Plain data without a key, a password or a payer's data.

use crate::domain::{AccountId, Mode, Timestamp};
use crate::exit::Failure;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding<T> {
    Found(T),
    Failed(Failure),
    /// It was not looked for; the text says why, as the end of a sentence.
    Skipped(String),
}

impl<T> Finding<T> {
    #[must_use]
    pub fn found(&self) -> Option<&T> {
        match self {
            Finding::Found(facts) => Some(facts),
            Finding::Failed(_) | Finding::Skipped(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Facts {
    pub database: Finding<Place>,
    pub catalogue: Finding<Catalogue>,
    pub journal: Finding<JournalFacts>,
    /// The account that the first commit fixed for this database and mode.
    pub pinned: Finding<Option<AccountId>>,
    pub key: Finding<KeyFacts>,
    /// The key's mode and `--live` say the same.
    pub mode: Finding<Mode>,
    /// Where Stripe is, for people.
    pub api_base: Finding<String>,
    pub account: Finding<AccountFacts>,
    /// One for each of [`Resource::ALL`], in that order.
    pub reads: Vec<(Resource, Finding<()>)>,
    pub endpoints: Finding<Vec<Endpoint>>,
    pub clock: Finding<Clock>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Postgres,
    Sqlite,
}

/// A database that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `postgres club@db.example.com:5432/club`
    pub shown: String,
}

/// What the catalogue says of the tables that relink reads, and of what this session may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    pub database: Database,
    /// `PostgreSQL 16.4`
    pub version: String,
    /// The role that the session acts as, where there are roles.
    pub role: Option<String>,
    /// How many tables relink reads.
    pub tables: usize,
    pub missing_tables: Vec<String>,
    /// Pairs of names that are one table, spelled in two ways.
    pub doubled_tables: Vec<(String, String)>,
    /// Every column that relink knows, those of missing tables left out.
    pub columns: Vec<ColumnFacts>,
    /// Tables whose rows the database filters for this role.
    pub filtered: Vec<String>,
    pub writing: Writing,
    pub durability: Durability,
}

/// What a commit that was answered outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the server and of its host.
    OnDisk,
    /// A crash of the server only: it never waits for the disk.
    NeverSynced,
    /// No crash: it is answered before it is written.
    AnsweredEarly,
}

/// Whether anything could be written in this place, whatever the rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writing {
    Possible,
    /// The database, its URL or the role's own setting allows reads only; the text says which.
    ReadOnly(String),
    /// The operating system does not let this user write; the text says what.
    Denied(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFacts {
    /// `orders.amount_cents`
    pub path: String,
    pub need: Need,
    pub uses: Use,
    /// The configuration file says what it is called, so that it must be there.
    pub is_renamed: bool,
    /// Words that an enum must know.
    pub words: Vec<String>,
    pub found: Option<Found>,
}

impl ColumnFacts {
    /// Whether every command refuses to work without it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.uses.is_required() || self.is_renamed
    }
}

/// What a column is for, and with that what it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A key of a row.
    Id,
    /// Whole minor units.
    Amount,
    /// One of a few words; [`ColumnFacts::words`] among them.
    Word,
    /// A URL of up to so many characters, which relink writes.
    Url(u32),
    /// The id of a Stripe object, which relink writes.
    StripeId,
    /// Shown to people, whatever it is.
    Shown,
    Flag,
    Moment,
}

/// Who needs the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Every command reads it.
    Read,
    /// … and `--commit` writes a link there.
    Link,
    /// Every command reads it, and the receiver writes a payment there.
    Payment,
    /// Only the receiver, which writes it.
    ReceiverOnly,
    /// Written with every change, where it is there.
    Touched,
}

impl Use {
    /// Without it no command works.
    #[must_use]
    pub fn is_required(self) -> bool {
        match self {
            Use::Read | Use::Link | Use::Payment => true,
            Use::ReceiverOnly | Use::Touched => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As the database spells it: `character varying(500)`.
    pub declared: String,
    pub kind: Kind,
    /// Characters that it holds, where that is limited.
    pub length: Option<u32>,
    pub may_select: bool,
    pub may_update: bool,
    /// Whatever the rights: no change goes through most views.
    pub is_updatable: bool,
}

/// What a type amounts to for relink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    /// A number that may have a fraction.
    Fractional,
    Text,
    /// An enum with these words.
    Words(Vec<String>),
    Boolean,
    Moment,
    /// A time without a zone.
    LocalMoment,
    /// Keeps any value as it is: SQLite.
    Anything,
    Other,
}

/// The journal's own tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalFacts {
    Absent {
        may_create: bool,
    },
    /// This role may not look.
    Closed(String),
    Present {
        version: u32,
        newest: u32,
        may_upgrade: bool,
        /// `UPDATE on relink.runs, …`
        missing_rights: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFacts {
    Secret(Mode),
    Restricted(Mode),
}

impl KeyFacts {
    #[must_use]
    pub fn mode(self) -> Mode {
        match self {
            KeyFacts::Secret(mode) | KeyFacts::Restricted(mode) => mode,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountFacts {
    Read {
        id: AccountId,
        name: Option<String>,
    },
    /// The key is good, and may not read its account; what Stripe said.
    Closed(String),
}

/// What relink reads at Stripe; to a restricted key each is a permission of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    CheckoutSessions,
    PaymentLinks,
    PaymentIntents,
    Refunds,
    Events,
}

impl Resource {
    pub const ALL: [Resource; 5] = [
        Resource::CheckoutSessions,
        Resource::PaymentLinks,
        Resource::PaymentIntents,
        Resource::Refunds,
        Resource::Events,
    ];

    /// The name of its check.
    #[must_use]
    pub fn check(self) -> &'static str {
        match self {
            Resource::CheckoutSessions => "read_checkout_sessions",
            Resource::PaymentLinks => "read_payment_links",
            Resource::PaymentIntents => "read_payment_intents",
            Resource::Refunds => "read_refunds",
            Resource::Events => "read_events",
        }
    }

    /// As people call it, and Stripe's Dashboard.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Resource::CheckoutSessions => "checkout sessions",
            Resource::PaymentLinks => "payment links",
            Resource::PaymentIntents => "payment intents",
            Resource::Refunds => "refunds",
            Resource::Events => "events",
        }
    }
}

/// Where Stripe sends events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a query and without a user: either may hold a secret.
    pub url: String,
    pub is_enabled: bool,
    /// Types of events, `*` for all.
    pub events: Vec<String>,
    pub api_version: Option<String>,
}

/// Stripe's clock, and this host's before the question and after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub stripe: Timestamp,
    pub asked: Timestamp,
    pub answered: Timestamp,
}

impl Clock {
    /// Seconds that this host is ahead of Stripe at least, whenever in between Stripe looked at its clock; negative
    /// when it is behind.
    #[must_use]
    pub fn ahead(self) -> i64 {
        let most = self.answered.seconds_since(self.stripe);
        let least = self.asked.seconds_since(self.stripe);
        if least > 0 { least } else { most.min(0) }
    }
}
