//! When each lease of this run was last renewed, on a clock of this host that keeps running while the host
//! sleeps: a claim that is too old sends nothing, however little time this process believes has passed.
//!
//! It never decides who holds an operation: only the database's clock and the token do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::process;

/// The right to write for one operation, until somebody else takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) operation: String,
    /// Random for every claim.
    pub(super) token: String,
}

/// For the database's clock.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// A moment on this host.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    instant: Instant,
    since_boot: Option<Duration>,
}

impl Moment {
    #[must_use]
    pub fn now() -> Self {
        Moment {
            instant: Instant::now(),
            since_boot: process::since_boot(),
        }
    }

    /// The longer of both measures: a process's own clock may stand still in a sleeping host.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let slept = match (self.since_boot, process::since_boot()) {
            (Some(then), Some(now)) => now.saturating_sub(then),
            _ => Duration::ZERO,
        };
        self.instant.elapsed().max(slept)
    }
}

/// The leases of a run, by token. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<String, Moment>>>);

impl Leases {
    /// `asked` is a moment before the database was asked, so that this host never believes in more time
    /// than the database granted.
    pub fn renewed(&self, token: &str, asked: Moment) {
        self.lock().insert(token.to_owned(), asked);
    }

    /// As `renewed`, for a lease that is still known here.
    pub fn extended(&self, token: &str, asked: Moment) {
        if let Some(renewed) = self.lock().get_mut(token) {
            *renewed = asked;
        }
    }

    pub fn lost(&self, token: &str) {
        self.lock().remove(token);
    }

    pub fn is_fresh(&self, token: &str, within: Duration) -> bool {
        let renewed = self.lock().get(token).copied();
        renewed.is_some_and(|moment| moment.elapsed() < within)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Moment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_fresh_for_as_long_as_it_says_and_not_after_it_was_lost() {
        let leases = Leases::default();
        let hour = Duration::from_secs(3600);
        assert!(!leases.is_fresh("a", hour), "never renewed");
        leases.renewed("a", Moment::now());
        assert!(leases.is_fresh("a", hour));
        assert!(!leases.is_fresh("a", Duration::ZERO));
        leases.lost("a");
        assert!(!leases.is_fresh("a", hour));
    }

    #[test]
    fn a_lease_of_any_length_is_a_long_one_and_no_number_overflows() {
        assert_eq!(micros(Duration::from_secs(60)), 60_000_000);
        let century = 100 * 365 * 86_400 * 1_000_000;
        let longest = micros(Duration::MAX);
        assert!(longest > century, "{longest}");
        // The database adds it to its own clock.
        assert!(longest.checked_add(century).is_some(), "{longest}");
    }

    #[test]
    fn sleep_counts_even_where_the_process_did_not_notice_it() {
        let Some(now) = process::since_boot() else {
            return;
        };
        let before = Moment {
            instant: Instant::now(),
            since_boot: now.checked_sub(Duration::from_secs(1)),
        };
        assert!(before.elapsed() >= Duration::from_secs(1));
    }
}
