//! Reading orders, with player, parent, product and tournaments, in a constant number of queries.
//!
//! A row is taken as it is. What is missing or unreadable becomes a gap of its order; it never ends the
//! read and never drops the order.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::order_filter::Filter;
use super::pool::Alone;
use super::schema::Names;
use super::transaction::Transaction;
use super::{Scope, Selection, Store, StoreError, row};
use crate::domain::{CheckoutReference, Currency, Order, OrderId, Tournament, TournamentId};

const READ_ORDERS: &str = "read the orders";
const READ_TOURNAMENTS: &str = "read the tournaments";

type Snapshot = Transaction;
pub(super) type TournamentsOf = BTreeMap<String, Vec<Tournament>>;

impl Store {
    /// The orders of a selection, by id, each once, however many teams or tournaments lead to it. All of it
    /// is one state of the database.
    ///
    /// # Errors
    /// [`StoreError::UnknownTournament`], or [`StoreError::UnknownOrders`] with every named id that has no
    /// row; besides them, what any query can meet.
    pub async fn select_orders(
        &self,
        selection: &Selection,
        currency: Currency,
    ) -> Result<Vec<Order>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let filter = match &selection.scope {
            Scope::All => Filter::Everything,
            Scope::Orders(ids) | Scope::Known(ids) => Filter::Ids(json_list(ids)),
            Scope::Tournament(id) => {
                self.require_tournament(&mut snapshot, *id).await?;
                Filter::Tournament(*id)
            }
        };
        let mut orders = self.read(&mut snapshot, &filter, currency).await?;
        snapshot.leave().await;
        if let Scope::Orders(ids) = &selection.scope {
            require_each(ids, &orders, &self.names)?;
        }
        let excluded: BTreeSet<OrderId> = selection.exclude.iter().copied().collect();
        orders.retain(|order| !excluded.contains(&order.id));
        Ok(orders)
    }

    /// # Errors
    /// What any query can meet; an order that does not exist is `None`.
    pub async fn order(
        &self,
        id: OrderId,
        currency: Currency,
    ) -> Result<Option<Order>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let filter = Filter::One(id);
        let orders = self.read(&mut snapshot, &filter, currency).await?;
        snapshot.leave().await;
        Ok(orders.into_iter().next())
    }

    /// The same in one query, without the tournaments that sell its product: no decision rests on those.
    ///
    /// # Errors
    /// What any query can meet; an order that does not exist is `None`.
    pub async fn order_row(
        &self,
        id: OrderId,
        currency: Currency,
    ) -> Result<Option<Order>, StoreError> {
        let mut connection = self.connection(READ_ORDERS).await?;
        let filter = Filter::One(id);
        let orders = self.read_rows(&mut connection, &filter, currency).await?;
        connection.give_back();
        Ok(orders.into_iter().next().map(|(order, _)| order))
    }

    /// The orders whose row names this object, by id. More than one means that the rows share it.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn orders_by_reference(
        &self,
        reference: &str,
        currency: Currency,
    ) -> Result<Vec<Order>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let filter = Filter::Reference(reference.to_owned());
        let orders = self.read(&mut snapshot, &filter, currency).await?;
        snapshot.leave().await;
        Ok(orders)
    }

    /// The sessions and links that the newest orders name, at most `limit`, each once: any of them that
    /// can be read proves that the account is the right one.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn witness_references(
        &self,
        limit: u32,
    ) -> Result<Vec<CheckoutReference>, StoreError> {
        let Names {
            order_id,
            order_reference,
            orders_table,
            ..
        } = &*self.names;
        let reference = self.read_as_text(order_reference);
        let sql = format!(
            "SELECT {reference} AS reference FROM {orders_table} \
             WHERE substr({order_reference}, 1, 3) = 'cs_' OR substr({order_reference}, 1, 6) = 'plink_' \
             ORDER BY {order_id} DESC LIMIT $1"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(limit))
            .all(self, READ_ORDERS)
            .await?;
        let mut found = Vec::new();
        for row in &rows {
            let text = row::text(row, "reference").map_err(StoreError::query(READ_ORDERS))?;
            let reference = CheckoutReference::classify(&text.unwrap_or_default());
            let readable = !matches!(reference, CheckoutReference::Other(_));
            if readable && !found.contains(&reference) {
                found.push(reference);
            }
        }
        Ok(found)
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let connection = self.connection(READ_ORDERS).await?;
        Transaction::begin(connection, self.dialect.begin_snapshot())
            .await
            .map_err(StoreError::query(READ_ORDERS))
    }

    pub(super) async fn require_tournament(
        &self,
        snapshot: &mut Snapshot,
        id: TournamentId,
    ) -> Result<(), StoreError> {
        let Names {
            tournament_id,
            tournaments_table,
            ..
        } = &*self.names;
        let sql = format!("SELECT 1 FROM {tournaments_table} WHERE {tournament_id} = $1");
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(id.0)
            .fetch_optional(&mut **snapshot)
            .await
            .map_err(StoreError::query(READ_TOURNAMENTS))?;
        found
            .map(drop)
            .ok_or_else(|| StoreError::UnknownTournament {
                id,
                table: tournaments_table.path(),
            })
    }

    async fn read(
        &self,
        snapshot: &mut Snapshot,
        filter: &Filter,
        currency: Currency,
    ) -> Result<Vec<Order>, StoreError> {
        let tournaments = self.read_tournaments(snapshot, filter).await?;
        let rows = self.read_rows(snapshot, filter, currency).await?;
        Ok(with_tournaments(rows, &tournaments))
    }

    /// The orders, each with the key of its product.
    async fn read_rows(
        &self,
        connection: &mut AnyConnection,
        filter: &Filter,
        currency: Currency,
    ) -> Result<Vec<(Order, Option<String>)>, StoreError> {
        let rows = self.fetch_rows(connection, filter).await?;
        self.orders_of(&rows, currency)
    }

    pub(super) async fn fetch_rows(
        &self,
        connection: &mut AnyConnection,
        filter: &Filter,
    ) -> Result<Vec<AnyRow>, StoreError> {
        self.fetch(connection, self.orders_sql(filter), filter)
            .await
            .map_err(StoreError::query(READ_ORDERS))
    }

    pub(super) fn orders_of(
        &self,
        rows: &[AnyRow],
        currency: Currency,
    ) -> Result<Vec<(Order, Option<String>)>, StoreError> {
        let orders = rows
            .iter()
            .map(|row| row::order(row, currency, &self.names));
        let orders: Result<Vec<_>, sqlx::Error> = orders.collect();
        let mut orders = orders.map_err(StoreError::query(READ_ORDERS))?;
        // Keys are unique in the application's tables. In a view that stands for one they need not be, and
        // an order that came twice would be billed twice.
        orders.dedup_by_key(|(order, _)| order.id);
        Ok(orders)
    }

    /// For every product of the filtered orders, the tournaments that sell it, by id.
    pub(super) async fn read_tournaments(
        &self,
        snapshot: &mut Snapshot,
        filter: &Filter,
    ) -> Result<TournamentsOf, StoreError> {
        let rows = self
            .fetch(snapshot, self.tournaments_statement(filter).into(), filter)
            .await
            .map_err(StoreError::query(READ_TOURNAMENTS))?;
        let mut sold_by = TournamentsOf::new();
        for row in &rows {
            let (product, tournament) =
                row::sale(row, &self.names).map_err(StoreError::query(READ_TOURNAMENTS))?;
            sold_by.entry(product).or_default().push(tournament);
        }
        for tournaments in sold_by.values_mut() {
            tournaments.sort_by_key(|tournament| tournament.id);
        }
        Ok(sold_by)
    }
}

pub(super) fn with_tournaments(
    rows: Vec<(Order, Option<String>)>,
    sold_by: &TournamentsOf,
) -> Vec<Order> {
    let completed = |(mut order, product): (Order, Option<String>)| {
        if let Some(sold_by) = product.and_then(|id| sold_by.get(&id)) {
            order.tournaments.clone_from(sold_by);
        }
        order
    };
    rows.into_iter().map(completed).collect()
}

pub(super) fn json_list(ids: &[OrderId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("[{}]", ids.join(","))
}

fn require_each(named: &[OrderId], found: &[Order], names: &Names) -> Result<(), StoreError> {
    let found: BTreeSet<OrderId> = found.iter().map(|order| order.id).collect();
    let named: BTreeSet<OrderId> = named.iter().copied().collect();
    let unknown: Vec<OrderId> = named.difference(&found).copied().collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(StoreError::UnknownOrders {
            ids: unknown,
            table: names.orders_table.path(),
        })
    }
}
