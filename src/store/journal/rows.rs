//! The statements behind each change of an operation. They run in a transaction that has locked the operation's
//! row and checked its lease, and nowhere else.
//!
//! A step is added once and gets one outcome; neither is ever changed.

use sqlx::{AssertSqlSafe, Row};

use super::super::{Publication, Published, StoreError};
use super::change::Writing;
use super::lease::micros;
use super::steps::{CLOSE, Deed, INTEND, PUBLISH};
use super::{Intent, Journal, Lease, Outcome, OutcomeKind, StepAction, StepId};
use crate::domain::OrderId;
use crate::saga::{Ending, Operation, State};

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
    /// What the deed writes, in a transaction that has checked the lease. It leaves `name` in `last_tx`.
    pub(super) async fn write(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        deed: &Deed<'_>,
        name: &str,
    ) -> Result<Published, StoreError> {
        let what = deed.what();
        match *deed {
            Deed::Intend {
                operation,
                intent,
                id,
            } => {
                if intent.action == StepAction::Mint {
                    self.date_mint(transaction, lease, operation, intent)
                        .await?;
                }
                self.save(transaction, what, lease, operation, name).await?;
                let step = Step {
                    id,
                    order: operation.order,
                    attempt: intent.attempt,
                    action: intent.action,
                    object: intent.object.as_ref().map(|object| object.as_str()),
                    key: Some(intent.write.key.as_str()),
                    api_version: Some(&intent.write.api_version),
                    body: Some(&intent.write.body),
                };
                self.add_step(transaction, what, lease, &step).await?;
            }
            Deed::Conclude {
                operation,
                step,
                outcome,
            } => {
                self.save(transaction, what, lease, operation, name).await?;
                self.add_outcome(transaction, what, lease, step, outcome)
                    .await?;
            }
            Deed::Publish {
                published,
                publication,
                id,
            } => {
                if self.store.set_link(transaction, publication).await? == Published::RowMoved {
                    return Ok(Published::RowMoved);
                }
                self.save(transaction, what, lease, published, name).await?;
                self.add_publication(transaction, lease, published, publication, id)
                    .await?;
            }
            Deed::Close { operation, done } => {
                self.save(transaction, what, lease, operation, name).await?;
                // An outcome that could not be journaled when it was known.
                self.conclude_unanswered(transaction, &lease.operation)
                    .await?;
                self.end(transaction, lease, operation, done).await?;
            }
            Deed::Release => self.touch(transaction, what, lease, name, None).await?,
            Deed::Renew => {
                let micros = Some(self.lease_micros());
                self.touch(transaction, what, lease, name, micros).await?;
            }
        }
        Ok(Published::Done)
    }

    /// The lease alone: extended, or given up.
    async fn touch(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        lease: &Lease,
        name: &str,
        micros: Option<i64>,
    ) -> Result<(), StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!(
            "UPDATE {operations} SET lease_until = {now} + $1, last_tx = $2, updated_at = {now}, \
             lease_token = $3 WHERE operation_id = $4"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(micros)
            .bind(name)
            .bind(micros.map(|_| lease.token.as_str()))
            .bind(lease.operation.as_str())
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(StoreError::query(what))
    }

    async fn end(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        operation: &Operation,
        done: bool,
    ) -> Result<(), StoreError> {
        let ending = match &operation.state {
            State::Ended(ending) => Some(ending),
            _ => None,
        };
        let live_left = match ending {
            Some(Ending::StillLive(live)) => serde_json::to_string(live).ok(),
            _ => None,
        };
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!(
            "UPDATE {operations} SET closed_at = {now}, ending = $1, is_done = $2, live_left = $3, \
             lease_token = NULL, lease_until = NULL WHERE operation_id = $4"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(ending.map(Ending::name))
            .bind(done)
            .bind(live_left)
            .bind(lease.operation.as_str())
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(StoreError::query(CLOSE))
    }

    /// That the row holds the link is a step as well, with its outcome.
    async fn add_publication(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        published: &Operation,
        publication: &Publication,
        id: &StepId,
    ) -> Result<(), StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!("UPDATE {operations} SET published_at = {now} WHERE operation_id = $1");
        sqlx::query(AssertSqlSafe(sql))
            .bind(lease.operation.as_str())
            .execute(&mut **transaction)
            .await
            .map_err(StoreError::query(PUBLISH))?;
        let step = Step {
            id,
            order: Some(publication.order),
            attempt: published.attempt,
            action: StepAction::Publish,
            object: Some(publication.link.as_str()),
            key: None,
            api_version: None,
            body: None,
        };
        self.add_step(transaction, PUBLISH, lease, &step).await?;
        let outcome = Outcome {
            kind: OutcomeKind::Done,
            result_id: Some(publication.link.to_string()),
            result_url: Some(publication.url.clone()),
            request_id: None,
            error: None,
        };
        self.add_outcome(transaction, PUBLISH, lease, id, &outcome)
            .await
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
