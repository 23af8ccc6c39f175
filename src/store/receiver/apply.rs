//! Writing a decision down, statement by statement, within the transaction that read its facts.
//!
//! An order becomes paid only from `pending`, by the very statement that says so. A payment never moves from one order
//! to another.

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::super::journal::{Tables, Writing};
use super::super::schema::Names;
use super::super::{Store, StoreError};
use super::facts::Known;
use super::{RECEIVE, Receiver, Retirement};
use crate::domain::{LinkId, Mode, OrderId, Owner, PaymentIntentId, Timestamp};
use crate::webhook::{
    Decision, Event, Happened, Incident, KnownPayment, Ruling, SessionFacts, Settlement,
};

/// An incident that became another one or none by itself: no person has said anything about it.
const OVERTAKEN: &str = "overtaken";

/// The writes of one event.
pub(super) struct Writes<'a> {
    store: &'a Store,
    tables: Tables,
    event: &'a Event,
    mode: Mode,
    name: &'a str,
}

/// The order that the event names, whether there is one or not.
pub(super) fn named_order(event: &Event) -> Option<OrderId> {
    match session(event)?.owner {
        Owner::Order(id) => Some(id),
        Owner::Nobody | Owner::Unreadable(_) => None,
    }
}

fn session(event: &Event) -> Option<&SessionFacts> {
    match &event.what {
        Happened::Session(_, session) => Some(session),
        Happened::Ignored(_) => None,
    }
}

impl Receiver {
    pub(super) fn writes<'a>(&'a self, event: &'a Event, name: &'a str) -> Writes<'a> {
        Writes {
            store: &self.store,
            tables: Tables::of(self.store.dialect),
            event,
            mode: event.mode,
            name,
        }
    }

    /// Whether this session may settle at all, found out with the very statement that settles, on no row, rolled
    /// back.
    pub(super) async fn try_settling(&self) -> Result<(), StoreError> {
        let Names { orders_table, .. } = &*self.store.names;
        let mut transaction = self.store.begin(RECEIVE).await?;
        let nothing = Settlement {
            order: OrderId(0),
            paid_at: Timestamp(0),
            intent: None,
        };
        let lock = self.store.dialect.row_lock_of(&orders_table.alias());
        self.row(&mut transaction, nothing.order, &lock).await?;
        self.store
            .settle_statement(&mut transaction, &nothing)
            .await?;
        transaction
            .rollback()
            .await
            .map_err(|error| StoreError::sort(RECEIVE, &error))
    }
}

impl Store {
    /// The rows that became paid. The state is a literal, so that it is an enum's value where the column is
    /// one.
    async fn settle_statement(
        &self,
        transaction: &mut Writing,
        settlement: &Settlement,
    ) -> Result<u64, StoreError> {
        let Names {
            order_id,
            order_paid_at,
            order_payment_intent,
            order_status,
            orders_table,
            ..
        } = &*self.names;
        let (status, intent) = (order_status.bare(), order_payment_intent.bare());
        let states = &self.names.states;
        let (paid, pending) = (states.literal("paid"), states.literal("pending"));
        let (paid_at, moment) = (order_paid_at.bare(), self.dialect.moment("$2"));
        let touched = self.set_updated_at();
        let is = self.dialect.text(order_status);
        let done = sqlx::query(AssertSqlSafe(format!(
            "UPDATE {orders_table} SET {status} = {paid}, {paid_at} = {moment}, \
             {intent} = COALESCE(CAST($3 AS TEXT), {order_payment_intent}){touched} \
             WHERE {order_id} = $1 AND {is} = {pending}"
        )))
        .bind(settlement.order.0)
        .bind(settlement.paid_at.0)
        .bind(settlement.intent.as_ref().map(PaymentIntentId::as_str))
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        Ok(done.rows_affected())
    }

    /// # Errors
    /// The row is not pending, or not alone with its id.
    pub(super) async fn settle(
        &self,
        transaction: &mut Writing,
        settlement: &Settlement,
    ) -> Result<(), StoreError> {
        match self.settle_statement(transaction, settlement).await? {
            1 => Ok(()),
            0 => Err(StoreError::Contended {
                what: RECEIVE,
                detail: format!("order {} is not pending any more", settlement.order),
            }),
            rows => Err(StoreError::Query {
                what: RECEIVE,
                detail: format!(
                    "{rows} rows of `{}` have id {}",
                    self.names.orders_table.path(),
                    settlement.order
                ),
            }),
        }
    }
}

impl Writes<'_> {
    /// Everything but the event itself. The links that are to be closed now.
    pub(super) async fn apply(
        &self,
        transaction: &mut Writing,
        decision: &Decision,
    ) -> Result<Vec<Retirement>, StoreError> {
        if let Some(settlement) = &decision.settle {
            self.store.settle(transaction, settlement).await?;
        }
        if let Some(payment) = &decision.payment {
            self.remember(transaction, payment).await?;
        }
        if let Some(incident) = &decision.incident {
            self.open_incident(transaction, incident).await?;
        }
        let mut retirements = Vec::new();
        if let Some(order) = named_order(self.event) {
            for link in &decision.retire {
                let asked = self
                    .ask_retirement(transaction, order, link, decision.ruling)
                    .await?;
                retirements.extend(asked);
            }
        }
        Ok(retirements)
    }

    /// False where the event is there already. It waits for another receiver of the same event.
    pub(super) async fn add_event(
        &self,
        transaction: &mut Writing,
        decision: &Decision,
    ) -> Result<bool, StoreError> {
        let (events, now) = (self.tables.events, self.store.dialect.epoch_micros());
        let event = self.event;
        let session = session(event);
        let added = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {events} (event_id, type, session_id, order_id, mode, account, created, received_at, \
             ruling, detail, incident_id, last_tx) VALUES ($1, $2, $3, $4, $5, $6, $7, {now}, $8, $9, $10, $11) \
             ON CONFLICT (event_id) DO NOTHING"
        )))
        .bind(event.id.as_str())
        .bind(event.kind())
        .bind(session.map_or("", |session| session.id.as_str()))
        .bind(named_order(event).map(|order| order.0))
        .bind(self.mode.to_string())
        .bind(event.account.as_ref().map(|account| account.as_str()))
        .bind(event.created.0)
        .bind(decision.ruling.name())
        .bind(detail(session))
        .bind(decision.incident.as_ref().map(|incident| incident.id.as_str()))
        .bind(self.name)
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        Ok(added.rows_affected() == 1)
    }

    /// The facts have changed since. What was opened then has become something else, and is closed.
    pub(super) async fn rule_anew(
        &self,
        transaction: &mut Writing,
        known: &Known,
        decision: &Decision,
    ) -> Result<(), StoreError> {
        let (events, now) = (self.tables.events, self.store.dialect.epoch_micros());
        let incidents = self.tables.incidents;
        let incident = decision.incident.as_ref().map(|incident| &incident.id);
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {events} SET ruling = $1, incident_id = $2, last_tx = $3, received_at = {now} WHERE event_id = $4"
        )))
        .bind(decision.ruling.name())
        .bind(incident.map(|id| id.as_str()))
        .bind(self.name)
        .bind(self.event.id.as_str())
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        let Some(old) = known.incident.as_ref().filter(|old| incident != Some(old)) else {
            return Ok(());
        };
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {incidents} SET resolved_at = {now}, resolved_by = 'relink', resolution = '{OVERTAKEN}', \
             reason = $1 WHERE incident_id = $2 AND resolved_at IS NULL"
        )))
        .bind(format!("{} by {}", decision.ruling.name(), self.event.id))
        .bind(old.as_str())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(RECEIVE))
    }

    async fn remember(
        &self,
        transaction: &mut Writing,
        payment: &KnownPayment,
    ) -> Result<(), StoreError> {
        let (payments, now) = (self.tables.payments, self.store.dialect.epoch_micros());
        let kept = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {payments} AS p (session_id, payment_intent, order_id, mode, amount_minor, currency, link, \
             state, told_at, recorded_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}, {now}) \
             ON CONFLICT (session_id) DO UPDATE SET payment_intent = excluded.payment_intent, \
             amount_minor = excluded.amount_minor, currency = excluded.currency, link = excluded.link, \
             state = excluded.state, told_at = excluded.told_at, updated_at = {now} \
             WHERE p.order_id = excluded.order_id"
        )))
        .bind(payment.session.as_str())
        .bind(payment.intent.as_ref().map(PaymentIntentId::as_str))
        .bind(payment.order.0)
        .bind(self.mode.to_string())
        .bind(payment.amount.map(|amount| amount.minor))
        .bind(payment.amount.map(|amount| amount.currency.code()))
        .bind(payment.link.as_ref().map(LinkId::as_str))
        .bind(payment.state.name())
        .bind(payment.at.0)
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        if kept.rows_affected() == 1 {
            return Ok(());
        }
        Err(StoreError::Contended {
            what: RECEIVE,
            detail: format!("{} is another order's just now", payment.session),
        })
    }

    async fn open_incident(
        &self,
        transaction: &mut Writing,
        incident: &Incident,
    ) -> Result<(), StoreError> {
        let (incidents, now) = (self.tables.incidents, self.store.dialect.epoch_micros());
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {incidents} AS i \
             (incident_id, kind, mode, order_id, session_id, event_id, detail, opened_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, {now}) ON CONFLICT (incident_id) DO UPDATE SET \
             opened_at = {now}, resolved_at = NULL, resolved_by = NULL, resolution = NULL, reason = NULL \
             WHERE i.resolution = '{OVERTAKEN}'"
        )))
        .bind(incident.id.as_str())
        .bind(incident.kind.name())
        .bind(self.mode.to_string())
        .bind(incident.order.map(|order| order.0))
        .bind(incident.session.as_str())
        .bind(self.event.id.as_str())
        .bind(incident.detail.to_string())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(RECEIVE))
    }

    async fn ask_retirement(
        &self,
        transaction: &mut Writing,
        order: OrderId,
        link: &LinkId,
        ruling: Ruling,
    ) -> Result<Option<Retirement>, StoreError> {
        self.store
            .ask_retirement(
                transaction,
                (order, self.mode),
                link,
                self.event.id.as_str(),
                asks_again(ruling),
            )
            .await
    }
}

/// A payment that is told once more asks for nothing that was asked for before; a new one does, since whoever paid found
/// the link open.
pub(super) fn asks_again(ruling: Ruling) -> bool {
    ruling != Ruling::Duplicate
}

/// For a person who asks later what the event said.
pub(super) fn detail(session: Option<&SessionFacts>) -> String {
    let Some(session) = session else {
        return "{}".to_owned();
    };
    json!({
        "payment_intent": session.intent,
        "payment_link": session.link,
        "amount": session.amount,
    })
    .to_string()
}
