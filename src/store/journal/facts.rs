//! What a plan needs to know from the journal, in a constant number of queries, by a role that may only read.
//!
//! No journal, or one that the role may not read, is no error: a plan without it is still a plan. A run that
//! writes has opened the journal before.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::super::orders::json_list;
use super::super::pool::Alone;
use super::super::schema::Names;
use super::super::{Store, StoreError};
use super::Subject;
use super::holder::Held;
use super::process::ProcessIdentity;
use super::schema::Tables;
use crate::domain::{
    CheckoutReference, JournalFacts, LinkId, Mode, OpenOperation, OpenTask, OrderId,
};

const READ: &str = "read the journal";
const UNSTORED: &str = "unstored";
const WITHDRAWN: &str = "withdrawn";

type Facts = BTreeMap<OrderId, JournalFacts>;

impl Store {
    /// What the journal knows about each of these orders; an order that it does not know is left out.
    ///
    /// # Errors
    /// [`StoreError::JournalNewer`]; besides it, what any query can meet.
    pub async fn journal_facts(
        &self,
        mode: Mode,
        orders: &[OrderId],
    ) -> Result<BTreeMap<OrderId, JournalFacts>, StoreError> {
        unless_closed_to_us(self.read_facts(mode, orders).await)
    }

    /// The objects of no order whose retirement an earlier run left open.
    ///
    /// # Errors
    /// As for [`Store::journal_facts`].
    pub async fn open_objects(&self, mode: Mode) -> Result<Vec<CheckoutReference>, StoreError> {
        unless_closed_to_us(self.read_open_objects(mode).await)
    }

    /// The orders whose rows are gone while an operation of theirs is open.
    ///
    /// # Errors
    /// As for [`Store::journal_facts`].
    pub async fn gone_orders(&self, mode: Mode) -> Result<Vec<OrderId>, StoreError> {
        unless_closed_to_us(self.read_gone_orders(mode).await)
    }

    async fn read_gone_orders(&self, mode: Mode) -> Result<Vec<OrderId>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(Vec::new());
        }
        let operations = Tables::of(self.dialect).operations;
        let Names {
            orders_table,
            order_id,
            ..
        } = &*self.names;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT o.order_id FROM {operations} o \
             WHERE o.closed_at IS NULL AND o.order_id IS NOT NULL AND o.mode = $1 \
             AND NOT EXISTS (SELECT 1 FROM {orders_table} WHERE {order_id} = o.order_id) ORDER BY o.order_id"
        )))
        .bind(mode.to_string())
        .all(self, READ)
        .await?;
        let ids = rows.iter().map(|row| row.try_get(0).map(OrderId));
        let ids: Result<Vec<OrderId>, sqlx::Error> = ids.collect();
        ids.map_err(StoreError::query(READ))
    }

    async fn read_facts(&self, mode: Mode, orders: &[OrderId]) -> Result<Facts, StoreError> {
        let mut facts = Facts::new();
        if self.journal_version().await?.is_none() {
            return Ok(facts);
        }
        let mut snapshot = self.snapshot().await?;
        let (listed, own) = (json_list(orders), ProcessIdentity::own());
        for row in self.open_operations(&mut snapshot, mode, &listed).await? {
            let open = open_operation(&row).map_err(StoreError::query(READ))?;
            let (order, task, state) = open;
            let held = Held::read(&row)?;
            let shines: Option<i64> = row.try_get("shines").map_err(StoreError::query(READ))?;
            let lives = match shines {
                Some(shines) => shines == 1,
                None => !held.process_is_gone(&own),
            };
            facts.entry(order).or_default().open = Some(OpenOperation {
                task,
                state,
                run: held.holder.run,
                host: held.holder.host,
                since: held.holder.since,
                is_held: held.is_leased && lives,
            });
        }
        let statement = self.ended_statement();
        let rows = read(&mut snapshot, statement, &listed, mode).await?;
        add_ended(&mut facts, &rows).map_err(StoreError::query(READ))?;
        snapshot.leave().await;
        Ok(facts)
    }

    /// What the ended operations of one order tell, where a run is under way: the journal is there, and the open
    /// operation is its own.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn ended_facts(
        &self,
        mode: Mode,
        order: OrderId,
    ) -> Result<JournalFacts, StoreError> {
        let mut connection = self.connection(READ).await?;
        let (statement, listed) = (self.ended_statement(), json_list(&[order]));
        let rows = read(&mut connection, statement, &listed, mode).await?;
        connection.give_back();
        let mut facts = Facts::new();
        add_ended(&mut facts, &rows).map_err(StoreError::query(READ))?;
        Ok(facts.remove(&order).unwrap_or_default())
    }

    async fn open_operations(
        &self,
        connection: &mut AnyConnection,
        mode: Mode,
        listed: &str,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let Tables {
            operations, runs, ..
        } = Tables::of(self.dialect);
        let (fields, shines) = (
            Held::fields(self.dialect),
            self.dialect.shows_sign_of_life("r.beacon"),
        );
        let sql = format!(
            "SELECT o.order_id, o.task, o.state, {shines} AS shines, {fields} \
             FROM {operations} o JOIN {runs} r ON r.run_id = o.held_by \
             WHERE o.closed_at IS NULL AND o.mode = $2 AND o.order_id IN {}",
            self.dialect.listed_ids()
        );
        read(connection, sql, listed, mode).await
    }

    /// Links that were minted and never stored; and of each order the latest wish, where that is to have nothing
    /// payable. A link that was minted since is wanted. Closing what should not be there is no wish about the order.
    fn ended_statement(&self) -> String {
        let operations = Tables::of(self.dialect).operations;
        let listed = self.dialect.listed_ids();
        format!(
            "SELECT o.order_id, '{UNSTORED}' AS fact, o.minted_id AS object FROM {operations} o \
             WHERE o.closed_at IS NOT NULL AND o.published_at IS NULL AND o.minted_id IS NOT NULL \
             AND o.mode = $2 AND o.order_id IN {listed} \
             UNION ALL \
             SELECT latest.order_id, '{WITHDRAWN}', latest.expected_reference FROM (\
             SELECT o.order_id, o.task, o.expected_reference, ROW_NUMBER() OVER (\
             PARTITION BY o.order_id ORDER BY o.closed_at DESC, o.operation_id DESC) AS place \
             FROM {operations} o WHERE o.closed_at IS NOT NULL AND o.is_done \
             AND o.task IN ('withdraw', 'replace', 'mint') AND o.mode = $2 AND o.order_id IN {listed}) latest \
             WHERE latest.place = 1 AND latest.task = 'withdraw' AND latest.expected_reference IS NOT NULL"
        )
    }

    async fn read_open_objects(&self, mode: Mode) -> Result<Vec<CheckoutReference>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(Vec::new());
        }
        let operations = Tables::of(self.dialect).operations;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT subject FROM {operations} \
             WHERE closed_at IS NULL AND order_id IS NULL AND mode = $1 ORDER BY begun_at, operation_id"
        )))
        .bind(mode.to_string())
        .all(self, READ)
        .await?;
        let mut objects = Vec::with_capacity(rows.len());
        for row in &rows {
            let subject: String = row.try_get(0).map_err(StoreError::query(READ))?;
            if let Some(object) = subject.strip_prefix(Subject::OBJECT) {
                objects.push(CheckoutReference::classify(object));
            }
        }
        Ok(objects)
    }
}

async fn read(
    connection: &mut AnyConnection,
    sql: String,
    listed: &str,
    mode: Mode,
) -> Result<Vec<AnyRow>, StoreError> {
    sqlx::query(AssertSqlSafe(sql))
        .bind(listed)
        .bind(mode.to_string())
        .fetch_all(connection)
        .await
        .map_err(StoreError::query(READ))
}

fn open_operation(row: &AnyRow) -> Result<(OrderId, OpenTask, String), sqlx::Error> {
    let order: i64 = row.try_get("order_id")?;
    let task: String = row.try_get("task")?;
    let task = match task.as_str() {
        "replace" => OpenTask::Replace,
        "mint" => OpenTask::Mint,
        _ => OpenTask::Retire,
    };
    Ok((OrderId(order), task, row.try_get("state")?))
}

fn add_ended(facts: &mut Facts, rows: &[AnyRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let (fact, object): (String, String) = (row.try_get("fact")?, row.try_get("object")?);
        let of_order = facts.entry(OrderId(row.try_get("order_id")?)).or_default();
        if fact == WITHDRAWN {
            of_order.withdrawn = Some(CheckoutReference::classify(&object));
        } else if let Ok(link) = LinkId::parse(&object) {
            of_order.unstored.insert(link);
        }
    }
    Ok(())
}

/// Nothing, and a word about it, where the role may not read the journal.
pub(in crate::store) fn unless_closed_to_us<T: Default>(
    read: Result<T, StoreError>,
) -> Result<T, StoreError> {
    match read {
        Err(StoreError::AccessDenied { detail, .. }) => {
            tracing::warn!(
                %detail,
                "the journal could not be read by this role: what earlier runs left open is not known"
            );
            Ok(T::default())
        }
        other => other,
    }
}
