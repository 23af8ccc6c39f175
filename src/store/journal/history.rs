//! What past runs did, for a person who asks. Read only; by any role that may read the journal.
//!
//! The bodies of requests stay in the database: they hold parents' addresses. An answer of Stripe that repeats
//! one loses it here.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::pool::Alone;
use super::super::transaction::Transaction;
use super::super::{Store, StoreError};
use super::Subject;
use super::holder::seconds;
use super::schema::Tables;
use crate::domain::{OrderId, RunId, Timestamp};
use crate::redact::without_addresses;

const READ: &str = "read the journal";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEntry {
    pub id: RunId,
    pub command: String,
    pub os_user: String,
    pub host: String,
    pub pid: i64,
    pub version: String,
    pub mode: String,
    pub account: String,
    pub plan_digest: String,
    pub reason: Option<String>,
    pub started_at: Timestamp,
    /// `None` for a run that is at work, or that was ended by force.
    pub ended_at: Option<Timestamp>,
    pub exit_code: Option<i64>,
    /// Operations that it is known to have worked on.
    pub operations: i64,
    /// Orders that those are about.
    pub orders: i64,
    /// Requests that write at Stripe, as it intended them.
    pub stripe_writes: i64,
    /// Those, and the links that it stored.
    pub steps: i64,
    /// Of the operations that it held last, those still open.
    pub open: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationEntry {
    pub id: String,
    /// `order:7`, `object:plink_1`
    pub subject: String,
    pub order: Option<OrderId>,
    pub mode: String,
    pub account: String,
    pub task: String,
    pub state: String,
    pub attempt: i64,
    pub begun_by: RunId,
    /// Who worked on it last.
    pub held_by: RunId,
    pub begun_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    /// Its ending's name, once it ended.
    pub ending: Option<String>,
    pub minted: Option<String>,
    pub published_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepEntry {
    pub operation: String,
    pub run: RunId,
    pub order: Option<OrderId>,
    pub attempt: i64,
    pub action: String,
    pub object: Option<String>,
    pub idempotency_key: Option<String>,
    pub intended_at: Timestamp,
    /// `None` while the answer is awaited, or when the run ended before it was journaled.
    pub outcome: Option<OutcomeEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeEntry {
    pub kind: String,
    /// The run that found it out: a later one, when the first was ended before.
    pub run: RunId,
    pub result_id: Option<String>,
    pub result_url: Option<String>,
    pub request_id: Option<String>,
    pub error: Option<String>,
    pub concluded_at: Timestamp,
}

/// Operations and their steps, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub operations: Vec<OperationEntry>,
    pub steps: Vec<StepEntry>,
}

/// What a run's id, or the beginning of one, names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundRun {
    One(Box<RunEntry>, History),
    Nothing,
    /// More than one run's id begins like this; some of them.
    Several(Vec<RunId>),
}

/// Enough candidates to choose from.
const CANDIDATES: i64 = 10;

impl Store {
    /// The newest runs first, none that began before `since`.
    ///
    /// # Errors
    /// What any query can meet, also where the role may not read the journal. Without a journal there is
    /// nothing in it.
    pub async fn list_runs(
        &self,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<RunEntry>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(Vec::new());
        }
        let since = since.map_or(i64::MIN, |moment| moment.0.saturating_mul(1_000_000));
        let sql = self.runs_statement("started_at >= $1", "started_at DESC, run_id DESC");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(since)
            .bind(i64::from(limit))
            .all(self, READ)
            .await?;
        rows.iter()
            .map(run)
            .collect::<Result<_, _>>()
            .map_err(StoreError::query(READ))
    }

    /// The run whose id is this, or begins with it; with everything that it touched, whichever run began or
    /// ended it. An operation that it took over and left without a word is known by what it settled there.
    ///
    /// # Errors
    /// As for [`Store::list_runs`].
    pub async fn find_run(&self, id: &str) -> Result<FoundRun, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(FoundRun::Nothing);
        }
        let begins = "substr(run_id, 1, length(CAST($1 AS TEXT))) = $1";
        let sql = self.runs_statement(begins, "run_id");
        let mut snapshot = self.snapshot().await?;
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(CANDIDATES)
            .fetch_all(&mut *snapshot)
            .await
            .map_err(StoreError::query(READ))?;
        let mut runs: Vec<RunEntry> = rows
            .iter()
            .map(run)
            .collect::<Result<_, _>>()
            .map_err(StoreError::query(READ))?;
        if let Some(exact) = runs.iter().position(|run| run.id.as_str() == id) {
            runs = vec![runs.swap_remove(exact)];
        }
        let found = match runs.as_slice() {
            [] => FoundRun::Nothing,
            [_] => {
                let entry = runs.swap_remove(0);
                let history = self.history_of_run(&mut snapshot, &entry.id).await?;
                FoundRun::One(Box::new(entry), history)
            }
            _ => FoundRun::Several(runs.into_iter().map(|run| run.id).collect()),
        };
        snapshot.leave().await;
        Ok(found)
    }

    /// Everything that any run did for the order, and to the links that its payment asked to close.
    ///
    /// # Errors
    /// As for [`Store::list_runs`].
    pub async fn order_history(&self, order: OrderId) -> Result<History, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(History::default());
        }
        let Tables {
            operations,
            retirements,
            ..
        } = Tables::of(self.dialect);
        let closings = if self.has_received().await? {
            format!(
                " OR chosen.subject IN (SELECT '{}' || r.link FROM {retirements} r \
                 WHERE r.order_id = CAST($1 AS BIGINT) AND r.mode = chosen.mode)",
                Subject::OBJECT
            )
        } else {
            String::new()
        };
        let which = format!(
            "SELECT chosen.operation_id FROM {operations} chosen \
             WHERE chosen.order_id = CAST($1 AS BIGINT){closings}"
        );
        let mut snapshot = self.snapshot().await?;
        let history = self
            .history(&mut snapshot, &which, &order.to_string())
            .await?;
        snapshot.leave().await;
        Ok(history)
    }

    async fn history_of_run(
        &self,
        snapshot: &mut Transaction,
        run: &RunId,
    ) -> Result<History, StoreError> {
        let touched = self.touched("= $1");
        let which = format!("SELECT t.operation_id FROM ({touched}) t");
        self.history(snapshot, &which, run.as_str()).await
    }

    async fn history(
        &self,
        snapshot: &mut Transaction,
        which: &str,
        parameter: &str,
    ) -> Result<History, StoreError> {
        let Tables {
            operations,
            steps,
            outcomes,
            ..
        } = Tables::of(self.dialect);
        let operations = format!(
            "SELECT o.operation_id, o.subject, o.order_id, o.mode, o.account, o.task, o.state, o.attempt, \
             o.begun_by, o.held_by, o.begun_at, o.closed_at, o.ending, o.minted_id, o.published_at \
             FROM {operations} o WHERE o.operation_id IN ({which}) ORDER BY o.begun_at, o.operation_id"
        );
        let steps = format!(
            "SELECT s.operation_id, s.run_id, s.order_id, s.attempt, s.action, s.object, s.idempotency_key, \
             s.intended_at, c.outcome, c.run_id AS concluded_by, c.result_id, c.result_url, c.request_id, \
             c.error, c.concluded_at \
             FROM {steps} s LEFT JOIN {outcomes} c ON c.step_id = s.step_id \
             WHERE s.operation_id IN ({which}) ORDER BY s.intended_at, s.step_id"
        );
        let (operations, steps) = (
            rows(snapshot, operations, parameter).await?,
            rows(snapshot, steps, parameter).await?,
        );
        let operations: Result<_, _> = operations.iter().map(operation).collect();
        let steps: Result<_, _> = steps.iter().map(step).collect();
        Ok(History {
            operations: operations.map_err(StoreError::query(READ))?,
            steps: steps.map_err(StoreError::query(READ))?,
        })
    }

    /// Every operation with each run that is known to have worked on it, of runs that are `which`.
    fn touched(&self, which: &str) -> String {
        let Tables {
            operations,
            steps,
            outcomes,
            ..
        } = Tables::of(self.dialect);
        format!(
            "SELECT begun.begun_by AS run_id, begun.operation_id FROM {operations} begun WHERE begun.begun_by {which} \
             UNION SELECT held.held_by, held.operation_id FROM {operations} held WHERE held.held_by {which} \
             UNION SELECT sent.run_id, sent.operation_id FROM {steps} sent WHERE sent.run_id {which} \
             UNION SELECT settled.run_id, s.operation_id FROM {outcomes} settled \
             JOIN {steps} s ON s.step_id = settled.step_id WHERE settled.run_id {which}"
        )
    }

    /// At most `$2` runs. They are chosen before anything is counted: a journal of years has many others.
    fn runs_statement(&self, condition: &str, order: &str) -> String {
        let Tables {
            runs,
            operations,
            steps,
            ..
        } = Tables::of(self.dialect);
        let is_chosen = "IN (SELECT run_id FROM chosen)";
        let touched = self.touched(is_chosen);
        format!(
            "WITH chosen AS (SELECT run_id, command, os_user, host, pid, version, mode, account, plan_digest, \
             reason, started_at, ended_at, exit_code FROM {runs} WHERE {condition} ORDER BY {order} LIMIT $2) \
             SELECT chosen.*, \
             COALESCE(worked.operations, 0) AS operations, COALESCE(worked.orders, 0) AS orders, \
             COALESCE(worked.left_open, 0) AS left_open, COALESCE(sent.steps, 0) AS steps, \
             COALESCE(sent.stripe_writes, 0) AS stripe_writes \
             FROM chosen \
             LEFT JOIN (SELECT t.run_id AS of_run, COUNT(*) AS operations, COUNT(DISTINCT o.order_id) AS orders, \
             COUNT(CASE WHEN o.held_by = t.run_id AND o.closed_at IS NULL THEN 1 END) AS left_open \
             FROM ({touched}) t JOIN {operations} o ON o.operation_id = t.operation_id GROUP BY t.run_id) worked \
             ON worked.of_run = run_id \
             LEFT JOIN (SELECT s.run_id AS of_run, COUNT(*) AS steps, \
             COUNT(CASE WHEN s.action <> 'publish' THEN 1 END) AS stripe_writes \
             FROM {steps} s WHERE s.run_id {is_chosen} GROUP BY s.run_id) sent ON sent.of_run = run_id \
             ORDER BY {order}"
        )
    }
}

async fn rows(
    snapshot: &mut Transaction,
    sql: String,
    parameter: &str,
) -> Result<Vec<AnyRow>, StoreError> {
    sqlx::query(AssertSqlSafe(sql))
        .bind(parameter)
        .fetch_all(&mut **snapshot)
        .await
        .map_err(StoreError::query(READ))
}

fn run(row: &AnyRow) -> Result<RunEntry, sqlx::Error> {
    Ok(RunEntry {
        id: RunId(row.try_get("run_id")?),
        command: row.try_get("command")?,
        os_user: row.try_get("os_user")?,
        host: row.try_get("host")?,
        pid: row.try_get("pid")?,
        version: row.try_get("version")?,
        mode: row.try_get("mode")?,
        account: row.try_get("account")?,
        plan_digest: row.try_get("plan_digest")?,
        reason: row.try_get("reason")?,
        started_at: seconds(row.try_get("started_at")?),
        ended_at: moment(row, "ended_at")?,
        exit_code: row.try_get("exit_code")?,
        operations: row.try_get("operations")?,
        orders: row.try_get("orders")?,
        stripe_writes: row.try_get("stripe_writes")?,
        steps: row.try_get("steps")?,
        open: row.try_get("left_open")?,
    })
}

fn operation(row: &AnyRow) -> Result<OperationEntry, sqlx::Error> {
    Ok(OperationEntry {
        id: row.try_get("operation_id")?,
        subject: row.try_get("subject")?,
        order: order(row)?,
        mode: row.try_get("mode")?,
        account: row.try_get("account")?,
        task: row.try_get("task")?,
        state: row.try_get("state")?,
        attempt: row.try_get("attempt")?,
        begun_by: RunId(row.try_get("begun_by")?),
        held_by: RunId(row.try_get("held_by")?),
        begun_at: seconds(row.try_get("begun_at")?),
        closed_at: moment(row, "closed_at")?,
        ending: row.try_get("ending")?,
        minted: row.try_get("minted_id")?,
        published_at: moment(row, "published_at")?,
    })
}

fn step(row: &AnyRow) -> Result<StepEntry, sqlx::Error> {
    let kind: Option<String> = row.try_get("outcome")?;
    let error: Option<String> = row.try_get("error")?;
    let outcome = match kind {
        None => None,
        Some(kind) => Some(OutcomeEntry {
            kind,
            run: RunId(row.try_get("concluded_by")?),
            result_id: row.try_get("result_id")?,
            result_url: row.try_get("result_url")?,
            request_id: row.try_get("request_id")?,
            error: error.as_deref().map(without_addresses),
            concluded_at: seconds(row.try_get("concluded_at")?),
        }),
    };
    Ok(StepEntry {
        operation: row.try_get("operation_id")?,
        run: RunId(row.try_get("run_id")?),
        order: order(row)?,
        attempt: row.try_get("attempt")?,
        action: row.try_get("action")?,
        object: row.try_get("object")?,
        idempotency_key: row.try_get("idempotency_key")?,
        intended_at: seconds(row.try_get("intended_at")?),
        outcome,
    })
}

fn order(row: &AnyRow) -> Result<Option<OrderId>, sqlx::Error> {
    let id: Option<i64> = row.try_get("order_id")?;
    Ok(id.map(OrderId))
}

fn moment(row: &AnyRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(seconds))
}
