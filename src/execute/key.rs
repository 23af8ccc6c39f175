//! How long ago a request with some idempotency key was first tried, and whether its key may still be sent.
//!
//! It knows no clock of Stripe's or of the database's: an age that the database told, and what passed here since.

use std::time::Duration;

use crate::saga::OLDEST_KEY;
use crate::store::Moment;

/// When a request was first tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstTried {
    /// How long before `since`.
    before: Duration,
    since: Moment,
}

impl FirstTried {
    pub fn now() -> Self {
        FirstTried {
            before: Duration::ZERO,
            since: Moment::now(),
        }
    }

    /// So many seconds before this moment.
    pub fn seconds_before(seconds: i64, since: Moment) -> Self {
        FirstTried {
            before: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
            since,
        }
    }

    /// Whether Stripe surely still knows the key, if it ever met it.
    pub fn key_is_known(&self) -> bool {
        let oldest = Duration::from_secs(OLDEST_KEY.unsigned_abs());
        self.before.saturating_add(self.since.elapsed()) < oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_for_23_hours_after_it_was_first_tried_and_not_after() {
        let now = Moment::now();
        assert!(FirstTried::now().key_is_known());
        assert!(FirstTried::seconds_before(23 * 3600 - 60, now).key_is_known());
        assert!(!FirstTried::seconds_before(23 * 3600, now).key_is_known());
    }

    #[test]
    fn what_passes_here_counts_on_top_of_what_the_database_told() {
        let now = Moment::now();
        std::thread::sleep(Duration::from_millis(1100));
        let tried = FirstTried::seconds_before(23 * 3600 - 1, now);
        assert!(!tried.key_is_known());
    }
}
