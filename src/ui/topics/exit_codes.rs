//! `relink help exit-codes`: made from the statuses themselves, so that a new one cannot be left out.

use super::{Section, paragraph, sections};
use crate::exit::ExitStatus;

#[must_use]
pub fn exit_codes(width: usize) -> String {
    let mut all = ExitStatus::ALL;
    all.sort_by_key(|status| status.code());
    let entries = all.map(|status| (status.code().to_string(), told(status)));
    let mut text = paragraph(
        "How a run ended. Treat an unknown code as failure: later versions may add some.",
        width,
    );
    text.push_str(&sections(
        &[Section {
            heading: "Codes:",
            entries: entries.to_vec(),
        }],
        width,
    ));
    text.push('\n');
    text.push_str(&paragraph(&precedence(), width));
    text
}

fn told(status: ExitStatus) -> String {
    let meaning = status.meaning();
    match what_to_do(status) {
        "" => meaning.to_owned(),
        advice => format!("{meaning}\n-> {advice}"),
    }
}

fn what_to_do(status: ExitStatus) -> &'static str {
    match status {
        ExitStatus::Done => "",
        ExitStatus::Unclassified => {
            "read the message; `relink journal list` shows whether anything was written"
        }
        ExitStatus::Usage => "correct the command line",
        ExitStatus::Partial => "read the report; what it lists as done is done",
        ExitStatus::Configuration => "follow the hint, then run it again",
        ExitStatus::Permission => {
            "check the key and the database's role; what a report lists as done is done"
        }
        ExitStatus::Refused => "follow the hint, if it is meant",
        ExitStatus::Stale => {
            "look at the plan again: `relink inspect --plan FILE`, or make a new one"
        }
        ExitStatus::Busy => "nothing, where cron runs it again; the message says who is at it",
        ExitStatus::Unavailable => "run it again later",
        ExitStatus::WorkPending => "relink regen, without --commit first",
        ExitStatus::MoneyNeedsPerson => {
            "relink inspect --all names each order; see docs/runbook.md"
        }
        ExitStatus::Breaker => "find what the failures have in common, then run it again",
        ExitStatus::Interrupted | ExitStatus::Terminated => {
            "run it again: the requests at hand were finished and journaled, and it goes on from there"
        }
    }
}

/// The variants are declared in the order of precedence; those after `Done` never meet another.
fn precedence() -> String {
    let mut all = ExitStatus::ALL;
    all.sort();
    let meet = all.iter().take_while(|status| **status <= ExitStatus::Done);
    let codes: Vec<String> = meet.map(|status| status.code().to_string()).collect();
    format!(
        "When several hold, the first of {} is the code; any other ends a run on its own.",
        codes.join(", ")
    )
}
