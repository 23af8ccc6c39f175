//! The one send. A request leaves here or it does not leave: no redirect is followed, nothing is repeated,
//! and every answer is read to its end under a cap and a time limit before anybody looks at it.

use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, InvalidHeaderValue, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Method, redirect};

use super::budget::Excess;
use super::error::scrub;
use super::transport::{Carried, NoAnswer, Outgoing};
use super::{Client, Settings, StripeError, budget};
use crate::actions::{API_VERSION, StripeWrite};
use crate::domain::Timestamp;
use crate::tls;

const USER_AGENT: &str = concat!("relink/", env!("CARGO_PKG_VERSION"));

pub(super) enum Call<'a> {
    /// The path with its query, from the root.
    Get(&'a str),
    Post(&'a StripeWrite),
}

impl<'a> Call<'a> {
    fn line(&self) -> (Method, &'a str) {
        match self {
            Call::Get(target) => (Method::GET, target),
            Call::Post(write) => (Method::POST, write.path.as_str()),
        }
    }

    fn endpoint(&self) -> String {
        let (method, target) = self.line();
        let path = target.split('?').next().unwrap_or(target);
        budget::endpoint(method.as_str(), path)
    }
}

/// A whole answer, whatever it says.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub status: u16,
    pub request_id: Option<String>,
    pub should_retry: Option<bool>,
    pub retry_after: Option<Duration>,
    pub replayed: bool,
    pub limited_reason: Option<String>,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// # Errors
/// [`StripeError::BadSettings`] when TLS cannot be set up, such as without any root certificate.
pub(super) fn connector(settings: &Settings) -> Result<reqwest::Client, StripeError> {
    install_crypto_provider()?;
    let timings = settings.timings;
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(timings.connect)
        .timeout(timings.total);
    if settings.is_loopback() {
        // A proxy has no business between two processes of one host, and no certificate is looked at.
        builder = builder.no_proxy();
    }
    if settings.base.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    } else {
        builder = builder.https_only(true);
    }
    builder.build().map_err(|error| StripeError::BadSettings {
        what: format!("TLS could not be set up: {}", describe(&error)),
    })
}

fn install_crypto_provider() -> Result<(), StripeError> {
    tls::choose_provider();
    if tls::has_provider() {
        Ok(())
    } else {
        Err(StripeError::BadSettings {
            what: "no TLS crypto provider could be installed".to_owned(),
        })
    }
}

impl Client {
    /// Waits until the budget lets this request leave: longer than a lease, with a small budget.
    pub(super) async fn wait_for_turn(&self, call: &Call<'_>) {
        self.budget.wait(&call.endpoint()).await;
    }

    /// Too much was sent: less is, from now on.
    fn hear_of(&self, excess: Excess, call: &Call<'_>) {
        tracing::debug!(?excess, "Stripe limits the rate");
        if excess == Excess::Together {
            self.tally.crowded.fetch_add(1, Ordering::Relaxed);
        }
        self.budget.cut(excess, &call.endpoint());
    }

    /// Sends one request, whose turn it is, and reads the whole answer.
    pub(super) async fn exchange(&self, call: &Call<'_>) -> Result<Answer, NoAnswer> {
        let (method, target) = call.line();
        let headers = self.headers(call).map_err(|_| {
            NoAnswer::NotSent("a header holds characters that none may hold".to_owned())
        })?;
        let body = match call {
            Call::Get(_) => {
                self.tally.reads.fetch_add(1, Ordering::Relaxed);
                String::new()
            }
            Call::Post(write) => {
                self.tally.writes.fetch_add(1, Ordering::Relaxed);
                write.body.clone()
            }
        };
        let request = Outgoing {
            method,
            target: target.to_owned(),
            headers,
            body,
        };
        let carried = self.transport.carry(request).await?;
        self.tally.hear(date(&carried.headers));
        let answer = understand(carried);
        if let Some(excess) = answer.limited_reason.as_deref().and_then(Excess::of) {
            self.hear_of(excess, call);
        }
        Ok(answer)
    }

    fn headers(&self, call: &Call<'_>) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        if let Some(account) = &self.settings.account {
            headers.insert("stripe-account", HeaderValue::from_str(account.as_str())?);
        }
        match call {
            Call::Get(_) => {
                headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
            }
            Call::Post(write) => {
                headers.insert("stripe-version", HeaderValue::from_str(&write.api_version)?);
                headers.insert(
                    "idempotency-key",
                    HeaderValue::from_str(write.key.as_str())?,
                );
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form);
            }
        }
        Ok(headers)
    }
}

fn understand(carried: Carried) -> Answer {
    let headers = &carried.headers;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Answer {
        status: carried.status,
        request_id: text("request-id").map(scrub),
        should_retry: text("stripe-should-retry").and_then(|word| word.parse().ok()),
        retry_after: text(RETRY_AFTER.as_str())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
        replayed: text("idempotent-replayed") == Some("true"),
        limited_reason: text("stripe-rate-limited-reason").map(scrub),
        location: text(LOCATION.as_str()).map(scrub),
        body: carried.body,
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let moment = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp(moment.timestamp().as_second()))
}

/// The chain of causes without the URL, which may name objects, and without anything like a key.
pub(super) fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        let stage = if error.is_connect() {
            "connecting"
        } else {
            "waiting for the answer"
        };
        return format!("timed out {stage}");
    }
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push(inner.to_string());
        cause = inner.source();
    }
    words.dedup();
    if words.is_empty() {
        words.push("the request could not be sent".to_owned());
    }
    scrub(&words.join(": "))
}
