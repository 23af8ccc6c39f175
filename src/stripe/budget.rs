//! How fast requests may leave. Stripe allows each endpoint 25 a second and the account 100 live or 25 in
//! test mode (docs.stripe.com/rate-limits); relink takes 80 % and leaves the rest to the application that
//! shares the account. Refuses nothing: it only makes a request wait.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Rps;
use crate::domain::Mode;

const PER_ENDPOINT: f64 = 25.0;
const SHARE: f64 = 0.8;

pub(super) struct Budget {
    clock: DefaultClock,
    /// `None`: no budget.
    limits: Option<Limits>,
}

struct Limits {
    account: DefaultDirectRateLimiter,
    endpoint: DefaultKeyedRateLimiter<String>,
}

impl Budget {
    pub(super) fn new(rps: Rps, mode: Mode) -> Self {
        let account = match (rps, mode) {
            (Rps::Unlimited, _) => None,
            (Rps::PerSecond(rate), _) => Some(rate),
            (Rps::Default, Mode::Live) => Some(100.0 * SHARE),
            (Rps::Default, Mode::Test) => Some(25.0 * SHARE),
        };
        let limits = account.map(|rate| Limits {
            account: RateLimiter::direct(quota(rate)),
            endpoint: RateLimiter::keyed(quota(PER_ENDPOINT * SHARE)),
        });
        Budget {
            clock: DefaultClock::default(),
            limits,
        }
    }

    /// Waits until a request to `endpoint` may leave.
    pub(super) async fn wait(&self, endpoint: &str) {
        let Some(limits) = &self.limits else { return };
        let endpoint = endpoint.to_owned();
        while let Err(full) = limits.endpoint.check_key(&endpoint) {
            tokio::time::sleep(full.wait_time_from(self.clock.now())).await;
        }
        while let Err(full) = limits.account.check() {
            tokio::time::sleep(full.wait_time_from(self.clock.now())).await;
        }
    }
}

/// `rate` a second, with a burst of a quarter of it: rate and burst together then stay within what Stripe
/// allows in any one second.
fn quota(rate: f64) -> Quota {
    let burst = NonZeroU32::new((rate / 4.0) as u32).unwrap_or(NonZeroU32::MIN);
    let gap = Duration::from_secs_f64(1.0 / rate);
    Quota::with_period(gap)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

/// Stripe counts by named operation: `POST /v1/payment_links/:id` is one endpoint for every link.
pub(super) fn endpoint(method: &str, path: &str) -> String {
    let is_id = |segment: &str| {
        ["cs_", "plink_", "pi_", "acct_"]
            .iter()
            .any(|prefix| segment.starts_with(prefix))
    };
    let named: Vec<&str> = path
        .split('/')
        .map(|segment| if is_id(segment) { ":id" } else { segment })
        .collect();
    format!("{method} {}", named.join("/"))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn ids_share_their_endpoints_budget() {
        assert_eq!(
            endpoint("POST", "/v1/payment_links/plink_1"),
            "POST /v1/payment_links/:id"
        );
        assert_eq!(
            endpoint("POST", "/v1/checkout/sessions/cs_test_a1/expire"),
            "POST /v1/checkout/sessions/:id/expire"
        );
        assert_eq!(
            endpoint("GET", "/v1/payment_links"),
            "GET /v1/payment_links"
        );
    }

    #[tokio::test]
    async fn requests_leave_no_faster_than_the_budget() {
        let budget = Budget::new(Rps::PerSecond(50.0), Mode::Test);
        let start = Instant::now();
        // The burst of 12 is free, the other 10 come 20 ms apart.
        for n in 0..22 {
            budget.wait(&format!("GET /{n}")).await;
        }
        assert!(
            start.elapsed() >= Duration::from_millis(190),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test]
    async fn one_endpoint_never_gets_more_than_its_own_share() {
        let budget = Budget::new(Rps::PerSecond(1000.0), Mode::Live);
        let start = Instant::now();
        for _ in 0..11 {
            budget.wait("GET /v1/payment_links").await;
        }
        assert!(
            start.elapsed() >= Duration::from_millis(290),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test]
    async fn without_a_budget_nothing_waits() {
        let budget = Budget::new(Rps::Unlimited, Mode::Test);
        let start = Instant::now();
        for _ in 0..10_000 {
            budget.wait("GET /v1/payment_links").await;
        }
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
