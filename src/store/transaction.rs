//! A transaction together with the connection that it is on.
//!
//! It is committed or rolled back in so many words. One that is dropped (an error, a future that was given up) takes its
//! connection with it, so that no later statement slips into it. The server undoes it once it notices: at once, or, if it is
//! waiting for another's lock just then, when that wait ends.

use std::ops::{Deref, DerefMut};

use sqlx::{AnyConnection, Executor};

use super::pool::Connection;

pub(super) struct Transaction {
    connection: Connection,
}

impl Transaction {
    /// `statement` begins it.
    pub async fn begin(
        mut connection: Connection,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        connection.execute(statement).await?;
        Ok(Transaction { connection })
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    /// Rolls back where there is nothing to keep. A failure decides nothing: the connection is gone then, and the
    /// transaction with it.
    pub async fn leave(self) {
        if let Err(error) = self.rollback().await {
            tracing::debug!(%error, "a transaction was not rolled back in good order");
        }
    }

    async fn end(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.connection.execute(statement).await?;
        self.connection.give_back();
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}
