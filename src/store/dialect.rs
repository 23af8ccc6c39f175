//! The only place where the two databases differ: how a value becomes text, how a transaction begins, what
//! the time is, and how the catalogue is asked.
//!
//! Every column is read as text, since the shared driver knows neither Postgres' enums and timestamps nor
//! SQLite's habit of keeping any type in any column; what the text means is decided in `orders.rs`.

use super::schema::Column;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// The column as text, NULL staying NULL.
    pub fn text(self, column: &Column) -> String {
        match self {
            Dialect::Postgres => format!("CAST({column} AS TEXT)"),
            // A blob cast to text may be no text at all, which would end the whole read.
            Dialect::Sqlite => {
                format!(
                    "CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE CAST({column} AS TEXT) END"
                )
            }
        }
    }

    /// A point in time as text: whole seconds since 1970 UTC. SQLAlchemy keeps UTC in SQLite, without a zone.
    pub fn epoch_seconds(self, column: &Column) -> String {
        match self {
            Dialect::Postgres => format!("CAST(FLOOR(EXTRACT(EPOCH FROM {column})) AS TEXT)"),
            Dialect::Sqlite => format!("strftime('%s', {column})"),
        }
    }

    /// The rows of parameter `$1`, a JSON array of integers of any length, for use after `IN`. One bound
    /// value, however long the list: neither database's limit on parameters can be met.
    pub fn listed_ids(self) -> &'static str {
        match self {
            Dialect::Postgres => {
                "(SELECT CAST(listed.id AS BIGINT) FROM json_array_elements_text(CAST($1 AS JSON)) AS listed(id))"
            }
            Dialect::Sqlite => "(SELECT listed.value FROM json_each($1) AS listed)",
        }
    }

    /// Begins a transaction in which several reads see one state of the database.
    pub fn begin_snapshot(self) -> &'static str {
        match self {
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Dialect::Sqlite => "BEGIN",
        }
    }

    /// Begins a transaction that writes. It never says READ WRITE: that would lift a session's read-only
    /// setting.
    pub fn begin_write(self) -> &'static str {
        match self {
            Dialect::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Dialect::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Locks the row read by a SELECT until the transaction ends, and so waits for a commit under way.
    /// SQLite's writing transaction has the whole file already.
    pub fn row_lock(self) -> &'static str {
        match self {
            Dialect::Postgres => " FOR UPDATE",
            Dialect::Sqlite => "",
        }
    }

    /// The database's time, as the application's columns hold it.
    pub fn now(self) -> &'static str {
        match self {
            Dialect::Postgres => "now()",
            // SQLAlchemy writes six digits after the point and no zone.
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'",
        }
    }

    /// A query for `(table, column)` of the named tables, as `search_path` resolves them. It reads the
    /// catalogue, not `information_schema`: the latter hides columns that the role may not read, and a
    /// missing right is not a missing column.
    pub fn columns_of(self, tables: &[&str]) -> String {
        let quoted = |quote: &dyn Fn(&&str) -> String| {
            tables.iter().map(quote).collect::<Vec<_>>().join(", ")
        };
        match self {
            Dialect::Postgres => format!(
                "SELECT CAST(c.relname AS TEXT) AS table_name, CAST(a.attname AS TEXT) AS column_name \
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                 WHERE c.oid IN ({}) AND a.attnum > 0 AND NOT a.attisdropped",
                quoted(&|table| format!("to_regclass('\"{table}\"')"))
            ),
            Dialect::Sqlite => format!(
                "SELECT m.name AS table_name, c.name AS column_name \
                 FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                 WHERE m.type IN ('table', 'view') AND m.name IN ({})",
                quoted(&|table| format!("'{table}'"))
            ),
        }
    }

    /// What stands before the name of a table of the journal. On Postgres it is a schema of its own, which
    /// the application's migrations never see.
    pub fn journal_prefix(self) -> &'static str {
        match self {
            Dialect::Postgres => "relink.",
            Dialect::Sqlite => "relink_",
        }
    }

    /// The statement that makes room for the journal's tables, where that takes one.
    pub fn create_journal_schema(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some("CREATE SCHEMA IF NOT EXISTS relink"),
            Dialect::Sqlite => None,
        }
    }

    /// The database's clock, in microseconds since 1970 UTC. All leases and all of the journal's times are
    /// on it: no two hosts' clocks are ever compared.
    pub fn epoch_micros(self) -> &'static str {
        match self {
            // Not now(), which stands still while a transaction waits.
            Dialect::Postgres => {
                "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000) AS BIGINT)"
            }
            // It knows no more than milliseconds.
            Dialect::Sqlite => {
                "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS BIGINT) * 1000"
            }
        }
    }

    /// After a locking SELECT: passes over a row that another transaction has, instead of waiting for it.
    /// SQLite's writing transaction has the whole file already.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        }
    }
}
