//! Retires a Payment Link by `active=false` (docs.stripe.com/api/payment-link/update).
//!
//! That stops new sessions only. Sessions which the link opened before stay payable for up to a day and
//! are expired one by one afterwards: a deactivated link alone is not a retired one.

use super::{API_VERSION, Round, StripeWrite};
use crate::domain::LinkId;

#[must_use]
pub fn request(id: &LinkId, round: Round<'_>) -> StripeWrite {
    StripeWrite {
        path: format!("/v1/payment_links/{id}"),
        body: "active=false".to_owned(),
        key: round.key("deactivate", id.as_str()),
        api_version: API_VERSION.to_owned(),
    }
}

/// For the plan's "would …": `deactivate plink_…`.
#[must_use]
pub fn describe(id: &LinkId) -> String {
    format!("deactivate {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_switches_the_link_off_and_does_nothing_else() {
        let id = LinkId::parse("plink_1Sb").unwrap_or_else(|e| panic!("{e}"));
        let round = Round {
            run: "run-1",
            number: 1,
        };
        let write = request(&id, round);
        assert_eq!(write.path, "/v1/payment_links/plink_1Sb");
        assert_eq!(write.body, "active=false");
        assert_eq!(describe(&id), "deactivate plink_1Sb");
    }
}
