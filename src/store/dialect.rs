//! What differs in the two databases' SQL: how a value becomes text, how a transaction begins, how a row is locked, what
//! the time is. Their catalogues are asked in `catalogue.rs`; what is done on one of them alone stands where it is done
//! (`connect.rs`, `journal/life.rs`, `receiver/together.rs`).
//!
//! Every column is read as text, since the shared driver knows neither Postgres' enums and timestamps nor
//! SQLite's habit of keeping any type in any column; what the text means is decided in `row.rs`.

use super::address::DatabaseKind;
use super::schema::Column;

/// The SQLite that is built in; a test asks it.
pub const SQLITE_VERSION: &str = "3.51.3";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

impl From<DatabaseKind> for Dialect {
    fn from(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Postgres => Dialect::Postgres,
            DatabaseKind::Sqlite => Dialect::Sqlite,
        }
    }
}

impl Dialect {
    /// The column as text, NULL staying NULL: what conditions compare. To be read it is [`super::Store::read_as_text`].
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

    /// The column as the bytes of its text. SQLite keeps texts that are none in any encoding, and the driver would end the
    /// whole read at one.
    pub fn bytes(self, column: &Column) -> String {
        match self {
            Dialect::Postgres => self.text(column),
            Dialect::Sqlite => format!("CAST({} AS BLOB)", self.text(column)),
        }
    }

    /// The encoding in which the database gives the bytes of a text, where it gives any.
    pub fn encoding_of_bytes(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => None,
            Dialect::Sqlite => Some("SELECT encoding FROM pragma_encoding"),
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

    /// As `listed_ids`, of texts, for use after `FROM`: the column `value` of `listed`.
    pub fn listed_texts(self) -> &'static str {
        match self {
            Dialect::Postgres => "json_array_elements_text(CAST($1 AS JSON)) AS listed(value)",
            Dialect::Sqlite => "json_each($1) AS listed",
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

    /// One row, one text: the same by every way that leads to this database.
    pub fn which_database(self) -> &'static str {
        match self {
            Dialect::Postgres => {
                "SELECT 'postgres ' || current_database() || ' ' || CAST(system_identifier AS TEXT) \
                 FROM pg_control_system()"
            }
            Dialect::Sqlite => {
                "SELECT 'sqlite ' || file FROM pragma_database_list WHERE name = 'main'"
            }
        }
    }

    /// A bound number of whole seconds since 1970 UTC, as the application's columns hold a time.
    pub fn moment(self, parameter: &str) -> String {
        match self {
            Dialect::Postgres => format!("to_timestamp({parameter})"),
            Dialect::Sqlite => {
                format!("strftime('%Y-%m-%d %H:%M:%f', {parameter}, 'unixepoch') || '000'")
            }
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

    /// As `row_lock`, in a SELECT that joins, for the rows of one of its tables.
    pub fn row_lock_of(self, alias: &str) -> String {
        match self {
            Dialect::Postgres => format!(" FOR UPDATE OF {alias}"),
            Dialect::Sqlite => String::new(),
        }
    }

    /// As `row_lock_of`, but passes over a row that another transaction has, instead of waiting for it.
    pub fn skip_locked(self, alias: &str) -> String {
        match self {
            Dialect::Postgres => format!(" FOR UPDATE OF {alias} SKIP LOCKED"),
            Dialect::Sqlite => String::new(),
        }
    }

    /// Takes the lock `$1` until the transaction ends, after waiting for it. SQLite's writing transaction has
    /// the whole file already.
    pub fn lock(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some("SELECT CAST(pg_advisory_xact_lock($1) AS TEXT)"),
            Dialect::Sqlite => None,
        }
    }

    /// Whether this session's commits wait for the disk (`synchronous_commit`), and the server for the disk's word (`fsync`).
    /// SQLite's do: every session is told so.
    pub fn settings_of_commits(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => {
                Some("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
            }
            Dialect::Sqlite => None,
        }
    }

    /// As `lock`, at once or not at all: 1 or 0.
    pub fn try_lock(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some(
                "SELECT CAST(CASE WHEN pg_try_advisory_xact_lock($1) THEN 1 ELSE 0 END AS BIGINT)",
            ),
            Dialect::Sqlite => None,
        }
    }

    /// 1 where no session holds the sign of life `$1`. Several may ask at once.
    pub fn try_sign_of_life(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some(
                "SELECT CAST(CASE WHEN pg_try_advisory_xact_lock_shared($1) THEN 1 ELSE 0 END AS BIGINT)",
            ),
            Dialect::Sqlite => None,
        }
    }

    /// 1 or 0: whether a session holds the sign of life in a column, read off the list of locks, which a
    /// session that may only read can do as well. NULL where there are no such signs.
    pub fn shows_sign_of_life(self, column: &str) -> String {
        match self {
            Dialect::Postgres => format!(
                "CAST(CASE WHEN EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted \
                 AND l.mode = 'ExclusiveLock' AND l.objsubid = 1 \
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                 AND CAST(l.classid AS BIGINT) = ({column} >> 32) \
                 AND CAST(l.objid AS BIGINT) = ({column} & 4294967295)) THEN 1 ELSE 0 END AS BIGINT)"
            ),
            Dialect::Sqlite => "CAST(NULL AS BIGINT)".to_owned(),
        }
    }

    /// Yields a row where the journal has a table `meta`.
    pub fn find_journal(self) -> &'static str {
        match self {
            Dialect::Postgres => "SELECT 1 WHERE to_regclass('relink.meta') IS NOT NULL",
            Dialect::Sqlite => {
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'relink_meta'"
            }
        }
    }

    /// Yields a row where there is room for the journal's tables.
    pub fn find_journal_schema(self) -> &'static str {
        match self {
            Dialect::Postgres => "SELECT 1 WHERE to_regnamespace('relink') IS NOT NULL",
            Dialect::Sqlite => "SELECT 1",
        }
    }

    /// The role that a session acts as, where there are roles.
    pub fn current_role(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some("SELECT CAST(current_user AS TEXT)"),
            Dialect::Sqlite => None,
        }
    }

    /// A text of the rights that the role lacks among `wanted`, pairs of a table and a right; NULL for none.
    /// SQLite knows no roles.
    pub fn missing_rights(self, wanted: &[(String, &str)]) -> Option<String> {
        if self == Dialect::Sqlite {
            return None;
        }
        let wanted: Vec<String> = wanted
            .iter()
            .map(|(table, right)| format!("('{table}', '{right}')"))
            .collect();
        Some(format!(
            "SELECT string_agg(needed || ' on ' || place, ', ') FROM (VALUES {}) AS wanted(place, needed) \
             WHERE NOT has_table_privilege(place, needed)",
            wanted.join(", ")
        ))
    }
}
