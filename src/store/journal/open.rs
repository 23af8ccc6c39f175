//! stub
use super::super::{Store, StoreError};
use crate::domain::{AccountId, Mode};

impl Store {
    pub async fn open_journal(&self) -> Result<(), StoreError> {
        Err(super::todo("create the journal"))
    }
    pub async fn pinned_account(&self, _mode: Mode) -> Result<Option<AccountId>, StoreError> {
        Ok(None)
    }
}
