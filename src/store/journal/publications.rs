//! The links that runs stored, as the journal has them: a publication is one transaction with the order's row, so that what
//! is here was stored. What relink closed since, or meant to close, is not told of: whoever holds its URL holds a dead
//! one. Read only.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::schema::Tables;
use crate::blast::Stored;
use crate::domain::{LinkId, Mode, OrderId, RunId, Timestamp};

const READ: &str = "read the journal";

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBy {
    /// This one, also where it only concluded what another run had stored: whose report tells of the order tells of its link.
    Run(RunId),
    /// Any run, at this moment or later, on the database's clock.
    AnyoneSince(Timestamp),
    /// Runs but this one that have no end: killed, most of them, so that nobody read their reports.
    Unended { but: Option<RunId>, mode: Mode },
}

impl Store {
    /// By the time of their storing.
    ///
    /// # Errors
    /// What any query can meet, also where the role may not read the journal.
    pub async fn stored_links(&self, by: &StoredBy) -> Result<Vec<Stored>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(Vec::new());
        }
        let Tables {
            runs,
            operations,
            steps,
            outcomes,
            ..
        } = Tables::of(self.dialect);
        let which = match by {
            StoredBy::Run(_) => "($1 IN (c.run_id, s.run_id) OR o.held_by = $1)".to_owned(),
            StoredBy::AnyoneSince(_) => "o.published_at >= $1".to_owned(),
            StoredBy::Unended { .. } => format!(
                "o.mode = $2 AND COALESCE(c.run_id, s.run_id) IN \
                 (SELECT r.run_id FROM {runs} r WHERE r.ended_at IS NULL AND r.run_id <> $1)"
            ),
        };
        // Whoever found out that it was stored; of a run that was killed that is a later one, or nobody yet.
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT o.order_id, o.minted_id, o.minted_url, COALESCE(c.run_id, s.run_id) AS stored_by \
             FROM {operations} o JOIN {steps} s ON s.operation_id = o.operation_id AND s.action = 'publish' \
             LEFT JOIN {outcomes} c ON c.step_id = s.step_id \
             WHERE o.published_at IS NOT NULL AND o.order_id IS NOT NULL AND o.minted_id IS NOT NULL \
             AND (c.outcome IS NULL OR c.outcome <> 'refused') \
             AND o.minted_id NOT IN (SELECT d.object FROM {steps} d LEFT JOIN {outcomes} e ON e.step_id = d.step_id \
             WHERE d.action = 'deactivate' AND d.object IS NOT NULL AND (e.outcome IS NULL OR e.outcome <> 'refused')) \
             AND {which} ORDER BY o.published_at, s.step_id"
        )));
        let query = match by {
            StoredBy::Run(run) => query.bind(run.as_str()),
            StoredBy::AnyoneSince(moment) => query.bind(moment.0.saturating_mul(1_000_000)),
            StoredBy::Unended { but, mode } => query
                .bind(but.as_ref().map_or("", RunId::as_str))
                .bind(mode.to_string()),
        };
        let rows = query.all(self, READ).await?;
        rows.iter().map(stored).collect()
    }
}

fn stored(row: &AnyRow) -> Result<Stored, StoreError> {
    let read = || -> Result<(i64, String, Option<String>, String), sqlx::Error> {
        Ok((
            row.try_get("order_id")?,
            row.try_get("minted_id")?,
            row.try_get("minted_url")?,
            row.try_get("stored_by")?,
        ))
    };
    let (order, link, url, run) = read().map_err(StoreError::query(READ))?;
    let link = LinkId::parse(&link).map_err(|error| StoreError::UnreadableJournal {
        subject: format!("order:{order}"),
        detail: error.to_string(),
    })?;
    Ok(Stored {
        order: OrderId(order),
        link,
        url,
        run: RunId(run),
    })
}
