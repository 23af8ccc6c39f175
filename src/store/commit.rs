//! The one place where a transaction that writes is begun and committed.
//!
//! A commit has three outcomes: it happened, it did not, or its answer was lost. Lost is never taken for
//! either of the others: the caller reads the row back.
//!
//! Beside it are written only single statements that may as well come twice: `Alone::run` in `pool.rs`.

use super::dialect::Dialect;
use super::error::{is_outage, is_sqlite_io};
use super::pool::not_free;
use super::transaction::Transaction;
use super::{Store, StoreError};

/// How a commit ended.
#[derive(Debug)]
pub(super) enum Committed {
    Yes,
    /// The connection or the server went away between the question and its answer.
    AnswerLost(StoreError),
}

impl Store {
    /// Begins a transaction that writes; `what` names the deed for messages ("publish the link of an order").
    pub(super) async fn begin(&self, what: &'static str) -> Result<Transaction, StoreError> {
        #[cfg(feature = "kill-points")]
        self.gate.begin(what).await;
        let statement = self.dialect.begin_write();
        let begun = match self.dialect {
            Dialect::Postgres => {
                let connection = self.connection(what).await?;
                Transaction::begin(connection, statement).await
            }
            Dialect::Sqlite => {
                let turn = self.pool.wait(self.line.turn()).await;
                let mut turn = turn.map_err(|_| not_free(what))?;
                if let Some(open) = turn.open.take() {
                    return Ok(Transaction::join(turn, open));
                }
                self.line.rest().await;
                let connection = self.connection(what).await?;
                Transaction::begin_in_turn(connection, statement, turn).await
            }
        };
        begun.map_err(StoreError::query(what))
    }

    /// Leaves nothing of it.
    ///
    /// # Errors
    /// It went on in what others wrote, and that is not surely committed: what it read may never have been.
    pub(super) async fn leave(
        &self,
        transaction: Transaction,
        what: &'static str,
    ) -> Result<(), StoreError> {
        if !transaction.is_joined() {
            transaction.leave().await;
            return Ok(());
        }
        let fate = transaction.rollback().await;
        fate.map_err(|error| StoreError::Contended {
            what,
            detail: error.to_string(),
        })
    }

    /// # Errors
    /// Only a refusal that proves that nothing was committed.
    pub(super) async fn commit(
        &self,
        transaction: Transaction,
        what: &'static str,
    ) -> Result<Committed, StoreError> {
        #[cfg(feature = "kill-points")]
        let Some(number) = self.gate.before_commit(what).await else {
            transaction.leave().await;
            return Ok(Committed::AnswerLost(super::kill_points::lost(what)));
        };
        let committed = commit(transaction, what).await;
        #[cfg(feature = "kill-points")]
        if !self.gate.after_commit(number, what).await {
            return Ok(Committed::AnswerLost(super::kill_points::lost(what)));
        }
        committed
    }
}

async fn commit(transaction: Transaction, what: &'static str) -> Result<Committed, StoreError> {
    match transaction.commit().await {
        Ok(()) => Ok(Committed::Yes),
        Err(error) if is_refusal(&error) => Err(StoreError::sort(what, &error)),
        Err(error) => Ok(Committed::AnswerLost(StoreError::sort(what, &error))),
    }
}

/// Only a database that is alive and says no has surely not committed. SQLite that failed to write or to sync may have: the
/// next one to open the file may find the commit there.
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => !refusal
            .code()
            .is_some_and(|code| is_outage(&code) || is_sqlite_io(&code)),
        _ => false,
    }
}
