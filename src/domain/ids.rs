//! Identifiers. A Stripe id becomes part of a request path, so only a checked one can be made: letters,
//! digits and underscores, at most 255 of them. An id with a slash, a dot or a space in it is refused here
//! and never reaches a URL. It goes from the row into facts, plan and operation, and is one text in all of them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Why a text is not a usable Stripe id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a usable Stripe id ({expected})")]
pub struct InvalidId {
    pub text: String,
    pub expected: &'static str,
}

/// `orders.id`, a positive integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct OrderId(pub i64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `tournaments.id`, a positive integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct TournamentId(pub i64);

impl fmt::Display for TournamentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One run of a committing command, by a UUIDv7: later runs sort after earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! stripe_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// # Errors
            /// Another prefix, a character other than letters, digits and `_`, or more than 255 of them.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let tail = text.strip_prefix(Self::PREFIX);
                let clean = |t: &str| {
                    !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                };
                if text.len() <= 255 && tail.is_some_and(clean) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId {
                        text: text.chars().take(80).collect(),
                        expected: concat!("`", $prefix, "` and letters, digits or underscores"),
                    })
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

stripe_id!(
    /// A Checkout Session's id.
    SessionId, "cs_");
stripe_id!(
    /// A Payment Link's id.
    LinkId, "plink_");
stripe_id!(
    /// A Payment Intent's id.
    PaymentIntentId, "pi_");
stripe_id!(
    /// A Stripe account's id.
    AccountId, "acct_");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_leave_its_path_segment_is_refused() {
        for text in [
            "cs_x/../../payment_links/plink_y",
            "cs_a?b",
            "cs_",
            "cs_a b",
            "plink_a",
            "cs_é",
            "",
        ] {
            assert!(SessionId::parse(text).is_err(), "{text:?} was accepted");
        }
        assert!(SessionId::parse(&format!("cs_{}", "a".repeat(253))).is_err());
        assert!(SessionId::parse("cs_test_a1B2").is_ok());
    }
}
