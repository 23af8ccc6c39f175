//! Retires a Checkout Session by expiring it (docs.stripe.com/api/checkout/sessions/expire).
//!
//! Stripe expires open sessions only and answers 400 otherwise. That refusal proves nothing: the session is
//! read again, never judged by the message.

use super::{API_VERSION, Round, StripeWrite};
use crate::domain::SessionId;

#[must_use]
pub fn request(id: &SessionId, round: Round<'_>) -> StripeWrite {
    StripeWrite {
        path: format!("/v1/checkout/sessions/{id}/expire"),
        body: String::new(),
        key: round.key("expire", id.as_str()),
        api_version: API_VERSION.to_owned(),
    }
}

/// For the plan's "would …": `expire cs_…`.
#[must_use]
pub fn describe(id: &SessionId) -> String {
    format!("expire {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_a_key_of_its_own_and_a_repeat_has_the_same() {
        let id = SessionId::parse("cs_test_a1").unwrap_or_else(|e| panic!("{e}"));
        let first = Round {
            run: "run-1",
            number: 1,
        };
        let write = request(&id, first);
        assert_eq!(write.path, "/v1/checkout/sessions/cs_test_a1/expire");
        assert_eq!(write, request(&id, first));
        let again = Round { number: 2, ..first };
        assert_ne!(write.key, request(&id, again).key);
        let other = Round {
            run: "run-2",
            ..first
        };
        assert_ne!(write.key, request(&id, other).key);
        assert_eq!(describe(&id), "expire cs_test_a1");
    }
}
