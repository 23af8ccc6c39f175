//! The dialect's questions to the database's own catalogue: which tables and columns there are, of which types, and
//! what this role may do with them and with the journal.
//!
//! All of them only read, and answer for a role that may read nothing else.

use super::dialect::Dialect;
use super::schema::Table;

impl Dialect {
    /// A query for `(table, column, place)` of these tables: relink's word for the table, as `search_path` resolves its
    /// name, the column, and by what the database itself knows the table. It reads the catalogue, not
    /// `information_schema`: the latter hides columns that the role may not read, and a missing right is not a missing
    /// column.
    pub fn columns_of(self, tables: &[&Table]) -> String {
        let wanted = self.wanted(tables);
        match self {
            Dialect::Postgres => format!(
                "SELECT CAST(w.word AS TEXT) AS table_name, CAST(a.attname AS TEXT) AS column_name, \
                 CAST(a.attrelid AS TEXT) AS place FROM ({wanted}) AS w JOIN pg_attribute a ON a.attrelid = w.place \
                 WHERE a.attnum > 0 AND NOT a.attisdropped"
            ),
            Dialect::Sqlite => format!(
                "SELECT w.word AS table_name, c.name AS column_name, m.name AS place \
                 FROM ({wanted}) AS w JOIN sqlite_master m ON m.name = w.place \
                 JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
            ),
        }
    }

    /// relink's word for each table, and its place in the catalogue.
    fn wanted(self, tables: &[&Table]) -> String {
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let wanted: Vec<String> = tables
            .iter()
            .map(|table| match self {
                Dialect::Postgres => format!(
                    "SELECT {} AS word, to_regclass({}) AS place",
                    literal(table.word),
                    literal(&table.quoted())
                ),
                Dialect::Sqlite => format!(
                    "SELECT {} AS word, {} AS place",
                    literal(table.word),
                    literal(&table.name)
                ),
            })
            .collect();
        wanted.join(" UNION ALL ")
    }

    /// As `columns_of`, with the declared type, what kind of type it is, how long a value may be, whether anybody can
    /// change it there, and what this role may do with it. A domain counts as what it is made of. Labels of an enum are
    /// separated by U+001F.
    ///
    /// What an `INSTEAD OF` trigger writes, SQLite counts as no row: to relink, no view can be changed there.
    pub fn described_columns(self, tables: &[&Table]) -> String {
        let wanted = self.wanted(tables);
        match self {
            Dialect::Postgres => format!(
                "SELECT CAST(w.word AS TEXT) AS table_name, CAST(a.attname AS TEXT) AS column_name, \
                 CAST(a.attrelid AS TEXT) AS place, CAST(format_type(a.atttypid, a.atttypmod) AS TEXT) AS declared, \
                 CAST(b.typname AS TEXT) AS base, \
                 CAST(CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS BIGINT) AS modifier, \
                 (SELECT string_agg(CAST(e.enumlabel AS TEXT), chr(31) ORDER BY e.enumsortorder) \
                 FROM pg_enum e WHERE e.enumtypid = b.oid) AS labels, \
                 CAST(CASE WHEN has_column_privilege(c.oid, a.attnum, 'SELECT') THEN 1 ELSE 0 END AS BIGINT) AS may_select, \
                 CAST(CASE WHEN has_column_privilege(c.oid, a.attnum, 'UPDATE') THEN 1 ELSE 0 END AS BIGINT) AS may_update, \
                 CAST(CASE WHEN pg_column_is_updatable(c.oid, a.attnum, true) THEN 1 ELSE 0 END AS BIGINT) AS is_updatable \
                 FROM ({wanted}) AS w JOIN pg_class c ON c.oid = w.place \
                 JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
                 JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
                 WHERE a.attnum > 0 AND NOT a.attisdropped"
            ),
            Dialect::Sqlite => format!(
                "SELECT w.word AS table_name, c.name AS column_name, m.name AS place, CAST(c.type AS TEXT) AS declared, \
                 CAST(NULL AS TEXT) AS base, CAST(-1 AS BIGINT) AS modifier, CAST(NULL AS TEXT) AS labels, \
                 CAST(1 AS BIGINT) AS may_select, CAST(1 AS BIGINT) AS may_update, \
                 CAST(m.type = 'table' AS BIGINT) AS is_updatable \
                 FROM ({wanted}) AS w JOIN sqlite_master m ON m.name = w.place \
                 JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
            ),
        }
    }

    /// The tables of those whose rows the database filters for this role; where there are no roles, there is nothing
    /// to ask.
    pub fn filtered_tables(self, tables: &[&Table]) -> Option<String> {
        let wanted = self.wanted(tables);
        match self {
            Dialect::Postgres => Some(format!(
                "SELECT CAST(c.relname AS TEXT) FROM ({wanted}) AS w JOIN pg_class c ON c.oid = w.place \
                 WHERE c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1"
            )),
            Dialect::Sqlite => None,
        }
    }

    /// The database's own name and version.
    pub fn version(self) -> &'static str {
        match self {
            Dialect::Postgres => "SELECT 'PostgreSQL ' || current_setting('server_version')",
            Dialect::Sqlite => "SELECT 'SQLite ' || sqlite_version()",
        }
    }

    /// 0 where a session that asks for it may write; 1 on a standby; 2 where the role or the database is set to
    /// read-only sessions. (This session is read-only by its own wish.) The more particular setting wins.
    pub fn refuses_writes(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some(
                "SELECT CAST(CASE WHEN pg_is_in_recovery() THEN 1 WHEN (\
                 SELECT lower(split_part(o.setting, '=', 2)) IN ('on', 'true', 'yes', '1') \
                 FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS o(setting) \
                 WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
                 AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
                 AND split_part(o.setting, '=', 1) = 'default_transaction_read_only' \
                 ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1) \
                 THEN 2 ELSE 0 END AS BIGINT)",
            ),
            Dialect::Sqlite => None,
        }
    }

    /// What this role may do where the journal is or would be, as 1 or 0; where there are no roles, there is nothing
    /// to ask.
    pub fn journal_room(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some(
                "SELECT CAST(CASE WHEN n.oid IS NULL THEN 0 ELSE 1 END AS BIGINT) AS is_there, \
                 CAST(CASE WHEN has_schema_privilege(n.oid, 'USAGE') THEN 1 ELSE 0 END AS BIGINT) AS may_use, \
                 CAST(CASE WHEN has_schema_privilege(n.oid, 'CREATE') THEN 1 ELSE 0 END AS BIGINT) AS may_fill, \
                 CAST(CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 1 ELSE 0 END AS BIGINT) \
                 AS may_make, \
                 CAST(CASE WHEN EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' \
                 AND NOT pg_has_role(c.relowner, 'USAGE')) THEN 0 ELSE 1 END AS BIGINT) AS owns_tables \
                 FROM (SELECT CAST(to_regnamespace('relink') AS OID) AS oid) n",
            ),
            Dialect::Sqlite => None,
        }
    }
}
