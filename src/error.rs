//! The one error type of the whole tool. Each error says what is wrong, what to do, and how the run ends.
//!
//! It never carries a secret: keys and passwords live in secret types that cannot be printed.

use crate::exit::{ExitStatus, Failure};
use crate::redact::redact;
use crate::sandbox::SandboxError;
use crate::store::StoreError;
use crate::stripe::StripeError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value on the command line that clap could not judge by itself.
    #[error("{message}")]
    Usage { message: String, hint: String },
    #[error("{message}")]
    Configuration { message: String, hint: String },
    /// A guard said no. Nothing was written.
    #[error("{message}")]
    Refused { message: String, hint: String },
    /// What was agreed to is not what would be done now. Nothing was written.
    #[error("{message}")]
    Stale { message: String, hint: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Something that the run needs did not answer. Safe to run again.
    #[error("{what}: {detail}")]
    Unavailable { what: String, detail: String },
    #[error("interrupted before anything was written")]
    Interrupted(ExitStatus),
    /// A mistake of ours, found before anything was written.
    #[error("{0}")]
    Bug(String),
    #[error("{what}: {detail}")]
    Io { what: String, detail: String },
}

impl Error {
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Usage {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub fn configuration(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Configuration {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub fn stale(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Stale {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Io {
            what: "writing the result".to_owned(),
            detail: error.to_string(),
        }
    }
}

impl Error {
    /// What to tell a person and a program.
    #[must_use]
    pub fn describe(&self) -> Failure {
        let (code, status, hint) = self.classify();
        Failure {
            code,
            message: redact(&self.to_string()),
            hint: hint.to_owned(),
            request_id: self.request_id(),
            status,
        }
    }

    fn classify(&self) -> (&'static str, ExitStatus, &str) {
        match self {
            Error::Usage { hint, .. } => ("usage", ExitStatus::Usage, hint),
            Error::Configuration { hint, .. } => ("configuration", ExitStatus::Configuration, hint),
            Error::Refused { hint, .. } => ("refused", ExitStatus::Refused, hint),
            Error::Stale { hint, .. } => ("stale", ExitStatus::Stale, hint),
            Error::Store(error) => classify_store(error),
            Error::Stripe(error) => classify_stripe(error),
            Error::Sandbox(error) if error.is_refusal() => {
                ("sandbox_refused", ExitStatus::Refused, "")
            }
            Error::Sandbox(error) => ("sandbox", ExitStatus::Configuration, error.hint()),
            Error::Unavailable { .. } => (
                "unavailable",
                ExitStatus::Unavailable,
                "run it again: that is safe",
            ),
            Error::Interrupted(status) => ("interrupted", *status, ""),
            Error::Bug(_) => (
                "bug",
                ExitStatus::Unclassified,
                "nothing was written; please report this with the command and its output",
            ),
            Error::Io { .. } => ("io", ExitStatus::Unclassified, ""),
        }
    }

    fn request_id(&self) -> Option<String> {
        match self {
            Error::Stripe(error) => error.request_id().map(str::to_owned),
            _ => None,
        }
    }
}

/// How a run ends that the database stopped with this error.
#[must_use]
pub fn status_of_store(error: &StoreError) -> ExitStatus {
    classify_store(error).1
}

fn classify_store(error: &StoreError) -> (&'static str, ExitStatus, &'static str) {
    match error {
        StoreError::Url(_) => (
            "database_url",
            ExitStatus::Configuration,
            "give DATABASE_URL as postgres://user@host/name or sqlite:///path",
        ),
        StoreError::Unreachable { .. } => (
            "database_unreachable",
            ExitStatus::Unavailable,
            "nothing was written; check host, port and network, then run it again",
        ),
        StoreError::NoSuchDatabase { .. } => (
            "no_such_database",
            ExitStatus::Configuration,
            "check the name in DATABASE_URL",
        ),
        StoreError::Authentication { .. } => ("database_login", ExitStatus::Permission, ""),
        StoreError::AccessDenied { .. } => (
            "database_permission",
            ExitStatus::Permission,
            "grant the role what it needs: SELECT everywhere, UPDATE on the orders' table for --commit",
        ),
        StoreError::Schema { .. } => ("schema", ExitStatus::Configuration, ""),
        StoreError::UnknownTournament { .. } => (
            "unknown_tournament",
            ExitStatus::Usage,
            "check the id, and that DATABASE_URL names the right database",
        ),
        StoreError::UnknownOrders { .. } => (
            "unknown_order",
            ExitStatus::Usage,
            "check the id, and that DATABASE_URL names the right database",
        ),
        StoreError::UrlTooLong { .. } => ("url_too_long", ExitStatus::Partial, ""),
        StoreError::Query { .. } => (
            "database_query",
            ExitStatus::Unavailable,
            "nothing was written by this statement; run it again",
        ),
        StoreError::UnreadableRow { .. } => (
            "database_row",
            ExitStatus::Configuration,
            "mend that row (a text must be UTF-8, a primary key an integer): until then running it again does not help",
        ),
        StoreError::CommitUnknown { .. } | StoreError::JournalUnknown { .. } => {
            ("commit_unknown", ExitStatus::Unavailable, "")
        }
        StoreError::Contended { .. } => (
            "database_contended",
            ExitStatus::Unavailable,
            "nothing was written by this statement; run it again",
        ),
        StoreError::JournalMissing { .. } => (
            "journal_missing",
            ExitStatus::Configuration,
            "nothing was written; run it again once the SQL was run",
        ),
        StoreError::NotDurable => (
            "commits_not_durable",
            ExitStatus::Configuration,
            "nothing was written; have the owner run ALTER ROLE … SET synchronous_commit = on for relink's role",
        ),
        StoreError::JournalNewer { .. } => ("journal_newer", ExitStatus::Configuration, ""),
        StoreError::OtherAccount { .. } => (
            "other_account",
            ExitStatus::Configuration,
            "check STRIPE_API_KEY and DATABASE_URL: one of them is not the one you mean",
        ),
        StoreError::UnreadableJournal { .. } => {
            ("journal_unreadable", ExitStatus::Configuration, "")
        }
    }
}

fn classify_stripe(error: &StripeError) -> (&'static str, ExitStatus, &'static str) {
    match error {
        StripeError::Unreachable { .. } => ("stripe_unreachable", ExitStatus::Unavailable, ""),
        StripeError::RateLimited { .. } => ("rate_limited", ExitStatus::Unavailable, ""),
        StripeError::Server { .. } => ("stripe_failed", ExitStatus::Unavailable, ""),
        StripeError::Garbage { .. } => ("stripe_garbage", ExitStatus::Unavailable, ""),
        StripeError::Authentication { .. } => ("stripe_authentication", ExitStatus::Permission, ""),
        StripeError::Permission { .. } => ("stripe_permission", ExitStatus::Permission, ""),
        StripeError::WrongMode { .. } => (
            "wrong_mode",
            ExitStatus::Configuration,
            "correct the row of that order, or leave it out with --exclude-order-id",
        ),
        StripeError::BadSettings { .. } => ("stripe_settings", ExitStatus::Configuration, ""),
        StripeError::NotFound { .. } => ("no_such_object", ExitStatus::Unclassified, ""),
        StripeError::KeyReused { .. } => ("idempotency_key_reused", ExitStatus::Unavailable, ""),
        StripeError::Refused { .. } => (
            "stripe_refused",
            ExitStatus::Unavailable,
            "run it again; if it stays, give Stripe's support the request id",
        ),
    }
}
