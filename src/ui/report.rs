//! What a commit did, as a table and a summary. What nobody knows is said to be unknown, never done or failed.

use comfy_table::Cell;

use super::look::{Hue, Look, agree, cell, count, full, list, render, right, short, sums};
use super::plan::{amount, next_step, player};
use super::sanitize::clean;
use super::words::{self, Ids};
use super::{NextStep, standing};
use crate::domain::CheckoutReference;
use crate::exit::ExitStatus;
use crate::report::{Conclusion, Outcome, Outdated, Report, Stop, Subject};
use crate::saga::Ending;
use crate::saved_plan::Due;

#[must_use]
pub fn text(report: &Report, with_connection: &dyn Fn(&str) -> String, look: Look) -> String {
    let mut out = String::new();
    if !report.outcomes.is_empty() {
        let mut table = look.table(&[
            "order",
            "player",
            "amount",
            "outcome",
            "new link, or why not",
        ]);
        for outcome in &report.outcomes {
            table.add_row(row(outcome));
        }
        out.push_str(&render(&table));
    }
    out.push_str(&summary(report, with_connection, look));
    out
}

/// One outcome in one line, for above a progress bar.
#[must_use]
pub fn line(outcome: &Outcome, look: Look) -> String {
    let subject = match &outcome.subject {
        Subject::Order(order) => format!("order {}", order.id),
        Subject::Gone(id) => format!("order {id}"),
        Subject::Object(object) => short(object),
    };
    let ended = look.paint(outcome_words(outcome), hue(outcome));
    match detail(outcome) {
        detail if detail.is_empty() => format!("{subject}: {ended}"),
        detail => format!("{subject}: {ended}: {detail}"),
    }
}

fn row(outcome: &Outcome) -> Vec<Cell> {
    let mut cells = match &outcome.subject {
        Subject::Order(order) => vec![
            right(order.id),
            Cell::new(player(order)),
            right(amount(order)),
        ],
        Subject::Gone(id) => vec![right(id), Cell::new("—"), right("—")],
        Subject::Object(_) => vec![right("—"), Cell::new("—"), right("—")],
    };
    cells.push(cell(outcome_words(outcome), hue(outcome)));
    cells.push(Cell::new(detail(outcome)));
    cells
}

/// The spelling of JSON.
#[must_use]
pub fn outcome_code(outcome: &Outcome) -> &'static str {
    match &outcome.conclusion {
        Conclusion::NotBegun => "not_begun",
        Conclusion::Held(_) => "held_elsewhere",
        Conclusion::Ended(ending) => ending.name(),
    }
}

/// The outcome's kind, such as `lost race`.
#[must_use]
pub fn outcome_words(outcome: &Outcome) -> String {
    outcome_code(outcome).replace('_', " ")
}

fn hue(outcome: &Outcome) -> Hue {
    match &outcome.conclusion {
        Conclusion::NotBegun | Conclusion::Held(_) => Hue::Dim,
        Conclusion::Ended(ending) => match ending {
            Ending::Replaced { .. } | Ending::Retired => Hue::Good,
            Ending::Moved { .. }
            | Ending::LostRace
            | Ending::Unavailable { .. }
            | Ending::Fenced
            | Ending::Interrupted { .. }
            | Ending::Unknown { .. } => Hue::Attention,
            Ending::PaidMeanwhile { .. } | Ending::StillLive(_) | Ending::Refused { .. } => {
                Hue::Money
            }
        },
    }
}

/// The new link's URL and id, or why there is none. Says what was closed where nothing took its place.
#[must_use]
pub fn detail(outcome: &Outcome) -> String {
    let ending = match &outcome.conclusion {
        Conclusion::Ended(ending) => ending,
        Conclusion::Held(who) => return clean(who).into_owned(),
        Conclusion::NotBegun => return String::new(),
    };
    let closed = list(&outcome.retired, full);
    let text = match ending {
        Ending::Replaced { link, unconfirmed } => {
            let url = clean(&link.url);
            let doubt = unconfirmed
                .as_deref()
                .map(|why| format!("; the last look at the old objects failed: {}", clean(why)));
            return format!("{url} ({}){}", link.id, doubt.unwrap_or_default());
        }
        Ending::Retired if closed.is_empty() => return "nothing was left to close".to_owned(),
        Ending::Retired => return format!("closed {closed}"),
        Ending::Moved { verdict, reason } => {
            let now = format!("it is {verdict} now: {}", words::reason(reason, Ids::Full));
            if closed.is_empty() {
                return format!("{now}; nothing was written");
            }
            now
        }
        Ending::PaidMeanwhile { verdict, reason } => {
            format!(
                "{verdict}: {}; nothing new can be paid",
                words::reason(reason, Ids::Full)
            )
        }
        Ending::LostRace => "its row changed meanwhile; nothing was stored".to_owned(),
        Ending::StillLive(live) => format!("can still be paid: {}", list(live, full)),
        Ending::Refused { what, why } | Ending::Unavailable { what, why } => {
            format!("{}: {}", clean(what), clean(why))
        }
        Ending::Interrupted { what } => {
            format!(
                "{}: the run was asked to stop; the next run goes on",
                clean(what)
            )
        }
        Ending::Fenced => "another run took it over; it goes on there".to_owned(),
        Ending::Unknown { what, why } => {
            format!("{}: {}; it may have happened", clean(what), clean(why))
        }
    };
    if closed.is_empty() {
        text
    } else {
        format!("{text}; closed {closed}")
    }
}

/// How many approved orders ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub approved: usize,
    pub done: usize,
    pub failed: usize,
    pub unknown: usize,
    /// A signal ended the run before they were done; the next run goes on.
    pub interrupted: usize,
    pub not_begun: usize,
    /// Another run is at them.
    pub held_elsewhere: usize,
    /// What was approved had been done, or needed doing no more, when their turn came.
    pub moot: usize,
}

impl Tally {
    #[must_use]
    pub fn of(report: &Report) -> Tally {
        let mut tally = Tally {
            approved: report.outcomes.len(),
            ..Tally::default()
        };
        for outcome in &report.outcomes {
            match (&outcome.conclusion, outcome.status(report.plan.goal())) {
                (Conclusion::NotBegun, _) => tally.not_begun += 1,
                (Conclusion::Ended(Ending::Interrupted { .. }), _) => tally.interrupted += 1,
                (Conclusion::Held(_) | Conclusion::Ended(Ending::Fenced), _) => {
                    tally.held_elsewhere += 1;
                }
                (Conclusion::Ended(Ending::Moved { .. } | Ending::PaidMeanwhile { .. }), None) => {
                    tally.moot += 1
                }
                (Conclusion::Ended(_), None) => tally.done += 1,
                // A link whose old objects could not be looked at once more is in doubt as well.
                (Conclusion::Ended(Ending::Unknown { .. } | Ending::Replaced { .. }), Some(_)) => {
                    tally.unknown += 1;
                }
                (Conclusion::Ended(_), Some(_)) => tally.failed += 1,
            }
        }
        tally
    }

    /// All that was approved is done.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.failed + self.unknown + self.interrupted + self.not_begun == 0
    }
}

/// Objects that this run closed.
pub fn closed(report: &Report) -> impl Iterator<Item = &CheckoutReference> {
    report.outcomes.iter().flat_map(|outcome| &outcome.retired)
}

/// Why the run ended early, all that held.
#[must_use]
pub fn stops_words(stops: &[Stop]) -> String {
    let words: Vec<String> = stops.iter().map(stop_words).collect();
    words.join("; ")
}

fn stop_words(stop: &Stop) -> String {
    match stop {
        Stop::Interrupted => "interrupted (SIGINT)".to_owned(),
        Stop::Terminated => "interrupted (SIGTERM or SIGHUP)".to_owned(),
        Stop::Breaker(why) => clean(why).into_owned(),
        Stop::Refused { status: _, why } => clean(why).into_owned(),
    }
}

fn summary(report: &Report, with_connection: &dyn Fn(&str) -> String, look: Look) -> String {
    let tally = Tally::of(report);
    let mut parts = vec![
        format!(
            "{} approved: {} done",
            tally.approved + report.passed_over(),
            tally.done
        ),
        format!("{} failed", tally.failed),
        format!("{} unknown", tally.unknown),
    ];
    if tally.interrupted > 0 {
        parts.push(format!("{} interrupted", tally.interrupted));
    }
    if tally.not_begun > 0 {
        parts.push(format!("{} not begun", tally.not_begun));
    }
    if tally.moot > 0 {
        parts.push(format!("{} needed nothing any more", tally.moot));
    }
    if tally.held_elsewhere > 0 {
        parts.push(format!("{} worked on by another run", tally.held_elsewhere));
    }
    if report.passed_over() > 0 {
        parts.push(format!("{} passed over", report.passed_over()));
    }
    let people: Vec<String> = report.plan.for_a_person().map(person_line).collect();
    if people.is_empty() {
        parts.push("0 need a person".to_owned());
    }
    let mut out = parts.join(", ") + "\n";

    let (links, totals) = report.replaced();
    if links > 0 {
        out.push_str(&format!(
            "minted {}, {}\n",
            count(links, "link"),
            sums(&totals)
        ));
    }
    let objects = closed(report).count();
    if objects > 0 {
        out.push_str(&format!("closed {}\n", count(objects, "object")));
    }
    if !people.is_empty() {
        out.push_str(&agree(
            people.len(),
            "needs a person:\n",
            "need a person:\n",
        ));
        out.extend(people);
    }
    let (unfinished, passed_over): (Vec<&Due>, Vec<&Due>) =
        report.skipped.iter().partition(|due| due.is_due());
    for (what, skipped) in [("passed over", passed_over), ("not finished", unfinished)] {
        if !skipped.is_empty() {
            out.push_str(&format!("{what}, of the plan that was approved:\n"));
            let lines = skipped
                .iter()
                .map(|due| format!("  {}\n", standing::line(due)));
            out.extend(lines);
        }
    }
    if !report.stopped.is_empty() {
        let why = stops_words(&report.stopped);
        out.push_str(&format!("stopped early: {why}\n"));
    }
    out.push_str(&format!(
        "Stripe requests: {}, {}\n",
        count(usize::try_from(report.reads).unwrap_or(usize::MAX), "read"),
        count(
            usize::try_from(report.writes).unwrap_or(usize::MAX),
            "write"
        ),
    ));
    if let Some(run) = &report.run {
        let run = clean(run.as_str());
        out.push_str(&format!("plan: {}\n", report.digest));
        let show = with_connection(&format!("relink journal show {run}"));
        out.push_str(&format!("journal: {}\n", clean(&show)));
    }
    if let Some(command) = mailing_command(report, with_connection) {
        let Outdated {
            parents,
            without_address,
        } = report.outdated();
        let holders = agree(
            parents,
            "parent holds a dead URL in the mail",
            "parents hold a dead URL in their mail",
        );
        let unknown = match without_address {
            0 => String::new(),
            n => format!(", and {} without an address", count(n, "order")),
        };
        out.push_str(&format!(
            "{holders}{unknown}; the new ones: {}\n",
            clean(&command)
        ));
    }
    out.push_str(&ending(report, with_connection, tally, look));
    out
}

/// Makes the list for the mail to them; `None` where nobody needs one.
#[must_use]
pub fn mailing_command(
    report: &Report,
    with_connection: &dyn Fn(&str) -> String,
) -> Option<String> {
    let run = report.run.as_ref()?;
    let is_needed = report.outdated() != Outdated::default();
    is_needed.then(|| with_connection(&format!("relink journal show {run} --csv-out blast.csv")))
}

fn person_line(decision: &crate::plan::Decision) -> String {
    format!(
        "  order {}, {}: {}: {}\n",
        decision.order.id,
        player(&decision.order),
        decision.verdict,
        words::reason(&decision.reason, Ids::Full)
    )
}

/// What held, when it was more than one thing, and what to do next.
fn ending(
    report: &Report,
    with_connection: &dyn Fn(&str) -> String,
    tally: Tally,
    look: Look,
) -> String {
    let mut out = String::new();
    let statuses = report.statuses();
    if statuses.len() > 1 {
        let all: Vec<ExitStatus> = statuses.into_iter().collect();
        let all = list(&all, |status| {
            format!("{} ({})", status.code(), status.meaning())
        });
        out.push_str(&format!("exit statuses that hold: {all}\n"));
    }
    out.push_str(&next_step(&next(report, with_connection, tally), look));
    out
}

/// What to do next; empty when all is done.
#[must_use]
pub fn next(report: &Report, with_connection: &dyn Fn(&str) -> String, tally: Tally) -> NextStep {
    if !tally.is_complete() {
        return NextStep {
            command: None,
            note: Some("run the same command again: it is safe".to_owned()),
        };
    }
    let mut people = report.plan.for_a_person().map(|d| d.order.id);
    let Some(first) = people.next() else {
        return NextStep::default();
    };
    NextStep {
        command: Some(with_connection(&format!(
            "relink inspect --order-id {first}"
        ))),
        note: people
            .next()
            .map(|_| "look at each order that needs a person, one by one".to_owned()),
    }
}
