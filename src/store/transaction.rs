//! A transaction together with the connection that it is on.
//!
//! It is committed or rolled back in so many words. One that is dropped (an error, a future that was given up) takes its
//! connection with it, so that no later statement slips into it. The server undoes it once it notices: at once, or, if it is
//! waiting for another's lock just then, when that wait ends.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{AnyConnection, Executor};

use super::group::{Fate, Open, Parts, Turn};
use super::pool::Connection;

const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
/// From here on a part of a transaction can be undone by itself.
const FIRST_PART: &str = "SAVEPOINT part";
const NEXT_PART: &str = "RELEASE part; SAVEPOINT part";
const UNDO_PART: &str = "ROLLBACK TO part";

/// What is dropped goes in this order: the connection before the turn to write.
pub(super) struct Transaction {
    connection: Connection,
    part: Option<Part>,
}

/// Of a transaction that several writers share.
struct Part {
    turn: Turn,
    before: Parts,
    is_first: bool,
}

impl Transaction {
    /// `statement` begins it.
    pub async fn begin(
        mut connection: Connection,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        connection.execute(statement).await?;
        Ok(Transaction {
            connection,
            part: None,
        })
    }

    /// The same, of a writer that has waited for its turn: whoever waits for the next one may go on in it.
    pub async fn begin_in_turn(
        connection: Connection,
        statement: &'static str,
        turn: Turn,
    ) -> Result<Self, sqlx::Error> {
        let mut begun = Transaction::begin(connection, statement).await?;
        begun.part = Some(Part {
            turn,
            before: Parts::none(),
            is_first: true,
        });
        Ok(begun)
    }

    /// Goes on in what the turn came with.
    pub fn join(turn: Turn, Open { connection, parts }: Open) -> Self {
        Transaction {
            connection,
            part: Some(Part {
                turn,
                before: parts,
                is_first: false,
            }),
        }
    }

    /// Whether it went on in what another had begun.
    pub fn is_joined(&self) -> bool {
        self.part.as_ref().is_some_and(|part| !part.is_first)
    }

    pub async fn commit(self) -> Fate {
        match self.part {
            None => end(self.connection, COMMIT).await.map_err(Arc::new),
            Some(part) => {
                let next = match part.is_first {
                    true => FIRST_PART,
                    false => NEXT_PART,
                };
                part.end(self.connection, Some(next)).await
            }
        }
    }

    /// Undoes it. What a part read there holds only once the others are committed: it hears of their fate.
    pub async fn rollback(self) -> Fate {
        let is_joined = self.is_joined();
        match self.part {
            Some(part) if is_joined => {
                let mut connection = self.connection;
                connection.execute(UNDO_PART).await.map_err(Arc::new)?;
                part.end(connection, None).await
            }
            _own => end(self.connection, ROLLBACK).await.map_err(Arc::new),
        }
    }

    /// Rolls back where there is nothing to keep. A failure decides nothing: the connection is gone then, and the
    /// transaction with it.
    pub async fn leave(self) {
        if let Err(error) = self.rollback().await {
            tracing::debug!(%error, "a transaction was not rolled back in good order");
        }
    }
}

impl Part {
    /// Lets the next writer go on, after `said` if that is to be said first, or commits for all.
    async fn end(mut self, mut connection: Connection, said: Option<&'static str>) -> Fate {
        if self.turn.has_company(&self.before) {
            if let Some(said) = said {
                connection.execute(said).await.map_err(Arc::new)?;
            }
            let fate = self.before.join();
            let open = Open {
                connection,
                parts: self.before,
            };
            let Some((turn, open)) = self.turn.hand_over(open) else {
                return fate.await.unwrap_or_else(|_| Err(Arc::new(given_up())));
            };
            self = Part {
                turn,
                before: open.parts,
                is_first: self.is_first,
            };
            self.before.stay();
            connection = open.connection;
        }
        let fate = end(connection, COMMIT).await.map_err(Arc::new);
        if self.before.are_several() {
            self.turn.leave_to_others(&self.before);
        }
        self.before.tell(&fate);
        fate
    }
}

fn given_up() -> sqlx::Error {
    let why = "the transaction that it was a part of was given up";
    sqlx::Error::Io(std::io::Error::other(why))
}

async fn end(mut connection: Connection, statement: &'static str) -> Result<(), sqlx::Error> {
    connection.execute(statement).await?;
    connection.give_back();
    Ok(())
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
