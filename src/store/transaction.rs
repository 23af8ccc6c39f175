//! A transaction together with the connection that it is on.
//!
//! It is committed or rolled back in so many words. One that is dropped (an error, a future that was given up) ends with
//! its connection, at once: nobody waits for its locks, and no later statement slips into it.

use std::ops::{Deref, DerefMut};

use sqlx::{AnyConnection, Executor};

use super::pool::Connection;

pub(super) struct Transaction {
    /// Taken by the end alone, which takes the transaction as well.
    connection: Option<Connection>,
}

impl Transaction {
    /// `statement` begins it.
    pub async fn begin(
        connection: Connection,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let mut transaction = Transaction {
            connection: Some(connection),
        };
        transaction.execute(statement).await?;
        Ok(transaction)
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
        self.execute(statement).await?;
        // Back to the pool.
        drop(self.connection.take());
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("a transaction has its connection until it ends"),
        }
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("a transaction has its connection until it ends"),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Connection::take(connection));
        }
    }
}
