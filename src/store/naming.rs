//! What a deployment calls the tables, columns and states that relink knows: checked names, each for one thing.
//!
//! A name that a database would cut or misread is refused, and so are two things of one name.

use std::collections::BTreeMap;

use super::StoreError;
use super::dialect::Dialect;
use super::schema::{Column, Names, Table};
use super::states::STATES;

/// What a deployment says it calls things: relink's word to the database's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    pub tables: BTreeMap<String, String>,
    /// By table.
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    pub states: BTreeMap<String, String>,
}

/// A name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    /// `tables.orders`, `columns.orders.amount_cents`, `status.pending`
    pub key: String,
    pub why: String,
}

impl Names {
    /// Words that relink does not know are passed over; the caller has looked for them with [`Names::keys`].
    ///
    /// # Errors
    /// A name that no database takes, or the same one for two things.
    pub fn renamed(renames: &Renames) -> Result<Names, Misnamed> {
        let mut names = Names::default();
        for table in names.tables_mut() {
            if let Some(name) = renames.tables.get(table.word) {
                table.rename(name)?;
            }
        }
        let paths: BTreeMap<&str, String> = names
            .tables()
            .into_iter()
            .map(|table| (table.word, table.path()))
            .collect();
        for column in names.columns_mut() {
            if let Some(path) = paths.get(column.table) {
                column.table_path.clone_from(path);
            }
            let renamed = renames.columns.get(column.table);
            if let Some(name) = renamed.and_then(|columns| columns.get(column.word)) {
                usable(name).map_err(|why| misnamed(column.key(), why))?;
                column.name.clone_from(name);
                column.is_renamed = true;
            }
        }
        for word in STATES {
            if let Some(text) = renames.states.get(word) {
                usable(text).map_err(|why| misnamed(state_key(word), why))?;
                names.states.rename(word, text);
            }
        }
        names.refuse_doubles()?;
        Ok(names)
    }

    /// Every key with the name that it stands for.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, String)> {
        let tables = self.tables().into_iter().map(|it| (it.key(), it.path()));
        let columns = self.columns().into_iter();
        let columns = columns.map(|it| (it.key(), it.name.clone()));
        let states = STATES.map(|word| (state_key(word), self.states.written(word).to_owned()));
        tables.chain(columns).chain(states).collect()
    }

    /// SQLite has one schema, which nothing is qualified by.
    pub(super) fn require_place_in(&self, dialect: Dialect) -> Result<(), StoreError> {
        let qualified = |table: &&Table| dialect == Dialect::Sqlite && table.schema.is_some();
        let tables = self.tables().into_iter().filter(qualified);
        let missing: Vec<String> = tables
            .map(|table| format!("table `{}` cannot be: SQLite has no schemas", table.path()))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Schema { missing })
        }
    }

    /// Of two things of one name, one would be read or written in the other's place.
    fn refuse_doubles(&self) -> Result<(), Misnamed> {
        let mut seen: BTreeMap<(&str, String), String> = BTreeMap::new();
        let tables = self
            .tables()
            .into_iter()
            .map(|it| (("table", it.path()), it.key()));
        let columns = self.columns().into_iter();
        let columns = columns.map(|it| ((it.table, it.name.clone()), it.key()));
        let states = STATES.map(|word| {
            let written = self.states.written(word).to_owned();
            (("status", written), state_key(word))
        });
        for (place, key) in tables.chain(columns).chain(states) {
            let name = place.1.clone();
            if let Some(other) = seen.insert(place, key.clone()) {
                return Err(misnamed(key, format!("`{name}` is `{other}` already")));
            }
        }
        Ok(())
    }
}

impl Table {
    fn key(&self) -> String {
        format!("tables.{}", self.word)
    }

    /// `shop_orders` or `billing.orders`
    fn rename(&mut self, name: &str) -> Result<(), Misnamed> {
        let (schema, bare) = match name.split_once('.') {
            Some((schema, bare)) => (Some(schema), bare),
            None => (None, name),
        };
        for part in schema.into_iter().chain([bare]) {
            let checked = usable(part).and_then(|()| {
                let has_point = part.contains('.');
                if has_point {
                    Err("it has more than one point".to_owned())
                } else {
                    Ok(())
                }
            });
            checked.map_err(|why| misnamed(self.key(), why))?;
        }
        self.schema = schema.map(ToOwned::to_owned);
        bare.clone_into(&mut self.name);
        Ok(())
    }
}

impl Column {
    fn key(&self) -> String {
        format!("columns.{}.{}", self.table, self.word)
    }
}

fn state_key(word: &str) -> String {
    format!("status.{word}")
}

fn misnamed(key: String, why: String) -> Misnamed {
    Misnamed { key, why }
}

/// Postgres cuts a longer name without a word; a backslash means something in some of its literals.
fn usable(name: &str) -> Result<(), String> {
    match name.len() {
        0 => Err("it is empty".to_owned()),
        64.. => Err("it has more than 63 bytes".to_owned()),
        _ if name.chars().any(|c| c.is_control() || c == '\\') => {
            Err("it holds a control character or a backslash".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    }

    fn tables(name: &str) -> Result<Names, Misnamed> {
        Names::renamed(&Renames {
            tables: one(&[("orders", name)]),
            ..Renames::default()
        })
    }

    #[test]
    fn a_name_reaches_sql_quoted_and_a_person_as_the_database_has_it() {
        let names = tables("bil\"ling.order's").unwrap_or_else(|e| panic!("{e:?}"));
        let table = &names.orders_table;
        assert_eq!(
            table.to_string(),
            "\"bil\"\"ling\".\"order's\" AS \"orders\""
        );
        assert_eq!(names.order_id.to_string(), "\"orders\".\"id\"");
        assert_eq!(names.order_id.path(), "bil\"ling.order's.id");
        let sql = Dialect::Postgres.columns_of(&[table]);
        assert!(
            sql.contains("to_regclass('\"bil\"\"ling\".\"order''s\"')"),
            "{sql}"
        );
    }

    #[test]
    fn what_no_database_takes_is_refused() {
        for name in [
            "",
            ".orders",
            "orders.",
            "a.b.c",
            "a\0b",
            "a\\b",
            &"ü".repeat(32),
        ] {
            assert!(tables(name).is_err(), "{name:?} was accepted");
        }
        assert!(tables(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn two_things_of_one_name_are_refused() {
        let double = tables("players").map_err(|it| (it.key, it.why));
        let said = (
            "tables.players".to_owned(),
            "`players` is `tables.orders` already".to_owned(),
        );
        assert_eq!(double, Err(said));
        let columns = Names::renamed(&Renames {
            columns: [(
                "orders".to_owned(),
                one(&[("stripe_checkout_url", "status")]),
            )]
            .into(),
            ..Renames::default()
        });
        assert!(columns.is_err());
        let states = Names::renamed(&Renames {
            states: one(&[("pending", "paid")]),
            ..Renames::default()
        });
        assert!(states.is_err());
        let swapped = Names::renamed(&Renames {
            states: one(&[("canceled", "refunded"), ("refunded", "canceled")]),
            ..Renames::default()
        });
        assert!(swapped.is_ok());
    }
}
