//! Claiming one subject: its open operation is taken over if its holder is gone, left alone if not, and begun if
//! there is none.
//!
//! Nobody waits for another's orders: what another transaction has is held, and that is the answer.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::super::StoreError;
use super::change::{Settling, Work, Writing};
use super::holder::Held;
use super::lease::Moment;
use super::life::lock_number;
use super::{Claim, Holder, Journal, Lease, OutcomeKind, StepAction, Subject};
use crate::saga::Operation;

const CLAIM: &str = "claim an order";
/// Another claim of the same subject is a matter of milliseconds: its result is worth looking for a few times.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const CUT_SHORT: &str = "the run ended before the answer was journaled";

/// What one transaction found.
#[derive(Clone)]
enum Found {
    Claimed(Claim),
    /// Another claim of the same subject is under way.
    Contended(Option<Holder>),
}

/// One claim: its names are drawn once, so that it can be found again after a lost answer.
struct Attempt<'a> {
    subject: &'a Subject,
    fresh: &'a Operation,
    operation: String,
    token: String,
    transaction: String,
}

impl Journal {
    /// Takes the subject for this run, or says who has it. `fresh` is journaled if nothing is open, with the
    /// attempt that the claim names.
    ///
    /// # Errors
    /// [`StoreError::UnreadableJournal`] for an open operation that this relink cannot read; besides it, what
    /// any query can meet. Whatever the error, nothing may be sent.
    pub async fn claim(&self, subject: &Subject, fresh: &Operation) -> Result<Claim, StoreError> {
        let asked = Moment::now();
        let attempt = Attempt {
            subject,
            fresh,
            operation: Uuid::now_v7().to_string(),
            token: Uuid::new_v4().to_string(),
            transaction: Uuid::new_v4().to_string(),
        };
        let mut holder = None;
        for _ in 0..LOOKS {
            match self.claim_once(&attempt).await? {
                Found::Claimed(claim) => {
                    if let Claim::Fresh { lease, .. } | Claim::TakenOver { lease, .. } = &claim {
                        self.leases.renewed(&lease.token, asked);
                    }
                    return Ok(claim);
                }
                Found::Contended(seen) => holder = seen,
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(Claim::Held(holder.unwrap_or_else(Holder::unnamed)))
    }

    async fn claim_once(&self, attempt: &Attempt<'_>) -> Result<Found, StoreError> {
        let mut settling = Settling::new(&self.store, CLAIM);
        loop {
            let mut transaction = settling.begin().await?;
            let lost = settling.lost();
            let work = self.look(&mut transaction, attempt, lost).await;
            if let Some(found) = settling.conclude(transaction, work).await? {
                return Ok(found);
            }
        }
    }

    async fn look(
        &self,
        transaction: &mut Writing,
        attempt: &Attempt<'_>,
        lost: Option<Found>,
    ) -> Result<Work<Found>, StoreError> {
        let dialect = self.store.dialect;
        if lost.is_some() {
            self.wait_for_lock(transaction, attempt.subject).await?;
        } else if !self.try_lock(transaction, attempt.subject).await? {
            let seen = self.open_row(transaction, attempt.subject, "").await?;
            let holder = seen.map(|row| Held::read(&row)).transpose()?;
            return Ok(Work::Leave(Found::Contended(
                holder.map(|held| held.holder),
            )));
        }
        if lost.is_none()
            && self
                .open_row(transaction, attempt.subject, "")
                .await?
                .is_none()
        {
            return self.begin(transaction, attempt).await;
        }
        // After a lost answer the row is waited for: it may be ours, with its commit under way.
        let lock = match lost {
            Some(_) => dialect.row_lock_of("o"),
            None => dialect.skip_locked("o"),
        };
        let row = self.open_row(transaction, attempt.subject, &lock).await?;
        if let Some(row) = row {
            return self.found_open(transaction, attempt, &row, lost).await;
        }
        // None any more, or one that its holder is changing just now.
        if let Some(row) = self.open_row(transaction, attempt.subject, "").await? {
            return held(Held::read(&row)?.holder);
        }
        self.begin(transaction, attempt).await
    }

    async fn found_open(
        &self,
        transaction: &mut Writing,
        attempt: &Attempt<'_>,
        row: &AnyRow,
        lost: Option<Found>,
    ) -> Result<Work<Found>, StoreError> {
        let last: String = row.try_get("last_tx").map_err(StoreError::query(CLAIM))?;
        if let Some(found) = lost
            && last == attempt.transaction
        {
            return Ok(Work::Leave(found));
        }
        let holder = Held::read(row)?;
        if !self.is_gone(transaction, &holder).await? {
            return held(holder.holder);
        }
        self.take_over(transaction, attempt, row).await
    }

    /// The operation as another run left it.
    async fn take_over(
        &self,
        transaction: &mut Writing,
        attempt: &Attempt<'_>,
        row: &AnyRow,
    ) -> Result<Work<Found>, StoreError> {
        let id: String = row
            .try_get("operation_id")
            .map_err(StoreError::query(CLAIM))?;
        let record: String = row.try_get("record").map_err(StoreError::query(CLAIM))?;
        let mint_age: Option<i64> = row.try_get("mint_age").map_err(StoreError::query(CLAIM))?;
        let operation =
            Operation::from_record(&record).map_err(|error| StoreError::UnreadableJournal {
                subject: attempt.subject.to_string(),
                detail: error.to_string(),
            })?;
        let (operations, now) = (self.tables.operations, self.now());
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {operations} SET held_by = $1, held_since = {now}, lease_token = $2, \
             lease_until = {now} + $3, last_tx = $4, updated_at = {now} WHERE operation_id = $5"
        )))
        .bind(self.run.as_str())
        .bind(attempt.token.as_str())
        .bind(self.lease_micros())
        .bind(attempt.transaction.as_str())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(CLAIM))?;
        self.conclude_unanswered(transaction, CLAIM, &id).await?;
        Ok(Work::Commit(Found::Claimed(Claim::TakenOver {
            lease: Lease {
                operation: id,
                token: attempt.token.clone(),
            },
            operation: Box::new(operation),
            mint_age,
        })))
    }

    /// Whoever intended them will not say any more what came of it.
    pub(super) async fn conclude_unanswered(
        &self,
        transaction: &mut Writing,
        what: &'static str,
        operation: &str,
    ) -> Result<(), StoreError> {
        let (steps, outcomes, now) = (self.tables.steps, self.tables.outcomes, self.now());
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {outcomes} (step_id, run_id, outcome, error, concluded_at) \
             SELECT s.step_id, $1, $2, $3, {now} FROM {steps} s WHERE s.operation_id = $4 \
             AND NOT EXISTS (SELECT 1 FROM {outcomes} o WHERE o.step_id = s.step_id)"
        )))
        .bind(self.run.as_str())
        .bind(OutcomeKind::Unknown.name())
        .bind(CUT_SHORT)
        .bind(operation)
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(what))
    }

    /// A new operation.
    async fn begin(
        &self,
        transaction: &mut Writing,
        attempt: &Attempt<'_>,
    ) -> Result<Work<Found>, StoreError> {
        let number = self.next_attempt(transaction, attempt).await?;
        // Whoever takes it over goes on with the same attempt.
        let operation = Operation {
            attempt: number,
            ..attempt.fresh.clone()
        };
        let (operations, now) = (self.tables.operations, self.now());
        let reference = operation.expected.reference.as_ref();
        let added = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {operations} (operation_id, subject, order_id, mode, account, task, state, record, \
             attempt, expected_reference, begun_by, held_by, held_since, lease_token, lease_until, last_tx, \
             begun_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, {now}, $12, {now} + $13, $14, \
             {now}, {now}) ON CONFLICT DO NOTHING"
        )))
        .bind(attempt.operation.as_str())
        .bind(attempt.subject.to_string())
        .bind(attempt.subject.order().map(|order| order.0))
        .bind(self.mode.to_string())
        .bind(self.account.as_str())
        .bind(operation.task.name())
        .bind(operation.state.name())
        .bind(operation.record())
        .bind(i64::from(number))
        .bind(reference.map(|reference| reference.as_str()))
        .bind(self.run.as_str())
        .bind(attempt.token.as_str())
        .bind(self.lease_micros())
        .bind(attempt.transaction.as_str())
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(CLAIM))?;
        if added.rows_affected() == 0 {
            return Ok(Work::Leave(Found::Contended(None)));
        }
        Ok(Work::Commit(Found::Claimed(Claim::Fresh {
            lease: Lease {
                operation: attempt.operation.clone(),
                token: attempt.token.clone(),
            },
            attempt: number,
        })))
    }

    /// A key that an ended operation used may be answered from Stripe's memory: this one begins after it.
    async fn next_attempt(
        &self,
        transaction: &mut Writing,
        attempt: &Attempt<'_>,
    ) -> Result<u32, StoreError> {
        let (steps, operations) = (self.tables.steps, self.tables.operations);
        let reference = attempt.fresh.expected.reference.as_ref();
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT MAX(s.attempt) FROM {steps} s JOIN {operations} o ON o.operation_id = s.operation_id \
             WHERE o.mode = $1 AND o.subject = $2 AND o.closed_at IS NOT NULL AND s.action = $3 \
             AND COALESCE(o.expected_reference, '') = $4"
        )))
        .bind(self.mode.to_string())
        .bind(attempt.subject.to_string())
        .bind(StepAction::Mint.name())
        .bind(reference.map_or("", |reference| reference.as_str()))
        .fetch_one(&mut **transaction)
        .await
        .map_err(StoreError::query(CLAIM))?;
        let highest: Option<i64> = row.try_get(0).map_err(StoreError::query(CLAIM))?;
        let next = highest.unwrap_or(0).saturating_add(1);
        Ok(u32::try_from(next).unwrap_or(u32::MAX))
    }

    /// The subject's open operation with its holder.
    async fn open_row(
        &self,
        transaction: &mut Writing,
        subject: &Subject,
        lock: &str,
    ) -> Result<Option<AnyRow>, StoreError> {
        let (operations, runs) = (self.tables.operations, self.tables.runs);
        let (now, fields) = (self.now(), Held::fields(self.store.dialect));
        sqlx::query(AssertSqlSafe(format!(
            "SELECT o.operation_id, o.record, o.last_tx, \
             CAST(({now} - o.mint_intended_at) / 1000000 AS BIGINT) AS mint_age, {fields} \
             FROM {operations} o JOIN {runs} r ON r.run_id = o.held_by \
             WHERE o.mode = $1 AND o.subject = $2 AND o.closed_at IS NULL{lock}"
        )))
        .bind(self.mode.to_string())
        .bind(subject.to_string())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(CLAIM))
    }

    async fn is_gone(&self, transaction: &mut Writing, held: &Held) -> Result<bool, StoreError> {
        if !held.is_leased {
            return Ok(true);
        }
        match self.store.dialect.try_sign_of_life() {
            Some(statement) => flag(transaction, statement, held.beacon).await,
            None => Ok(held.process_is_gone(&self.process)),
        }
    }

    async fn try_lock(
        &self,
        transaction: &mut Writing,
        subject: &Subject,
    ) -> Result<bool, StoreError> {
        match self.store.dialect.try_lock() {
            Some(statement) => flag(transaction, statement, self.lock_of(subject)).await,
            None => Ok(true),
        }
    }

    async fn wait_for_lock(
        &self,
        transaction: &mut Writing,
        subject: &Subject,
    ) -> Result<(), StoreError> {
        if let Some(statement) = self.store.dialect.lock() {
            sqlx::query(statement)
                .bind(self.lock_of(subject))
                .fetch_one(&mut **transaction)
                .await
                .map_err(StoreError::query(CLAIM))?;
        }
        Ok(())
    }

    fn lock_of(&self, subject: &Subject) -> i64 {
        lock_number("relink claim", &format!("{} {subject}", self.mode))
    }
}

fn held(holder: Holder) -> Result<Work<Found>, StoreError> {
    Ok(Work::Leave(Found::Claimed(Claim::Held(holder))))
}

/// A statement that yields 1 or 0.
async fn flag(
    transaction: &mut Writing,
    statement: &'static str,
    lock: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(statement)
        .bind(lock)
        .fetch_one(&mut **transaction)
        .await
        .map_err(StoreError::query(CLAIM))?;
    let flag: i64 = row.try_get(0).map_err(StoreError::query(CLAIM))?;
    Ok(flag == 1)
}
