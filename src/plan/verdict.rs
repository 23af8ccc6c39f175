//! The verdicts, in the order in which they are tried: the first that matches is the order's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    OutOfScope,
    Unobserved,
    InDoubt,
    Missing,
    UnknownObject,
    Foreign,
    Overpaid,
    PaidUnrecorded,
    Processing,
    Recoverable,
    Leaked,
    Settled,
    InvalidOrder,
    Duplicate,
    Unowned,
    Wrong,
    Dying,
    Withdrawn,
    Dead,
    Healthy,
}

impl Verdict {
    pub const ALL: [Verdict; 20] = [
        Verdict::OutOfScope,
        Verdict::Unobserved,
        Verdict::InDoubt,
        Verdict::Missing,
        Verdict::UnknownObject,
        Verdict::Foreign,
        Verdict::Overpaid,
        Verdict::PaidUnrecorded,
        Verdict::Processing,
        Verdict::Recoverable,
        Verdict::Leaked,
        Verdict::Settled,
        Verdict::InvalidOrder,
        Verdict::Duplicate,
        Verdict::Unowned,
        Verdict::Wrong,
        Verdict::Dying,
        Verdict::Withdrawn,
        Verdict::Dead,
        Verdict::Healthy,
    ];

    /// The spelling of JSON, of `--verdict` and of the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::OutOfScope => "out_of_scope",
            Verdict::Unobserved => "unobserved",
            Verdict::InDoubt => "in_doubt",
            Verdict::Missing => "missing",
            Verdict::UnknownObject => "unknown_object",
            Verdict::Foreign => "foreign",
            Verdict::Overpaid => "overpaid",
            Verdict::PaidUnrecorded => "paid_unrecorded",
            Verdict::Processing => "processing",
            Verdict::Recoverable => "recoverable",
            Verdict::Leaked => "leaked",
            Verdict::Settled => "settled",
            Verdict::InvalidOrder => "invalid_order",
            Verdict::Duplicate => "duplicate",
            Verdict::Unowned => "unowned",
            Verdict::Wrong => "wrong",
            Verdict::Dying => "dying",
            Verdict::Withdrawn => "withdrawn",
            Verdict::Dead => "dead",
            Verdict::Healthy => "healthy",
        }
    }

    /// Money was taken, or can be taken, that the row does not ask for: only a person can put it right. Red on a screen,
    /// and exit 11 of `--check`.
    #[must_use]
    pub fn is_about_money(self) -> bool {
        match self {
            Verdict::Overpaid | Verdict::PaidUnrecorded | Verdict::Leaked | Verdict::Duplicate => {
                true
            }
            Verdict::OutOfScope
            | Verdict::Unobserved
            | Verdict::InDoubt
            | Verdict::Missing
            | Verdict::UnknownObject
            | Verdict::Foreign
            | Verdict::Processing
            | Verdict::Recoverable
            | Verdict::Settled
            | Verdict::InvalidOrder
            | Verdict::Unowned
            | Verdict::Wrong
            | Verdict::Dying
            | Verdict::Withdrawn
            | Verdict::Dead
            | Verdict::Healthy => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a verdict")]
pub struct UnknownVerdict(pub String);

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.name() == text)
            .ok_or_else(|| UnknownVerdict(text.to_owned()))
    }
}
