//! The journal as tables: runs, and the operations and requests of one run or of one order.
//!
//! Whatever is still open says so, with the command that goes on with it.

use std::collections::BTreeSet;

use comfy_table::{Cell, CellAlignment};

use super::NextStep;
use super::look::{Hue, Look, agree, cell, count, render, right, short};
use super::plan::next_step;
use super::sanitize::clean;
use crate::domain::{CheckoutReference, OrderId, RunId, Timestamp};
use crate::store::{History, OperationEntry, RunEntry, StepEntry};

/// The runs that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// The newest first.
    pub entries: Vec<RunEntry>,
    /// Only runs that began since were asked for.
    pub since: Option<Timestamp>,
    /// There are older ones that fit.
    pub more: bool,
}

/// The least of an id that names a run: a UUIDv7 begins with its millisecond.
const MILLISECOND: usize = 13;
/// As many orders as a suggested command names one by one.
const NAMED: usize = 5;

#[must_use]
pub fn runs(runs: &Runs, look: Look) -> String {
    let Runs {
        entries,
        since,
        more,
    } = runs;
    if entries.is_empty() {
        return match since {
            Some(moment) => format!("no run that writes has begun since {} UTC\n", time(*moment)),
            None => "no run has written anything yet\n".to_owned(),
        };
    }
    let mut table = look.table(&[
        "run",
        "began (UTC)",
        "took",
        "exit",
        "who",
        "orders",
        "writes",
        "left open",
        "command",
    ]);
    for run in entries {
        table.add_row(vec![
            Cell::new(clean(run.id.as_str())),
            Cell::new(time(run.started_at)),
            right(took(run)),
            cell(exit(run), exit_hue(run)),
            Cell::new(clean(&format!("{}@{}", run.os_user, run.host))),
            right(run.orders),
            right(run.stripe_writes),
            if run.open > 0 {
                cell(run.open, Hue::Attention).set_alignment(CellAlignment::Right)
            } else {
                right("—")
            },
            Cell::new(clean(&run.command)),
        ]);
    }
    let mut out = render(&table);
    if *more {
        let shown = count(entries.len(), "run");
        out.push_str(&format!(
            "there are older ones: these are the newest {shown}\n"
        ));
    }
    out
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
    say("began", format!("{} UTC", time(run.started_at)));
    say(
        "ended",
        match run.ended_at {
            Some(moment) => format!("{} UTC, exit {}", time(moment), exit(run)),
            None => "it did not say: at work, or ended by force".to_owned(),
        },
    );
    if history.operations.is_empty() {
        out.push_str("it touched nothing\n");
    }
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
    let names = Names::of(history, run);
    let mut out = String::new();
    if !history.operations.is_empty() {
        let mut table = look.table(&[
            "subject",
            "mode",
            "task",
            "began (UTC)",
            "by run",
            "ended",
            "how",
        ]);
        for operation in &history.operations {
            table.add_row(operation_row(operation, names));
        }
        out.push_str(&render(&table));
    }
    if !history.steps.is_empty() {
        let mut table = look.table(&[
            "time (UTC)",
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
            table.add_row(step_row(step, names));
        }
        out.push_str(&render(&table));
    }
    out
}

fn operation_row(operation: &OperationEntry, names: Names<'_>) -> Vec<Cell> {
    let (ended, how, hue) = match &operation.closed_at {
        Some(moment) => {
            let own = names.shown.unwrap_or(&operation.begun_by);
            let ending = operation.ending.as_deref().unwrap_or_default();
            let how = clean(ending).replace('_', " ");
            let how = how + &names.by_another(&operation.held_by, own);
            (time(*moment), how, Hue::Plain)
        }
        None => {
            let state = clean(&operation.state);
            let how = format!("{state}, last by {}", names.run(&operation.held_by));
            ("open".to_owned(), how, Hue::Attention)
        }
    };
    vec![
        Cell::new(clean(&operation.subject.replacen(':', " ", 1))),
        Cell::new(clean(&operation.mode)),
        Cell::new(clean(&operation.task).replace('_', " ")),
        Cell::new(time(operation.begun_at)),
        Cell::new(names.this_or(&operation.begun_by)),
        cell(ended, hue),
        cell(how, hue),
    ]
}

fn step_row(step: &StepEntry, names: Names<'_>) -> Vec<Cell> {
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
            let by = names.by_another(&outcome.run, &step.run);
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
        Cell::new(names.this_or(&step.run)),
        told(outcome_of.and_then(|o| o.error.as_ref())),
    ]
}

/// What is still open, and how to go on with it.
#[must_use]
pub fn next(history: &History, with_connection: impl Fn(&str) -> String) -> NextStep {
    let is_open = |operation: &&OperationEntry| operation.closed_at.is_none();
    let open: Vec<_> = history.operations.iter().filter(is_open).collect();
    let Some(first) = open.first() else {
        return NextStep::default();
    };
    let of_mode = open.iter().filter(|other| other.mode == first.mode);
    let orders: Option<Vec<OrderId>> = of_mode.map(|operation| operation.order).collect();
    let select = match orders {
        Some(orders) if orders.len() <= NAMED => orders
            .iter()
            .map(|order| format!("--order-id {order}"))
            .collect::<Vec<_>>()
            .join(" "),
        _ => "--all".to_owned(),
    };
    let mut command = with_connection(&format!("relink regen {select}"));
    if first.mode == "live" && !command.split(' ').any(|word| word == "--live") {
        command.push_str(" --live");
    }
    let told = agree(open.len(), "operation is open", "operations are open");
    NextStep {
        command: Some(command),
        note: Some(format!(
            "{told}: the next run of this command goes on with what no other run is at"
        )),
    }
}

/// How much of a run's id is shown: enough to tell these runs apart, and to ask for one by it.
#[derive(Clone, Copy)]
struct Names<'a> {
    /// The run that everything is told of.
    shown: Option<&'a RunId>,
    length: usize,
}

impl<'a> Names<'a> {
    fn of(history: &'a History, shown: Option<&'a RunId>) -> Names<'a> {
        let operations = history.operations.iter();
        let steps = history.steps.iter();
        let concluded = steps.clone().filter_map(|step| step.outcome.as_ref());
        let ids: BTreeSet<&str> = operations
            .flat_map(|operation| [&operation.begun_by, &operation.held_by])
            .chain(steps.map(|step| &step.run))
            .chain(concluded.map(|outcome| &outcome.run))
            .chain(shown)
            .map(RunId::as_str)
            .collect();
        let longest = ids.iter().map(|id| id.len()).max().unwrap_or_default();
        let differ = |length: &usize| {
            let cut: BTreeSet<_> = ids.iter().map(|id| beginning(id, *length)).collect();
            cut.len() == ids.len()
        };
        Names {
            shown,
            length: (MILLISECOND..longest).find(differ).unwrap_or(longest),
        }
    }

    fn id(self, id: &RunId) -> String {
        clean(beginning(id.as_str(), self.length)).into_owned()
    }

    fn this_or(self, id: &RunId) -> String {
        if Some(id) == self.shown {
            "this one".to_owned()
        } else {
            self.id(id)
        }
    }

    fn by_another(self, id: &RunId, own: &RunId) -> String {
        if id == own {
            String::new()
        } else {
            format!(" (by {})", self.run(id))
        }
    }

    /// In a sentence.
    fn run(self, id: &RunId) -> String {
        if Some(id) == self.shown {
            "this one".to_owned()
        } else {
            format!("run {}", self.id(id))
        }
    }
}

fn beginning(id: &str, length: usize) -> &str {
    match id.char_indices().nth(length) {
        Some((at, _)) => &id[..at],
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
