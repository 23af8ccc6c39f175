//! Incidents that wait for a person, as far as they are open: for whoever looks, in a session that may only read.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::journal::{Tables, unless_closed_to_us};
use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::resolving::Resolution;
use crate::domain::{Mode, OrderId, SessionId, Timestamp};
use crate::webhook::{IncidentId, IncidentKind};

const READ: &str = "read the incidents";
/// The columns of a [`StoredIncident`].
const COLUMNS: &str = "incident_id, kind, order_id, session_id, detail, \
                       CAST(opened_at / 1000000 AS BIGINT) AS opened";

/// An incident as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIncident {
    pub id: IncidentId,
    pub kind: IncidentKind,
    pub order: Option<OrderId>,
    pub session: SessionId,
    /// As [`crate::webhook::Incident::detail`].
    pub detail: Value,
    /// On the database's clock.
    pub opened_at: Timestamp,
}

/// A person ended it without settling the order: its payment settles nothing, unless a person accepts it after all.
#[derive(Clone, Debug, PartialEq)]
pub struct DismissedIncident {
    pub incident: StoredIncident,
    /// `ann@desk`
    pub by: String,
    pub reason: String,
}

impl Store {
    /// Of this order those that could still be accepted by their kind. It works for a role that may only read.
    ///
    /// # Errors
    /// As for [`Store::journal_facts`].
    pub async fn dismissed_incidents(
        &self,
        order: OrderId,
        mode: Mode,
    ) -> Result<Vec<DismissedIncident>, StoreError> {
        unless_closed_to_us(self.read_dismissed(order, mode).await)
    }

    async fn read_dismissed(
        &self,
        order: OrderId,
        mode: Mode,
    ) -> Result<Vec<DismissedIncident>, StoreError> {
        if !self.has_received().await? {
            return Ok(Vec::new());
        }
        let incidents = Tables::of(self.dialect).incidents;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS}, resolved_by, reason FROM {incidents} \
             WHERE resolved_at IS NOT NULL AND resolution = $1 AND kind = $2 AND order_id = $3 AND mode = $4 \
             ORDER BY opened_at, incident_id"
        )))
        .bind(Resolution::Acknowledge.name())
        .bind(IncidentKind::OtherAmount.name())
        .bind(order.0)
        .bind(mode.to_string())
        .all(self, READ)
        .await?;
        let dismissed = rows.iter().map(|row| {
            let text = |name: &str| -> Result<String, StoreError> {
                let text: Option<String> = row.try_get(name).map_err(StoreError::query(READ))?;
                Ok(text.unwrap_or_default())
            };
            Ok(DismissedIncident {
                incident: read_incident(row)?,
                by: text("resolved_by")?,
                reason: text("reason")?,
            })
        });
        dismissed.collect()
    }

    /// The oldest first. It works for a role that may only read.
    ///
    /// # Errors
    /// As for [`Store::journal_facts`].
    pub async fn open_incidents(&self, mode: Mode) -> Result<Vec<StoredIncident>, StoreError> {
        unless_closed_to_us(self.read_incidents(mode).await)
    }

    async fn read_incidents(&self, mode: Mode) -> Result<Vec<StoredIncident>, StoreError> {
        if !self.has_received().await? {
            return Ok(Vec::new());
        }
        let incidents = Tables::of(self.dialect).incidents;
        // A payment in the wrong mode is an alarm in the mode that was told of it.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM {incidents} \
             WHERE resolved_at IS NULL AND (mode = $1 OR kind = $2) ORDER BY opened_at, incident_id"
        )))
        .bind(mode.to_string())
        .bind(IncidentKind::WrongMode.name())
        .all(self, READ)
        .await?;
        rows.iter().map(read_incident).collect()
    }
}

fn read_incident(row: &AnyRow) -> Result<StoredIncident, StoreError> {
    let text = |name: &str| -> Result<String, StoreError> {
        row.try_get(name).map_err(StoreError::query(READ))
    };
    let id = text("incident_id")?;
    let unreadable = |detail: &str| StoreError::UnreadableJournal {
        subject: format!("incident {id}"),
        detail: detail.to_owned(),
    };
    let order: Option<i64> = row.try_get("order_id").map_err(StoreError::query(READ))?;
    Ok(StoredIncident {
        id: IncidentId::parse(&id).ok_or_else(|| unreadable("its id is none"))?,
        kind: IncidentKind::parse(&text("kind")?)
            .ok_or_else(|| unreadable("its kind is not known"))?,
        order: order.map(OrderId),
        session: SessionId::parse(&text("session_id")?)
            .map_err(|_| unreadable("its session is none"))?,
        detail: serde_json::from_str(&text("detail")?)
            .map_err(|_| unreadable("its detail is no JSON"))?,
        opened_at: Timestamp(row.try_get("opened").map_err(StoreError::query(READ))?),
    })
}
