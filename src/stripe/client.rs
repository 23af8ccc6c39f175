//! The client: one key, one account, one budget. It counts what it sends and keeps Stripe's clock, as read
//! from the `Date` of the latest answer. It holds no cache: every read is a request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;

use super::budget::Budget;
use super::transport::{Network, Transport};
use super::{Settings, StripeError, Timings, http};
use crate::domain::{Mode, Timestamp};

const NEVER: i64 = i64::MIN;

pub struct Client {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) settings: Settings,
    /// `Bearer …`, marked sensitive, so that no log prints it. Nothing wipes it: a header owns plain bytes.
    pub(super) authorization: HeaderValue,
    pub(super) budget: Budget,
    pub(super) tally: Tally,
}

/// What was sent and heard.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) reads: AtomicU64,
    pub(super) writes: AtomicU64,
    latest_date: AtomicI64,
    /// How often Stripe said that there were too many at the same time.
    pub(super) crowded: AtomicU64,
}

/// Requests a second, at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    pub account: f64,
    pub endpoint: f64,
}

/// All requests of a client, from its first on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub requests: u64,
    /// How long they waited for their turns in the budget, together.
    pub waited: Duration,
    /// How often Stripe said that there were too many at the same time.
    pub crowded: u64,
}

impl Tally {
    pub(super) fn hear(&self, date: Option<Timestamp>) {
        if let Some(Timestamp(seconds)) = date {
            self.latest_date.fetch_max(seconds, Ordering::Relaxed);
        }
    }
}

impl Client {
    /// # Errors
    /// [`StripeError::BadSettings`]: an API base that would show the key to somebody else, a live key for a
    /// base that is not Stripe's, a budget that is none, or a key that no header can carry.
    pub fn new(settings: Settings) -> Result<Self, StripeError> {
        settings.check()?;
        let network = Network {
            http: http::connector(&settings)?,
            base: settings.base.as_str().trim_end_matches('/').to_owned(),
        };
        Client::over(settings, Arc::new(network))
    }

    /// A client whose requests go another way than over the network: for simulations. The settings are held to
    /// the same rules.
    ///
    /// # Errors
    /// As for [`Client::new`].
    pub fn over(settings: Settings, transport: Arc<dyn Transport>) -> Result<Self, StripeError> {
        settings.check()?;
        let bearer = Zeroizing::new(format!("Bearer {}", settings.key.expose_secret()));
        // The message says nothing of the value: it would show the key.
        let mut authorization =
            HeaderValue::from_str(&bearer).map_err(|_| StripeError::BadSettings {
                what: "the key contains characters that no Stripe key has; set it again without line breaks"
                    .to_owned(),
            })?;
        authorization.set_sensitive(true);
        Ok(Client {
            transport,
            authorization,
            budget: Budget::new(settings.rps, settings.mode),
            tally: Tally {
                reads: AtomicU64::new(0),
                writes: AtomicU64::new(0),
                latest_date: AtomicI64::new(NEVER),
                crowded: AtomicU64::new(0),
            },
            settings,
        })
    }

    /// Stripe's clock: the latest `Date` it sent. `None` before the first answer.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let seconds = self.tally.latest_date.load(Ordering::Relaxed);
        (seconds != NEVER).then_some(Timestamp(seconds))
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.settings.timings
    }

    /// GET requests sent, repetitions included.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.tally.reads.load(Ordering::Relaxed)
    }

    /// How fast requests may leave at most; `None` where nothing is counted.
    #[must_use]
    pub fn pace(&self) -> Option<Pace> {
        self.budget.pace()
    }

    /// Whether others wait for the account's turn, so that one more request would be at their cost. So it is said without a
    /// budget, where nobody knows.
    pub(super) fn is_busy(&self) -> bool {
        self.budget.is_busy()
    }

    /// What the requests so far were.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            requests: self.reads() + self.writes(),
            waited: self.budget.waited(),
            crowded: self.tally.crowded.load(Ordering::Relaxed),
        }
    }

    /// POST requests sent, repetitions included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.tally.writes.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.settings)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::Rps;

    fn settings(base: &str) -> Settings {
        Settings {
            key: "sk_test_51HxSecret".to_owned().into(),
            base: base.parse().unwrap_or_else(|e| panic!("{e}")),
            account: None,
            mode: Mode::Test,
            rps: Rps::Default,
            timings: Timings::default(),
        }
    }

    #[test]
    fn the_header_that_carries_the_key_does_not_print_it() {
        let client = Client::new(settings("http://127.0.0.1:1")).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(format!("{:?}", client.authorization), "Sensitive");
    }

    #[test]
    fn stripe_itself_is_an_accepted_base() {
        for mode in [Mode::Test, Mode::Live] {
            let settings = Settings {
                mode,
                ..settings("https://api.stripe.com")
            };
            assert_eq!(settings.check(), Ok(()));
        }
    }
}
