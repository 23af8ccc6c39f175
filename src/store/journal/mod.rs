//! stub
use super::{Publication, Published, Store, StoreError};
use crate::actions::StripeWrite;
use crate::domain::*;
use crate::exit::ExitStatus;
use crate::saga::Operation;
use crate::stripe::Timings;
use std::collections::BTreeMap;
pub struct NewRun {
    pub id: RunId,
    pub command: String,
    pub os_user: String,
    pub host: String,
    pub version: &'static str,
    pub mode: Mode,
    pub account: AccountId,
    pub plan_digest: String,
    pub reason: Option<String>,
}
pub struct Journal {
    run: RunId,
}
pub struct Lease;
#[derive(Clone, Copy)]
pub struct StepId(pub i64);
pub enum Subject {
    Order(OrderId),
    Object(CheckoutReference),
}
pub enum Claim {
    Fresh {
        lease: Lease,
        attempt: u32,
    },
    TakenOver {
        lease: Lease,
        operation: Operation,
        mint_age: Option<i64>,
    },
    Held(Holder),
}
pub struct Holder;
impl std::fmt::Display for Holder {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StepAction {
    Expire,
    Deactivate,
    Mint,
    Publish,
}
pub enum OutcomeKind {
    Done,
    Refused,
    Unknown,
}
pub struct Outcome {
    pub kind: OutcomeKind,
    pub result_id: Option<String>,
    pub result_url: Option<String>,
    pub request_id: Option<String>,
    pub error: Option<String>,
}
pub struct Intent {
    pub action: StepAction,
    pub object: Option<CheckoutReference>,
    pub attempt: u32,
    pub write: StripeWrite,
}
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("fenced")]
    Fenced,
    #[error("{0}")]
    Store(StoreError),
}
impl Store {
    pub async fn open_journal(&self) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn pinned_account(&self, _mode: Mode) -> Result<Option<AccountId>, StoreError> {
        todo!()
    }
    pub async fn begin_run(&self, _run: NewRun, _timings: Timings) -> Result<Journal, StoreError> {
        todo!()
    }
    pub async fn journal_facts(
        &self,
        _mode: Mode,
        _orders: &[OrderId],
    ) -> Result<BTreeMap<OrderId, JournalFacts>, StoreError> {
        todo!()
    }
    pub async fn open_objects(&self, _mode: Mode) -> Result<Vec<CheckoutReference>, StoreError> {
        todo!()
    }
}
impl Journal {
    pub fn run(&self) -> &RunId {
        &self.run
    }
    pub async fn claim(&self, _s: &Subject, _f: &Operation) -> Result<Claim, StoreError> {
        todo!()
    }
    pub async fn intend(
        &self,
        _l: &Lease,
        _o: &Operation,
        _i: &Intent,
    ) -> Result<StepId, JournalError> {
        todo!()
    }
    pub async fn conclude(
        &self,
        _l: &Lease,
        _o: &Operation,
        _s: StepId,
        _out: &Outcome,
    ) -> Result<(), JournalError> {
        todo!()
    }
    pub async fn publish(
        &self,
        _l: &Lease,
        _o: &Operation,
        _p: &Publication,
    ) -> Result<Published, JournalError> {
        todo!()
    }
    pub async fn close(&self, _l: &Lease, _o: &Operation, _d: bool) -> Result<(), JournalError> {
        todo!()
    }
    pub async fn release(&self, _l: &Lease) -> Result<(), JournalError> {
        todo!()
    }
    pub async fn renew(&self, _l: &Lease) -> Result<bool, StoreError> {
        todo!()
    }
    pub fn may_send(&self, _l: &Lease) -> bool {
        todo!()
    }
    pub async fn finish(self, _s: ExitStatus) -> Result<(), StoreError> {
        todo!()
    }
}
