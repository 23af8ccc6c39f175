//! Requests held at a named point until somebody lets them go on or drops them. A parked request outlives its
//! client's connection: Stripe would carry it out too.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Notify, oneshot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    GoOn,
    /// The connection is reset; a request parked before its effect never has it.
    Drop,
}

/// The last id given, and what is held under which.
#[derive(Debug, Default)]
struct Held {
    last: u64,
    by_id: BTreeMap<u64, (Value, oneshot::Sender<Release>)>,
}

#[derive(Debug, Default)]
pub(super) struct Parking {
    held: Mutex<Held>,
    changed: Notify,
}

impl Parking {
    /// Holds the caller until it is released. `about` is what `GET /_sandbox/parked` tells.
    pub async fn park(&self, mut about: Value) -> Release {
        let (sender, receiver) = oneshot::channel();
        {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.last += 1;
            let id = held.last;
            about["id"] = id.into();
            held.by_id.insert(id, (about, sender));
        }
        self.changed.notify_waiters();
        receiver.await.unwrap_or(Release::Drop)
    }

    pub fn release(&self, id: u64, how: Release) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.by_id
            .remove(&id)
            .is_some_and(|(_, sender)| sender.send(how).is_ok())
    }

    pub fn release_all(&self, how: Release) {
        let held = std::mem::take(
            &mut self
                .held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .by_id,
        );
        for (_, sender) in held.into_values() {
            let _ = sender.send(how);
        }
    }

    fn listed(&self) -> Vec<Value> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.by_id
            .values()
            .map(|(about, _)| about.clone())
            .collect()
    }

    /// What is held, as soon as `count` requests are, or when `wait` is over.
    pub async fn wait(&self, count: usize, wait: Duration) -> Vec<Value> {
        let until = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that a request parked in between is not missed.
            changed.as_mut().enable();
            let listed = self.listed();
            let left = until.saturating_duration_since(Instant::now());
            if listed.len() >= count || left.is_zero() {
                return listed;
            }
            let _ = tokio::time::timeout(left, changed).await;
        }
    }
}
