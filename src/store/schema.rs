//! Every table and column of the application that relink knows, named here and nowhere else, and the check
//! that the database has them.
//!
//! relink owns none of these tables and adds nothing to them.

use std::collections::BTreeSet;
use std::fmt;

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::StoreError;
use super::dialect::Dialect;
use crate::doctor::{Need, Use};

/// Characters that `orders.stripe_checkout_url` holds, `varchar(500)`. SQLite would not enforce it.
pub const URL_CAPACITY: usize = 500;

/// Displayed as SQL; [`Column::path`] is the spelling for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table(&'static str);

impl Table {
    pub fn name(self) -> &'static str {
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    table: Table,
    pub name: &'static str,
}

impl Column {
    pub fn table(self) -> Table {
        self.table
    }

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

/// A column with what it must hold, and who needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub column: Column,
    pub need: Need,
    pub uses: Use,
}

macro_rules! columns {
    ($($constant:ident = $table:ident . $name:literal, $need:expr, $uses:ident;)*) => {
        $(pub(super) const $constant: Column = Column { table: $table, name: $name };)*
        pub(super) const COLUMNS: &[Known] =
            &[$(Known { column: $constant, need: $need, uses: Use::$uses }),*];
    };
}

#[allow(clippy::cast_possible_truncation)]
const URL: Need = Need::Url(URL_CAPACITY as u32);

columns! {
    ORDER_ID = ORDERS."id", Need::Id, Read;
    // `canceled` and `refunded` are read where they are there, and never written.
    ORDER_STATUS = ORDERS."status", Need::Word(&["pending", "paid"]), Payment;
    ORDER_AMOUNT = ORDERS."amount_cents", Need::Amount, Read;
    ORDER_REFERENCE = ORDERS."stripe_checkout_session_id", Need::StripeId, Link;
    ORDER_URL = ORDERS."stripe_checkout_url", URL, Link;
    ORDER_PAYMENT_INTENT = ORDERS."stripe_payment_intent_id", Need::StripeId, Payment;
    ORDER_CREATED_AT = ORDERS."created_at", Need::Moment, Read;
    ORDER_PLAYER = ORDERS."player_id", Need::Id, Read;
    ORDER_PRODUCT = ORDERS."product_id", Need::Id, Read;
    // Kept up to date where it exists; a table without it is fine.
    ORDER_UPDATED_AT = ORDERS."updated_at", Need::Moment, Touched;
    ORDER_PAID_AT = ORDERS."paid_at", Need::Moment, ReceiverOnly;
    PLAYER_ID = PLAYERS."id", Need::Id, Read;
    PLAYER_NAME = PLAYERS."name", Need::Shown, Read;
    PLAYER_PARENT = PLAYERS."parent_id", Need::Id, Read;
    PARENT_ID = PARENTS."id", Need::Id, Read;
    PARENT_NAME = PARENTS."name", Need::Shown, Read;
    PARENT_EMAIL = PARENTS."email", Need::Shown, Read;
    PRODUCT_ID = PRODUCTS."id", Need::Id, Read;
    PRODUCT_NAME = PRODUCTS."name", Need::Shown, Read;
    // The scope; without it, no order is ever worked on.
    PRODUCT_CATEGORY = PRODUCTS."category", Need::Word(&["tournament"]), Read;
    PRODUCT_IS_ACTIVE = PRODUCTS."is_active", Need::Flag, Read;
    TOURNAMENT_ID = TOURNAMENTS."id", Need::Id, Read;
    TOURNAMENT_NAME = TOURNAMENTS."name", Need::Shown, Read;
    SALE_TOURNAMENT = SALES."tournament_id", Need::Id, Read;
    SALE_PRODUCT = SALES."product_id", Need::Id, Read;
}

pub(super) const TABLES: &[Table] = &[ORDERS, PLAYERS, PARENTS, PRODUCTS, TOURNAMENTS, SALES];

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
        let required = COLUMNS.iter().filter(|known| known.uses.is_required());
        let columns = required
            .map(|known| known.column)
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
