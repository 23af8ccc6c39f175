//! stub
use super::super::{Publication, Published, StoreError};
use super::{Intent, Journal, JournalError, Lease, Outcome, StepId};
use crate::saga::Operation;
impl Journal {
    pub async fn intend(
        &self,
        _lease: &Lease,
        _operation: &Operation,
        _intent: &Intent,
    ) -> Result<StepId, JournalError> {
        Err(super::todo("journal an intent").into())
    }
    pub async fn conclude(
        &self,
        _lease: &Lease,
        _operation: &Operation,
        _step: StepId,
        _outcome: &Outcome,
    ) -> Result<(), JournalError> {
        Err(super::todo("journal an outcome").into())
    }
    pub async fn publish(
        &self,
        _lease: &Lease,
        _published: &Operation,
        _publication: &Publication,
    ) -> Result<Published, JournalError> {
        Err(super::todo("publish the link of an order").into())
    }
    pub async fn close(
        &self,
        _lease: &Lease,
        _operation: &Operation,
        _done: bool,
    ) -> Result<(), JournalError> {
        Err(super::todo("close an operation").into())
    }
    pub async fn release(&self, _lease: &Lease) -> Result<(), JournalError> {
        Err(super::todo("release an operation").into())
    }
    pub async fn renew(&self, _lease: &Lease) -> Result<bool, StoreError> {
        Err(super::todo("renew a lease"))
    }
    #[must_use]
    pub fn may_send(&self, _lease: &Lease) -> bool {
        false
    }
}
