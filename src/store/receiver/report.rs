//! How much the receiver has done and has open, for people and for metrics. It reads and changes nothing.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Row};

use super::super::journal::Tables;
use super::super::pool::Alone;
use super::super::schema::Names;
use super::super::{Store, StoreError};
use crate::domain::Mode;
use crate::webhook::IncidentKind;

const READ: &str = "count what was received";
const LOOK: &str = "look for the tables of the receiver";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// Events by ruling, in the journal's spelling, of all time.
    pub events: BTreeMap<String, u64>,
    pub open_incidents: u64,
    pub open_retirements: u64,
    /// Seconds since the longest open retirement was asked for; 0 without one.
    pub oldest_retirement: u64,
}

impl Store {
    /// Whether the tables are there that an event is written to, and may be read. No row of them is.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn look_for_tables(&self) -> Result<(), StoreError> {
        let Names { orders_table, .. } = &*self.names;
        let Tables {
            events,
            payments,
            incidents,
            retirements,
            ..
        } = Tables::of(self.dialect);
        let sql = format!(
            "SELECT 1 FROM {orders_table}, {events}, {payments}, {incidents}, {retirements} WHERE 1 = 0"
        );
        let looked = sqlx::query(AssertSqlSafe(sql)).all(self, LOOK).await;
        looked.map(|_| ())
    }

    /// # Errors
    /// What any query can meet.
    pub async fn receiver_counts(&self, mode: Mode) -> Result<ReceiverCounts, StoreError> {
        let mut counts = ReceiverCounts::default();
        if !self.has_received().await? {
            return Ok(counts);
        }
        let Tables {
            events,
            incidents,
            retirements,
            ..
        } = Tables::of(self.dialect);
        let now = self.dialect.epoch_micros();
        let by_ruling = sqlx::query(AssertSqlSafe(format!(
            "SELECT ruling, COUNT(*) FROM {events} WHERE mode = $1 GROUP BY ruling"
        )))
        .bind(mode.to_string())
        .all(self, READ)
        .await?;
        for row in &by_ruling {
            let ruling: String = row.try_get(0).map_err(StoreError::query(READ))?;
            counts.events.insert(ruling, number(row.try_get(1))?);
        }
        let open = sqlx::query(AssertSqlSafe(format!(
            "SELECT (SELECT COUNT(*) FROM {incidents} WHERE (mode = $1 OR kind = $2) AND resolved_at IS NULL), \
             (SELECT COUNT(*) FROM {retirements} WHERE mode = $1 AND done_at IS NULL), \
             CAST(({now} - COALESCE((SELECT MIN(asked_at) FROM {retirements} WHERE mode = $1 AND done_at IS NULL), \
             {now})) / 1000000 AS BIGINT)"
        )))
        .bind(mode.to_string())
        .bind(IncidentKind::WrongMode.name())
        .one(self, READ)
        .await?;
        counts.open_incidents = number(open.try_get(0))?;
        counts.open_retirements = number(open.try_get(1))?;
        counts.oldest_retirement = number(open.try_get(2))?;
        Ok(counts)
    }
}

fn number(read: Result<i64, sqlx::Error>) -> Result<u64, StoreError> {
    let number = read.map_err(StoreError::query(READ))?;
    Ok(u64::try_from(number).unwrap_or(0))
}
