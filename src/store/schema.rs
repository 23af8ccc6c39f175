//! Every table and column of the application that relink knows, named here and nowhere else, and the check
//! that the database has them.
//!
//! relink owns none of these tables and adds nothing to them.

use std::collections::BTreeSet;
use std::fmt;

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::StoreError;
use super::dialect::Dialect;

/// Characters that `orders.stripe_checkout_url` holds, `varchar(500)`. SQLite would not enforce it.
pub const URL_CAPACITY: usize = 500;

/// Displayed as SQL; [`Column::path`] is the spelling for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table(&'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    table: Table,
    pub name: &'static str,
}

impl Column {
    /// `orders.amount_cents`
    pub fn path(&self) -> String {
        format!("{}.{}", self.table.0, self.name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.\"{}\"", self.table, self.name)
    }
}

pub(super) const ORDERS: Table = Table("orders");
pub(super) const PLAYERS: Table = Table("players");
pub(super) const PARENTS: Table = Table("parents");
pub(super) const PRODUCTS: Table = Table("products");
pub(super) const TOURNAMENTS: Table = Table("tournaments");
/// Which tournament sells which product, once per team: the same product may stand there several times.
pub(super) const SALES: Table = Table("tournament_products");

macro_rules! columns {
    ($($constant:ident = $table:ident . $name:literal;)*) => {
        $(pub(super) const $constant: Column = Column { table: $table, name: $name };)*
        /// What relink cannot work without.
        const REQUIRED: &[Column] = &[$($constant),*];
    };
}

columns! {
    ORDER_ID = ORDERS."id";
    ORDER_STATUS = ORDERS."status";
    ORDER_AMOUNT = ORDERS."amount_cents";
    ORDER_REFERENCE = ORDERS."stripe_checkout_session_id";
    ORDER_URL = ORDERS."stripe_checkout_url";
    ORDER_PAYMENT_INTENT = ORDERS."stripe_payment_intent_id";
    ORDER_CREATED_AT = ORDERS."created_at";
    ORDER_PLAYER = ORDERS."player_id";
    ORDER_PRODUCT = ORDERS."product_id";
    PLAYER_ID = PLAYERS."id";
    PLAYER_NAME = PLAYERS."name";
    PLAYER_PARENT = PLAYERS."parent_id";
    PARENT_ID = PARENTS."id";
    PARENT_NAME = PARENTS."name";
    PARENT_EMAIL = PARENTS."email";
    PRODUCT_ID = PRODUCTS."id";
    PRODUCT_NAME = PRODUCTS."name";
    PRODUCT_CATEGORY = PRODUCTS."category";
    PRODUCT_IS_ACTIVE = PRODUCTS."is_active";
    TOURNAMENT_ID = TOURNAMENTS."id";
    TOURNAMENT_NAME = TOURNAMENTS."name";
    SALE_TOURNAMENT = SALES."tournament_id";
    SALE_PRODUCT = SALES."product_id";
}

/// Kept up to date where it exists; a table without it is fine.
pub(super) const ORDER_UPDATED_AT: Column = Column {
    table: ORDERS,
    name: "updated_at",
};

/// Needed by the receiver only.
pub(super) const ORDER_PAID_AT: Column = Column {
    table: ORDERS,
    name: "paid_at",
};

const TABLES: &[Table] = &[ORDERS, PLAYERS, PARENTS, PRODUCTS, TOURNAMENTS, SALES];

/// The columns that the database has, of the tables that relink knows.
pub(super) struct FoundColumns(BTreeSet<(String, String)>);

impl FoundColumns {
    pub fn has(&self, column: &Column) -> bool {
        let key = (column.table.0.to_owned(), column.name.to_owned());
        self.0.contains(&key)
    }

    /// # Errors
    /// [`StoreError::Schema`] with every missing table, and every missing column of the tables there are.
    pub fn require(&self) -> Result<(), StoreError> {
        let present = |table: &Table| self.0.iter().any(|(name, _)| name == table.0);
        let tables = TABLES
            .iter()
            .filter(|table| !present(table))
            .map(|table| format!("table `{}` is missing", table.0));
        let columns = REQUIRED
            .iter()
            .filter(|column| present(&column.table) && !self.has(column))
            .map(|column| format!("column `{}` is missing", column.path()));
        let missing: Vec<String> = tables.chain(columns).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Schema { missing })
        }
    }
}

pub(super) async fn read_columns(
    connection: &mut AnyConnection,
    dialect: Dialect,
) -> Result<FoundColumns, StoreError> {
    let what = "read the names of the application's columns";
    let names: Vec<&str> = TABLES.iter().map(|table| table.0).collect();
    let rows = sqlx::query(AssertSqlSafe(dialect.columns_of(&names)))
        .fetch_all(connection)
        .await
        .map_err(StoreError::query(what))?;
    let pair = |row: &sqlx::any::AnyRow| -> Result<(String, String), sqlx::Error> {
        Ok((row.try_get("table_name")?, row.try_get("column_name")?))
    };
    let found: Result<_, _> = rows.iter().map(pair).collect();
    found.map(FoundColumns).map_err(StoreError::query(what))
}
