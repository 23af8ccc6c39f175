//! What a run writes about an operation that it holds: an intent before a request leaves, its one outcome
//! afterwards, the publication, and the end.
//!
//! Bodies of requests hold parents' addresses: they are stored, and never logged.

use sqlx::{AssertSqlSafe, Row};

use super::super::{Publication, Published, StoreError};
use super::change::{Work, Writing};
use super::lease::micros;
use super::{Intent, Journal, JournalError, Lease, Outcome, OutcomeKind, StepAction, StepId};
use crate::domain::OrderId;
use crate::saga::{Ending, Operation, State};

const INTEND: &str = "journal an intent";
const CONCLUDE: &str = "journal an outcome";
const PUBLISH: &str = "publish the link of an order";
const CLOSE: &str = "close an operation of the journal";
const RELEASE: &str = "release an operation of the journal";
const RENEW: &str = "renew a lease";

/// A row of `steps`.
struct Step<'a> {
    id: &'a StepId,
    order: Option<OrderId>,
    attempt: u32,
    action: StepAction,
    object: Option<&'a str>,
    key: Option<&'a str>,
    api_version: Option<&'a str>,
    body: Option<&'a str>,
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
        let id = StepId::new();
        let step = Step {
            id: &id,
            order: operation.order,
            attempt: intent.attempt,
            action: intent.action,
            object: intent.object.as_ref().map(|object| object.as_str()),
            key: Some(intent.write.key.as_str()),
            api_version: Some(&intent.write.api_version),
            body: Some(&intent.write.body),
        };
        self.change(lease, INTEND, async |transaction, name| {
            if intent.action == StepAction::Mint {
                self.date_mint(transaction, lease, operation, intent)
                    .await?;
            }
            self.save(transaction, INTEND, lease, operation, name)
                .await?;
            self.add_step(transaction, INTEND, lease, &step).await?;
            Ok(Work::Commit(()))
        })
        .await?;
        Ok(id)
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
        self.change(lease, CONCLUDE, async |transaction, name| {
            self.save(transaction, CONCLUDE, lease, operation, name)
                .await?;
            self.add_outcome(transaction, CONCLUDE, lease, &step, outcome)
                .await?;
            Ok(Work::Commit(()))
        })
        .await
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
        let id = StepId::new();
        let step = Step {
            id: &id,
            order: Some(publication.order),
            attempt: published.attempt,
            action: StepAction::Publish,
            object: Some(publication.link.as_str()),
            key: None,
            api_version: None,
            body: None,
        };
        let outcome = Outcome {
            kind: OutcomeKind::Done,
            result_id: Some(publication.link.to_string()),
            result_url: Some(publication.url.clone()),
            request_id: None,
            error: None,
        };
        let changed = self
            .change(lease, PUBLISH, async |transaction, name| {
                match self.store.set_link(transaction, publication).await? {
                    Published::RowMoved => return Ok(Work::Leave(Published::RowMoved)),
                    Published::Done => {}
                }
                self.save(transaction, PUBLISH, lease, published, name)
                    .await?;
                self.date_publication(transaction, lease).await?;
                self.add_step(transaction, PUBLISH, lease, &step).await?;
                self.add_outcome(transaction, PUBLISH, lease, &id, &outcome)
                    .await?;
                Ok(Work::Commit(Published::Done))
            })
            .await;
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
        let ending = match &operation.state {
            State::Ended(ending) => Some(ending),
            _ => None,
        };
        let live_left = match ending {
            Some(Ending::StillLive(live)) => serde_json::to_string(live).ok(),
            _ => None,
        };
        let sql = format!(
            "UPDATE {} SET closed_at = {}, ending = $1, is_done = $2, live_left = $3, \
             lease_token = NULL, lease_until = NULL WHERE operation_id = $4",
            self.tables.operations,
            self.now()
        );
        self.change(lease, CLOSE, async |transaction, name| {
            self.save(transaction, CLOSE, lease, operation, name)
                .await?;
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(ending.map(Ending::name))
                .bind(done)
                .bind(live_left.as_deref())
                .bind(lease.operation.as_str())
                .execute(&mut **transaction)
                .await
                .map_err(StoreError::query(CLOSE))?;
            Ok(Work::Commit(()))
        })
        .await?;
        self.leases.lost(&lease.token);
        Ok(())
    }

    /// Leaves the operation open for the next run: only the lease is given up.
    ///
    /// # Errors
    /// The lease is lost, or its end is not surely committed. It ends by itself then.
    pub async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        let sql = format!(
            "UPDATE {} SET lease_token = NULL, lease_until = NULL, last_tx = $1, updated_at = {} \
             WHERE operation_id = $2",
            self.tables.operations,
            self.now()
        );
        self.change(lease, RELEASE, async |transaction, name| {
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(name)
                .bind(lease.operation.as_str())
                .execute(&mut **transaction)
                .await
                .map_err(StoreError::query(RELEASE))?;
            Ok(Work::Commit(()))
        })
        .await?;
        self.leases.lost(&lease.token);
        Ok(())
    }

    /// Extends the lease, if it is still ours; false: the operation is somebody else's now.
    ///
    /// # Errors
    /// Whether it is ours is not known: nothing may be sent.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE {} SET lease_until = {} + $1, last_tx = $2 WHERE operation_id = $3",
            self.tables.operations,
            self.now()
        );
        let renewed = self
            .change(lease, RENEW, async |transaction, name| {
                sqlx::query(AssertSqlSafe(sql.clone()))
                    .bind(self.lease_micros())
                    .bind(name)
                    .bind(lease.operation.as_str())
                    .execute(&mut **transaction)
                    .await
                    .map_err(StoreError::query(RENEW))?;
                Ok(Work::Commit(()))
            })
            .await;
        match renewed {
            Ok(()) => Ok(true),
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

    /// The operation as it stands now, and a lease that begins anew.
    async fn save(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        lease: &Lease,
        operation: &Operation,
        name: &str,
    ) -> Result<(), StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!(
            "UPDATE {operations} SET state = $1, record = $2, attempt = $3, minted_id = $4, minted_url = $5, \
             last_tx = $6, updated_at = {now}, lease_until = {now} + $7 WHERE operation_id = $8"
        );
        let minted = operation.minted.as_ref();
        sqlx::query(AssertSqlSafe(sql))
            .bind(operation.state.name())
            .bind(operation.record())
            .bind(i64::from(operation.attempt))
            .bind(minted.map(|minted| minted.id.as_str()))
            .bind(minted.map(|minted| minted.url.as_str()))
            .bind(name)
            .bind(self.lease_micros())
            .bind(lease.operation.as_str())
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(StoreError::query(what))
    }

    /// The age of a mint counts from the first time that its key was intended: from then on Stripe may know it.
    async fn date_mint(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        operation: &Operation,
        intent: &Intent,
    ) -> Result<(), StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!(
            "UPDATE {operations} SET mint_key = $1, relink_key = $2, \
             mint_intended_at = CASE WHEN mint_key = $1 AND mint_intended_at IS NOT NULL \
             THEN mint_intended_at ELSE {now} END WHERE operation_id = $3"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(intent.write.key.as_str())
            .bind(operation.relink_key())
            .bind(lease.operation.as_str())
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(StoreError::query(INTEND))
    }

    async fn date_publication(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!("UPDATE {operations} SET published_at = {now} WHERE operation_id = $1");
        sqlx::query(AssertSqlSafe(sql))
            .bind(lease.operation.as_str())
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(StoreError::query(PUBLISH))
    }

    async fn add_step(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        lease: &Lease,
        step: &Step<'_>,
    ) -> Result<(), StoreError> {
        let (steps, now) = (self.tables.steps, self.now());
        let sql = format!(
            "INSERT INTO {steps} (step_id, operation_id, run_id, order_id, attempt, action, object, \
             idempotency_key, api_version, body, intended_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {now})"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(step.id.as_str())
            .bind(lease.operation.as_str())
            .bind(self.run.as_str())
            .bind(step.order.map(|order| order.0))
            .bind(i64::from(step.attempt))
            .bind(step.action.name())
            .bind(step.object)
            .bind(step.key)
            .bind(step.api_version)
            .bind(step.body)
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(StoreError::query(what))
    }

    async fn add_outcome(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        lease: &Lease,
        step: &StepId,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        let (steps, outcomes, now) = (self.tables.steps, self.tables.outcomes, self.now());
        let refused = |detail: String| Err(StoreError::Query { what, detail });
        let known = sqlx::query(AssertSqlSafe(format!(
            "SELECT o.outcome FROM {steps} s LEFT JOIN {outcomes} o ON o.step_id = s.step_id \
             WHERE s.step_id = $1 AND s.operation_id = $2"
        )))
        .bind(step.as_str())
        .bind(lease.operation.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(what))?;
        let Some(known) = known else {
            return refused(format!("{} is no step of this operation", step.as_str()));
        };
        let known: Option<String> = known.try_get(0).map_err(StoreError::query(what))?;
        if let Some(known) = known {
            return refused(format!("the step has its outcome already: {known}"));
        }
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {outcomes} (step_id, run_id, outcome, result_id, result_url, request_id, error, \
             concluded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, {now})"
        )))
        .bind(step.as_str())
        .bind(self.run.as_str())
        .bind(outcome.kind.name())
        .bind(outcome.result_id.as_deref())
        .bind(outcome.result_url.as_deref())
        .bind(outcome.request_id.as_deref())
        .bind(outcome.error.as_deref())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(what))
    }

    pub(super) fn now(&self) -> &'static str {
        self.store.dialect.epoch_micros()
    }

    pub(super) fn lease_micros(&self) -> i64 {
        micros(self.timings.lease)
    }
}
