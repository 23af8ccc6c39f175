//! Incidents that wait for a person, and the person's word about one: it is dealt with, or the amount that was paid is
//! accepted and settles the order.
//!
//! relink gives no money back. Without a person's word an incident stays open for ever.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::journal::{Settling, Tables, Work, Writing, unless_closed_to_us};
use super::super::pool::Alone;
use super::super::schema::Names;
use super::super::{Store, StoreError};
use super::facts::{PAYMENT, read_payment};
use super::{Receiver, Retirement};
use crate::domain::{CheckoutReference, LinkId, Mode, OrderId, OrderStatus, SessionId, Timestamp};
use crate::webhook::{IncidentId, IncidentKind, KnownPayment, PaymentState, Settlement};

const READ: &str = "read the open incidents";
const RESOLVE: &str = "resolve an incident";

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A person dealt with it. The payment in question never settles anything.
    Acknowledge,
    /// The amount that was paid is what the order is settled with.
    AcceptAmount,
}

impl Resolution {
    fn name(self) -> &'static str {
        match self {
            Resolution::Acknowledge => "acknowledged",
            Resolution::AcceptAmount => "accepted",
        }
    }
}

/// A person's word.
#[derive(Clone, Debug)]
pub struct Resolving {
    pub incident: IncidentId,
    /// As a check: the incident must be this order's, or name none.
    pub order: OrderId,
    pub resolution: Resolution,
    /// `ann@desk`
    pub by: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Durably. With an accepted amount the order is paid now, and these links are to be closed.
    Done(Vec<Retirement>),
    /// There is none with this id in this mode, or it is another order's.
    NoSuchIncident,
    /// Somebody has dealt with it before. Nothing was written.
    Before,
    /// Only another amount can be accepted, while the order is pending and its payment is known. Nothing was written.
    NotAcceptable,
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

impl Receiver {
    /// # Errors
    /// What any query can meet; [`StoreError::JournalUnknown`].
    pub async fn resolve(&self, resolving: &Resolving) -> Result<Resolved, StoreError> {
        let mut settling = Settling::new(&self.store, RESOLVE);
        loop {
            let mut transaction = settling.begin().await?;
            let lost = settling.lost();
            let work = self.resolve_once(&mut transaction, resolving, lost).await;
            if let Some(resolved) = settling.conclude(transaction, work).await? {
                return Ok(resolved);
            }
        }
    }

    async fn resolve_once(
        &self,
        transaction: &mut Writing,
        resolving: &Resolving,
        lost: Option<Resolved>,
    ) -> Result<Work<Resolved>, StoreError> {
        let Names { orders_table, .. } = &*self.store.names;
        // In the order in which an event is received.
        let lock = self.store.dialect.row_lock_of(&orders_table.alias());
        let row = self.row(transaction, resolving.order, &lock).await?;
        let Some(found) = self.incident(transaction, resolving).await? else {
            return Ok(Work::Leave(Resolved::NoSuchIncident));
        };
        if found.resolved_by.is_some() {
            let is_ours = found.resolved_by.as_ref() == Some(&resolving.by);
            return Ok(Work::Leave(match lost {
                Some(resolved) if is_ours => resolved,
                _ => Resolved::Before,
            }));
        }
        let payment = self
            .payment(transaction, &found.session, resolving.order)
            .await?;
        let retirements = match resolving.resolution {
            Resolution::Acknowledge => {
                if let Some(payment) = payment {
                    self.dismiss(transaction, &payment).await?;
                }
                Vec::new()
            }
            Resolution::AcceptAmount => {
                let is_amount = found.kind == IncidentKind::OtherAmount.name();
                let (Some(row), Some(payment)) = (row, payment.filter(|_| is_amount)) else {
                    return Ok(Work::Leave(Resolved::NotAcceptable));
                };
                if row.status != OrderStatus::Pending {
                    return Ok(Work::Leave(Resolved::NotAcceptable));
                }
                self.accept(transaction, &payment, row.reference, &resolving.incident)
                    .await?
            }
        };
        self.close(transaction, resolving).await?;
        Ok(Work::Commit(Resolved::Done(retirements)))
    }

    async fn accept(
        &self,
        transaction: &mut Writing,
        payment: &KnownPayment,
        reference: Option<CheckoutReference>,
        incident: &IncidentId,
    ) -> Result<Vec<Retirement>, StoreError> {
        let settlement = Settlement {
            order: payment.order,
            paid_at: payment.at,
            intent: payment.intent.clone(),
        };
        self.store.settle(transaction, &settlement).await?;
        let own = match reference {
            Some(CheckoutReference::Link(link)) => Some(link),
            _ => None,
        };
        let mut links: Vec<LinkId> = payment.link.iter().cloned().chain(own).collect();
        links.dedup();
        let mut retirements = Vec::new();
        for link in &links {
            let of = (payment.order, self.policy.mode);
            let asked = self
                .store
                .ask_retirement(transaction, of, link, incident.as_str(), true)
                .await?;
            retirements.extend(asked);
        }
        Ok(retirements)
    }

    async fn incident(
        &self,
        transaction: &mut Writing,
        resolving: &Resolving,
    ) -> Result<Option<Found>, StoreError> {
        let incidents = Tables::of(self.store.dialect).incidents;
        let lock = self.store.dialect.row_lock();
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT kind, session_id, resolved_by FROM {incidents} WHERE incident_id = $1 \
             AND (order_id = $2 OR order_id IS NULL){lock}"
        )))
        .bind(resolving.incident.as_str())
        .bind(resolving.order.0)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RESOLVE))?;
        row.map(|row| {
            Ok(Found {
                kind: row.try_get(0)?,
                session: row.try_get(1)?,
                resolved_by: row.try_get(2)?,
            })
        })
        .transpose()
        .map_err(StoreError::query(RESOLVE))
    }

    /// The payment that an incident is about, if it is known as one of the order.
    async fn payment(
        &self,
        transaction: &mut Writing,
        session: &str,
        order: OrderId,
    ) -> Result<Option<KnownPayment>, StoreError> {
        let payments = Tables::of(self.store.dialect).payments;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {PAYMENT} FROM {payments} p \
             WHERE p.session_id = $1 AND p.order_id = $2 AND p.state = $3"
        )))
        .bind(session)
        .bind(order.0)
        .bind(PaymentState::Paid.name())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RESOLVE))?;
        row.as_ref().map(read_payment).transpose()
    }

    async fn dismiss(
        &self,
        transaction: &mut Writing,
        payment: &KnownPayment,
    ) -> Result<(), StoreError> {
        let payments = Tables::of(self.store.dialect).payments;
        let now = self.store.dialect.epoch_micros();
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {payments} SET state = $1, updated_at = {now} WHERE session_id = $2"
        )))
        .bind(PaymentState::Dismissed.name())
        .bind(payment.session.as_str())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(RESOLVE))
    }

    async fn close(
        &self,
        transaction: &mut Writing,
        resolving: &Resolving,
    ) -> Result<(), StoreError> {
        let incidents = Tables::of(self.store.dialect).incidents;
        let now = self.store.dialect.epoch_micros();
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {incidents} SET resolved_at = {now}, resolved_by = $1, resolution = $2, reason = $3 \
             WHERE incident_id = $4"
        )))
        .bind(resolving.by.as_str())
        .bind(resolving.resolution.name())
        .bind(resolving.reason.as_str())
        .bind(resolving.incident.as_str())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(RESOLVE))
    }
}

struct Found {
    kind: String,
    session: String,
    resolved_by: Option<String>,
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
