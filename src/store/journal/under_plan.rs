//! What runs have done under one plan, by the plan's digest: how a saved plan that was cut short goes on, and how it is
//! known to be applied. What a run passed over is written down as well: it does not become due again.
//!
//! The journal says what was done, not whether it is still so.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::Journal;
use super::facts::unless_closed_to_us;
use super::schema::Tables;
use crate::domain::{Mode, Timestamp};
use crate::plan::Digest;
use crate::saved_plan::WorkedUnder;

const READ: &str = "read the journal";
const PASS: &str = "journal what is passed over";

/// How `meta` names the subjects that runs of one plan passed over, up to the subject.
fn passed(digest: &Digest, made: Timestamp) -> String {
    format!("plan.{digest}.{}.", made.0)
}

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

    /// The subjects that runs of the plan with this digest, made at this moment of the database's clock, passed over.
    ///
    /// # Errors
    /// As for [`Store::worked_under`].
    pub async fn passed_over(
        &self,
        digest: &Digest,
        made: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        unless_closed_to_us(self.read_passed_over(digest, made).await)
    }

    async fn read_passed_over(
        &self,
        digest: &Digest,
        made: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(Vec::new());
        }
        let meta = Tables::of(self.dialect).meta;
        let before = passed(digest, made);
        // No digit, dash or point of it stands for anything else in a pattern.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT name FROM {meta} WHERE name LIKE $1 ORDER BY name"
        )))
        .bind(format!("{before}%"))
        .all(self, READ)
        .await?;
        let names = rows.iter().map(|row| row.try_get::<String, _>(0));
        let names: Result<Vec<String>, sqlx::Error> = names.collect();
        let names = names.map_err(StoreError::query(READ))?;
        let subjects = names.iter().filter_map(|name| name.strip_prefix(&before));
        Ok(subjects.map(str::to_owned).collect())
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
            "WITH of_plan AS (SELECT r.run_id FROM {runs} r WHERE r.plan_digest = $2 AND r.started_at >= $3) \
             SELECT o.subject, o.ending, o.minted_id FROM {operations} o WHERE o.mode = $1 \
             AND (o.begun_by IN (SELECT run_id FROM of_plan) OR o.held_by IN (SELECT run_id FROM of_plan)) \
             ORDER BY o.begun_at, o.operation_id"
        )))
        .bind(mode.to_string())
        .bind(digest.as_str())
        .bind(since.0.saturating_mul(1_000_000))
        .all(self, READ)
        .await?;
        let all: Result<Vec<WorkedUnder>, sqlx::Error> = rows.iter().map(worked).collect();
        Ok(last_of_each(all.map_err(StoreError::query(READ))?))
    }
}

impl Journal {
    /// That this run passes these subjects of its plan over: of all of them, or of none. Said twice, it is said once.
    ///
    /// # Errors
    /// What any statement can meet.
    pub async fn pass_over(
        &self,
        digest: &Digest,
        made: Timestamp,
        subjects: &[String],
    ) -> Result<(), StoreError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let (meta, before) = (self.tables.meta, passed(digest, made));
        let names = subjects.iter().map(|subject| format!("{before}{subject}"));
        let names = Value::from_iter(names);
        // SQLite would read ON as a part of the FROM before it.
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {meta} (name, value) SELECT listed.value, 'stale' FROM {} WHERE 1 = 1 \
             ON CONFLICT (name) DO NOTHING",
            self.store.dialect.listed_texts()
        )))
        .bind(names.to_string())
        .run(&self.store, PASS)
        .await
        .map(drop)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_subject_the_last_work_counts() {
        let worked = |subject: &str, ending: &str| WorkedUnder {
            subject: subject.to_owned(),
            ending: Some(ending.to_owned()),
            minted: None,
        };
        let all = vec![
            worked("order:1", "lost_race"),
            worked("order:2", "replaced"),
            worked("order:1", "replaced"),
        ];
        let last = vec![worked("order:2", "replaced"), worked("order:1", "replaced")];
        assert_eq!(last_of_each(all), last);
    }
}
