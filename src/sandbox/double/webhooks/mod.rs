//! Webhooks: where events are sent, which are still owed, and what became of each attempt. What is owed is part of
//! the state (`pending_webhooks` of the event), so that a restart sends it; how often it was tried is not. Nothing here
//! waits or opens a connection, and no address but loopback is accepted: a signed event of the sandbox claims a
//! payment that never was.

mod outbox;
pub(super) mod sender;
mod signature;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::addresses::is_loopback;

pub(super) use outbox::Outbox;

/// What Stripe's own retries, hours apart, are shortened to.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
/// The events that settle an order, or say that it will not be settled.
const EVENTS: [&str; 4] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
];

/// The endpoint that events are sent to, and how unkindly.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// `http://` on loopback.
    pub url: String,
    /// One signature for each; more than one while a secret is rolled.
    pub secrets: Vec<SecretString>,
    /// Types of events, with `*` as Stripe takes it.
    pub events: Vec<String>,
    /// How many times more each event arrives.
    pub duplicates: u32,
    /// Sends what is due in an order that depends on this number alone.
    pub shuffle: Option<u64>,
    /// Doubled after each failure, up to half a minute.
    pub first_retry: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Webhooks {
    /// The four events of a checkout session, each once, in order.
    #[must_use]
    pub fn to(url: &str, secrets: Vec<SecretString>) -> Webhooks {
        Webhooks {
            url: url.to_owned(),
            secrets,
            events: EVENTS.map(str::to_owned).to_vec(),
            duplicates: 0,
            shuffle: None,
            first_retry: FIRST_RETRY,
            timeout: TIMEOUT,
        }
    }

    /// Refuses what could not be sent, and what must not be.
    ///
    /// # Errors
    /// The reason, without any secret.
    pub fn check(&self) -> Result<(), String> {
        let url = url::Url::parse(&self.url)
            .map_err(|problem| format!("the webhook URL is malformed: {problem}"))?;
        if url.scheme() != "http" || !url.host_str().is_some_and(is_loopback) {
            return Err(
                "the webhook URL must be http:// on 127.0.0.1 or localhost: events of the sandbox must never \
                 reach a receiver of real payments"
                    .to_owned(),
            );
        }
        if self.secrets.is_empty() {
            return Err("no webhook secret to sign events with".to_owned());
        }
        let is_clean =
            |secret: &str| !secret.is_empty() && secret.chars().all(|c| c.is_ascii_graphic());
        if !self
            .secrets
            .iter()
            .all(|secret| is_clean(secret.expose_secret()))
        {
            return Err(
                "a webhook secret is empty, or holds a space or a character beyond ASCII"
                    .to_owned(),
            );
        }
        if self.duplicates > 100 {
            return Err("more than 100 duplicates of each event".to_owned());
        }
        Ok(())
    }

    /// The pause after this many failures.
    fn pause(&self, failures: u32) -> Duration {
        let doubled = 1u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.first_retry.saturating_mul(doubled).min(LONGEST_RETRY)
    }
}

/// One attempt to deliver one copy of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    pub event: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 is the event itself, the others are duplicates.
    pub copy: u32,
    /// 1 for the first.
    pub attempt: u32,
    /// What the receiver answered.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Delivery {
    #[must_use]
    pub fn arrived(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> Result<(), String> {
        Webhooks::to(url, vec![SecretString::from("whsec_a")]).check()
    }

    #[test]
    fn only_loopback_is_sent_to() {
        for url in [
            "http://127.0.0.1:8484/x",
            "http://localhost/x",
            "http://[::1]:1/",
        ] {
            assert_eq!(to(url), Ok(()), "{url}");
        }
        for url in [
            "https://127.0.0.1/x",
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "x",
            "",
        ] {
            assert!(to(url).is_err(), "{url:?} was accepted");
        }
    }

    #[test]
    fn the_pause_doubles_up_to_half_a_minute() {
        let webhooks = Webhooks::to("http://127.0.0.1/", Vec::new());
        let pauses = [1, 2, 3, 8, 40].map(|failures| webhooks.pause(failures).as_millis());
        assert_eq!(pauses, [250, 500, 1000, 30_000, 30_000]);
    }
}
