//! Stripe's events of checkout sessions, as they were sent: for whoever missed them.
//!
//! Nothing is decided from them here; they go through the same decoding as a delivery.

use super::{Client, StripeError, wire};
use crate::domain::Timestamp;

impl Client {
    /// The events of checkout sessions that tell of payments, the oldest first, each as the bytes of its JSON. They
    /// reach back 30 days at most (docs.stripe.com/api/events).
    ///
    /// # Errors
    /// Whatever kept them from being read: then none is given.
    pub async fn payment_events(&self, since: Timestamp) -> Result<Vec<Vec<u8>>, StripeError> {
        let since = since.0.to_string();
        let query = [
            ("types[0]", "checkout.session.completed"),
            ("types[1]", "checkout.session.async_payment_succeeded"),
            ("types[2]", "checkout.session.async_payment_failed"),
            ("created[gte]", since.as_str()),
        ];
        let mut events = self.list::<wire::WholeEvent>("/v1/events", &query).await?;
        events.reverse();
        let text = |event: &wire::WholeEvent| {
            serde_json::to_vec(event).map_err(|error| StripeError::Garbage {
                what: error.to_string(),
            })
        };
        events.iter().map(text).collect()
    }
}
