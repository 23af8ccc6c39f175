//! Writing transactions whose fate is always known: a commit whose answer was lost is neither done nor undone
//! until the database was read back, and who lost a race is sent again.
//!
//! A change of an operation begins with its row, where that still has the lease's token. Who lost the lease
//! writes nothing.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::super::commit::Committed;
use super::super::transaction::Transaction;
use super::super::{Published, Store, StoreError};
use super::lease::Moment;
use super::steps::Deed;
use super::{Journal, JournalError, Lease};

pub(in crate::store) type Writing = Transaction;

/// How often a transaction is made at most.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// Who waited longer than this for others will not fare better by waiting again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the work inside a transaction came to.
pub(in crate::store) enum Work<T> {
    Commit(T),
    /// There is nothing to keep.
    Leave(T),
}

/// A writing transaction that is made until its fate is known, at most a few times:
///
/// ```ignore
/// let mut settling = Settling::new(store, "do it");
/// loop {
///     let mut transaction = settling.begin().await?;
///     let work = do_it(&mut transaction, settling.lost()).await;
///     if let Some(value) = settling.conclude(transaction, work).await? {
///         return Ok(value);
///     }
/// }
/// ```
/// The work must come to the same when it is done again. After a lost answer it must first find out whether
/// that commit happened, by a read that waits for a commit under way.
pub(in crate::store) struct Settling<'a, T> {
    store: &'a Store,
    what: &'static str,
    begun: Instant,
    tried: u32,
    lost: Option<T>,
}

impl<'a, T: Clone> Settling<'a, T> {
    pub fn new(store: &'a Store, what: &'static str) -> Self {
        Settling {
            store,
            what,
            begun: Instant::now(),
            tried: 0,
            lost: None,
        }
    }

    /// What the commit would have come to whose answer was lost.
    pub fn lost(&self) -> Option<T> {
        self.lost.clone()
    }

    /// # Errors
    /// No transaction to be had. After a lost answer, [`StoreError::JournalUnknown`].
    pub async fn begin(&mut self) -> Result<Writing, StoreError> {
        loop {
            if self.tried > 0 {
                tokio::time::sleep(PAUSE * self.tried).await;
            }
            self.tried += 1;
            match self.store.begin(self.what).await {
                Ok(transaction) => return Ok(transaction),
                Err(error) => self.unless_hopeless(error)?,
            }
        }
    }

    /// Commits, or rolls back; `None`: it is to be done again.
    ///
    /// # Errors
    /// What the work says; [`StoreError::JournalUnknown`] when an answer was lost and could not be read back.
    pub async fn conclude(
        &mut self,
        transaction: Writing,
        work: Result<Work<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let what = self.what;
        let committed = match work {
            Ok(Work::Commit(value)) => match self.store.commit(transaction, what).await {
                Ok(Committed::Yes) => return Ok(Some(value)),
                Ok(Committed::AnswerLost(error)) => {
                    tracing::warn!(what, %error, "the answer to a commit was lost: reading back");
                    self.lost = Some(value);
                    error
                }
                Err(error) => error,
            },
            Ok(Work::Leave(value)) => match self.store.leave(transaction, what).await {
                Ok(()) => return Ok(Some(value)),
                Err(error) => error,
            },
            Err(error) => {
                // The others need not be undone with it.
                if transaction.is_joined() {
                    transaction.leave().await;
                }
                error
            }
        };
        self.unless_hopeless(committed)?;
        Ok(None)
    }

    fn unless_hopeless(&self, error: StoreError) -> Result<(), StoreError> {
        let contended = matches!(error, StoreError::Contended { .. });
        let may_repeat = self.lost.is_some() || (contended && self.begun.elapsed() < PATIENCE);
        if self.tried < TRIES && may_repeat {
            return Ok(());
        }
        Err(match self.lost {
            Some(_) => StoreError::JournalUnknown {
                what: self.what,
                detail: error.to_string(),
            },
            None => error,
        })
    }
}

impl Journal {
    /// One change of the operation that the lease is for.
    pub(super) async fn change(
        &self,
        lease: &Lease,
        deed: &Deed<'_>,
    ) -> Result<Published, JournalError> {
        let asked = Moment::now();
        // By which this transaction is found again.
        let name = Uuid::new_v4().to_string();
        let mut settling = Settling::new(&self.store, deed.what());
        let changed = loop {
            let mut transaction = settling.begin().await?;
            let lost = settling.lost();
            let work = self
                .change_once(&mut transaction, lease, deed, &name, lost)
                .await;
            if let Some(changed) = settling.conclude(transaction, work).await? {
                break changed;
            }
        };
        match changed {
            Some(outcome) => {
                if outcome == Published::Done {
                    self.leases.renewed(&lease.token, asked);
                }
                Ok(outcome)
            }
            None => {
                self.leases.lost(&lease.token);
                Err(JournalError::Fenced)
            }
        }
    }

    /// `None` where the lease is somebody else's.
    async fn change_once(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        deed: &Deed<'_>,
        name: &str,
        lost: Option<Option<Published>>,
    ) -> Result<Work<Option<Published>>, StoreError> {
        if let Some(happened) = lost
            && self
                .last_change(transaction, lease, deed.what())
                .await?
                .as_deref()
                == Some(name)
        {
            return Ok(Work::Leave(happened));
        }
        Ok(match self.write(transaction, lease, deed, name).await? {
            Some(Published::Done) => Work::Commit(Some(Published::Done)),
            nothing => Work::Leave(nothing),
        })
    }

    /// The name of the transaction that changed the operation last; waits for one under way.
    async fn last_change(
        &self,
        transaction: &mut Writing,
        lease: &Lease,
        what: &'static str,
    ) -> Result<Option<String>, StoreError> {
        let operations = self.tables.operations;
        let lock = self.store.dialect.row_lock();
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT last_tx FROM {operations} WHERE operation_id = $1{lock}"
        )))
        .bind(lease.operation.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(what))?;
        let last = row.map(|row| row.try_get(0)).transpose();
        last.map_err(StoreError::query(what))
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
