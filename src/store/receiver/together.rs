//! Several events in one transaction, where each is the ordinary case: the first word about a payment of a pending
//! order that nobody else lays claim to. Whatever else an event may be is left to be received by itself.
//!
//! Each is ruled on by the same pure decision over the same facts under the same row lock. The decision supposes that
//! nothing was told before; the statement that writes proves it, and passes over whoever it does not hold for. A row
//! that another transaction has is passed over as well, so that no event waits for another one's order.
//!
//! Postgres only: in SQLite one writer has the whole file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::super::StoreError;
use super::super::commit::Committed;
use super::super::dialect::Dialect;
use super::super::journal::{Tables, Writing};
use super::super::schema::Names;
use super::outbox::{self, REOPEN};
use super::{RECEIVE, Receipt, Receiver, Retirement, apply};
use crate::domain::{LinkId, OrderId, Owner, PaymentIntentId};
use crate::webhook::{
    Decision, Event, Facts, Happened, KnownPayment, Ruling, SessionFacts, Settlement, decide,
};

/// An event that may be of the ordinary case, by what it says itself.
struct Candidate<'a> {
    place: usize,
    event: &'a Event,
    session: &'a SessionFacts,
    order: OrderId,
}

/// An event of the ordinary case: it settles its order, if nothing was told before.
struct Ordinary<'a> {
    candidate: Candidate<'a>,
    settlement: Settlement,
    payment: KnownPayment,
    retire: Vec<LinkId>,
}

impl Receiver {
    #[must_use]
    pub fn can_receive_together(&self) -> bool {
        self.store.dialect == Dialect::Postgres
    }

    /// Takes in those events that can be taken in together, in one transaction. `None` in an event's place: nothing is
    /// known to be committed for it, and it is to be received by itself, which is right also where it is committed
    /// after all.
    pub async fn receive_together(&self, events: &[&Event]) -> Vec<Option<Receipt>> {
        let mut receipts: Vec<Option<Receipt>> = events.iter().map(|_| None).collect();
        let candidates = candidates(events);
        if !self.can_receive_together() || candidates.is_empty() {
            return receipts;
        }
        match self.settle_together(candidates).await {
            Ok(settled) => {
                for (place, receipt) in settled {
                    receipts[place] = Some(receipt);
                }
            }
            Err(error) => tracing::debug!(%error, "events were not taken in together"),
        }
        receipts
    }

    async fn settle_together(
        &self,
        candidates: Vec<Candidate<'_>>,
    ) -> Result<Vec<(usize, Receipt)>, StoreError> {
        let mut transaction = self.store.begin(RECEIVE).await?;
        let settled = self.settle_in(&mut transaction, candidates).await;
        if !settled.as_ref().is_ok_and(|settled| !settled.is_empty()) {
            transaction.leave().await;
            return settled;
        }
        match self.store.commit(transaction, RECEIVE).await? {
            Committed::Yes => settled,
            // Each is received by itself, which waits for this commit at the order's row, and reads it back.
            Committed::AnswerLost(error) => Err(error),
        }
    }

    async fn settle_in(
        &self,
        transaction: &mut Writing,
        candidates: Vec<Candidate<'_>>,
    ) -> Result<Vec<(usize, Receipt)>, StoreError> {
        let ordinary = self.ordinary(transaction, candidates).await?;
        if ordinary.is_empty() {
            return Ok(Vec::new());
        }
        self.write_together(transaction, &ordinary).await
    }

    /// Locks the rows, and decides by them alone.
    async fn ordinary<'a>(
        &self,
        transaction: &mut Writing,
        candidates: Vec<Candidate<'a>>,
    ) -> Result<Vec<Ordinary<'a>>, StoreError> {
        let ids: Vec<OrderId> = candidates.iter().map(|it| it.order).collect();
        let mut rows = self.free_rows(transaction, &ids).await?;
        let decided = candidates.into_iter().filter_map(|candidate| {
            let facts = Facts {
                row: Some(rows.remove(&candidate.order)?),
                ..Facts::default()
            };
            match decide(candidate.event, &facts, &self.policy) {
                Decision {
                    ruling: Ruling::Settled,
                    settle: Some(settlement),
                    payment: Some(payment),
                    incident: None,
                    retire,
                } => Some(Ordinary {
                    candidate,
                    settlement,
                    payment,
                    retire,
                }),
                _ => None,
            }
        });
        let mut links = BTreeSet::new();
        let is_new = |it: &Ordinary<'_>| it.retire.iter().all(|link| links.insert(link.clone()));
        Ok(decided.filter(is_new).collect())
    }

    /// Writes all that follows for those of whom nothing was told before, and tells who they are.
    async fn write_together(
        &self,
        transaction: &mut Writing,
        ordinary: &[Ordinary<'_>],
    ) -> Result<Vec<(usize, Receipt)>, StoreError> {
        let name = Uuid::new_v4().to_string();
        let told: Vec<Value> = ordinary.iter().map(Ordinary::told).collect();
        let links: Vec<Value> = ordinary.iter().flat_map(Ordinary::links).collect();
        let rows = sqlx::query(AssertSqlSafe(self.write_statement()))
            .bind(Value::from(told).to_string())
            .bind(Value::from(links).to_string())
            .bind(self.policy.mode.to_string())
            .bind(name)
            .fetch_all(&mut **transaction)
            .await
            .map_err(StoreError::query(RECEIVE))?;
        let mut closing: BTreeMap<i64, Vec<Retirement>> = BTreeMap::new();
        for row in &rows {
            let (order, is_whole) = written(row).map_err(StoreError::query(RECEIVE))?;
            if !is_whole {
                return Err(StoreError::Contended {
                    what: RECEIVE,
                    detail: "another receiver was first with one of several".to_owned(),
                });
            }
            closing
                .entry(order)
                .or_default()
                .extend(outbox::read_asked(row)?);
        }
        let settled = ordinary.iter().filter_map(|it| {
            let retirements = closing.remove(&it.candidate.order.0)?;
            Some((it.candidate.place, it.receipt(retirements)))
        });
        Ok(settled.collect())
    }

    /// `told` are those of whom nothing was told before; every other part writes for them alone. A part that wrote
    /// fewer rows than `told` has shows in every row of the result.
    fn write_statement(&self) -> String {
        let Names {
            order_id,
            order_paid_at,
            order_payment_intent,
            order_reference,
            order_status,
            orders_table,
            ..
        } = &*self.store.names;
        let dialect = self.store.dialect;
        let Tables {
            events,
            payments,
            retirements,
            ..
        } = Tables::of(dialect);
        let now = dialect.epoch_micros();
        let (status, paid_at) = (order_status.bare(), order_paid_at.bare());
        let (intent, moment) = (order_payment_intent.bare(), dialect.moment("t.paid_at"));
        let is = dialect.text(order_status);
        let states = &self.store.names.states;
        let (paid, pending) = (states.literal("paid"), states.literal("pending"));
        let touched = self.store.set_updated_at();
        let settled = Ruling::Settled.name();
        format!(
            "WITH told AS MATERIALIZED (SELECT t.* FROM json_to_recordset(CAST($1 AS JSON)) AS t (\
             event_id TEXT, type TEXT, created BIGINT, account TEXT, detail TEXT, order_id BIGINT, session TEXT, \
             intent TEXT, link TEXT, minor BIGINT, currency TEXT, state TEXT, told_at BIGINT, paid_at BIGINT, \
             paid_intent TEXT) \
             WHERE NOT EXISTS (SELECT 1 FROM {events} e WHERE e.event_id = t.event_id) \
             AND NOT EXISTS (SELECT 1 FROM {payments} p WHERE p.mode = $3 AND p.order_id = t.order_id) \
             AND NOT EXISTS (SELECT 1 FROM {payments} p WHERE p.session_id = t.session) \
             AND NOT EXISTS (SELECT 1 FROM {payments} p WHERE p.mode = $3 AND p.payment_intent = t.intent) \
             AND NOT EXISTS (SELECT 1 FROM {orders_table} WHERE {order_reference} = t.session AND {order_id} <> t.order_id) \
             AND NOT EXISTS (SELECT 1 FROM {orders_table} WHERE {order_reference} = t.link AND {order_id} <> t.order_id)), \
             paid AS (UPDATE {orders_table} SET {status} = {paid}, {paid_at} = {moment}, \
             {intent} = COALESCE(t.paid_intent, {order_payment_intent}){touched} \
             FROM told t WHERE {order_id} = t.order_id AND {is} = {pending} RETURNING 1), \
             added AS (INSERT INTO {events} (event_id, type, session_id, order_id, mode, account, created, \
             received_at, ruling, detail, last_tx) SELECT event_id, type, session, order_id, $3, account, created, \
             {now}, '{settled}', detail, $4 FROM told ON CONFLICT (event_id) DO NOTHING RETURNING 1), \
             kept AS (INSERT INTO {payments} (session_id, payment_intent, order_id, mode, amount_minor, currency, \
             link, state, told_at, recorded_at, updated_at) SELECT session, intent, order_id, $3, minor, currency, \
             link, state, told_at, {now}, {now} FROM told ON CONFLICT (session_id) DO NOTHING RETURNING 1), \
             asked AS (INSERT INTO {retirements} (link, order_id, mode, event_id, asked_at, attempts, \
             next_attempt_at) SELECT l.link, told.order_id, $3, told.event_id, {now}, 0, {now} \
             FROM json_to_recordset(CAST($2 AS JSON)) AS l (order_id BIGINT, link TEXT) \
             JOIN told ON told.order_id = l.order_id ON CONFLICT (link) {REOPEN} \
             RETURNING link, order_id, attempts, asked_at) \
             SELECT told.order_id AS told_order, (SELECT COUNT(*) FROM told) AS told_count, \
             (SELECT COUNT(*) FROM paid) AS paid_count, (SELECT COUNT(*) FROM added) AS added_count, \
             (SELECT COUNT(*) FROM kept) AS kept_count, a.link, a.order_id, a.attempts, a.asked_at \
             FROM told LEFT JOIN asked a ON a.order_id = told.order_id"
        )
    }
}

/// The order of a row of the result, and whether every part wrote for each of `told`.
fn written(row: &AnyRow) -> Result<(i64, bool), sqlx::Error> {
    let told: i64 = row.try_get("told_count")?;
    let mut is_whole = true;
    for part in ["paid_count", "added_count", "kept_count"] {
        is_whole &= row.try_get::<i64, _>(part)? == told;
    }
    Ok((row.try_get("told_order")?, is_whole))
}

/// Those that name an order, and share nothing with one before them: of two words about one payment, the second is
/// ruled on after the first is committed.
fn candidates<'a>(events: &[&'a Event]) -> Vec<Candidate<'a>> {
    let mut taken = BTreeSet::new();
    let candidate = |(place, event): (usize, &&'a Event)| {
        let Happened::Session(_, session) = &event.what else {
            return None;
        };
        let Owner::Order(order) = session.owner else {
            return None;
        };
        let keys = [
            Some(format!("order {order}")),
            Some(event.id.to_string()),
            Some(session.id.to_string()),
            session.intent.as_ref().map(ToString::to_string),
            session.link.as_ref().map(ToString::to_string),
        ];
        // Every key is taken, also where one of them was before.
        let news = keys.into_iter().flatten().map(|key| taken.insert(key));
        let is_new = news.fold(true, |all, one| all & one);
        is_new.then_some(Candidate {
            place,
            event,
            session,
            order,
        })
    };
    events.iter().enumerate().filter_map(candidate).collect()
}

impl Ordinary<'_> {
    fn told(&self) -> Value {
        let (event, session) = (self.candidate.event, self.candidate.session);
        let payment = &self.payment;
        json!({
            "event_id": event.id.as_str(),
            "type": event.kind(),
            "created": event.created.0,
            "account": event.account.as_ref().map(|account| account.as_str()),
            "detail": apply::detail(Some(session)),
            "order_id": self.candidate.order.0,
            "session": payment.session.as_str(),
            "intent": payment.intent.as_ref().map(PaymentIntentId::as_str),
            "link": payment.link.as_ref().map(LinkId::as_str),
            "minor": payment.amount.map(|amount| amount.minor),
            "currency": payment.amount.map(|amount| amount.currency.code()),
            "state": payment.state.name(),
            "told_at": payment.at.0,
            "paid_at": self.settlement.paid_at.0,
            "paid_intent": self.settlement.intent.as_ref().map(PaymentIntentId::as_str),
        })
    }

    fn links(&self) -> impl Iterator<Item = Value> {
        let order = self.candidate.order.0;
        self.retire
            .iter()
            .map(move |link| json!({"order_id": order, "link": link.as_str()}))
    }

    fn receipt(&self, retirements: Vec<Retirement>) -> Receipt {
        Receipt {
            event: self.candidate.event.id.clone(),
            ruling: Ruling::Settled,
            order: Some(self.candidate.order),
            incident: None,
            retirements,
            seen_before: false,
        }
    }
}
