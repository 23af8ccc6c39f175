//! What can go wrong between relink and the database, one variant per thing an operator would do about it.
//!
//! No variant holds a connection URL, so no message and no `Debug` text can show a password.

use crate::domain::{AccountId, OrderId, TournamentId};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL cannot be used as it is. Nothing was connected.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
    /// No answer, or none in time. Safe to try again.
    #[error("the database cannot be reached: {detail}")]
    Unreachable { detail: String },
    /// The server answers, but has no such database; or the SQLite file does not exist.
    #[error("there is no such database: {detail}")]
    NoSuchDatabase { detail: String },
    /// The server refused the login.
    #[error("the database refused the login: {detail}; check user, password and pg_hba.conf")]
    Authentication { detail: String },
    /// The role may not do this, or the session is read-only.
    #[error("the database role may not {what}: {detail}")]
    AccessDenied { what: &'static str, detail: String },
    /// Each entry reads "table `orders` is missing", "column `orders.amount_cents` is missing", or names two that are one
    /// table.
    #[error(
        "the database does not hold the application's tables as relink knows them: {}; \
         check that the URL names the application's database, that `search_path` reaches its schema, and that other names \
         than the application's own stand in the configuration file",
        missing.join(", ")
    )]
    Schema { missing: Vec<String> },
    #[error("there is no tournament {id}: no row of `{table}` has this id")]
    UnknownTournament { id: TournamentId, table: String },
    #[error("no row of `{table}` has {}", listed(ids))]
    UnknownOrders { ids: Vec<OrderId>, table: String },
    /// The link's URL does not fit `orders.stripe_checkout_url`. Nothing was written.
    #[error(
        "the new URL of order {order} has {length} characters, and the column for it holds {capacity}",
        capacity = super::URL_CAPACITY
    )]
    UrlTooLong { order: OrderId, length: usize },
    /// The database refused a statement, or gave it up after a timeout. Nothing was written.
    #[error("the database could not {what}: {detail}")]
    Query { what: &'static str, detail: String },
    /// A row holds what no text and no number of the application's is. It does not heal by itself.
    #[error("the database could not {what}: {detail}")]
    UnreadableRow { what: &'static str, detail: String },
    /// The answer to a COMMIT was lost and the row could not be read back: the link may be published.
    #[error(
        "whether order {order} holds its new link is unknown: the answer to the commit was lost and the row could \
         not be read back ({detail}); run the same command again"
    )]
    CommitUnknown { order: OrderId, detail: String },
    /// As `CommitUnknown`, of something that only the journal tells.
    #[error(
        "whether the database could {what} is unknown: the answer to the commit was lost and the row could not be \
         read back ({detail}); run the same command again"
    )]
    JournalUnknown { what: &'static str, detail: String },
    /// Others wrote at the same time, and went first. Nothing was written.
    #[error("the database could not {what}, since others wrote at the same time: {detail}")]
    Contended { what: &'static str, detail: String },
    /// The journal's tables are missing, older, or closed to this role, which may not mend that.
    #[error(
        "the journal's tables are missing or older than this relink needs, or this role may not write them, and it \
         may not create them: {detail}; have the database's owner run\n\n{sql}"
    )]
    JournalMissing { sql: String, detail: String },
    /// What is committed before a request leaves would not survive a crash of the server.
    #[error(
        "this database answers a commit before it is on disk (synchronous_commit is off): after a crash, requests \
         to Stripe would be in no journal"
    )]
    NotDurable,
    /// A newer relink wrote the journal.
    #[error(
        "the journal is of version {found}, and {known} is the newest that this relink knows; use the relink that \
         wrote it"
    )]
    JournalNewer { found: u32, known: u32 },
    /// Objects of two accounts must never be mixed in one database.
    #[error(
        "this database is journaled for the Stripe account {pinned}, and the key is of {found}; nothing was written"
    )]
    OtherAccount { pinned: AccountId, found: AccountId },
    #[error("the journal of {subject} cannot be read: {detail}")]
    UnreadableJournal { subject: String, detail: String },
}

impl StoreError {
    /// Sorts an error of the driver by what it means, when relink was about to do `what`.
    pub(super) fn query(what: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        move |error| Self::sort(what, &error)
    }

    pub(super) fn sort(what: &'static str, error: &sqlx::Error) -> StoreError {
        let detail = describe(error);
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => {
                StoreError::Unreachable { detail }
            }
            sqlx::Error::Configuration(_) => StoreError::Url(detail),
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                StoreError::UnreadableRow { what, detail }
            }
            sqlx::Error::Database(refusal) => match refusal.code().as_deref() {
                Some("28P01" | "28000") => StoreError::Authentication { detail },
                Some("3D000") => StoreError::NoSuchDatabase { detail },
                // Insufficient privilege; a write in a read-only transaction.
                Some("42501" | "25006") => StoreError::AccessDenied { what, detail },
                Some(NO_SQLITE_DATABASE) => StoreError::NoSuchDatabase { detail },
                Some(code) if is_sqlite_readonly(code) => StoreError::AccessDenied { what, detail },
                Some(code) if is_outage(code) => StoreError::Unreachable { detail },
                Some(code) if is_contention(code) => StoreError::Contended { what, detail },
                _ => StoreError::Query { what, detail },
            },
            _ => StoreError::Query { what, detail },
        }
    }
}

/// SQLITE_NOTADB: another file is in its place.
const NO_SQLITE_DATABASE: &str = "26";

/// The server went away or has no room: connection exceptions, too many connections, shutdown, recovery.
pub(super) fn is_outage(sqlstate: &str) -> bool {
    sqlstate.starts_with("08")
        || matches!(sqlstate, "53300" | "57P01" | "57P02" | "57P03" | "57P05")
}

fn is_sqlite_readonly(code: &str) -> bool {
    sqlite_code(code) == Some(8)
}

/// The disk, not the database, failed.
pub(super) fn is_sqlite_io(code: &str) -> bool {
    sqlite_code(code) == Some(10)
}

/// Serialization failure, deadlock, a lock not had in time; SQLITE_BUSY, SQLITE_LOCKED and their extended codes.
pub(super) fn is_contention(code: &str) -> bool {
    matches!(sqlite_code(code), Some(5 | 6)) || matches!(code, "40001" | "40P01" | "55P03")
}

/// SQLite's own code: the low byte of the extended ones. An SQLSTATE has five characters, these codes have fewer.
fn sqlite_code(code: &str) -> Option<u32> {
    let code: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    Some(code & 0xff)
}

/// What the driver or the server says, without the driver's prefixes.
fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(refusal) => refusal.message().to_owned(),
        sqlx::Error::Io(cause) => cause.to_string(),
        sqlx::Error::Tls(cause) => format!("TLS: {cause}"),
        sqlx::Error::Configuration(cause) => cause.to_string(),
        sqlx::Error::PoolTimedOut => "no connection within 10 seconds".to_owned(),
        other => other.to_string(),
    }
}

/// Enough ids to see what went wrong; all of them are in the value.
const LISTED: usize = 20;

fn listed(ids: &[OrderId]) -> String {
    let shown: Vec<String> = ids.iter().take(LISTED).map(ToString::to_string).collect();
    let shown = shown.join(", ");
    match ids.len() {
        1 => format!("id {shown}"),
        count if count > LISTED => format!("one of the ids {shown} and {} more", count - LISTED),
        _ => format!("one of the ids {shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extended_codes_of_sqlite_are_of_their_kind_and_no_sqlstate_is_one() {
        // BUSY, BUSY_SNAPSHOT, LOCKED; READONLY_DBMOVED; IOERR, IOERR_FSYNC.
        assert!(["5", "517", "6"].into_iter().all(is_contention));
        assert!(is_sqlite_readonly("1032"));
        assert!(["10", "1034"].into_iter().all(is_sqlite_io));
        for code in ["13", "2067", "08006", "01034", "10000", ""] {
            assert!(!is_sqlite_io(code) && !is_contention(code), "{code}");
        }
    }
}
