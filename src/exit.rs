//! The exit statuses: one enum, one exhaustive match. Programs rely on the numbers; they never change.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde::Serialize;

/// How a run ended, for whoever called it. Treat an unknown code as failure.
///
/// The order of the variants is the order of precedence when several hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    Interrupted,
    Terminated,
    Permission,
    Configuration,
    Breaker,
    Unavailable,
    Partial,
    Done,
    /// These end a run on their own.
    Unclassified,
    Usage,
    Refused,
    Stale,
    Busy,
    /// What `inspect --check` found; money comes first.
    MoneyNeedsPerson,
    WorkPending,
}

impl ExitStatus {
    pub const ALL: [ExitStatus; 15] = [
        ExitStatus::Done,
        ExitStatus::Unclassified,
        ExitStatus::Usage,
        ExitStatus::Partial,
        ExitStatus::Configuration,
        ExitStatus::Permission,
        ExitStatus::Refused,
        ExitStatus::Stale,
        ExitStatus::Busy,
        ExitStatus::Unavailable,
        ExitStatus::WorkPending,
        ExitStatus::MoneyNeedsPerson,
        ExitStatus::Breaker,
        ExitStatus::Interrupted,
        ExitStatus::Terminated,
    ];

    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Done => 0,
            ExitStatus::Unclassified => 1,
            ExitStatus::Usage => 2,
            ExitStatus::Partial => 3,
            ExitStatus::Configuration => 4,
            ExitStatus::Permission => 5,
            ExitStatus::Refused => 6,
            ExitStatus::Stale => 7,
            ExitStatus::Busy => 8,
            ExitStatus::Unavailable => 9,
            ExitStatus::WorkPending => 10,
            ExitStatus::MoneyNeedsPerson => 11,
            ExitStatus::Breaker => 12,
            ExitStatus::Interrupted => 130,
            ExitStatus::Terminated => 143,
        }
    }

    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            ExitStatus::Done => "done, or dry run done",
            ExitStatus::Unclassified => {
                "unclassified: an unexpected refusal by Stripe, a result not written, or a bug"
            }
            ExitStatus::Usage => "usage: a value is malformed, or names no tournament or order",
            ExitStatus::Partial => "partial: some order failed or needs a person",
            ExitStatus::Configuration => {
                "configuration, schema or mode mismatch; nothing was written"
            }
            ExitStatus::Permission => "authentication or permission",
            ExitStatus::Refused => "refused by a guard; nothing was written",
            ExitStatus::Stale => {
                "the plan is stale, expired, already applied, or not the expected one; nothing was written"
            }
            ExitStatus::Busy => "another run holds all that was left to do",
            ExitStatus::Breaker => "stopped by the failure breaker: too many orders failed",
            ExitStatus::Unavailable => "Stripe or the database is unavailable; safe to re-run",
            ExitStatus::WorkPending => "`inspect --check`: work is pending",
            ExitStatus::MoneyNeedsPerson => {
                "`inspect --check`: money needs a person (overpaid, paid_unrecorded, leaked, duplicate, or an incident)"
            }
            ExitStatus::Interrupted => "interrupted between orders (SIGINT)",
            ExitStatus::Terminated => "interrupted between orders (SIGTERM or SIGHUP)",
        }
    }

    /// The one that a run exits with when all of `statuses` hold.
    #[must_use]
    pub fn foremost(statuses: &BTreeSet<ExitStatus>) -> ExitStatus {
        statuses.first().copied().unwrap_or(ExitStatus::Done)
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status.code())
    }
}

/// What a run that could not be carried out says, to a person and to a program alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable, such as `unknown_order`.
    pub code: &'static str,
    pub message: String,
    /// What to do; empty when nothing sensible can be said.
    pub hint: String,
    /// Stripe's `Request-Id`, where there is one.
    pub request_id: Option<String>,
    pub status: ExitStatus,
}
