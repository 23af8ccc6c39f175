//! The statements behind each change of an operation. They run in one transaction, which begins with the operation's
//! row: where that has another lease by now, nothing is written.
//!
//! A step is added once and gets one outcome; neither is ever changed.

use sqlx::{AssertSqlSafe, Row};

use super::super::{Publication, Published, StoreError};
use super::change::Writing;
use super::lease::micros;
use super::steps::{Deed, PUBLISH};
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

/// What is set in the operation's row besides its state.
enum Also<'a> {
    Nothing,
    Mint(&'a Intent),
    End { done: bool },
}

impl Journal {
    /// What the deed writes; `None`: nothing, the lease is somebody else's. It leaves `name` in `last_tx`.
    pub(super) async fn write(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        deed: &Deed<'_>,
        name: &str,
    ) -> Result<Option<Published>, StoreError> {
        let what = deed.what();
        // First of all: it locks the row, and tells whether the lease is still ours.
        let is_ours = match *deed {
            Deed::Intend {
                operation, intent, ..
            } => {
                let also = match intent.action {
                    StepAction::Mint => Also::Mint(intent),
                    StepAction::Expire | StepAction::Deactivate | StepAction::Publish => {
                        Also::Nothing
                    }
                };
                self.save(transaction, what, lease, operation, name, &also)
                    .await?
            }
            Deed::Conclude { operation, .. } => {
                self.save(transaction, what, lease, operation, name, &Also::Nothing)
                    .await?
            }
            Deed::Publish { published, .. } => {
                self.save(transaction, what, lease, published, name, &Also::Nothing)
                    .await?
            }
            Deed::Close { operation, done } => {
                let also = Also::End { done };
                self.save(transaction, what, lease, operation, name, &also)
                    .await?
            }
            Deed::Release => self.touch(transaction, what, lease, name, None).await?,
            Deed::Renew => {
                let micros = Some(self.lease_micros());
                self.touch(transaction, what, lease, name, micros).await?
            }
        };
        if !is_ours {
            return Ok(None);
        }
        match *deed {
            Deed::Intend {
                operation,
                intent,
                id,
            } => {
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
            Deed::Conclude { step, outcome, .. } => {
                self.add_outcome(transaction, what, lease, step, outcome)
                    .await?;
            }
            Deed::Publish {
                published,
                publication,
                id,
            } => {
                if self.store.set_link(transaction, publication).await? == Published::RowMoved {
                    return Ok(Some(Published::RowMoved));
                }
                self.add_publication(transaction, lease, published, publication, id)
                    .await?;
            }
            Deed::Close { .. } => {
                // An outcome that could not be journaled when it was known.
                self.conclude_unanswered(transaction, what, &lease.operation)
                    .await?;
            }
            Deed::Release | Deed::Renew => {}
        }
        Ok(Some(Published::Done))
    }

    /// The lease alone: extended, or given up. False where it is somebody else's.
    async fn touch(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        lease: &Lease,
        name: &str,
        micros: Option<i64>,
    ) -> Result<bool, StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let sql = format!(
            "UPDATE {operations} SET lease_until = {now} + $1, last_tx = $2, updated_at = {now}, \
             lease_token = $3 WHERE operation_id = $4 AND lease_token = $5"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(micros)
            .bind(name)
            .bind(micros.map(|_| lease.token.as_str()))
            .bind(lease.operation.as_str())
            .bind(lease.token.as_str())
            .execute(&mut **transaction)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(StoreError::query(what))
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
        // By the time after the wait for the order's row: lists of what was stored since some moment go by it.
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

    /// The operation as it stands now, with a lease that begins anew, or ends with it. False where the lease is
    /// somebody else's.
    async fn save(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        lease: &Lease,
        operation: &Operation,
        name: &str,
        also: &Also<'_>,
    ) -> Result<bool, StoreError> {
        let (operations, now) = (self.tables.operations, self.now());
        let renewed = format!("lease_until = {now} + $9");
        let rest = match also {
            Also::Nothing => renewed,
            // The age of a mint counts from the first time that its key was intended: from then on Stripe may know it.
            Also::Mint(_) => format!(
                "{renewed}, mint_key = $10, relink_key = $11, mint_intended_at = CASE WHEN mint_key = $10 \
                 AND mint_intended_at IS NOT NULL THEN mint_intended_at ELSE {now} END"
            ),
            Also::End { .. } => format!(
                "lease_until = NULL, lease_token = NULL, closed_at = {now}, ending = $9, is_done = $10, \
                 live_left = $11"
            ),
        };
        let sql = format!(
            "UPDATE {operations} SET state = $1, record = $2, attempt = $3, minted_id = $4, minted_url = $5, \
             last_tx = $6, updated_at = {now}, {rest} WHERE operation_id = $7 AND lease_token = $8"
        );
        let minted = operation.minted.as_ref();
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(operation.state.name())
            .bind(operation.record())
            .bind(i64::from(operation.attempt))
            .bind(minted.map(|minted| minted.id.as_str()))
            .bind(minted.map(|minted| minted.url.as_str()))
            .bind(name)
            .bind(lease.operation.as_str())
            .bind(lease.token.as_str());
        let query = match also {
            Also::Nothing => query.bind(self.lease_micros()),
            Also::Mint(intent) => query
                .bind(self.lease_micros())
                .bind(intent.write.key.as_str())
                .bind(operation.relink_key()),
            Also::End { done } => {
                let ending = match &operation.state {
                    State::Ended(ending) => Some(ending),
                    _ => None,
                };
                query
                    .bind(ending.map(Ending::name))
                    .bind(*done)
                    .bind(ending.and_then(live_left))
            }
        };
        query
            .execute(&mut **transaction)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(StoreError::query(what))
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
        let added = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {outcomes} (step_id, run_id, outcome, result_id, result_url, request_id, error, \
             concluded_at) SELECT s.step_id, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
             CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT), {now} FROM {steps} s \
             WHERE s.step_id = $1 AND s.operation_id = $8 ON CONFLICT DO NOTHING"
        )))
        .bind(step.as_str())
        .bind(self.run.as_str())
        .bind(outcome.kind.name())
        .bind(outcome.result_id.as_deref())
        .bind(outcome.result_url.as_deref())
        .bind(outcome.request_id.as_deref())
        .bind(outcome.error.as_deref())
        .bind(lease.operation.as_str())
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(what))?;
        if added.rows_affected() == 1 {
            return Ok(());
        }
        let known = sqlx::query(AssertSqlSafe(format!(
            "SELECT o.outcome FROM {steps} s JOIN {outcomes} o ON o.step_id = s.step_id \
             WHERE s.step_id = $1 AND s.operation_id = $2"
        )))
        .bind(step.as_str())
        .bind(lease.operation.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(what))?;
        let known: Option<String> = known
            .map(|row| row.try_get(0))
            .transpose()
            .map_err(StoreError::query(what))?;
        Err(StoreError::Query {
            what,
            detail: match known {
                Some(known) => format!("the step has its outcome already: {known}"),
                None => format!("{} is no step of this operation", step.as_str()),
            },
        })
    }

    pub(super) fn now(&self) -> &'static str {
        self.store.dialect.epoch_micros()
    }

    pub(super) fn lease_micros(&self) -> i64 {
        micros(self.timings.lease)
    }
}

/// The objects that this ending leaves open, as JSON.
fn live_left(ending: &Ending) -> Option<String> {
    match ending {
        Ending::StillLive(live) => serde_json::to_string(live).ok(),
        _ => None,
    }
}
