//! A run's sign of life, and the heartbeat that keeps its leases. Whoever finds an operation held asks the
//! database whether its holder still lives.
//!
//! It refuses to guess: where death cannot be proved, only the lease's time-out ends a claim.
//!
//! On Postgres the sign is a session's advisory lock, which ends with the process. Behind a pooler that hands
//! out sessions by transaction it may outlive the run, or be somebody else's: then a dead run looks alive until
//! its lease runs out.

use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::dialect::Dialect;
use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::lease::{Leases, Moment};
use super::schema::Tables;
use crate::domain::RunId;

const SIGN: &str = "take the run's sign of life";
const BEAT: &str = "extend the run's leases";
/// A beat that takes longer is given up, with its connection.
const LONGEST_BEAT: Duration = Duration::from_secs(10);
/// A goodbye is a courtesy: the connection ends with the process anyway.
const LONGEST_GOODBYE: Duration = Duration::from_secs(2);

/// 63 bits of a text, for an advisory lock.
pub(super) fn lock_number(domain: &str, text: &str) -> i64 {
    let mut hash = Sha256::new();
    hash.update(domain.as_bytes());
    hash.update([0]);
    hash.update(text.as_bytes());
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

/// The number of a run's sign of life.
pub(super) fn beacon(run: &RunId) -> i64 {
    lock_number("relink run", run.as_str())
}

/// Beats until it is told to stop, or dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    pub fn start(pulse: Pulse, every: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        Heartbeat {
            stop: Some(stop),
            task: tokio::spawn(pulse.beat_until(stopped, every)),
        }
    }

    /// Gives the sign of life up in good order.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The task may have ended by itself only with its runtime.
            let _ = stop.send(());
            let _ = tokio::time::timeout(LONGEST_GOODBYE, &mut self.task).await;
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What beats: on Postgres with a connection of its own, beside the pool's.
pub(super) struct Pulse {
    store: Store,
    run: RunId,
    leases: Leases,
    lease_micros: i64,
    beacon: i64,
    session: Option<AnyConnection>,
    /// The session holds the sign of life.
    shines: bool,
}

impl Pulse {
    /// # Errors
    /// No connection, or no sign of life: such a run must not begin.
    pub async fn begin(
        store: Store,
        run: RunId,
        leases: Leases,
        lease_micros: i64,
    ) -> Result<Self, StoreError> {
        let mut pulse = Pulse {
            beacon: beacon(&run),
            store,
            run,
            leases,
            lease_micros,
            session: None,
            shines: false,
        };
        if pulse.store.dialect == Dialect::Postgres {
            let mut session = connect(&pulse.store).await?;
            // It waits: a run that looks whether we live may have the lock for a moment.
            sqlx::query("SELECT pg_advisory_lock($1)")
                .bind(pulse.beacon)
                .execute(&mut session)
                .await
                .map_err(StoreError::query(SIGN))?;
            pulse.session = Some(session);
            pulse.shines = true;
        }
        Ok(pulse)
    }

    async fn beat_until(mut self, mut stopped: oneshot::Receiver<()>, every: Duration) {
        let mut wait = every;
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(wait) => {}
            }
            let failure = match tokio::time::timeout(LONGEST_BEAT, self.beat()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the database did not answer in time".to_owned()),
            };
            wait = match failure {
                None => every,
                Some(why) => {
                    tracing::warn!(why, "a heartbeat failed");
                    self.session = None;
                    // The leases run on: it is soon made up for.
                    every / 4
                }
            };
        }
        self.say_goodbye().await;
    }

    async fn beat(&mut self) -> Result<(), StoreError> {
        if self.store.dialect == Dialect::Postgres {
            self.shine().await?;
        }
        let asked = Moment::now();
        let statement = extend_statement(self.store.dialect);
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(self.lease_micros)
            .bind(self.run.as_str());
        // One statement is a transaction of its own. It decides nothing: were it lost, the next one makes up
        // for it.
        let rows = match &mut self.session {
            Some(session) => {
                let rows = query.fetch_all(session).await;
                rows.map_err(StoreError::query(BEAT))
            }
            None => query.all(&self.store, BEAT).await,
        };
        for row in rows? {
            let token: String = row.try_get(0).map_err(StoreError::query(BEAT))?;
            self.leases.extended(&token, asked);
        }
        Ok(())
    }

    /// Has a session that holds the sign of life; takes both anew where they were lost. While a server has not
    /// noticed that the old session is gone, that one still shines for us.
    async fn shine(&mut self) -> Result<(), StoreError> {
        if self.session.is_none() {
            self.shines = false;
            self.session = Some(connect(&self.store).await?);
        }
        if let (false, Some(session)) = (self.shines, &mut self.session) {
            let row = sqlx::query("SELECT pg_try_advisory_lock($1)")
                .bind(self.beacon)
                .fetch_one(session)
                .await
                .map_err(StoreError::query(SIGN))?;
            self.shines = row.try_get(0).map_err(StoreError::query(SIGN))?;
        }
        Ok(())
    }

    async fn say_goodbye(self) {
        let Some(mut session) = self.session else {
            return;
        };
        // A pooler would keep the session, and with it the lock.
        let unlocked = sqlx::query("SELECT pg_advisory_unlock($1)")
            .bind(self.beacon)
            .execute(&mut session)
            .await;
        let closed = match unlocked {
            Ok(_) => session.close().await,
            Err(error) => Err(error),
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "the sign of life was not given up in good order");
        }
    }
}

/// A connection beside the pool's: the run must be able to show that it lives while all of those are busy.
async fn connect(store: &Store) -> Result<AnyConnection, StoreError> {
    match tokio::time::timeout(LONGEST_BEAT, store.pool.connect_apart()).await {
        Ok(connection) => connection.map_err(StoreError::query(SIGN)),
        Err(_) => Err(StoreError::query(SIGN)(sqlx::Error::PoolTimedOut)),
    }
}

/// Extends what the run holds. What one of its own transactions is changing just now is extended by that one.
fn extend_statement(dialect: Dialect) -> String {
    let operations = Tables::of(dialect).operations;
    let (now, skip) = (dialect.epoch_micros(), dialect.skip_locked("held"));
    format!(
        "UPDATE {operations} SET lease_until = {now} + $1 WHERE operation_id IN (\
         SELECT held.operation_id FROM {operations} held \
         WHERE held_by = $2 AND closed_at IS NULL AND lease_token IS NOT NULL{skip}) \
         RETURNING lease_token"
    )
}
