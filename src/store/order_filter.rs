//! Which rows of `orders` are read, and the two statements that read them: the orders, and the tournaments that sell their
//! products. Each is one query, however many rows there are.
//!
//! What the rows mean is decided in `row.rs`.

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::schema::Names;
use super::{Store, row};
use crate::domain::{OrderId, TournamentId};

/// Which rows of `orders`, as a condition on them; but for a range with at most one parameter, `$1`.
pub(super) enum Filter {
    Everything,
    Tournament(TournamentId),
    One(OrderId),
    Ids(String),
    Reference(String),
    Range(Range),
}

/// Part of all orders, or of a tournament's, by id.
pub(super) struct Range {
    pub tournament: Option<TournamentId>,
    /// Not among them.
    pub above: OrderId,
    pub up_to: UpTo,
}

#[derive(Clone, Copy)]
pub(super) enum UpTo {
    /// So many rows at most.
    Rows(u32),
    /// This order, which is among them.
    Order(OrderId),
}

impl Store {
    pub(super) async fn fetch(
        &self,
        connection: &mut AnyConnection,
        sql: Arc<str>,
        filter: &Filter,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = match filter {
            Filter::Everything => query,
            Filter::Tournament(id) => query.bind(id.0),
            Filter::One(id) => query.bind(id.0),
            Filter::Ids(text) | Filter::Reference(text) => query.bind(text.as_str()),
            Filter::Range(range) => {
                let query = match range.tournament {
                    Some(id) => query.bind(id.0),
                    None => query,
                };
                query.bind(range.above.0).bind(match range.up_to {
                    UpTo::Rows(rows) => i64::from(rows),
                    UpTo::Order(id) => id.0,
                })
            }
        };
        query.fetch_all(connection).await
    }

    /// One order is read several times while it is worked on: its statement is written once.
    pub(super) fn orders_sql(&self, filter: &Filter) -> Arc<str> {
        let write = || self.orders_statement(filter).into();
        match filter {
            Filter::One(_) => Arc::clone(self.one_order.get_or_init(write)),
            _ => write(),
        }
    }

    /// Outer joins all the way: a dangling key must not hide an order.
    fn orders_statement(&self, filter: &Filter) -> String {
        let Names {
            order_created_at,
            order_id,
            order_player,
            order_product,
            orders_table,
            parent_id,
            parents_table,
            player_id,
            player_parent,
            players_table,
            product_id,
            products_table,
            ..
        } = &*self.names;
        let texts = row::columns(&self.names).map(|(alias, column)| {
            let text = self.read_as_text(column);
            format!("{text} AS {alias}")
        });
        let texts = texts.join(", ");
        let seconds = self.dialect.epoch_seconds(order_created_at);
        let condition = self.condition(filter);
        let limit = match filter {
            Filter::Range(Range {
                tournament,
                up_to: UpTo::Rows(_),
                ..
            }) => format!(" LIMIT ${}", 2 + usize::from(tournament.is_some())),
            _ => String::new(),
        };
        format!(
            "SELECT {texts}, {seconds} AS created_at FROM {orders_table} \
             LEFT JOIN {players_table} ON {player_id} = {order_player} \
             LEFT JOIN {parents_table} ON {parent_id} = {player_parent} \
             LEFT JOIN {products_table} ON {product_id} = {order_product} \
             WHERE {condition} ORDER BY {order_id}{limit}"
        )
    }

    pub(super) fn tournaments_statement(&self, filter: &Filter) -> String {
        let Names {
            order_product,
            orders_table,
            sale_product,
            sale_tournament,
            sales_table,
            tournament_id,
            tournament_name,
            tournaments_table,
            ..
        } = &*self.names;
        let product = self.read_as_text(sale_product);
        let id = self.read_as_text(tournament_id);
        let name = self.read_as_text(tournament_name);
        let condition = self.condition(filter);
        format!(
            "SELECT DISTINCT {product} AS product, {id} AS tournament, {name} AS tournament_name \
             FROM {sales_table} JOIN {tournaments_table} ON {tournament_id} = {sale_tournament} \
             WHERE {sale_product} IN (SELECT {order_product} FROM {orders_table} WHERE {condition})"
        )
    }

    fn condition(&self, filter: &Filter) -> String {
        let Names {
            order_id,
            order_product,
            order_reference,
            sale_product,
            sale_tournament,
            sales_table,
            ..
        } = &*self.names;
        match filter {
            Filter::Everything => "1 = 1".to_owned(),
            Filter::Tournament(_) => format!(
                "{order_product} IN (SELECT {sale_product} FROM {sales_table} WHERE {sale_tournament} = $1)"
            ),
            Filter::One(_) => format!("{order_id} = $1"),
            Filter::Ids(_) => format!("{order_id} IN {}", self.dialect.listed_ids()),
            Filter::Reference(_) => format!("{order_reference} = $1"),
            Filter::Range(range) => {
                let (base, above) = match range.tournament {
                    Some(id) => (self.condition(&Filter::Tournament(id)) + " AND ", 2),
                    None => (String::new(), 1),
                };
                let to = match range.up_to {
                    UpTo::Rows(_) => String::new(),
                    UpTo::Order(_) => format!(" AND {order_id} <= ${}", above + 1),
                };
                format!("{base}{order_id} > ${above}{to}")
            }
        }
    }
}
