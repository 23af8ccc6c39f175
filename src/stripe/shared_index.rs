//! One index for all orders that are in flight together, and the reading that serves those who wait together.
//!
//! Nobody who asks for a current index is served by a reading that began before the question. A reading that
//! failed is the failure of whoever made it, and of nobody else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::{Client, Index, StripeError};

#[derive(Debug)]
pub struct SharedIndex {
    index: RwLock<Arc<Index>>,
    /// How many refreshes have begun.
    begun: AtomicU64,
    /// The number of the latest refresh that succeeded. Whoever refreshes holds it meanwhile.
    refreshed: Mutex<u64>,
}

impl SharedIndex {
    #[must_use]
    pub fn new(index: Index) -> Self {
        SharedIndex {
            index: RwLock::new(Arc::new(index)),
            begun: AtomicU64::new(0),
            refreshed: Mutex::new(0),
        }
    }

    /// The index as it is. It does not change in the reader's hands.
    #[must_use]
    pub fn latest(&self) -> Arc<Index> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&index)
    }

    /// The index with everything in it that Stripe showed when this was called.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    pub async fn current(&self, client: &Client) -> Result<Arc<Index>, StripeError> {
        // Before the wait: whatever begins from here on sees what there was to see.
        let asked = self.begun.load(Ordering::SeqCst);
        let mut refreshed = self.refreshed.lock().await;
        if *refreshed <= asked {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let mut index = Index::clone(&self.latest());
            index.refresh(client).await?;
            *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
            *refreshed = number;
        }
        Ok(self.latest())
    }
}
