//! The log of API requests since the last reset, for tests and oracles: what was asked, under which idempotency key,
//! how it was answered, whether it had an effect. The API key is never in it.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::http::Incoming;

/// Older entries are dropped: a double that serves for days must not grow for ever.
const KEPT: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u64,
    kept: VecDeque<Value>,
}

impl Requests {
    /// Notes an arrival; the number names the entry until it is answered.
    pub fn arrived(&mut self, request: &Incoming, request_id: &str) -> u64 {
        self.next += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(json!({
            "seq": self.next,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.form,
            "idempotency_key": request.header("idempotency-key"),
            "stripe_version": request.header("stripe-version"),
            "request_id": request_id,
            "mode": null,
            "status": null,
            "replayed": false,
            "effect": false,
            "cut": null,
        }));
        self.next
    }

    pub fn note(&mut self, seq: u64, field: &str, value: Value) {
        let Some(first) = self.kept.front().and_then(|entry| entry["seq"].as_u64()) else {
            return;
        };
        let index = seq
            .checked_sub(first)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.kept.get_mut(index)) {
            entry[field] = value;
        }
    }

    pub fn all(&self) -> Value {
        self.kept.iter().cloned().collect()
    }

    pub fn clear(&mut self) {
        self.kept.clear();
    }
}
