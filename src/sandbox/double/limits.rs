//! Rate limits in real time (docs.stripe.com/rate-limits): one bucket per account and mode, one per endpoint (ids
//! share it). They stand before the idempotency layer, so a limited request is never remembered.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::ApiError;
use super::world::Mode;

/// What the double imposes on its clients; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Requests per second of one account and mode.
    pub account_rps: Option<u32>,
    /// Requests per second of one endpoint.
    pub endpoint_rps: Option<u32>,
    /// Added before every answer.
    pub latency: Duration,
}

impl Limits {
    /// Replaces what `change` names: `account_rps`, `endpoint_rps` (null lifts a limit), `latency_ms`.
    pub(super) fn change(&mut self, change: &Value) -> Result<(), String> {
        let rate = |value: &Value| match value {
            Value::Null => Ok(None),
            other => {
                let rate = other
                    .as_u64()
                    .and_then(|rate| u32::try_from(rate).ok())
                    .filter(|rate| *rate > 0);
                rate.map(Some)
                    .ok_or_else(|| format!("`{other}` is not a rate per second"))
            }
        };
        for (name, value) in super::spec::entries(change) {
            match name.as_str() {
                "account_rps" => self.account_rps = rate(value)?,
                "endpoint_rps" => self.endpoint_rps = rate(value)?,
                "latency_ms" => {
                    let millis = value
                        .as_u64()
                        .ok_or_else(|| format!("`{value}` is not a number of milliseconds"))?;
                    self.latency = Duration::from_millis(millis);
                }
                other => return Err(format!("unknown limit `{other}`")),
            }
        }
        Ok(())
    }
}

/// Token buckets that hold one second's worth.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    buckets: HashMap<(Mode, String), (f64, Instant)>,
}

impl Limiter {
    pub fn admit(&mut self, limits: &Limits, mode: Mode, endpoint: &str) -> Result<(), ApiError> {
        if let Some(rate) = limits.account_rps
            && !self.take(mode, "", rate)
        {
            return Err(limited("global-rate"));
        }
        match limits.endpoint_rps {
            Some(rate) if !self.take(mode, endpoint, rate) => Err(limited("endpoint-rate")),
            _ => Ok(()),
        }
    }

    fn take(&mut self, mode: Mode, bucket: &str, rate: u32) -> bool {
        let (full, now) = (f64::from(rate), Instant::now());
        let (tokens, at) = self
            .buckets
            .entry((mode, bucket.to_owned()))
            .or_insert((full, now));
        *tokens = (*tokens + now.duration_since(*at).as_secs_f64() * full).min(full);
        *at = now;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

fn limited(reason: &'static str) -> ApiError {
    ApiError::invalid(
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
    )
    .code("rate_limit")
    .status(429)
    .header("Stripe-Rate-Limited-Reason", reason)
}
