//! Incidents that wait for a person, as far as they are open: for whoever looks, in a session that may only read.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::journal::{Tables, unless_closed_to_us};
use super::super::pool::Alone;
use super::super::{Store, StoreError};
use crate::domain::{Mode, OrderId, SessionId, Timestamp};
use crate::webhook::{IncidentId, IncidentKind};

const READ: &str = "read the open incidents";

/// An incident that nobody has dealt with.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIncident {
    pub id: IncidentId,
    pub kind: IncidentKind,
    pub order: Option<OrderId>,
    pub session: SessionId,
    /// As [`crate::webhook::Incident::detail`].
    pub detail: Value,
    /// On the database's clock.
    pub opened_at: Timestamp,
}

impl Store {
    /// The oldest first. It works for a role that may only read.
    ///
    /// # Errors
    /// As for [`Store::journal_facts`].
    pub async fn open_incidents(&self, mode: Mode) -> Result<Vec<OpenIncident>, StoreError> {
        unless_closed_to_us(self.read_incidents(mode).await)
    }

    async fn read_incidents(&self, mode: Mode) -> Result<Vec<OpenIncident>, StoreError> {
        if !self.has_received().await? {
            return Ok(Vec::new());
        }
        let incidents = Tables::of(self.dialect).incidents;
        // A payment in the wrong mode is an alarm in the mode that was told of it.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT incident_id, kind, order_id, session_id, detail, \
             CAST(opened_at / 1000000 AS BIGINT) AS opened FROM {incidents} \
             WHERE resolved_at IS NULL AND (mode = $1 OR kind = $2) ORDER BY opened_at, incident_id"
        )))
        .bind(mode.to_string())
        .bind(IncidentKind::WrongMode.name())
        .all(self, READ)
        .await?;
        rows.iter().map(read_incident).collect()
    }
}

fn read_incident(row: &AnyRow) -> Result<OpenIncident, StoreError> {
    let text = |name: &str| -> Result<String, StoreError> {
        row.try_get(name).map_err(StoreError::query(READ))
    };
    let id = text("incident_id")?;
    let unreadable = |detail: &str| StoreError::UnreadableJournal {
        subject: format!("incident {id}"),
        detail: detail.to_owned(),
    };
    let order: Option<i64> = row.try_get("order_id").map_err(StoreError::query(READ))?;
    Ok(OpenIncident {
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
