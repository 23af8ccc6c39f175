//! Reading orders, with player, parent, product and tournaments, in a constant number of queries.
//!
//! A row is taken as it is. What is missing or unreadable becomes a gap of its order; it never ends the
//! read and never drops the order.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use super::schema::{
    ORDER_AMOUNT, ORDER_CREATED_AT, ORDER_ID, ORDER_PAYMENT_INTENT, ORDER_PLAYER, ORDER_PRODUCT,
    ORDER_REFERENCE, ORDER_STATUS, ORDER_URL, ORDERS, PARENT_EMAIL, PARENT_ID, PARENT_NAME,
    PARENTS, PLAYER_ID, PLAYER_NAME, PLAYER_PARENT, PLAYERS, PRODUCT_CATEGORY, PRODUCT_ID,
    PRODUCT_IS_ACTIVE, PRODUCT_NAME, PRODUCTS, SALE_PRODUCT, SALE_TOURNAMENT, SALES, TOURNAMENT_ID,
    TOURNAMENT_NAME, TOURNAMENTS,
};
use super::{Scope, Selection, Store, StoreError, row};
use crate::domain::{CheckoutReference, Currency, Order, OrderId, Tournament, TournamentId};

const READ_ORDERS: &str = "read the orders";
const READ_TOURNAMENTS: &str = "read the tournaments";

/// Which rows of `orders`, as a condition on them with at most one parameter, `$1`.
enum Filter {
    Everything,
    Tournament(TournamentId),
    Ids(String),
    Reference(String),
}

type Snapshot = Transaction<'static, Any>;
type TournamentsOf = BTreeMap<String, Vec<Tournament>>;

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
        if let Scope::Orders(ids) = &selection.scope {
            require_each(ids, &orders)?;
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
        let filter = Filter::Ids(json_list(&[id]));
        let orders = self.read(&mut snapshot, &filter, currency).await?;
        Ok(orders.into_iter().next())
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
        self.read(&mut snapshot, &filter, currency).await
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
        let mut snapshot = self.snapshot().await?;
        let reference = self.dialect.text(&ORDER_REFERENCE);
        let sql = format!(
            "SELECT {reference} FROM {ORDERS} \
             WHERE substr({ORDER_REFERENCE}, 1, 3) = 'cs_' OR substr({ORDER_REFERENCE}, 1, 6) = 'plink_' \
             ORDER BY {ORDER_ID} DESC LIMIT $1"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(limit))
            .fetch_all(&mut *snapshot)
            .await
            .map_err(StoreError::query(READ_ORDERS))?;
        let mut found = Vec::new();
        for row in &rows {
            let text: String = row.try_get(0).map_err(StoreError::query(READ_ORDERS))?;
            let reference = CheckoutReference::classify(&text);
            let readable = !matches!(reference, CheckoutReference::Other(_));
            if readable && !found.contains(&reference) {
                found.push(reference);
            }
        }
        Ok(found)
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.pool
            .begin_with(self.dialect.begin_snapshot())
            .await
            .map_err(StoreError::query(READ_ORDERS))
    }

    async fn require_tournament(
        &self,
        snapshot: &mut Snapshot,
        id: TournamentId,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT 1 FROM {TOURNAMENTS} WHERE {TOURNAMENT_ID} = $1");
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(id.0)
            .fetch_optional(&mut **snapshot)
            .await
            .map_err(StoreError::query(READ_TOURNAMENTS))?;
        found.map(drop).ok_or(StoreError::UnknownTournament(id))
    }

    async fn read(
        &self,
        snapshot: &mut Snapshot,
        filter: &Filter,
        currency: Currency,
    ) -> Result<Vec<Order>, StoreError> {
        let tournaments = self.read_tournaments(snapshot, filter).await?;
        let rows = self
            .fetch(snapshot, self.orders_statement(filter), filter)
            .await
            .map_err(StoreError::query(READ_ORDERS))?;
        let mut orders = Vec::with_capacity(rows.len());
        for row in &rows {
            let (mut order, product) =
                row::order(row, currency).map_err(StoreError::query(READ_ORDERS))?;
            if let Some(sold_by) = product.and_then(|id| tournaments.get(&id)) {
                order.tournaments.clone_from(sold_by);
            }
            orders.push(order);
        }
        // Keys are unique in the application's tables. In a view that stands for one they need not be, and
        // an order that came twice would be billed twice.
        orders.dedup_by_key(|order| order.id);
        Ok(orders)
    }

    /// For every product of the filtered orders, the tournaments that sell it, by id.
    async fn read_tournaments(
        &self,
        snapshot: &mut Snapshot,
        filter: &Filter,
    ) -> Result<TournamentsOf, StoreError> {
        let rows = self
            .fetch(snapshot, self.tournaments_statement(filter), filter)
            .await
            .map_err(StoreError::query(READ_TOURNAMENTS))?;
        let mut sold_by = TournamentsOf::new();
        for row in &rows {
            let (product, tournament) =
                row::sale(row).map_err(StoreError::query(READ_TOURNAMENTS))?;
            sold_by.entry(product).or_default().push(tournament);
        }
        for tournaments in sold_by.values_mut() {
            tournaments.sort_by_key(|tournament| tournament.id);
        }
        Ok(sold_by)
    }

    async fn fetch(
        &self,
        snapshot: &mut Snapshot,
        sql: String,
        filter: &Filter,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = match filter {
            Filter::Everything => query,
            Filter::Tournament(id) => query.bind(id.0),
            Filter::Ids(text) | Filter::Reference(text) => query.bind(text.as_str()),
        };
        query.fetch_all(&mut **snapshot).await
    }

    /// Outer joins all the way: a dangling key must not hide an order.
    fn orders_statement(&self, filter: &Filter) -> String {
        let text = |column| self.dialect.text(column);
        let fields = [
            ("id", text(&ORDER_ID)),
            ("status", text(&ORDER_STATUS)),
            ("amount", text(&ORDER_AMOUNT)),
            ("reference", text(&ORDER_REFERENCE)),
            ("url", text(&ORDER_URL)),
            ("payment_intent", text(&ORDER_PAYMENT_INTENT)),
            ("created_at", self.dialect.epoch_seconds(&ORDER_CREATED_AT)),
            ("created_text", text(&ORDER_CREATED_AT)),
            ("names_player", text(&ORDER_PLAYER)),
            ("names_product", text(&ORDER_PRODUCT)),
            ("player", text(&PLAYER_ID)),
            ("player_name", text(&PLAYER_NAME)),
            ("names_parent", text(&PLAYER_PARENT)),
            ("parent", text(&PARENT_ID)),
            ("parent_name", text(&PARENT_NAME)),
            ("parent_email", text(&PARENT_EMAIL)),
            ("product", text(&PRODUCT_ID)),
            ("product_name", text(&PRODUCT_NAME)),
            ("category", text(&PRODUCT_CATEGORY)),
            ("is_active", text(&PRODUCT_IS_ACTIVE)),
        ];
        let fields = fields
            .map(|(alias, sql)| format!("{sql} AS {alias}"))
            .join(", ");
        let condition = self.condition(filter);
        format!(
            "SELECT {fields} FROM {ORDERS} \
             LEFT JOIN {PLAYERS} ON {PLAYER_ID} = {ORDER_PLAYER} \
             LEFT JOIN {PARENTS} ON {PARENT_ID} = {PLAYER_PARENT} \
             LEFT JOIN {PRODUCTS} ON {PRODUCT_ID} = {ORDER_PRODUCT} \
             WHERE {condition} ORDER BY {ORDER_ID}"
        )
    }

    fn tournaments_statement(&self, filter: &Filter) -> String {
        let product = self.dialect.text(&SALE_PRODUCT);
        let id = self.dialect.text(&TOURNAMENT_ID);
        let name = self.dialect.text(&TOURNAMENT_NAME);
        let condition = self.condition(filter);
        format!(
            "SELECT DISTINCT {product} AS product, {id} AS tournament, {name} AS tournament_name \
             FROM {SALES} JOIN {TOURNAMENTS} ON {TOURNAMENT_ID} = {SALE_TOURNAMENT} \
             WHERE {SALE_PRODUCT} IN (SELECT {ORDER_PRODUCT} FROM {ORDERS} WHERE {condition})"
        )
    }

    fn condition(&self, filter: &Filter) -> String {
        match filter {
            Filter::Everything => "1 = 1".to_owned(),
            Filter::Tournament(_) => format!(
                "{ORDER_PRODUCT} IN (SELECT {SALE_PRODUCT} FROM {SALES} WHERE {SALE_TOURNAMENT} = $1)"
            ),
            Filter::Ids(_) => format!("{ORDER_ID} IN {}", self.dialect.listed_ids()),
            Filter::Reference(_) => format!("{ORDER_REFERENCE} = $1"),
        }
    }
}

pub(super) fn json_list(ids: &[OrderId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("[{}]", ids.join(","))
}

fn require_each(named: &[OrderId], found: &[Order]) -> Result<(), StoreError> {
    let found: BTreeSet<OrderId> = found.iter().map(|order| order.id).collect();
    let named: BTreeSet<OrderId> = named.iter().copied().collect();
    let unknown: Vec<OrderId> = named.difference(&found).copied().collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(StoreError::UnknownOrders(unknown))
    }
}
