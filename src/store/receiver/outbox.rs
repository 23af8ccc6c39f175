//! Links that are to be closed since their order owes nothing more: one row each, until somebody says that it is
//! closed. A failure never loses one, and never undoes the payment.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::journal::{Tables, Writing, unless_closed_to_us};
use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::{RECEIVE, Receiver};
use crate::domain::{LinkId, Mode, OrderId};

const READ: &str = "read the links to be closed";
const WRITE: &str = "note what became of a link to be closed";
/// Enough of an error to know it again.
const LONGEST_ERROR: usize = 500;

/// What is asked for once more is due anew, also where it was closed.
pub(super) const REOPEN: &str = "DO UPDATE SET order_id = excluded.order_id, event_id = excluded.event_id, \
                                 attempts = 0, asked_at = excluded.asked_at, \
                                 next_attempt_at = excluded.next_attempt_at, last_error = NULL, done_at = NULL";

/// A link to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    pub link: LinkId,
    pub order: OrderId,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// On the database's clock, in microseconds. Asked for once more, it is another.
    asked_at: i64,
}

impl Store {
    /// The links whose time has come, the longest due first.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn retirements_due(
        &self,
        mode: Mode,
        limit: u32,
    ) -> Result<Vec<Retirement>, StoreError> {
        let now = self.dialect.epoch_micros();
        self.retirements(mode, &format!("AND next_attempt_at <= {now}"), limit)
            .await
    }

    /// All that are still to be closed, due or not. It works for a role that may only read.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn open_retirements(&self, mode: Mode) -> Result<Vec<Retirement>, StoreError> {
        unless_closed_to_us(self.retirements(mode, "", u32::MAX).await)
    }

    /// The link is closed, and proved to be.
    ///
    /// # Errors
    /// What any query can meet: it stays due, and to close it once more does no harm.
    pub async fn retirement_done(&self, retirement: &Retirement) -> Result<(), StoreError> {
        let (table, now) = (
            Tables::of(self.dialect).retirements,
            self.dialect.epoch_micros(),
        );
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {table} SET done_at = {now}, last_error = NULL \
             WHERE link = $1 AND asked_at = $2 AND done_at IS NULL"
        )))
        .bind(retirement.link.as_str())
        .bind(retirement.asked_at)
        .run(self, WRITE)
        .await
        .map(drop)
    }

    /// It could not be closed, or not surely, and is due again after this long.
    ///
    /// # Errors
    /// What any query can meet: it stays due.
    pub async fn retirement_failed(
        &self,
        retirement: &Retirement,
        error: &str,
        again_in: Duration,
    ) -> Result<(), StoreError> {
        let (table, now) = (
            Tables::of(self.dialect).retirements,
            self.dialect.epoch_micros(),
        );
        let wait = i64::try_from(again_in.as_micros()).unwrap_or(i64::MAX / 4);
        let error: String = error
            .chars()
            .filter(|c| *c != '\0')
            .take(LONGEST_ERROR)
            .collect();
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {table} SET attempts = attempts + 1, next_attempt_at = {now} + $1, last_error = $2 \
             WHERE link = $3 AND asked_at = $4 AND done_at IS NULL"
        )))
        .bind(wait)
        .bind(error)
        .bind(retirement.link.as_str())
        .bind(retirement.asked_at)
        .run(self, WRITE)
        .await
        .map(drop)
    }

    /// Asks for a link to be closed. `again`: also where it was closed once.
    pub(super) async fn ask_retirement(
        &self,
        transaction: &mut Writing,
        (order, mode): (OrderId, Mode),
        link: &LinkId,
        event: &str,
        again: bool,
    ) -> Result<Option<Retirement>, StoreError> {
        let (table, now) = (
            Tables::of(self.dialect).retirements,
            self.dialect.epoch_micros(),
        );
        let reopen = if again { REOPEN } else { "DO NOTHING" };
        let row = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {table} (link, order_id, mode, event_id, asked_at, attempts, next_attempt_at) \
             VALUES ($1, $2, $3, $4, {now}, 0, {now}) ON CONFLICT (link) {reopen} \
             RETURNING link, order_id, attempts, asked_at"
        )))
        .bind(link.as_str())
        .bind(order.0)
        .bind(mode.to_string())
        .bind(event)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        row.as_ref().map(read).transpose()
    }

    async fn retirements(
        &self,
        mode: Mode,
        condition: &str,
        limit: u32,
    ) -> Result<Vec<Retirement>, StoreError> {
        if !self.has_received().await? {
            return Ok(Vec::new());
        }
        let table = Tables::of(self.dialect).retirements;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT link, order_id, attempts, asked_at FROM {table} \
             WHERE done_at IS NULL AND mode = $1 {condition} ORDER BY next_attempt_at, link LIMIT $2"
        )))
        .bind(mode.to_string())
        .bind(i64::from(limit))
        .all(self, READ)
        .await?;
        rows.iter().map(read).collect()
    }
}

impl Receiver {
    /// Those of the links that were asked to be closed before, whether they are closed by now or not.
    pub(super) async fn asked(
        &self,
        transaction: &mut Writing,
        links: &[LinkId],
    ) -> Result<Vec<LinkId>, StoreError> {
        let table = Tables::of(self.store.dialect).retirements;
        let mut asked = Vec::new();
        for link in links {
            let row = sqlx::query(AssertSqlSafe(format!(
                "SELECT 1 FROM {table} WHERE link = $1"
            )))
            .bind(link.as_str())
            .fetch_optional(&mut **transaction)
            .await
            .map_err(StoreError::query(READ))?;
            asked.extend(row.map(|_| link.clone()));
        }
        Ok(asked)
    }
}

/// `None` in a row that asks for none.
pub(super) fn read_asked(row: &AnyRow) -> Result<Option<Retirement>, StoreError> {
    let link: Option<String> = row.try_get("link").map_err(StoreError::query(RECEIVE))?;
    link.map(|_| read(row)).transpose()
}

fn read(row: &AnyRow) -> Result<Retirement, StoreError> {
    let link: String = row.try_get("link").map_err(StoreError::query(READ))?;
    let attempts: i64 = row.try_get("attempts").map_err(StoreError::query(READ))?;
    Ok(Retirement {
        link: LinkId::parse(&link).map_err(|error| StoreError::UnreadableJournal {
            subject: "a link to be closed".to_owned(),
            detail: error.to_string(),
        })?,
        order: OrderId(row.try_get("order_id").map_err(StoreError::query(READ))?),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        asked_at: row.try_get("asked_at").map_err(StoreError::query(READ))?,
    })
}
