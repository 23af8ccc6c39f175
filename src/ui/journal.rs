//! The journal as tables: runs, and the operations and requests of one run or of one order.
//!
//! Whatever is still open says so, with the command that goes on with it.

use comfy_table::Cell;

use super::NextStep;
use super::look::{Hue, Look, cell, render, right, short};
use super::plan::next_step;
use super::sanitize::clean;
use crate::domain::{CheckoutReference, RunId, Timestamp};
use crate::store::{History, OperationEntry, RunEntry, StepEntry};

#[must_use]
pub fn runs(runs: &[RunEntry], look: Look) -> String {
    if runs.is_empty() {
        return "no run has written anything\n".to_owned();
    }
    let mut table = look.table(&[
        "run",
        "began",
        "took",
        "exit",
        "who",
        "orders",
        "left open",
        "command",
    ]);
    for run in runs {
        table.add_row(vec![
            Cell::new(clean(run.id.as_str())),
            Cell::new(time(run.started_at)),
            right(took(run)),
            cell(exit(run), exit_hue(run)),
            Cell::new(clean(&format!("{}@{}", run.os_user, run.host))),
            right(run.operations),
            if run.open > 0 {
                cell(run.open, Hue::Attention)
            } else {
                right("—")
            },
            Cell::new(clean(&run.command)),
        ]);
    }
    render(&table)
}

#[must_use]
pub fn run(run: &RunEntry, history: &History, next: &NextStep, look: Look) -> String {
    let mut out = String::new();
    let mut say = |name: &str, text: String| {
        out.push_str(&format!("{name:<10} {}\n", clean(&text)));
    };
    say("run", run.id.to_string());
    say("command", run.command.clone());
    say(
        "who",
        format!(
            "{}@{}, process {}, relink {}",
            run.os_user, run.host, run.pid, run.version
        ),
    );
    say("account", format!("{}, {} mode", run.account, run.mode));
    say("plan", run.plan_digest.clone());
    if let Some(reason) = &run.reason {
        say("reason", reason.clone());
    }
    say("began", time(run.started_at));
    say(
        "ended",
        match run.ended_at {
            Some(moment) => format!("{}, exit {}", time(moment), exit(run)),
            None => "it did not say: at work, or ended by force".to_owned(),
        },
    );
    out.push_str(&events(history, Some(&run.id), look));
    out.push_str(&next_step(next, look));
    out
}

#[must_use]
pub fn order(history: &History, next: &NextStep, look: Look) -> String {
    if history.operations.is_empty() {
        return "no run has worked on this order\n".to_owned();
    }
    events(history, None, look) + &next_step(next, look)
}

fn events(history: &History, run: Option<&RunId>, look: Look) -> String {
    let mut out = String::new();
    if !history.operations.is_empty() {
        let mut table = look.table(&["subject", "task", "began", "by run", "ended", "how"]);
        for operation in &history.operations {
            table.add_row(operation_row(operation, run));
        }
        out.push_str(&render(&table));
    }
    if !history.steps.is_empty() {
        let mut table = look.table(&[
            "time",
            "order",
            "attempt",
            "action",
            "object",
            "outcome",
            "Stripe request",
            "by run",
            "error",
        ]);
        for step in &history.steps {
            table.add_row(step_row(step, run));
        }
        out.push_str(&render(&table));
    }
    out
}

fn operation_row(operation: &OperationEntry, run: Option<&RunId>) -> Vec<Cell> {
    let ended = match (&operation.closed_at, &operation.ending) {
        (Some(moment), ending) => vec![
            Cell::new(time(*moment)),
            cell(
                clean(&ending.clone().unwrap_or_default()).replace('_', " ")
                    + &by_another(&operation.held_by, run.or(Some(&operation.begun_by))),
                Hue::Plain,
            ),
        ],
        (None, _) => vec![
            cell("open", Hue::Attention),
            cell(
                format!(
                    "{}, last by run {}",
                    clean(&operation.state),
                    tail(&operation.held_by)
                ),
                Hue::Attention,
            ),
        ],
    };
    let mut cells = vec![
        Cell::new(clean(&operation.subject.replacen(':', " ", 1))),
        Cell::new(clean(&operation.task).replace('_', " ")),
        Cell::new(time(operation.begun_at)),
        Cell::new(this_or(&operation.begun_by, run)),
    ];
    cells.extend(ended);
    cells
}

fn step_row(step: &StepEntry, run: Option<&RunId>) -> Vec<Cell> {
    let object = step
        .object
        .clone()
        .or_else(|| step.outcome.as_ref().and_then(|o| o.result_id.clone()));
    let object = object.map(|id| short(&CheckoutReference::classify(&id)));
    let (outcome, hue) = match &step.outcome {
        None => ("not known".to_owned(), Hue::Attention),
        Some(outcome) => {
            let hue = match outcome.kind.as_str() {
                "done" => Hue::Good,
                "refused" => Hue::Money,
                _ => Hue::Attention,
            };
            let by = by_another(&outcome.run, Some(&step.run));
            (format!("{}{by}", clean(&outcome.kind)), hue)
        }
    };
    let told = |text: Option<&String>| {
        Cell::new(
            text.map(|text| clean(text).into_owned())
                .unwrap_or_default(),
        )
    };
    let outcome_of = step.outcome.as_ref();
    vec![
        Cell::new(time(step.intended_at)),
        right(
            step.order
                .map_or_else(|| "—".to_owned(), |id| id.to_string()),
        ),
        right(step.attempt),
        Cell::new(clean(&step.action)),
        Cell::new(object.unwrap_or_else(|| "—".to_owned())),
        cell(outcome, hue),
        told(outcome_of.and_then(|o| o.request_id.as_ref())),
        Cell::new(this_or(&step.run, run)),
        told(outcome_of.and_then(|o| o.error.as_ref())),
    ]
}

/// What is still open, and how to go on with it.
#[must_use]
pub fn next(history: &History, with_connection: impl Fn(&str) -> String) -> NextStep {
    let open = history
        .operations
        .iter()
        .find(|operation| operation.closed_at.is_none());
    let command = open.map(|operation| match operation.order {
        Some(order) => format!("relink regen --order-id {order}"),
        None => "relink regen --all".to_owned(),
    });
    NextStep {
        command: command.map(|command| with_connection(&command)),
        note: None,
    }
}

fn this_or(id: &RunId, shown: Option<&RunId>) -> String {
    if Some(id) == shown {
        "this one".to_owned()
    } else {
        tail(id)
    }
}

fn by_another(id: &RunId, own: Option<&RunId>) -> String {
    if Some(id) == own {
        String::new()
    } else {
        format!(" (by run {})", tail(id))
    }
}

/// Enough of the id to tell runs apart; two runs of one minute share their beginning, not their end.
fn tail(id: &RunId) -> String {
    let id = clean(id.as_str()).into_owned();
    match id.char_indices().nth_back(11) {
        Some((at, _)) => format!("…{}", &id[at..]),
        None => id,
    }
}

fn time(moment: Timestamp) -> String {
    moment
        .to_string()
        .replace('T', " ")
        .trim_end_matches('Z')
        .to_owned()
}

fn took(run: &RunEntry) -> String {
    match run.ended_at {
        Some(end) => format!("{} s", end.seconds_since(run.started_at)),
        None => "—".to_owned(),
    }
}

fn exit(run: &RunEntry) -> String {
    match (run.ended_at, run.exit_code) {
        (Some(_), Some(code)) => code.to_string(),
        _ => "none".to_owned(),
    }
}

fn exit_hue(run: &RunEntry) -> Hue {
    match run.exit_code {
        Some(0) => Hue::Good,
        _ => Hue::Attention,
    }
}
