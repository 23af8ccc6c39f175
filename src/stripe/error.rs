//! What can go wrong between relink and Stripe, each with the sentence an operator needs. A key never
//! appears: Stripe's own messages quote it, so they are scrubbed before they are kept.

use crate::domain::OrderId;
use crate::redact::redact;

/// Why a question to Stripe has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    #[error("Stripe could not be reached: {detail}; check the network and run again")]
    Unreachable { detail: String },
    #[error(
        "Stripe does not accept the key: {message}; check which key is set and that it was not rolled"
    )]
    Authentication { message: String },
    #[error(
        "the key lacks a permission: {message}; grant it in the Stripe Dashboard under API keys"
    )]
    Permission { message: String },
    #[error("Stripe has no such object: {message}")]
    NotFound { message: String },
    /// The object lives in the other mode. Never "gone": the key is the wrong one.
    #[error(
        "key and object are of different modes: {message}; use the key of the mode that the database is billed in"
    )]
    WrongMode { message: String },
    #[error(
        "Stripe limits the rate of requests ({reason}); lower `--rps` or `--concurrency` and run again"
    )]
    RateLimited { reason: String },
    /// Stripe knows this idempotency key with another body. What it was first used for may exist.
    #[error(
        "Stripe knows the idempotency key with other parameters: {message}; look for what was made with it"
    )]
    KeyReused { message: String },
    #[error("the answer is not Stripe's: {what}; check the API base and any proxy between")]
    Garbage { what: String },
    #[error("Stripe refused with {status} {code}: {message} ({request})", code = code.as_deref().unwrap_or("without a code"), request = shown_request(request_id.as_deref()))]
    Refused {
        status: u16,
        code: Option<String>,
        message: String,
        request_id: Option<String>,
    },
    #[error("Stripe failed with {status} ({request}); see status.stripe.com and run again", request = shown_request(request_id.as_deref()))]
    Server {
        status: u16,
        request_id: Option<String>,
    },
    #[error("{what}")]
    BadSettings { what: String },
}

impl StripeError {
    /// An object of the other mode stops the run: then it must be said whose row names it.
    pub(super) fn at_order(self, order: OrderId) -> Self {
        match self {
            StripeError::WrongMode { message } => StripeError::WrongMode {
                message: format!("order {order}: {message}"),
            },
            other => other,
        }
    }

    /// Stripe's `Request-Id`, where the answer had one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            StripeError::Refused { request_id, .. } | StripeError::Server { request_id, .. } => {
                request_id.as_deref()
            }
            _ => None,
        }
    }

    /// Nothing else can be read either, or nothing else should be: the run ends.
    #[must_use]
    pub fn stops_the_run(&self) -> bool {
        match self {
            StripeError::Authentication { .. }
            | StripeError::Permission { .. }
            | StripeError::WrongMode { .. }
            | StripeError::BadSettings { .. } => true,
            StripeError::Unreachable { .. }
            | StripeError::NotFound { .. }
            | StripeError::RateLimited { .. }
            | StripeError::KeyReused { .. }
            | StripeError::Garbage { .. }
            | StripeError::Refused { .. }
            | StripeError::Server { .. } => false,
        }
    }
}

/// Why a write is not known to be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Stripe, or the way to it, said no: this request changed nothing. [`StripeError::KeyReused`] is the
    /// one to look behind, since an earlier request with the key may have.
    #[error("refused, nothing was changed: {error}")]
    Refused {
        error: StripeError,
        /// `Idempotent-Replayed`: the saved answer to an earlier request with this key.
        replayed: bool,
        /// Stripe's `Request-Id`, whenever the answer had one.
        request_id: Option<String>,
    },
    /// Sent, and not known what came of it: it may have happened. Look before doing anything else.
    #[error("the outcome is unknown, it may have happened: {why}")]
    Unknown {
        why: StripeError,
        /// A saved 5xx that Stripe answers with again. It does not heal: the same key is of no use.
        replayed: bool,
        request_id: Option<String>,
    },
}

impl WriteError {
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            WriteError::Refused { request_id, .. } | WriteError::Unknown { request_id, .. } => {
                request_id.as_deref()
            }
        }
    }
}

fn shown_request(id: Option<&str>) -> String {
    id.map_or_else(
        || "no request id".to_owned(),
        |id| format!("request `{id}`"),
    )
}

const LONGEST_MESSAGE: usize = 600;

/// Stripe's text without anything that looks like a key, cut to a readable length.
pub(super) fn scrub(text: &str) -> String {
    let text = redact(text);
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_message_loses_the_key_and_its_length() {
        let message = format!(
            "Invalid API Key provided: sk_test_***abcd. {}",
            "x".repeat(1000)
        );
        let kept = scrub(&message);
        assert!(
            kept.starts_with("Invalid API Key provided: sk_test_…. xx"),
            "{kept}"
        );
        assert_eq!(kept.chars().count(), LONGEST_MESSAGE + 1);
    }
}
