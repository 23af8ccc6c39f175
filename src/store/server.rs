//! What the database says of itself: which one it is, what time it has, and how it encodes texts.
//!
//! Two roles, two addresses and a replica may lead to one database; a plan made through one of them can be committed
//! through another.

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::dialect::Dialect;
use super::pool::Alone;
use super::{Store, StoreError};
use crate::domain::Timestamp;

const WHICH: &str = "ask which database this is";
const TIME: &str = "ask the database's time";
const ENCODING: &str = "ask how the database encodes texts";

/// Whether it gives a text's bytes, and those as UTF-8 where the text is one.
pub(super) async fn gives_utf8(
    connection: &mut AnyConnection,
    dialect: Dialect,
) -> Result<bool, StoreError> {
    let Some(statement) = dialect.encoding_of_bytes() else {
        return Ok(false);
    };
    let row = sqlx::query(statement).fetch_one(connection).await;
    let row = row.map_err(StoreError::query(ENCODING))?;
    let encoding: String = row.try_get(0).map_err(StoreError::query(ENCODING))?;
    Ok(encoding == "UTF-8")
}

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
