//! Runs that a test ends by SIGKILL, or asks to stop, each at the very place that it names: while a request to Stripe is
//! under way, or right after a commit.
//!
//! It judges nothing: what is left behind is the test's to look at.

use std::time::Duration;

use serde_json::Value;

use super::{Output, Running, World};
use crate::support::kill_points::{self, KillPoints};

impl World {
    /// While the request that `rule` parks is under way. Stripe carries it out all the same.
    pub async fn kill_at(&self, args: &[&str], rule: Value) {
        let parked = self.kill_while_parked(args, rule).await;
        self.release(parked).await;
        self.clear_faults().await;
    }

    /// The same, but the request is lost on its way.
    pub async fn kill_unheard(&self, args: &[&str], rule: Value) {
        let parked = self.kill_while_parked(args, rule).await;
        self.drop_parked(parked).await;
        self.clear_faults().await;
    }

    /// The run is gone, and what it asked for is still parked.
    pub async fn kill_while_parked(&self, args: &[&str], rule: Value) -> u64 {
        self.fault(rule).await;
        let running = self.spawn(args);
        let parked = self.wait_for_parked().await;
        running.signal("KILL");
        running.finish().await;
        parked
    }

    /// Right after the first commit whose transaction is this one, in the words of its errors.
    pub async fn kill_after_the_commit(&self, args: &[&str], what: &str) {
        let points = KillPoints::listen().await;
        let mut command = self.command(args);
        command.env(kill_points::ADDRESS, points.address());
        let running = Running::start(command);
        loop {
            let reached = points.next().await;
            if !reached.before && reached.what == what {
                break running.signal("KILL");
            }
            reached.go_on();
        }
        running.finish().await;
    }

    /// Runs the command, which hears a signal right after its first commit of this transaction.
    pub async fn signal_after_the_commit(&self, args: &[&str], what: &str, signal: &str) -> Output {
        let points = KillPoints::listen().await;
        let mut command = self.command(args);
        command.env(kill_points::ADDRESS, points.address());
        let mut running = Running::start(command);
        let mut is_told = false;
        while !running.has_ended() {
            let Some(reached) = points.next_within(Duration::from_millis(500)).await else {
                continue;
            };
            if !reached.before && reached.what == what && !is_told {
                running.signal(signal);
                tokio::time::sleep(Duration::from_millis(200)).await;
                is_told = true;
            }
            reached.go_on();
        }
        assert!(is_told, "it never came to `{what}`");
        running.finish().await
    }
}
