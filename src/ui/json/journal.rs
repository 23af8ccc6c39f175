//! `relink.runs/1`, `relink.run/1`, `relink.order_history/1`: the journal for programs.

use serde::Serialize;

use crate::domain::{OrderId, RunId, Timestamp};
use crate::store::{History, OperationEntry, OutcomeEntry, RunEntry, StepEntry};

use super::super::NextStep;
use super::super::journal::Runs;
use super::Next;
use super::shape::{Column, Document, Shape, plain};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunsDocument<'a> {
    schema: &'static str,
    runs: Vec<RunBody<'a>>,
    /// There are older ones than the limit let through.
    more: bool,
}

impl Document for RunsDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "runs",
        item: "run",
        id: "/id",
        columns: &[
            plain("run", "/id"),
            plain("started_at", "/started_at"),
            plain("ended_at", "/ended_at"),
            plain("exit_code", "/exit_code"),
            plain("mode", "/mode"),
            plain("account", "/account"),
            plain("os_user", "/os_user"),
            plain("host", "/host"),
            plain("orders", "/orders"),
            plain("stripe_writes", "/stripe_writes"),
            plain("left_open", "/left_open"),
            plain("plan_digest", "/plan_digest"),
            plain("reason", "/reason"),
            plain("command", "/command"),
        ],
    };
}

const STEPS: &[Column] = &[
    plain("intended_at", "/intended_at"),
    plain("order_id", "/order_id"),
    plain("attempt", "/attempt"),
    plain("action", "/action"),
    plain("object", "/object"),
    plain("outcome", "/outcome/kind"),
    plain("result_id", "/outcome/result_id"),
    plain("result_url", "/outcome/result_url"),
    plain("stripe_request_id", "/outcome/stripe_request_id"),
    plain("error", "/outcome/error"),
    plain("run", "/run"),
    plain("operation", "/operation"),
];

impl Document for RunDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "steps",
        item: "step",
        id: "/order_id",
        columns: STEPS,
    };
}

impl Document for OrderHistoryDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "steps",
        item: "step",
        id: "/run",
        columns: STEPS,
    };
}

impl<'a> RunsDocument<'a> {
    #[must_use]
    pub fn new(runs: &'a Runs) -> Self {
        RunsDocument {
            schema: "relink.runs/1",
            runs: runs.entries.iter().map(RunBody::new).collect(),
            more: runs.more,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunDocument<'a> {
    schema: &'static str,
    run: RunBody<'a>,
    #[serde(flatten)]
    history: HistoryBody<'a>,
    next: Next,
}

impl<'a> RunDocument<'a> {
    #[must_use]
    pub fn new(run: &'a RunEntry, history: &'a History, next: NextStep) -> Self {
        RunDocument {
            schema: "relink.run/1",
            run: RunBody::new(run),
            history: HistoryBody::new(history),
            next: Next::from(next),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OrderHistoryDocument<'a> {
    schema: &'static str,
    order_id: OrderId,
    #[serde(flatten)]
    history: HistoryBody<'a>,
    next: Next,
}

impl<'a> OrderHistoryDocument<'a> {
    #[must_use]
    pub fn new(order: OrderId, history: &'a History, next: NextStep) -> Self {
        OrderHistoryDocument {
            schema: "relink.order_history/1",
            order_id: order,
            history: HistoryBody::new(history),
            next: Next::from(next),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RunBody<'a> {
    id: &'a RunId,
    command: &'a str,
    os_user: &'a str,
    host: &'a str,
    pid: i64,
    version: &'a str,
    mode: &'a str,
    account: &'a str,
    plan_digest: &'a str,
    reason: Option<&'a str>,
    started_at: Timestamp,
    /// Null while it is at work, and when it was ended by force.
    ended_at: Option<Timestamp>,
    exit_code: Option<i64>,
    operations: i64,
    orders: i64,
    stripe_writes: i64,
    steps: i64,
    left_open: i64,
}

impl<'a> RunBody<'a> {
    fn new(run: &'a RunEntry) -> Self {
        RunBody {
            id: &run.id,
            command: &run.command,
            os_user: &run.os_user,
            host: &run.host,
            pid: run.pid,
            version: &run.version,
            mode: &run.mode,
            account: &run.account,
            plan_digest: &run.plan_digest,
            reason: run.reason.as_deref(),
            started_at: run.started_at,
            ended_at: run.ended_at,
            exit_code: run.exit_code,
            operations: run.operations,
            orders: run.orders,
            stripe_writes: run.stripe_writes,
            steps: run.steps,
            left_open: run.open,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HistoryBody<'a> {
    operations: Vec<OperationBody<'a>>,
    steps: Vec<StepBody<'a>>,
}

impl<'a> HistoryBody<'a> {
    fn new(history: &'a History) -> Self {
        HistoryBody {
            operations: history.operations.iter().map(OperationBody::new).collect(),
            steps: history.steps.iter().map(StepBody::new).collect(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OperationBody<'a> {
    id: &'a str,
    subject: &'a str,
    order_id: Option<OrderId>,
    mode: &'a str,
    account: &'a str,
    task: &'a str,
    state: &'a str,
    attempt: i64,
    begun_by: &'a RunId,
    held_by: &'a RunId,
    begun_at: Timestamp,
    /// Null while it is open.
    closed_at: Option<Timestamp>,
    ending: Option<&'a str>,
    minted: Option<&'a str>,
    published_at: Option<Timestamp>,
}

impl<'a> OperationBody<'a> {
    fn new(operation: &'a OperationEntry) -> Self {
        OperationBody {
            id: &operation.id,
            subject: &operation.subject,
            order_id: operation.order,
            mode: &operation.mode,
            account: &operation.account,
            task: &operation.task,
            state: &operation.state,
            attempt: operation.attempt,
            begun_by: &operation.begun_by,
            held_by: &operation.held_by,
            begun_at: operation.begun_at,
            closed_at: operation.closed_at,
            ending: operation.ending.as_deref(),
            minted: operation.minted.as_deref(),
            published_at: operation.published_at,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StepBody<'a> {
    operation: &'a str,
    run: &'a RunId,
    order_id: Option<OrderId>,
    attempt: i64,
    action: &'a str,
    object: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    intended_at: Timestamp,
    /// Null while the answer is awaited, and when a run was ended before it was journaled.
    outcome: Option<OutcomeBody<'a>>,
}

impl<'a> StepBody<'a> {
    fn new(step: &'a StepEntry) -> Self {
        StepBody {
            operation: &step.operation,
            run: &step.run,
            order_id: step.order,
            attempt: step.attempt,
            action: &step.action,
            object: step.object.as_deref(),
            idempotency_key: step.idempotency_key.as_deref(),
            intended_at: step.intended_at,
            outcome: step.outcome.as_ref().map(OutcomeBody::new),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OutcomeBody<'a> {
    kind: &'a str,
    run: &'a RunId,
    result_id: Option<&'a str>,
    result_url: Option<&'a str>,
    stripe_request_id: Option<&'a str>,
    error: Option<&'a str>,
    concluded_at: Timestamp,
}

impl<'a> OutcomeBody<'a> {
    fn new(outcome: &'a OutcomeEntry) -> Self {
        OutcomeBody {
            kind: &outcome.kind,
            run: &outcome.run,
            result_id: outcome.result_id.as_deref(),
            result_url: outcome.result_url.as_deref(),
            stripe_request_id: outcome.request_id.as_deref(),
            error: outcome.error.as_deref(),
            concluded_at: outcome.concluded_at,
        }
    }
}
