//! Writing transactions whose fate is always known: a commit whose answer was lost is neither done nor undone
//! until the database was read back, and who lost a race is sent again.
//!
//! A change of an operation locks its row and checks the lease's token first. Who lost the lease writes
//! nothing.

use std::time::{Duration, Instant};

use sqlx::{Any, AssertSqlSafe, Row, Transaction};
use uuid::Uuid;

use super::super::commit::Committed;
use super::super::{Store, StoreError};
use super::lease::Moment;
use super::{Journal, JournalError, Lease};

pub(super) type Writing = Transaction<'static, Any>;

/// How often a transaction is made at most.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// Who waited longer than this for others will not fare better by waiting again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the work inside a transaction came to.
pub(super) enum Work<T> {
    Commit(T),
    /// There is nothing to keep.
    Leave(T),
}

enum Attempt<T> {
    Settled(T),
    AnswerLost(T, StoreError),
}

impl Store {
    /// Runs `work` in a writing transaction until its fate is known, at most a few times. After a lost answer
    /// `work` is handed what that commit would have come to: it must first find out whether it happened, by a
    /// read that waits for a commit under way.
    ///
    /// # Errors
    /// What `work` says; [`StoreError::JournalUnknown`] when an answer was lost and could not be read back.
    pub(super) async fn settle<T: Clone>(
        &self,
        what: &'static str,
        work: impl AsyncFn(&mut Writing, Option<T>) -> Result<Work<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let mut lost: Option<T> = None;
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.try_once(what, &work, lost.clone()).await {
                Ok(Attempt::Settled(value)) => return Ok(value),
                Ok(Attempt::AnswerLost(value, error)) => {
                    tracing::warn!(what, %error, "the answer to a commit was lost: reading back");
                    lost = Some(value);
                    error
                }
                Err(error) => error,
            };
            let contended = matches!(error, StoreError::Contended { .. });
            let may_repeat = lost.is_some() || (contended && begun.elapsed() < PATIENCE);
            if tried >= TRIES || !may_repeat {
                return Err(match lost {
                    Some(_) => StoreError::JournalUnknown {
                        what,
                        detail: error.to_string(),
                    },
                    None => error,
                });
            }
            tokio::time::sleep(PAUSE * tried).await;
        }
    }

    async fn try_once<T>(
        &self,
        what: &'static str,
        work: &impl AsyncFn(&mut Writing, Option<T>) -> Result<Work<T>, StoreError>,
        lost: Option<T>,
    ) -> Result<Attempt<T>, StoreError> {
        let mut transaction = self.begin(what).await?;
        match work(&mut transaction, lost).await? {
            Work::Commit(value) => Ok(match self.commit(transaction, what).await? {
                Committed::Yes => Attempt::Settled(value),
                Committed::AnswerLost(error) => Attempt::AnswerLost(value, error),
            }),
            Work::Leave(value) => {
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(what, %error, "a transaction was not rolled back in good order");
                }
                Ok(Attempt::Settled(value))
            }
        }
    }
}

impl Journal {
    /// One change of the operation that the lease is for. `work` is given the random name of the transaction,
    /// which it must leave in `last_tx`.
    pub(super) async fn change<T: Clone>(
        &self,
        lease: &Lease,
        what: &'static str,
        work: impl AsyncFn(&mut Writing, &str) -> Result<Work<T>, StoreError>,
    ) -> Result<T, JournalError> {
        let asked = Moment::now();
        let name = Uuid::new_v4().to_string();
        let operations = self.tables.operations;
        let lock = self.store.dialect.row_lock();
        let look =
            format!("SELECT lease_token, last_tx FROM {operations} WHERE operation_id = $1{lock}");
        let changed = self
            .store
            .settle(what, async |transaction, lost: Option<Option<T>>| {
                let row = sqlx::query(AssertSqlSafe(look.clone()))
                    .bind(lease.operation.as_str())
                    .fetch_optional(&mut **transaction)
                    .await
                    .map_err(StoreError::query(what))?;
                let Some(row) = row else {
                    return Ok(Work::Leave(None));
                };
                let token: Option<String> = row.try_get(0).map_err(StoreError::query(what))?;
                let last: String = row.try_get(1).map_err(StoreError::query(what))?;
                if let Some(happened) = lost
                    && last == name
                {
                    return Ok(Work::Leave(happened));
                }
                if token.as_deref() != Some(lease.token.as_str()) {
                    return Ok(Work::Leave(None));
                }
                Ok(match work(transaction, &name).await? {
                    Work::Commit(value) => Work::Commit(Some(value)),
                    Work::Leave(value) => Work::Leave(Some(value)),
                })
            })
            .await?;
        match changed {
            Some(value) => {
                self.leases.renewed(&lease.token, asked);
                Ok(value)
            }
            None => {
                self.leases.lost(&lease.token);
                Err(JournalError::Fenced)
            }
        }
    }
}
