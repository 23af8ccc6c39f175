//! This host's clock: for logs and monitoring, for the age of a signed event, and for "24 hours ago" on the command line.
//! Nothing that Stripe or the database dates is ever held against it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// Whole seconds; 1970 begins where the clock is before it.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}
