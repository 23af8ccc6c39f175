//! stub
use std::collections::BTreeMap;

use super::super::{Store, StoreError};
use crate::domain::{CheckoutReference, JournalFacts, Mode, OrderId};

impl Store {
    pub async fn journal_facts(
        &self,
        _mode: Mode,
        _orders: &[OrderId],
    ) -> Result<BTreeMap<OrderId, JournalFacts>, StoreError> {
        Ok(BTreeMap::new())
    }
    pub async fn open_objects(&self, _mode: Mode) -> Result<Vec<CheckoutReference>, StoreError> {
        Ok(Vec::new())
    }
}
