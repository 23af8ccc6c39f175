//! What the database knows about the order that an event names: its row, the payments told of it, and whether another
//! order lays claim to the same object.
//!
//! Nothing is repaired or guessed, as in `row.rs`.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::journal::{Tables, Writing, unless_closed_to_us};
use super::super::orders::json_list;
use super::super::pool::Alone;
use super::super::row;
use super::super::schema::Names;
use super::super::{Store, StoreError};
use super::{RECEIVE, Receiver};
use crate::domain::{
    CheckoutReference, Currency, LinkId, Mode, Money, OrderId, Owner, PaymentIntentId, SessionId,
    Timestamp,
};
use crate::webhook::{
    Event, Facts, Happened, IncidentId, KnownPayment, PaymentState, RowFacts, Ruling, SessionFacts,
};

/// An event that was received before.
pub(super) struct Known {
    pub ruling: Ruling,
    /// The transaction that last wrote it.
    pub transaction: String,
    pub incident: Option<IncidentId>,
    pub is_resolved: bool,
}

/// The columns of a payment, of `payments p`.
pub(super) const PAYMENT: &str = "p.order_id, p.session_id, p.payment_intent, p.amount_minor, p.currency, p.link, \
                                  p.state, p.told_at";

impl Receiver {
    /// `lock`: what to add to the SELECT of the order's row. Without tables of ours, nothing was told before.
    pub(super) async fn facts(
        &self,
        transaction: &mut Writing,
        event: &Event,
        lock: &str,
        has_received: bool,
    ) -> Result<Facts, StoreError> {
        let Happened::Session(_, session) = &event.what else {
            return Ok(Facts::default());
        };
        let Owner::Order(order) = session.owner else {
            return Ok(Facts::default());
        };
        let Some(row) = self.row(transaction, order, lock).await? else {
            return Ok(Facts::default());
        };
        let payments = if has_received {
            self.payments(transaction, order, session).await?
        } else {
            Vec::new()
        };
        let (payments, others): (Vec<_>, Vec<_>) = payments
            .into_iter()
            .partition(|payment| payment.order == order);
        let claimed_by = match others.first() {
            Some(other) => Some(other.order),
            None => self.other_row(transaction, order, session).await?,
        };
        Ok(Facts {
            row: Some(row),
            payments,
            claimed_by,
        })
    }

    pub(super) async fn row(
        &self,
        transaction: &mut Writing,
        order: OrderId,
        lock: &str,
    ) -> Result<Option<RowFacts>, StoreError> {
        let Names {
            order_id,
            order_product,
            orders_table,
            product_id,
            products_table,
            ..
        } = &*self.store.names;
        let columns = self.row_columns();
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {columns} FROM {orders_table} LEFT JOIN {products_table} ON {product_id} = {order_product} \
             WHERE {order_id} = $1{lock}"
        )))
        .bind(order.0)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        row.map(|row| read_row(&row, order, self.policy.currency, &self.store.names))
            .transpose()
            .map_err(StoreError::query(RECEIVE))
    }

    /// Locks those of these rows that no other transaction has. One whose id is not its own is left out.
    pub(super) async fn free_rows(
        &self,
        transaction: &mut Writing,
        orders: &[OrderId],
    ) -> Result<BTreeMap<OrderId, RowFacts>, StoreError> {
        let Names {
            order_id,
            order_product,
            orders_table,
            product_id,
            products_table,
            ..
        } = &*self.store.names;
        let dialect = self.store.dialect;
        let (columns, listed) = (self.row_columns(), dialect.listed_ids());
        let lock = dialect.skip_locked(&orders_table.alias());
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT CAST({order_id} AS BIGINT) AS id, {columns} FROM {orders_table} \
             LEFT JOIN {products_table} ON {product_id} = {order_product} WHERE {order_id} IN {listed}{lock}"
        )))
        .bind(json_list(orders))
        .fetch_all(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        let mut free: BTreeMap<OrderId, Option<RowFacts>> = BTreeMap::new();
        for row in &rows {
            let read = || {
                let id = OrderId(row.try_get("id")?);
                Ok((
                    id,
                    read_row(row, id, self.policy.currency, &self.store.names)?,
                ))
            };
            let (id, facts) = read().map_err(StoreError::query(RECEIVE))?;
            let other = free.insert(id, Some(facts));
            if other.is_some() {
                free.insert(id, None);
            }
        }
        let alone = free.into_iter().filter_map(|(id, row)| Some((id, row?)));
        Ok(alone.collect())
    }

    fn row_columns(&self) -> String {
        let Names {
            order_amount,
            order_payment_intent,
            order_reference,
            order_status,
            product_category,
            ..
        } = &*self.store.names;
        let text = |column| self.store.read_as_text(column);
        let (status, amount) = (text(order_status), text(order_amount));
        let (reference, intent) = (text(order_reference), text(order_payment_intent));
        let category = text(product_category);
        format!(
            "{status} AS status, {amount} AS amount, {reference} AS reference, {intent} AS intent, \
             {category} AS category"
        )
    }

    /// Those of the order, and whatever is known of this session or this payment, the one first told first.
    async fn payments(
        &self,
        transaction: &mut Writing,
        order: OrderId,
        session: &SessionFacts,
    ) -> Result<Vec<KnownPayment>, StoreError> {
        let payments = Tables::of(self.store.dialect).payments;
        let intent = session.intent.as_ref().map(PaymentIntentId::as_str);
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {PAYMENT} FROM {payments} p WHERE p.mode = $1 \
             AND (p.order_id = $2 OR p.session_id = $3 OR p.payment_intent = $4) \
             ORDER BY p.updated_at, p.session_id"
        )))
        .bind(self.policy.mode.to_string())
        .bind(order.0)
        .bind(session.id.as_str())
        .bind(intent)
        .fetch_all(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        rows.iter().map(read_payment).collect()
    }

    /// Another order, whose row names the session or its link.
    async fn other_row(
        &self,
        transaction: &mut Writing,
        order: OrderId,
        session: &SessionFacts,
    ) -> Result<Option<OrderId>, StoreError> {
        let Names {
            order_id,
            order_reference,
            orders_table,
            ..
        } = &*self.store.names;
        let id = session.id.as_str();
        let link = session.link.as_ref().map_or(id, LinkId::as_str);
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT CAST(MIN({order_id}) AS BIGINT) FROM {orders_table} \
             WHERE {order_reference} IN ($1, $2) AND {order_id} <> $3"
        )))
        .bind(id)
        .bind(link)
        .bind(order.0)
        .fetch_one(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        let other: Option<i64> = row.try_get(0).map_err(StoreError::query(RECEIVE))?;
        Ok(other.map(OrderId))
    }
}

impl Store {
    /// The payments that were told of these orders, the one first told first.
    ///
    /// # Errors
    /// As for [`Store::journal_facts`].
    pub async fn payments_of(
        &self,
        mode: Mode,
        orders: &[OrderId],
    ) -> Result<Vec<KnownPayment>, StoreError> {
        unless_closed_to_us(self.read_payments(mode, orders).await)
    }

    async fn read_payments(
        &self,
        mode: Mode,
        orders: &[OrderId],
    ) -> Result<Vec<KnownPayment>, StoreError> {
        if !self.has_received().await? {
            return Ok(Vec::new());
        }
        let payments = Tables::of(self.dialect).payments;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {PAYMENT} FROM {payments} p WHERE p.order_id IN {} AND p.mode = $2 \
             ORDER BY p.order_id, p.updated_at, p.session_id",
            self.dialect.listed_ids()
        )))
        .bind(json_list(orders))
        .bind(mode.to_string())
        .all(self, RECEIVE)
        .await?;
        rows.iter().map(read_payment).collect()
    }
}

fn read_row(
    row: &AnyRow,
    id: OrderId,
    currency: Currency,
    names: &Names,
) -> Result<RowFacts, sqlx::Error> {
    let text = |alias: &str| row::text(row, alias);
    let filled = |alias: &str| text(alias).map(|text| text.filter(|text| !text.is_empty()));
    Ok(RowFacts {
        id,
        status: names.states.read(text("status")?.as_deref()),
        category: text("category")?,
        amount: text("amount")?
            .and_then(|text| row::exact_integer(&text))
            .map(|minor| Money::new(minor, currency)),
        reference: filled("reference")?.map(|text| CheckoutReference::classify(&text)),
        payment_intent: filled("intent")?,
    })
}

pub(super) fn read_payment(row: &AnyRow) -> Result<KnownPayment, StoreError> {
    let fields = PaymentFields::of(row).map_err(StoreError::query(RECEIVE))?;
    let subject = fields.session.clone();
    fields
        .payment()
        .ok_or_else(|| StoreError::UnreadableJournal {
            subject: format!("the payment in {subject}"),
            detail: "an id, a currency or a state in it is none".to_owned(),
        })
}

struct PaymentFields {
    order: i64,
    session: String,
    intent: Option<String>,
    minor: Option<i64>,
    currency: Option<String>,
    link: Option<String>,
    state: String,
    told_at: i64,
}

impl PaymentFields {
    fn of(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(PaymentFields {
            order: row.try_get("order_id")?,
            session: row.try_get("session_id")?,
            intent: row.try_get("payment_intent")?,
            minor: row.try_get("amount_minor")?,
            currency: row.try_get("currency")?,
            link: row.try_get("link")?,
            state: row.try_get("state")?,
            told_at: row.try_get("told_at")?,
        })
    }

    fn payment(self) -> Option<KnownPayment> {
        let amount = match (self.minor, self.currency) {
            (Some(minor), Some(code)) => Some(Money::new(minor, Currency::parse(&code).ok()?)),
            _ => None,
        };
        let intent = self
            .intent
            .as_deref()
            .map(PaymentIntentId::parse)
            .transpose();
        let link = self.link.as_deref().map(LinkId::parse).transpose();
        Some(KnownPayment {
            order: OrderId(self.order),
            session: SessionId::parse(&self.session).ok()?,
            intent: intent.ok()?,
            amount,
            link: link.ok()?,
            state: PaymentState::parse(&self.state)?,
            at: Timestamp(self.told_at),
        })
    }
}
