//! The harmless reads by which `doctor` finds out what a key may do: one object at most of each kind, and the list of
//! webhook endpoints. Nothing is written, and nothing is concluded.

use url::Url;

use super::{Client, StripeError, wire};
use crate::doctor::{Endpoint, Resource};

impl Client {
    /// Whether the key may read these objects, tried on the newest one.
    ///
    /// # Errors
    /// [`StripeError::Permission`], or whatever kept the answer away.
    pub async fn may_read(&self, resource: Resource) -> Result<(), StripeError> {
        self.newest(match resource {
            Resource::CheckoutSessions => "/v1/checkout/sessions",
            Resource::PaymentLinks => "/v1/payment_links",
            Resource::PaymentIntents => "/v1/payment_intents",
            Resource::Refunds => "/v1/refunds",
            Resource::Events => "/v1/events",
        })
        .await
    }

    /// Every endpoint that this account has in the key's mode.
    ///
    /// # Errors
    /// [`StripeError::Permission`], or whatever kept the answer away.
    pub async fn webhook_endpoints(&self) -> Result<Vec<Endpoint>, StripeError> {
        let endpoints = self
            .list::<wire::WebhookEndpoint>("/v1/webhook_endpoints", &[])
            .await?;
        Ok(endpoints.into_iter().map(endpoint).collect())
    }
}

impl StripeError {
    /// Every further question would end the same way.
    #[must_use]
    pub fn ends_all_reading(&self) -> bool {
        matches!(
            self,
            StripeError::Unreachable { .. }
                | StripeError::Authentication { .. }
                | StripeError::BadSettings { .. }
        )
    }
}

fn endpoint(wire: wire::WebhookEndpoint) -> Endpoint {
    Endpoint {
        url: wire
            .url
            .as_deref()
            .map_or_else(|| wire.id.clone(), without_secrets),
        // Stripe knows `enabled` and `disabled`; whatever else there may be is not sent to for sure.
        is_enabled: wire.status.as_deref() == Some("enabled"),
        events: wire.enabled_events,
        api_version: wire.api_version,
    }
}

fn without_secrets(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return text.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // Neither can be set where the URL has no host, and then it has neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoints_url_is_shown_without_what_may_be_a_secret() {
        let shown = without_secrets("https://user:pass@club.example.com/hook?token=abc#x");
        assert_eq!(shown, "https://club.example.com/hook");
        assert_eq!(without_secrets("no url?token=abc"), "no url");
    }
}
