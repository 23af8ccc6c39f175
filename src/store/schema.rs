//! Every table and column of the application that relink knows, named here and nowhere else, and the check that the
//! database has them.
//!
//! relink owns none of these tables and adds nothing to them. A name only ever reaches SQL quoted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::StoreError;
use super::dialect::Dialect;
use super::states::States;
use crate::doctor::{Need, Use};

/// Characters that `orders.stripe_checkout_url` holds, `varchar(500)`. SQLite would not enforce it.
pub const URL_CAPACITY: usize = 500;

/// Displayed as SQL that names it, under its own word as alias; [`Table::path`] is the spelling for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// What relink calls it.
    pub word: &'static str,
    pub schema: Option<String>,
    pub name: String,
}

/// Displayed as SQL, with its table's alias; [`Column::path`] is the spelling for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// relink's word for its table.
    pub table: &'static str,
    /// What relink calls it.
    pub word: &'static str,
    pub table_path: String,
    pub name: String,
    /// Somebody said that it is there.
    pub is_renamed: bool,
}

impl Table {
    /// `billing.orders`
    pub fn path(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The table without its alias.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.name)),
            None => quote(&self.name),
        }
    }

    /// What its columns are named by in a statement.
    pub fn alias(&self) -> String {
        quote(self.word)
    }
}

impl Column {
    /// `orders.amount_cents`, as the database has it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.table_path, self.name)
    }

    /// Without its table, for the left side of an assignment.
    pub fn bare(&self) -> String {
        quote(&self.name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} AS {}", self.quoted(), self.alias())
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quote(self.table), quote(&self.name))
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column with what it must hold, and who needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub column: &'a Column,
    pub need: Need,
    pub uses: Use,
}

#[allow(clippy::cast_possible_truncation)]
const URL: Need = Need::Url(URL_CAPACITY as u32);

macro_rules! names {
    (tables { $($table:ident = $word:literal;)* }
     required { $($column:ident = $of:literal . $name:literal, $need:expr, $uses:ident;)* }
     optional {
         $($option:ident = $option_of:literal . $option_name:literal, $option_need:expr, $option_uses:ident;)*
     }) => {
        /// What this deployment calls the tables, columns and states. [`Names::default`] is what the application's own
        /// migrations make.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Names {
            $(pub(super) $table: Table,)*
            $(pub(super) $column: Column,)*
            $(pub(super) $option: Column,)*
            pub(super) states: States,
        }

        impl Default for Names {
            fn default() -> Self {
                Names {
                    $($table: table($word),)*
                    $($column: column($of, $name),)*
                    $($option: column($option_of, $option_name),)*
                    states: States::default(),
                }
            }
        }

        impl Names {
            pub(super) fn tables(&self) -> Vec<&Table> {
                vec![$(&self.$table),*]
            }

            pub(super) fn tables_mut(&mut self) -> Vec<&mut Table> {
                vec![$(&mut self.$table),*]
            }

            /// What relink cannot work without.
            fn required(&self) -> Vec<&Column> {
                vec![$(&self.$column),*]
            }

            pub(super) fn columns(&self) -> Vec<&Column> {
                vec![$(&self.$column,)* $(&self.$option),*]
            }

            /// Each column with what it must hold, and who needs it.
            pub(super) fn known(&self) -> Vec<Known<'_>> {
                vec![
                    $(Known { column: &self.$column, need: $need, uses: Use::$uses },)*
                    $(Known { column: &self.$option, need: $option_need, uses: Use::$option_uses }),*
                ]
            }

            pub(super) fn columns_mut(&mut self) -> Vec<&mut Column> {
                vec![$(&mut self.$column,)* $(&mut self.$option),*]
            }
        }
    };
}

names! {
    tables {
        orders_table = "orders";
        players_table = "players";
        parents_table = "parents";
        products_table = "products";
        tournaments_table = "tournaments";
        // Which tournament sells which product, once per team: the same product may stand there several times.
        sales_table = "tournament_products";
    }
    required {
        order_id = "orders"."id", Need::Id, Read;
        order_status = "orders"."status", Need::Word, Payment;
        order_amount = "orders"."amount_cents", Need::Amount, Read;
        order_reference = "orders"."stripe_checkout_session_id", Need::StripeId, Link;
        order_url = "orders"."stripe_checkout_url", URL, Link;
        order_payment_intent = "orders"."stripe_payment_intent_id", Need::StripeId, Payment;
        order_created_at = "orders"."created_at", Need::Moment, Read;
        order_player = "orders"."player_id", Need::Id, Read;
        order_product = "orders"."product_id", Need::Id, Read;
        player_id = "players"."id", Need::Id, Read;
        player_name = "players"."name", Need::Shown, Read;
        player_parent = "players"."parent_id", Need::Id, Read;
        parent_id = "parents"."id", Need::Id, Read;
        parent_name = "parents"."name", Need::Shown, Read;
        parent_email = "parents"."email", Need::Shown, Read;
        product_id = "products"."id", Need::Id, Read;
        product_name = "products"."name", Need::Shown, Read;
        product_category = "products"."category", Need::Word, Read;
        product_is_active = "products"."is_active", Need::Flag, Read;
        tournament_id = "tournaments"."id", Need::Id, Read;
        tournament_name = "tournaments"."name", Need::Shown, Read;
        sale_tournament = "tournament_products"."tournament_id", Need::Id, Read;
        sale_product = "tournament_products"."product_id", Need::Id, Read;
    }
    optional {
        // Kept up to date where it exists; a table without it is fine.
        order_updated_at = "orders"."updated_at", Need::Moment, Touched;
        // Needed by the receiver only.
        order_paid_at = "orders"."paid_at", Need::Moment, ReceiverOnly;
    }
}

fn table(word: &'static str) -> Table {
    Table {
        word,
        schema: None,
        name: word.to_owned(),
    }
}

fn column(table: &'static str, word: &'static str) -> Column {
    Column {
        table,
        word,
        table_path: table.to_owned(),
        name: word.to_owned(),
        is_renamed: false,
    }
}

/// By relink's word for a table, what the database itself knows the table by.
pub(super) type Places = BTreeMap<String, String>;

/// From rows that have both, for each column of a table.
pub(super) fn places(rows: &[AnyRow]) -> Result<Places, sqlx::Error> {
    let pair = |row: &AnyRow| Ok((row.try_get("table_name")?, row.try_get("place")?));
    rows.iter().map(pair).collect()
}

/// Pairs of names that are one table in the database, though they are spelled in two ways: what is written to the one
/// would be read from the other.
pub(super) fn doubled_tables(names: &Names, places: &Places) -> Vec<(String, String)> {
    let mut seen = BTreeMap::new();
    let tables = names.tables().into_iter();
    let doubled = tables.filter_map(|table| {
        let other = seen.insert(places.get(table.word)?, table.path())?;
        Some((other, table.path()))
    });
    doubled.collect()
}

/// The columns that the database has, of the tables that relink knows: relink's word for the table, and the column.
pub(super) struct FoundColumns {
    columns: BTreeSet<(String, String)>,
    places: Places,
}

impl FoundColumns {
    pub fn has(&self, column: &Column) -> bool {
        let key = (column.table.to_owned(), column.name.clone());
        self.columns.contains(&key)
    }

    /// # Errors
    /// [`StoreError::Schema`] with every missing table, every missing column of the tables there are, and every table
    /// that stands for two.
    pub fn require(&self, names: &Names) -> Result<(), StoreError> {
        let present = |word: &str| self.places.contains_key(word);
        let tables = names
            .tables()
            .into_iter()
            .filter(|table| !present(table.word))
            .map(|table| format!("table `{}` is missing", table.path()));
        let renamed = names
            .columns()
            .into_iter()
            .filter(|column| column.is_renamed);
        let mut wanted: Vec<&Column> = names.required();
        wanted.extend(renamed.filter(|column| !names.required().contains(column)));
        let columns = wanted
            .into_iter()
            .filter(|column| present(column.table) && !self.has(column))
            .map(|column| format!("column `{}` is missing", column.path()));
        let doubled = doubled_tables(names, &self.places).into_iter();
        let doubled = doubled.map(|(one, other)| format!("`{one}` and `{other}` are one table"));
        let missing: Vec<String> = tables.chain(columns).chain(doubled).collect();
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
    names: &Names,
) -> Result<FoundColumns, StoreError> {
    let what = "read the names of the application's columns";
    let sql = dialect.columns_of(&names.tables());
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .map_err(StoreError::query(what))?;
    let pair = |row: &AnyRow| -> Result<(String, String), sqlx::Error> {
        Ok((row.try_get("table_name")?, row.try_get("column_name")?))
    };
    let columns: Result<_, _> = rows.iter().map(pair).collect();
    Ok(FoundColumns {
        columns: columns.map_err(StoreError::query(what))?,
        places: places(&rows).map_err(StoreError::query(what))?,
    })
}
