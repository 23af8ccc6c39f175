//! How fast requests may leave. Stripe allows each endpoint 25 a second and the account 100 live or 25 in
//! test mode (docs.stripe.com/rate-limits); relink takes a share of both, 80 % unless told otherwise, and leaves the rest
//! to the application that shares the account. Where Stripe says that it was too much, it takes less for a while.
//!
//! Refuses nothing: it only makes a request wait.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::Rps;
use super::client::Pace;
use crate::domain::Mode;

const PER_ENDPOINT: f64 = 25.0;
const SHARE: f64 = 0.8;
/// What is left of a rate after Stripe said that it was too much, and of which at least so much stays.
const CUT: f64 = 0.7;
const LEAST: f64 = 0.05;
/// One refusal says as much as all those that were on their way with it.
const CUT_EVERY: Duration = Duration::from_millis(500);
/// It comes back by so much of the full rate in each such time.
const REGAIN: f64 = 0.05;
const REGAIN_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Budget {
    /// `None`: no budget.
    limits: Option<Limits>,
    /// Microseconds that requests waited for their turn.
    waited: AtomicU64,
    /// Requests that wait for the account's turn just now, and no longer for their endpoint's.
    waiting: AtomicUsize,
}

/// One that waits, until it is over or given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Limits {
    account: Meter,
    per_endpoint: f64,
    endpoints: Mutex<HashMap<String, Arc<Meter>>>,
}

/// Why Stripe refused a request for being too much, as its header says (docs.stripe.com/rate-limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Account,
    Endpoint,
    /// Too many at the same time, whatever their rate.
    Together,
}

impl Excess {
    /// Of `Stripe-Rate-Limited-Reason`. Other reasons are about one object and say nothing of the rate.
    pub(super) fn of(reason: &str) -> Option<Self> {
        match reason {
            "global-rate" => Some(Excess::Account),
            "endpoint-rate" => Some(Excess::Endpoint),
            "global-concurrency" | "endpoint-concurrency" => Some(Excess::Together),
            _ => None,
        }
    }
}

impl Budget {
    pub(super) fn new(rps: Rps, mode: Mode) -> Self {
        let allowed = match mode {
            Mode::Live => 100.0,
            Mode::Test => 25.0,
        };
        let account = match rps {
            Rps::Unlimited => None,
            Rps::PerSecond(rate) => Some(rate),
            Rps::Default => Some(allowed * SHARE),
        };
        let limits = account.map(|rate| Limits {
            account: Meter::new(rate),
            per_endpoint: PER_ENDPOINT * (rate / allowed).min(1.0),
            endpoints: Mutex::default(),
        });
        Budget {
            limits,
            waited: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits until a request to `endpoint` may leave.
    pub(super) async fn wait(&self, endpoint: &str) {
        let Some(limits) = &self.limits else { return };
        let begun = Instant::now();
        limits.endpoint(endpoint).wait().await;
        let waiting = Waiting::among(&self.waiting);
        limits.account.wait().await;
        drop(waiting);
        let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
    }

    /// Stripe refused a request to `endpoint`.
    pub(super) fn cut(&self, excess: Excess, endpoint: &str) {
        let Some(limits) = &self.limits else { return };
        let now = Instant::now();
        match excess {
            Excess::Account => limits.account.cut(now),
            Excess::Endpoint => limits.endpoint(endpoint).cut(now),
            Excess::Together => {}
        }
    }

    /// At most; `None` without a budget.
    pub(super) fn pace(&self) -> Option<Pace> {
        self.limits.as_ref().map(|limits| Pace {
            account: limits.account.full,
            endpoint: limits.per_endpoint.min(limits.account.full),
        })
    }

    /// Whether one more request, whatever its endpoint, would be at the cost of others. Nobody knows without a budget.
    pub(super) fn is_busy(&self) -> bool {
        self.limits.is_none() || self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }
}

impl Limits {
    fn endpoint(&self, name: &str) -> Arc<Meter> {
        let mut endpoints = locked(&self.endpoints);
        match endpoints.get(name) {
            Some(meter) => Arc::clone(meter),
            None => {
                let meter = Arc::new(Meter::new(self.per_endpoint));
                endpoints.insert(name.to_owned(), Arc::clone(&meter));
                meter
            }
        }
    }
}

/// One rate, and how much of it is used at the time.
struct Meter {
    full: f64,
    state: Mutex<MeterNow>,
}

struct MeterNow {
    limiter: Arc<DefaultDirectRateLimiter>,
    used: f64,
    changed: Instant,
}

impl Meter {
    fn new(full: f64) -> Self {
        let state = MeterNow {
            limiter: Arc::new(RateLimiter::direct(quota(full, burst(full)))),
            used: 1.0,
            changed: Instant::now(),
        };
        Meter {
            full,
            state: Mutex::new(state),
        }
    }

    async fn wait(&self) {
        let clock = DefaultClock::default();
        while let Err(full) = self.limiter(Instant::now()).check() {
            // What was cut may have come back meanwhile.
            let wait = full.wait_time_from(clock.now()).min(REGAIN_EVERY);
            tokio::time::sleep(wait).await;
        }
    }

    /// What was cut comes back with the time.
    fn limiter(&self, now: Instant) -> Arc<DefaultDirectRateLimiter> {
        let mut state = locked(&self.state);
        let passed = now.duration_since(state.changed).as_secs_f64();
        let steps = (passed / REGAIN_EVERY.as_secs_f64()).floor();
        // Not before a request had the time to leave: each change begins with a wait.
        let gap = 1.0 / (self.full * state.used);
        if state.used < 1.0 && steps >= 1.0 && passed > gap {
            let used = (state.used + steps * REGAIN).min(1.0);
            self.change(&mut state, used, now);
        }
        Arc::clone(&state.limiter)
    }

    fn cut(&self, now: Instant) {
        let mut state = locked(&self.state);
        if state.used == 1.0 || now.duration_since(state.changed) >= CUT_EVERY {
            let used = (state.used * CUT).max(LEAST);
            self.change(&mut state, used, now);
        }
    }

    fn change(&self, state: &mut MeterNow, used: f64, now: Instant) {
        // A new limiter begins full: that is taken from it, or each change would be a burst.
        let burst = if used < 1.0 {
            NonZeroU32::MIN
        } else {
            burst(self.full)
        };
        let limiter = RateLimiter::direct(quota(self.full * used, burst));
        let _ = limiter.check_n(burst);
        state.limiter = Arc::new(limiter);
        state.used = used;
        state.changed = now;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn quota(rate: f64, burst: NonZeroU32) -> Quota {
    let gap = Duration::from_secs_f64(1.0 / rate);
    Quota::with_period(gap)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

/// A quarter of the rate: rate and burst together then stay within what Stripe allows in any one second.
fn burst(rate: f64) -> NonZeroU32 {
    NonZeroU32::new((rate / 4.0) as u32).unwrap_or(NonZeroU32::MIN)
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
    use tokio::time::timeout;

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

    async fn time_of(budget: &Budget, requests: usize, endpoint: impl Fn(usize) -> String) -> f64 {
        let start = Instant::now();
        for n in 0..requests {
            budget.wait(&endpoint(n)).await;
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test]
    async fn requests_leave_no_faster_than_the_budget() {
        let budget = Budget::new(Rps::PerSecond(50.0), Mode::Test);
        // The burst of 12 is free, the other 10 come 20 ms apart.
        let took = time_of(&budget, 22, |n| format!("GET /{n}")).await;
        assert!(took >= 0.19, "{took}");
        assert!(budget.waited().as_secs_f64() >= 0.18);
    }

    #[tokio::test]
    async fn it_is_busy_while_somebody_waits_for_the_account() {
        // Four a second, one at once, for each endpoint and for the account.
        let budget = Budget::new(Rps::PerSecond(4.0), Mode::Test);
        let soon = Duration::from_millis(20);
        assert!(!budget.is_busy());
        budget.wait("GET /1").await;
        assert!(!budget.is_busy(), "it left at once");
        let second = budget.wait("GET /2");
        assert!(timeout(soon, second).await.is_err());
        assert!(!budget.is_busy(), "who gave up waits no more");
        let look = async {
            tokio::time::sleep(soon).await;
            budget.is_busy()
        };
        let (_, is_busy) = tokio::join!(budget.wait("GET /3"), look);
        assert!(is_busy);
        assert!(!budget.is_busy());
        tokio::time::sleep(Duration::from_millis(300)).await;
        budget.wait("GET /4").await;
        let look = async {
            tokio::time::sleep(soon).await;
            budget.is_busy()
        };
        let (_, is_busy) = tokio::join!(timeout(2 * soon, budget.wait("GET /4")), look);
        assert!(!is_busy, "it waits for its endpoint");
        assert!(Budget::new(Rps::Unlimited, Mode::Test).is_busy());
    }

    #[tokio::test]
    async fn one_endpoint_never_gets_more_than_its_own_share() {
        let budget = Budget::new(Rps::PerSecond(1000.0), Mode::Live);
        // 25 a second, 6 of them at once.
        let took = time_of(&budget, 12, |_| "GET /v1/payment_links".to_owned()).await;
        assert!(took >= 0.23, "{took}");
    }

    #[tokio::test]
    async fn a_share_of_the_account_is_the_same_share_of_each_endpoint() {
        let budget = Budget::new(Rps::PerSecond(40.0), Mode::Live);
        // 10 a second, 2 of them at once.
        let took = time_of(&budget, 5, |_| "GET /v1/payment_links".to_owned()).await;
        assert!(took >= 0.29, "{took}");
    }

    #[tokio::test]
    async fn without_a_budget_nothing_waits() {
        let budget = Budget::new(Rps::Unlimited, Mode::Test);
        let took = time_of(&budget, 10_000, |_| "GET /v1/payment_links".to_owned()).await;
        assert!(took < 1.0, "{took}");
        assert_eq!(budget.pace(), None);
    }

    #[test]
    fn only_what_the_rate_caused_makes_it_slower() {
        let reasons = ["global-rate", "endpoint-rate", "endpoint-concurrency"];
        assert_eq!(
            reasons.map(Excess::of),
            [Excess::Account, Excess::Endpoint, Excess::Together].map(Some)
        );
        assert_eq!(Excess::of("resource-specific"), None);
    }

    fn used(meter: &Meter) -> f64 {
        locked(&meter.state).used
    }

    #[test]
    fn what_stripe_calls_too_much_is_cut_once_and_comes_back_little_by_little() {
        let meter = Meter::new(20.0);
        let mut now = Instant::now();
        for _ in 0..20 {
            meter.cut(now);
        }
        assert_eq!(used(&meter), 0.7, "twenty on their way are one");
        now += CUT_EVERY;
        meter.cut(now);
        assert!(used(&meter) < 0.5);
        let mut seconds = 0;
        while used(&meter) < 1.0 {
            let before = used(&meter);
            now += REGAIN_EVERY;
            meter.limiter(now);
            assert!(used(&meter) - before <= REGAIN + 1e-9);
            seconds += 1;
            assert!(seconds < 60);
        }
        assert_eq!(seconds, 11);
        for _ in 0..100 {
            now += CUT_EVERY;
            meter.cut(now);
        }
        assert_eq!(used(&meter), LEAST, "never nothing");
    }

    #[test]
    fn what_is_too_much_for_one_endpoint_slows_no_other() {
        let budget = Budget::new(Rps::Default, Mode::Live);
        budget.cut(Excess::Endpoint, "POST /v1/payment_links");
        let limits = budget
            .limits
            .as_ref()
            .unwrap_or_else(|| panic!("no limits"));
        assert_eq!(used(&limits.endpoint("POST /v1/payment_links")), 0.7);
        assert_eq!(used(&limits.endpoint("GET /v1/events")), 1.0);
        assert_eq!(used(&limits.account), 1.0);
        budget.cut(Excess::Account, "GET /v1/events");
        assert_eq!(used(&limits.account), 0.7);
        assert_eq!(used(&limits.endpoint("GET /v1/events")), 1.0);
    }
}
