//! The journal's tables, named here and nowhere else, version by version: what makes each version out of the
//! one before it.
//!
//! Every statement may run twice. A version that somebody may have is never edited; a change is a new one.

use std::fmt;

use super::super::address::DatabaseKind;
use super::super::dialect::Dialect;

/// A table of the journal in one database. Displayed as SQL.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Table {
    dialect: Dialect,
    name: &'static str,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dialect.journal_prefix(), self.name)
    }
}

/// All of them, for statements.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Tables {
    pub meta: Table,
    pub runs: Table,
    pub operations: Table,
    pub steps: Table,
    pub outcomes: Table,
    pub events: Table,
    pub payments: Table,
    pub incidents: Table,
    pub retirements: Table,
}

impl Tables {
    pub fn of(dialect: Dialect) -> Tables {
        let table = |name| Table { dialect, name };
        Tables {
            meta: table("meta"),
            runs: table("runs"),
            operations: table("operations"),
            steps: table("steps"),
            outcomes: table("outcomes"),
            events: table("events"),
            payments: table("payments"),
            incidents: table("incidents"),
            retirements: table("retirements"),
        }
    }

    /// Every table with what the program does to it besides reading. Steps and outcomes are history: no
    /// right to change them is asked for.
    pub fn rights(self) -> [(Table, &'static [&'static str]); 9] {
        [
            (self.meta, &["SELECT", "INSERT"]),
            (self.runs, &["SELECT", "INSERT", "UPDATE"]),
            (self.operations, &["SELECT", "INSERT", "UPDATE"]),
            (self.steps, &["SELECT", "INSERT"]),
            (self.outcomes, &["SELECT", "INSERT"]),
            (self.events, &["SELECT", "INSERT", "UPDATE"]),
            (self.payments, &["SELECT", "INSERT", "UPDATE"]),
            (self.incidents, &["SELECT", "INSERT", "UPDATE"]),
            (self.retirements, &["SELECT", "INSERT", "UPDATE"]),
        ]
    }
}

/// Statements that make a version out of the one before.
pub(super) type Version = fn(Tables) -> Vec<String>;

/// The first makes version 1 out of nothing.
pub(super) const VERSIONS: &[Version] =
    &[the_tables, the_ways_to_read_them, what_the_receiver_knows];

/// The first version with the receiver's tables.
pub(in crate::store) const RECEIVES_SINCE: u32 = 3;

/// The name under which `meta` holds the version.
pub(super) const VERSION: &str = "version";

fn the_tables(tables: Tables) -> Vec<String> {
    let Tables {
        meta,
        runs,
        operations,
        steps,
        outcomes,
        ..
    } = tables;
    vec![
        format!("CREATE TABLE IF NOT EXISTS {meta} (name TEXT PRIMARY KEY, value TEXT NOT NULL)"),
        format!(
            "CREATE TABLE IF NOT EXISTS {runs} (\
             run_id TEXT PRIMARY KEY, command TEXT NOT NULL, os_user TEXT NOT NULL, host TEXT NOT NULL, \
             machine TEXT NOT NULL, boot_id TEXT, pid_namespace TEXT, pid BIGINT NOT NULL, \
             process_started BIGINT, beacon BIGINT NOT NULL, \
             version TEXT NOT NULL, mode TEXT NOT NULL, account TEXT NOT NULL, plan_digest TEXT NOT NULL, \
             reason TEXT, started_at BIGINT NOT NULL, ended_at BIGINT, exit_code BIGINT)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {operations} (\
             operation_id TEXT PRIMARY KEY, subject TEXT NOT NULL, order_id BIGINT, mode TEXT NOT NULL, \
             account TEXT NOT NULL, task TEXT NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL, \
             attempt BIGINT NOT NULL, expected_reference TEXT, \
             mint_key TEXT, relink_key TEXT, mint_intended_at BIGINT, \
             minted_id TEXT, minted_url TEXT, published_at BIGINT, \
             begun_by TEXT NOT NULL REFERENCES {runs} (run_id), \
             held_by TEXT NOT NULL REFERENCES {runs} (run_id), held_since BIGINT NOT NULL, \
             lease_token TEXT, lease_until BIGINT, last_tx TEXT NOT NULL, \
             begun_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, \
             closed_at BIGINT, ending TEXT, is_done BOOLEAN, live_left TEXT)"
        ),
        format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS relink_operations_one_open ON {operations} (mode, subject) \
             WHERE closed_at IS NULL"
        ),
        format!(
            "CREATE INDEX IF NOT EXISTS relink_operations_order ON {operations} (order_id, mode)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {steps} (\
             step_id TEXT PRIMARY KEY, operation_id TEXT NOT NULL REFERENCES {operations} (operation_id), \
             run_id TEXT NOT NULL REFERENCES {runs} (run_id), order_id BIGINT, attempt BIGINT NOT NULL, \
             action TEXT NOT NULL, object TEXT, idempotency_key TEXT, api_version TEXT, body TEXT, \
             intended_at BIGINT NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {outcomes} (\
             step_id TEXT PRIMARY KEY REFERENCES {steps} (step_id), \
             run_id TEXT NOT NULL REFERENCES {runs} (run_id), outcome TEXT NOT NULL, \
             result_id TEXT, result_url TEXT, request_id TEXT, error TEXT, concluded_at BIGINT NOT NULL)"
        ),
    ]
}

/// A year of nightly runs is read by run and by operation.
fn the_ways_to_read_them(tables: Tables) -> Vec<String> {
    let Tables {
        runs,
        operations,
        steps,
        ..
    } = tables;
    vec![
        format!("CREATE INDEX IF NOT EXISTS relink_runs_started ON {runs} (started_at)"),
        format!("CREATE INDEX IF NOT EXISTS relink_operations_subject ON {operations} (subject)"),
        format!("CREATE INDEX IF NOT EXISTS relink_steps_operation ON {steps} (operation_id)"),
        format!("CREATE INDEX IF NOT EXISTS relink_steps_run ON {steps} (run_id)"),
    ]
}

/// Events by which one is known again, one payment per checkout session, what a person must look at, and the links
/// that are still to be closed. `created` and `told_at` are Stripe's clock in seconds, all else is ours.
fn what_the_receiver_knows(tables: Tables) -> Vec<String> {
    let Tables {
        events,
        payments,
        incidents,
        retirements,
        ..
    } = tables;
    vec![
        format!(
            "CREATE TABLE IF NOT EXISTS {events} (\
             event_id TEXT PRIMARY KEY, type TEXT NOT NULL, session_id TEXT NOT NULL, order_id BIGINT, \
             mode TEXT NOT NULL, account TEXT, created BIGINT NOT NULL, received_at BIGINT NOT NULL, \
             ruling TEXT NOT NULL, detail TEXT NOT NULL, incident_id TEXT, last_tx TEXT NOT NULL)"
        ),
        format!("CREATE INDEX IF NOT EXISTS relink_events_order ON {events} (order_id, mode)"),
        format!("CREATE INDEX IF NOT EXISTS relink_events_received ON {events} (received_at)"),
        format!(
            "CREATE TABLE IF NOT EXISTS {payments} (\
             session_id TEXT PRIMARY KEY, payment_intent TEXT, order_id BIGINT NOT NULL, mode TEXT NOT NULL, \
             amount_minor BIGINT, currency TEXT, link TEXT, state TEXT NOT NULL, told_at BIGINT NOT NULL, \
             recorded_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)"
        ),
        format!("CREATE INDEX IF NOT EXISTS relink_payments_order ON {payments} (order_id, mode)"),
        format!("CREATE INDEX IF NOT EXISTS relink_payments_intent ON {payments} (payment_intent)"),
        format!(
            "CREATE TABLE IF NOT EXISTS {incidents} (\
             incident_id TEXT PRIMARY KEY, kind TEXT NOT NULL, mode TEXT NOT NULL, order_id BIGINT, \
             session_id TEXT NOT NULL, event_id TEXT NOT NULL, detail TEXT NOT NULL, opened_at BIGINT NOT NULL, \
             resolved_at BIGINT, resolved_by TEXT, resolution TEXT, reason TEXT)"
        ),
        format!(
            "CREATE INDEX IF NOT EXISTS relink_incidents_open ON {incidents} (mode) WHERE resolved_at IS NULL"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {retirements} (\
             link TEXT PRIMARY KEY, order_id BIGINT NOT NULL, mode TEXT NOT NULL, event_id TEXT NOT NULL, \
             asked_at BIGINT NOT NULL, attempts BIGINT NOT NULL, next_attempt_at BIGINT NOT NULL, \
             last_error TEXT, done_at BIGINT)"
        ),
        format!(
            "CREATE INDEX IF NOT EXISTS relink_retirements_due ON {retirements} (mode, next_attempt_at) \
             WHERE done_at IS NULL"
        ),
    ]
}

/// Says that the tables are of version `number`, unless they are newer already.
pub(super) fn stamp(tables: Tables, number: usize) -> Vec<String> {
    let meta = tables.meta;
    vec![
        format!(
            "INSERT INTO {meta} (name, value) VALUES ('{VERSION}', '{number}') ON CONFLICT (name) DO NOTHING"
        ),
        format!(
            "UPDATE {meta} SET value = '{number}' \
             WHERE name = '{VERSION}' AND CAST(value AS BIGINT) < {number}"
        ),
    ]
}

/// What the database's owner runs where the application's role may not create tables: all of the newest
/// version, and the rights of `role` on it. It may run twice, and over an older version.
#[must_use]
pub fn journal_sql(kind: DatabaseKind, role: Option<&str>) -> String {
    let dialect = Dialect::from(kind);
    let tables = Tables::of(dialect);
    let mut statements = vec!["BEGIN".to_owned()];
    statements.extend(dialect.create_journal_schema().map(ToOwned::to_owned));
    for version in VERSIONS {
        statements.extend(version(tables));
    }
    statements.extend(stamp(tables, VERSIONS.len()));
    if let (Dialect::Postgres, Some(role)) = (dialect, role) {
        statements.extend(grants(tables, role));
    }
    statements.push("COMMIT".to_owned());
    statements
        .iter()
        .fold(String::new(), |text, statement| text + statement + ";\n")
}

fn grants(tables: Tables, role: &str) -> Vec<String> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let mut statements = vec![format!("GRANT USAGE ON SCHEMA relink TO {role}")];
    for (table, rights) in tables.rights() {
        let rights = rights.join(", ");
        statements.push(format!("GRANT {rights} ON {table} TO {role}"));
    }
    statements
}
