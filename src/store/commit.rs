//! The one place where a transaction of this program is committed.
//!
//! A commit has three outcomes: it happened, it did not, or its answer was lost. Lost is never taken for
//! either of the others: the caller reads the row back.

use sqlx::{Any, Transaction};

use super::StoreError;
use super::error::is_outage;

/// How a commit ended.
#[derive(Debug)]
pub(super) enum Committed {
    Yes,
    /// The connection or the server went away between the question and its answer.
    AnswerLost(StoreError),
}

/// Commits; `what` names the deed for messages ("publish the link of an order").
///
/// # Errors
/// Only a refusal that proves that nothing was committed.
pub(super) async fn commit(
    transaction: Transaction<'static, Any>,
    what: &'static str,
) -> Result<Committed, StoreError> {
    match transaction.commit().await {
        Ok(()) => Ok(Committed::Yes),
        Err(error) if is_refusal(&error) => Err(StoreError::query(what)(error)),
        Err(error) => Ok(Committed::AnswerLost(StoreError::query(what)(error))),
    }
}

/// Only a database that is alive and says no has surely not committed.
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => !refusal.code().is_some_and(|code| is_outage(&code)),
        _ => false,
    }
}
