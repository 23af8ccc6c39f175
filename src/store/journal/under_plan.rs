//! What runs have done under one plan, by the plan's digest: how a saved plan that was cut short goes on, and how it is
//! known to be applied. Read only.
//!
//! The journal says what was done, not whether it is still so.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::{Store, StoreError};
use super::facts::unless_closed_to_us;
use super::schema::Tables;
use crate::domain::{Mode, Timestamp};
use crate::plan::Digest;
use crate::saved_plan::WorkedUnder;

const READ: &str = "read the journal";

impl Store {
    /// One entry per subject that a run with this digest began or took over, if the run began at `since` or later, on
    /// the database's clock.
    ///
    /// # Errors
    /// What any query can meet. No journal, or one that the role may not read, knows of nothing.
    pub async fn worked_under(
        &self,
        mode: Mode,
        digest: &Digest,
        since: Timestamp,
    ) -> Result<Vec<WorkedUnder>, StoreError> {
        unless_closed_to_us(self.read_worked_under(mode, digest, since).await)
    }

    async fn read_worked_under(
        &self,
        mode: Mode,
        digest: &Digest,
        since: Timestamp,
    ) -> Result<Vec<WorkedUnder>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(Vec::new());
        }
        let Tables {
            runs, operations, ..
        } = Tables::of(self.dialect);
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT o.subject, o.ending, o.minted_id FROM {operations} o \
             WHERE o.mode = $1 AND EXISTS (SELECT 1 FROM {runs} r WHERE r.run_id IN (o.begun_by, o.held_by) \
             AND r.plan_digest = $2 AND r.started_at >= $3) ORDER BY o.begun_at, o.operation_id"
        )))
        .bind(mode.to_string())
        .bind(digest.as_str())
        .bind(since.0.saturating_mul(1_000_000))
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::query(READ))?;
        let all: Result<Vec<WorkedUnder>, sqlx::Error> = rows.iter().map(worked).collect();
        Ok(last_of_each(all.map_err(StoreError::query(READ))?))
    }
}

fn worked(row: &AnyRow) -> Result<WorkedUnder, sqlx::Error> {
    Ok(WorkedUnder {
        subject: row.try_get("subject")?,
        ending: row.try_get("ending")?,
        minted: row.try_get("minted_id")?,
    })
}

fn last_of_each(all: Vec<WorkedUnder>) -> Vec<WorkedUnder> {
    let mut last: Vec<WorkedUnder> = Vec::new();
    for worked in all {
        last.retain(|earlier| earlier.subject != worked.subject);
        last.push(worked);
    }
    last
}
