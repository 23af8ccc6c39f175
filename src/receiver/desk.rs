//! One delivery from its bytes to its answer.
//!
//! The signature is checked over the bytes as they came, before anything reads them. The answer to a forged, stale or
//! malformed delivery is always the same.

use std::sync::Arc;

use tokio::sync::Notify;

use super::metrics::Tally;
use super::rounds::Rounds;
use crate::host_clock;
use crate::store::Receiver;
use crate::webhook::{Verifier, decode};

/// What Stripe is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 200: it is committed, or there was nothing to commit.
    Taken,
    /// 400: it is not Stripe's, or not an event.
    Refused,
    /// 503: it must be sent again.
    Later,
}

/// Where deliveries are taken in. Several may be under way at once.
#[derive(Debug)]
pub struct Desk {
    verifier: Verifier,
    rounds: Rounds,
    /// Wakes whoever closes links.
    pub(super) to_close: Notify,
    pub(super) tally: Tally,
}

impl Desk {
    #[must_use]
    pub fn new(verifier: Verifier, receiver: Receiver) -> Self {
        Desk {
            verifier,
            rounds: Rounds::new(receiver),
            to_close: Notify::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn receiver(&self) -> &Receiver {
        self.rounds.receiver()
    }

    /// `signature`: the value of `Stripe-Signature`, if there is exactly one.
    pub async fn take(&self, signature: Option<&[u8]>, body: &[u8]) -> Answer {
        let answer = self.answer(signature, body).await;
        self.tally.count(answer);
        answer
    }

    async fn answer(&self, signature: Option<&[u8]>, body: &[u8]) -> Answer {
        if let Err(unverified) = self.verifier.verify(signature, body, host_clock::now()) {
            tracing::debug!(reason = unverified.reason(), "a delivery was refused");
            return Answer::Refused;
        }
        let event = match decode(body) {
            Ok(event) => Arc::new(event),
            Err(error) => {
                tracing::warn!(%error, "a signed delivery is no event");
                return Answer::Refused;
            }
        };
        let receipt = match self.rounds.receive(&event).await {
            Ok(receipt) => receipt,
            Err(error) => {
                tracing::error!(event = event.id.as_str(), %error, "an event was not taken in");
                return Answer::Later;
            }
        };
        tracing::info!(
            event = event.id.as_str(),
            kind = event.kind(),
            order = receipt.order.map(|order| order.0),
            ruling = receipt.ruling.name(),
            incident = receipt
                .incident
                .as_ref()
                .map(crate::webhook::IncidentId::as_str),
            seen_before = receipt.seen_before,
            "event taken in"
        );
        if !receipt.retirements.is_empty() {
            self.to_close.notify_one();
        }
        Answer::Taken
    }
}
