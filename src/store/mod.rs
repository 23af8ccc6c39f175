//! The store: the only room that talks to the database. It reads orders as the application's tables tell
//! them and publishes a new link into one row, by compare-and-set.
//!
//! It refuses to migrate, create or fill anything the application owns, and to decide. It writes no column but the
//! reference, the URL and `updated_at`, and for a payment `status`, `paid_at` and the payment intent. No HTTP happens
//! inside its transactions.

mod address;
mod catalogue;
mod commit;
mod connect;
mod dialect;
mod error;
mod examine;
mod group;
mod journal;
#[cfg(feature = "kill-points")]
mod kill_points;
mod kinds;
mod naming;
mod order_filter;
mod order_pages;
mod orders;
mod pool;
mod publish;
mod receiver;
mod row;
mod schema;
mod server;
mod states;
#[cfg(test)]
mod test_file;
mod transaction;

use std::sync::{Arc, OnceLock};

use secrecy::SecretString;

use crate::domain::{LinkId, OrderId, TournamentId};

pub use address::{DatabaseIdentity, DatabaseKind};
pub use dialect::SQLITE_VERSION;
pub use error::StoreError;
pub use journal::{
    Claim, FoundRun, History, Holder, Intent, Journal, JournalError, Lease, Moment, NewRun,
    OperationEntry, Outcome, OutcomeEntry, OutcomeKind, RunEntry, StepAction, StepEntry, StepId,
    StoredBy, Subject, journal_sql,
};
#[cfg(feature = "kill-points")]
pub use kill_points::{Gate, Pass, Place, Point};
pub use naming::{Misnamed, Renames};
pub use order_pages::{OrderPage, OrderPages};
pub use receiver::{
    DismissedIncident, Receipt, Receiver, ReceiverCounts, Resolution, Resolved, Resolving,
    Retirement, StoredIncident,
};
pub use schema::{Names, URL_CAPACITY};

use address::Address;
use dialect::Dialect;
use group::Line;
use pool::Pool;
use schema::FoundColumns;

/// What the session may do. `ReadOnly` is enforced by the database itself, not by this program: Postgres
/// refuses every write of the session, SQLite opens the file read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// Which orders a run looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub scope: Scope,
    /// Left out even when the scope reaches them. An id that is not in the scope changes nothing.
    pub exclude: Vec<OrderId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Orders of every product that the tournament sells, through `tournament_products`.
    Tournament(TournamentId),
    Orders(Vec<OrderId>),
    /// Those of them that there are: ids that were known once.
    Known(Vec<OrderId>),
    All,
}

/// A link to be written into an order's row, with the facts that must still hold there: the order is
/// pending, names the old object, and costs the old amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub order: OrderId,
    /// `None` and `Some("")` are the same fact, "no reference", and match both NULL and the empty text.
    pub expected_reference: Option<String>,
    /// Minor units, as `orders.amount_cents` held them.
    pub expected_amount_minor: i64,
    pub link: LinkId,
    /// At most [`URL_CAPACITY`] characters.
    pub url: String,
}

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The row holds the link, durably.
    Done,
    /// The row no longer is as expected, and nothing was written: the new link stays unpublished.
    RowMoved,
}

/// One database, through one pool, for one run.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    /// Of the writers of a file.
    line: Line,
    dialect: Dialect,
    identity: DatabaseIdentity,
    names: Arc<Names>,
    /// The statement that reads one order.
    one_order: Arc<OnceLock<Arc<str>>>,
    /// Texts of the application's tables are read as their bytes.
    reads_bytes: bool,
    /// `orders.updated_at` exists and is kept up to date.
    has_updated_at: bool,
    /// `orders.paid_at` exists.
    has_paid_at: bool,
    #[cfg(feature = "kill-points")]
    gate: kill_points::Gated,
}

impl Store {
    /// Connects and checks the application's tables.
    ///
    /// `url`: `postgres://` or `postgresql://` (SQLAlchemy's `postgresql+psycopg2://` too) with libpq's
    /// parameters such as `sslmode` and `sslrootcert`, or `sqlite:///absolute/path`, `sqlite://relative/path`.
    ///
    /// # Errors
    /// A malformed URL, a server that does not answer within 10 seconds, a refused login, a missing
    /// database, and missing tables or columns, all named. No message holds the password.
    pub async fn connect(url: &SecretString, access: Access) -> Result<Store, StoreError> {
        Store::connect_named(url, access, &Names::default()).await
    }

    /// The same where the application's tables have names of their own.
    ///
    /// # Errors
    /// As for [`Store::connect`].
    pub async fn connect_named(
        url: &SecretString,
        access: Access,
        names: &Names,
    ) -> Result<Store, StoreError> {
        let (store, found) = Store::reach_with(url, access, names).await?;
        match found.require(names) {
            Ok(()) => Ok(store),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Connects to read, whatever tables there are: to find out about them.
    ///
    /// # Errors
    /// As for [`Store::connect`], but for missing tables and columns.
    pub async fn reach(url: &SecretString, names: &Names) -> Result<Store, StoreError> {
        let (store, _) = Store::reach_with(url, Access::ReadOnly, names).await?;
        Ok(store)
    }

    async fn reach_with(
        url: &SecretString,
        access: Access,
        names: &Names,
    ) -> Result<(Store, FoundColumns), StoreError> {
        let address = Address::parse(url, access)?;
        names.require_place_in(address.dialect())?;
        let mut first = connect::open(&address, access).await?;
        let looking = async {
            let found = schema::read_columns(&mut first, address.dialect(), names).await?;
            let reads_bytes = server::gives_utf8(&mut first, address.dialect()).await?;
            Ok::<_, StoreError>((found, reads_bytes))
        };
        let (found, reads_bytes) = match looking.await {
            Ok(looked) => looked,
            Err(error) => {
                connect::close(first).await;
                return Err(error);
            }
        };
        let options = connect::options(&address)?;
        let store = Store {
            pool: Pool::new(options, address.dialect(), access, first)?,
            line: Line::default(),
            dialect: address.dialect(),
            identity: address.identity().clone(),
            names: Arc::new(names.clone()),
            one_order: Arc::default(),
            reads_bytes,
            has_updated_at: found.has(&names.order_updated_at),
            has_paid_at: found.has(&names.order_paid_at),
            #[cfg(feature = "kill-points")]
            gate: kill_points::Gated::from_environment()?,
        };
        Ok((store, found))
    }

    /// Where this URL leads, fit to be shown. Nothing is connected.
    ///
    /// # Errors
    /// [`StoreError::Url`], or [`StoreError::NoSuchDatabase`] where there is no such file.
    pub fn identity_of(url: &SecretString) -> Result<DatabaseIdentity, StoreError> {
        Address::parse(url, Access::ReadOnly).map(|address| address.identity().clone())
    }

    /// Where this store reads and writes, fit to be shown: it holds no password.
    #[must_use]
    pub fn identity(&self) -> &DatabaseIdentity {
        &self.identity
    }

    /// What the owner of the database at this URL runs to make the journal's tables, with the rights of `role`
    /// on them (the URL's user without one). Nothing is connected.
    ///
    /// # Errors
    /// [`StoreError::Url`].
    pub fn journal_sql(url: &SecretString, role: Option<&str>) -> Result<String, StoreError> {
        let address = Address::parse(url, Access::ReadOnly)?;
        let own = address.role();
        Ok(journal_sql(
            address.identity().kind(),
            role.or(own.as_deref()),
        ))
    }

    pub async fn close(self) {
        self.pool.close().await;
    }
}
