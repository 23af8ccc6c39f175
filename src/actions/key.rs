//! Idempotency keys. A key is a digest of everything that makes a request what it is, so equal requests
//! share one and different requests never do. Refuses keys that Stripe would: longer than 255 characters.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// `Idempotency-Key`: 1 to 255 printable ASCII characters without spaces
/// (docs.stripe.com/api/idempotent_requests).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an idempotency key has 1 to 255 printable ASCII characters without spaces, this one has {length} bytes"
)]
pub struct InvalidKey {
    pub length: usize,
}

impl IdempotencyKey {
    /// # Errors
    /// Empty, longer than 255, or anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if visible && (1..=255).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey { length: text.len() })
        }
    }

    /// The SHA-256 of `parts` in hexadecimal, 64 characters. Each part goes in behind its length, so no two
    /// lists of parts run together into the same bytes.
    pub(super) fn digest(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let hex = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Self(hex)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which try at retiring an object this is. Stripe saves a 400 and a 500 under their key and answers with
/// them again; a new round has new keys, so that an old refusal does not stand for ever.
/// Retiring twice changes nothing, so nothing is risked by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round<'a> {
    /// The run, by a text that no other run has.
    pub run: &'a str,
    /// How often the operation had found something live by then.
    pub number: u32,
}

impl Round<'_> {
    pub(super) fn key(self, deed: &str, id: &str) -> IdempotencyKey {
        IdempotencyKey::digest(&[deed, id, self.run, &self.number.to_string()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stripe_would_refuse_cannot_be_made() {
        assert!(IdempotencyKey::parse("").is_err());
        assert!(IdempotencyKey::parse("a b").is_err());
        assert!(IdempotencyKey::parse("é").is_err());
        assert!(IdempotencyKey::parse("a\r\nStripe-Account: x").is_err());
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_err());
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
    }

    #[test]
    fn parts_never_run_together() {
        let key = IdempotencyKey::digest;
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab"]), key(&["ab", ""]));
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
    }
}
