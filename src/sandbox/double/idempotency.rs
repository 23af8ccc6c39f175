//! Idempotency keys (docs.stripe.com/api/idempotent_requests): the first answer after execution began is kept for
//! 24 hours of the double's clock and replayed, a 400 and a 500 too; other parameters under the same key are
//! refused; a key in flight is refused for now. GET and DELETE ignore keys.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::world::{Mode, Realm};

/// How long a key is remembered, in seconds of the double's clock.
const KEPT: i64 = 24 * 60 * 60;

/// The answer kept for a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    pub fingerprint: String,
    pub at: i64,
    pub status: u16,
    /// The body as it was sent, byte for byte.
    pub body: String,
    /// Answers replayed carry the id of the request that was first.
    pub request: String,
}

impl Saved {
    pub fn is_kept(&self, now: i64) -> bool {
        now - self.at < KEPT
    }
}

/// Keys whose first request has not been answered yet; lost when the process ends, as a connection is.
#[derive(Debug, Default)]
pub(super) struct InFlight(HashSet<(Mode, String)>);

/// What the key of a request calls for.
#[derive(Debug)]
pub(super) enum Claim {
    /// Run it; nobody used the key.
    Fresh,
    Replay(Saved),
}

/// Method, path and parameters, independent of their order and encoding.
pub(super) fn fingerprint(method: &str, path: &str, pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hash = Sha256::new();
    for part in [method, path].into_iter().chain(
        sorted
            .iter()
            .flat_map(|(key, value)| [key.as_str(), value.as_str()]),
    ) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl InFlight {
    /// Looks a key up without claiming it.
    pub fn look(
        &self,
        realm: &Realm,
        mode: Mode,
        now: i64,
        key: &str,
        print: &str,
    ) -> Result<Claim, ApiError> {
        if key.chars().count() > 255 {
            return Err(ApiError::invalid(
                "Idempotency-Key must be at most 255 characters long.",
            ));
        }
        if let Some(saved) = realm.keys.get(key).filter(|saved| saved.is_kept(now)) {
            if saved.fingerprint != print {
                return Err(mismatch(key));
            }
            return Ok(Claim::Replay(saved.clone()));
        }
        if self.0.contains(&(mode, key.to_owned())) {
            return Err(in_use(key));
        }
        Ok(Claim::Fresh)
    }

    pub fn claim(&mut self, mode: Mode, key: &str) {
        self.0.insert((mode, key.to_owned()));
    }

    pub fn release(&mut self, mode: Mode, key: &str) {
        self.0.remove(&(mode, key.to_owned()));
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

fn mismatch(key: &str) -> ApiError {
    ApiError::invalid(format!(
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using \
         a key other than '{key}' if you meant to execute a different request."
    ))
    .kind("idempotency_error")
}

fn in_use(key: &str) -> ApiError {
    ApiError::invalid(format!(
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted \
         twice, and the other request is still going through): {key}. Please try again later."
    ))
    .code("idempotency_key_in_use")
    .status(409)
}
