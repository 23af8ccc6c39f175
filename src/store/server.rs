//! What the database says of itself: which one it is, and what time it has.
//!
//! Two roles, two addresses and a replica may lead to one database; a plan made through one of them can be committed
//! through another.

use sqlx::{AssertSqlSafe, Row};

use super::pool::Alone;
use super::{Store, StoreError};
use crate::domain::Timestamp;

const WHICH: &str = "ask which database this is";
const TIME: &str = "ask the database's time";

impl Store {
    /// The same for every way that leads to this database, and another one for every other: `postgres club 7301…` with
    /// the cluster's system identifier, `sqlite /srv/club.db` with the whole path.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn database_id(&self) -> Result<String, StoreError> {
        let row = sqlx::query(AssertSqlSafe(self.dialect.which_database()))
            .one(self, WHICH)
            .await?;
        row.try_get(0).map_err(StoreError::query(WHICH))
    }

    /// On the database's clock, on which the journal is kept.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn time(&self) -> Result<Timestamp, StoreError> {
        let sql = format!("SELECT {}", self.dialect.epoch_micros());
        let row = sqlx::query(AssertSqlSafe(sql)).one(self, TIME).await?;
        let micros: i64 = row.try_get(0).map_err(StoreError::query(TIME))?;
        Ok(Timestamp(micros.div_euclid(1_000_000)))
    }
}
