//! What a run writes about an operation that it holds: an intent before a request leaves, its one outcome
//! afterwards, the publication, and the end.
//!
//! Bodies of requests hold parents' addresses: they are stored, and never logged.

use super::super::{Publication, Published, StoreError};
use super::{Intent, Journal, JournalError, Lease, Outcome, StepId};
use crate::saga::Operation;

const INTEND: &str = "journal an intent";
const CONCLUDE: &str = "journal an outcome";
pub(super) const PUBLISH: &str = "publish the link of an order";
const CLOSE: &str = "close an operation of the journal";
const RELEASE: &str = "release an operation of the journal";
const RENEW: &str = "renew a lease";

/// A change of an operation that is held.
pub(super) enum Deed<'a> {
    Intend {
        operation: &'a Operation,
        intent: &'a Intent,
        id: &'a StepId,
    },
    Conclude {
        operation: &'a Operation,
        step: &'a StepId,
        outcome: &'a Outcome,
    },
    Publish {
        published: &'a Operation,
        publication: &'a Publication,
        id: &'a StepId,
    },
    Close {
        operation: &'a Operation,
        done: bool,
    },
    Release,
    Renew,
}

impl Deed<'_> {
    /// For messages: "the database could not …".
    pub fn what(&self) -> &'static str {
        match self {
            Deed::Intend { .. } => INTEND,
            Deed::Conclude { .. } => CONCLUDE,
            Deed::Publish { .. } => PUBLISH,
            Deed::Close { .. } => CLOSE,
            Deed::Release => RELEASE,
            Deed::Renew => RENEW,
        }
    }
}

impl Journal {
    /// Commits what is about to be sent, and the operation as it then stands. Nothing may be sent before.
    ///
    /// # Errors
    /// The lease is lost, or the intent is not surely committed: in both cases nothing may be sent.
    pub async fn intend(
        &self,
        lease: &Lease,
        operation: &Operation,
        intent: &Intent,
    ) -> Result<StepId, JournalError> {
        let id = &StepId::new();
        let deed = Deed::Intend {
            operation,
            intent,
            id,
        };
        self.change(lease, &deed).await?;
        Ok(id.clone())
    }

    /// Commits what came of a step, and the operation as it then stands.
    ///
    /// # Errors
    /// The lease is lost, or the step has its outcome already.
    pub async fn conclude(
        &self,
        lease: &Lease,
        operation: &Operation,
        step: StepId,
        outcome: &Outcome,
    ) -> Result<(), JournalError> {
        let deed = Deed::Conclude {
            operation,
            step: &step,
            outcome,
        };
        self.change(lease, &deed).await.map(drop)
    }

    /// Writes the link into the order's row by compare-and-set, the operation's new state and a step, all in
    /// one transaction: either the row holds the link and the journal says so, or neither.
    ///
    /// # Errors
    /// The lease is lost; [`StoreError::CommitUnknown`] when the link may or may not be in the row. After every
    /// other error it is not.
    pub async fn publish(
        &self,
        lease: &Lease,
        published: &Operation,
        publication: &Publication,
    ) -> Result<Published, JournalError> {
        publication.check_length()?;
        let deed = Deed::Publish {
            published,
            publication,
            id: &StepId::new(),
        };
        let changed = self.change(lease, &deed).await;
        changed.map_err(|error| match error {
            JournalError::Store(StoreError::JournalUnknown { detail, .. }) => {
                let order = publication.order;
                StoreError::CommitUnknown { order, detail }.into()
            }
            other => other,
        })
    }

    /// Ends the operation. `done`: what was approved is done. What an ending leaves live is recorded.
    ///
    /// # Errors
    /// The lease is lost, or the end is not surely committed.
    pub async fn close(
        &self,
        lease: &Lease,
        operation: &Operation,
        done: bool,
    ) -> Result<(), JournalError> {
        self.change(lease, &Deed::Close { operation, done }).await?;
        self.leases.lost(&lease.token);
        Ok(())
    }

    /// Leaves the operation open for the next run: only the lease is given up.
    ///
    /// # Errors
    /// The lease is lost, or its end is not surely committed. It ends by itself then.
    pub async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.change(lease, &Deed::Release).await?;
        self.leases.lost(&lease.token);
        Ok(())
    }

    /// Extends the lease, if it is still ours; false: the operation is somebody else's now.
    ///
    /// # Errors
    /// Whether it is ours is not known: nothing may be sent.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        match self.change(lease, &Deed::Renew).await {
            Ok(_) => Ok(true),
            Err(JournalError::Fenced) => Ok(false),
            Err(JournalError::Store(error)) => Err(error),
        }
    }

    /// Whether the lease was renewed recently enough to send a request under it. A request may take long to
    /// leave and to be answered; the lease must outlast it.
    #[must_use]
    pub fn may_send(&self, lease: &Lease) -> bool {
        let within = self.timings.send_within;
        self.leases.is_fresh(&lease.token, within)
    }
}
