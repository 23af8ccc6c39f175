//! One index for all orders that are in flight together, and the reading that serves those who wait together.
//!
//! Nobody who asks for a current index is served by a reading that began before the question. A reading that
//! failed is the failure of whoever asked before it began, and of nobody else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Client, Index, StripeError};

/// Of all requests that the budget allows, so many may be spent on keeping the index current.
const SHARE: f64 = 0.04;
/// Until so many were spent nobody waits for that: a small run is over before it matters.
const FREE: u64 = 30;
/// So much more often where that is at no other request's cost: orders that wait for the index keep others from being begun.
const WITH_ROOM: u32 = 4;
/// How often who waits looks whether there is room.
const LOOK: Duration = Duration::from_millis(20);
/// What a client without a budget is taken to be allowed, requests a second: those who wait are served together there too.
const UNLIMITED: f64 = 1000.0;
/// Seconds.
const LONGEST_PAUSE: f64 = 5.0;

#[derive(Debug)]
pub struct SharedIndex {
    index: Index,
    /// How many refreshes have begun.
    begun: AtomicU64,
    turn: Mutex<Turn>,
}

/// Held by whoever refreshes.
#[derive(Debug, Default)]
struct Turn {
    /// The number of the latest refresh that succeeded.
    refreshed: u64,
    /// The number of the latest one that failed, and why.
    failed: Option<(u64, StripeError)>,
    /// Requests that refreshes took so far.
    spent: u64,
    /// When the latest one began, and the pause after it.
    latest: Option<(Instant, Duration)>,
}

impl SharedIndex {
    #[must_use]
    pub fn new(index: Index) -> Self {
        SharedIndex {
            index,
            begun: AtomicU64::new(0),
            turn: Mutex::default(),
        }
    }

    /// The index as it is.
    #[must_use]
    pub fn latest(&self) -> &Index {
        &self.index
    }

    /// The index with everything in it that Stripe lists since, when this is called, but for what it lists late.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    pub async fn current(&self, client: &Client) -> Result<&Index, StripeError> {
        // Before the wait: whatever begins from here on sees what there was to see.
        let asked = self.begun.load(Ordering::SeqCst);
        let mut turn = self.turn.lock().await;
        if turn.refreshed <= asked {
            // It began after the question, and would not fare better again for each who waited.
            if let Some((number, error)) = &turn.failed
                && *number > asked
            {
                return Err(error.clone());
            }
            if let Some((began, pause)) = turn.latest {
                wait(began, pause, client).await;
            }
            // Who came during the sleep is served as well.
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let started = Instant::now();
            let requests = match self.index.refresh(client).await {
                Ok(requests) => requests,
                Err(error) => {
                    turn.failed = Some((number, error.clone()));
                    return Err(error);
                }
            };
            let per_second = client.pace().map_or(UNLIMITED, |pace| pace.account);
            turn.spent += requests;
            turn.latest = (turn.spent > FREE).then(|| (started, pause(requests, per_second)));
            turn.refreshed = number;
        }
        Ok(&self.index)
    }
}

async fn wait(began: Instant, pause: Duration, client: &Client) {
    let (at_least, at_most) = (began + pause / WITH_ROOM, began + pause);
    tokio::time::sleep_until(at_least).await;
    while Instant::now() < at_most && client.is_busy() {
        tokio::time::sleep_until(at_most.min(Instant::now() + LOOK)).await;
    }
}

/// So long that a refresh of so many requests takes no more than its share, and no longer than orders can wait.
fn pause(requests: u64, per_second: f64) -> Duration {
    let seconds = requests as f64 / (per_second * SHARE);
    Duration::from_secs_f64(seconds.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshes_take_their_share_of_the_budget_and_nobody_waits_for_long() {
        assert_eq!(pause(2, 100.0), Duration::from_millis(500));
        assert_eq!(pause(2, 20.0), Duration::from_millis(2500));
        assert_eq!(pause(75, 20.0), Duration::from_secs(5));
        assert_eq!(pause(2, 0.01), Duration::from_secs(5));
    }
}
