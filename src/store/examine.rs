//! What `doctor` is told of the database: the catalogue's word on tables, columns, types and rights, and whether
//! anything could be written here. It reads, in a session that may do nothing else, and judges nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::address::Address;
use super::dialect::Dialect;
use super::pool::Alone;
use super::schema::{Column, Places, Table, doubled_tables, places};
use super::{Access, Store, StoreError, kinds};
use crate::doctor::{Catalogue, ColumnFacts, Database, Durability, Found, Writing};
use crate::files;

const WHAT: &str = "read the catalogue";

type Columns = BTreeMap<(String, String), Found>;

impl Store {
    /// What is there of the application's tables, and what this session's role may do with it. `url` is the one that
    /// this store was reached by.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn examine(
        &self,
        url: &SecretString,
        categories: &[String],
    ) -> Result<Catalogue, StoreError> {
        let tables = self.names.tables();
        let (columns, places) = self.described_columns(&tables).await?;
        let is_there = |table: &str| columns.keys().any(|(known, _)| known == table);
        let filtered = match self.dialect.filtered_tables(&tables) {
            Some(statement) => self.texts(statement).await?,
            None => Vec::new(),
        };
        let role = match self.dialect.current_role() {
            Some(statement) => self.texts(statement.to_owned()).await?.pop(),
            None => None,
        };
        Ok(Catalogue {
            database: match self.dialect {
                Dialect::Postgres => Database::Postgres,
                Dialect::Sqlite => Database::Sqlite,
            },
            version: self
                .texts(self.dialect.version().to_owned())
                .await?
                .concat(),
            role,
            tables: tables.len(),
            missing_tables: tables
                .iter()
                .filter(|table| !is_there(table.word))
                .map(|table| table.path())
                .collect(),
            doubled_tables: doubled_tables(&self.names, &places),
            columns: self
                .names
                .known()
                .into_iter()
                .filter(|known| is_there(known.column.table))
                .map(|known| {
                    let key = (known.column.table.to_owned(), known.column.name.clone());
                    ColumnFacts {
                        path: known.column.path(),
                        need: known.need,
                        uses: known.uses,
                        is_renamed: known.column.is_renamed,
                        words: self.words_of(known.column, categories),
                        found: columns.get(&key).cloned(),
                    }
                })
                .collect(),
            filtered,
            writing: self.writing(url).await?,
            durability: self.durability().await?,
        })
    }

    /// What an enum in this column must know. `canceled` and `refunded` are read where they are there, and never
    /// written: they need not be known, unless somebody gave them a name of their own.
    fn words_of(&self, column: &Column, categories: &[String]) -> Vec<String> {
        if *column == self.names.order_status {
            let states = &self.names.states;
            let named = ["canceled", "refunded"].into_iter();
            let named = named.filter(|word| states.written(word) != *word);
            let words = ["pending", "paid"].into_iter().chain(named);
            words.map(|word| states.written(word).to_owned()).collect()
        } else if *column == self.names.product_category {
            // The scope; without it, no order is ever worked on.
            categories.to_vec()
        } else {
            Vec::new()
        }
    }

    async fn described_columns(&self, tables: &[&Table]) -> Result<(Columns, Places), StoreError> {
        let rows = sqlx::query(AssertSqlSafe(self.dialect.described_columns(tables)))
            .all(self, WHAT)
            .await?;
        let columns: Result<Columns, _> = rows.iter().map(|row| self.described(row)).collect();
        let columns = columns.map_err(StoreError::query(WHAT))?;
        Ok((columns, places(&rows).map_err(StoreError::query(WHAT))?))
    }

    fn described(&self, row: &AnyRow) -> Result<((String, String), Found), sqlx::Error> {
        let declared: String = row.try_get("declared")?;
        let (kind, length) = match self.dialect {
            Dialect::Postgres => {
                let words: Option<String> = row.try_get("labels")?;
                let base: String = row.try_get("base")?;
                kinds::postgres(&base, row.try_get("modifier")?, words.as_deref())
            }
            Dialect::Sqlite => kinds::sqlite(&declared),
        };
        let found = Found {
            declared,
            kind,
            length,
            may_select: row.try_get::<i64, _>("may_select")? == 1,
            may_update: row.try_get::<i64, _>("may_update")? == 1,
            is_updatable: row.try_get::<i64, _>("is_updatable")? == 1,
        };
        Ok((
            (row.try_get("table_name")?, row.try_get("column_name")?),
            found,
        ))
    }

    async fn writing(&self, url: &SecretString) -> Result<Writing, StoreError> {
        match self.dialect.refuses_writes() {
            Some(statement) => Ok(match self.number(statement).await? {
                0 => Writing::Possible,
                1 => Writing::ReadOnly("the server is a standby, which only reads".to_owned()),
                _ => Writing::ReadOnly(
                    "sessions of this role are read-only by its or the database's setting \
                     (default_transaction_read_only)"
                        .to_owned(),
                ),
            }),
            None => {
                let address = Address::parse(url, Access::ReadWrite)?;
                Ok(match address.is_read_only_file() {
                    true => Writing::ReadOnly("the URL says `mode=ro`".to_owned()),
                    false => writing_of_file(&PathBuf::from(self.identity.place())),
                })
            }
        }
    }

    async fn texts(&self, statement: String) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(statement))
            .all(self, WHAT)
            .await?;
        let texts: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        texts.map_err(StoreError::query(WHAT))
    }

    /// # Errors
    /// What any query can meet.
    pub(super) async fn durability(&self) -> Result<Durability, StoreError> {
        let Some(statement) = self.dialect.settings_of_commits() else {
            return Ok(Durability::OnDisk);
        };
        let row = sqlx::query(statement).one(self, WHAT).await?;
        let text = |at| {
            row.try_get::<String, _>(at)
                .map_err(StoreError::query(WHAT))
        };
        Ok(match (text(0)?.as_str(), text(1)?.as_str()) {
            ("off", _) => Durability::AnsweredEarly,
            (_, "off") => Durability::NeverSynced,
            _ => Durability::OnDisk,
        })
    }

    async fn number(&self, statement: &'static str) -> Result<i64, StoreError> {
        let row = sqlx::query(statement).one(self, WHAT).await?;
        row.try_get(0).map_err(StoreError::query(WHAT))
    }
}

/// SQLite writes beside its file as well: the folder must let it.
fn writing_of_file(file: &Path) -> Writing {
    let folder = file.parent().unwrap_or(Path::new("/"));
    for place in [file, folder] {
        if let Err(error) = files::may_write(place) {
            return Writing::Denied(format!("`{}` cannot be written: {error}", place.display()));
        }
    }
    Writing::Possible
}
