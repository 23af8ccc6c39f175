//! A diagnosis as a table, a line of sums and what to do. It shows every check, also those that were not made.

use comfy_table::Cell;

use super::look::{Hue, Look, cell, count, render};
use super::sanitize::{clean, clean_lines};
use crate::doctor::{Check, Diagnosis, Outcome};

#[must_use]
pub fn text(diagnosis: &Diagnosis, look: Look) -> String {
    let mut table = look.table(&["check", "outcome", "what was found"]);
    for check in &diagnosis.checks {
        table.add_row(row(check));
    }
    let mut out = render(&table);
    for check in &diagnosis.checks {
        if let Some(remedy) = &check.remedy {
            let name = words(check.name);
            out.push_str(&format!(
                "{}: {}\n",
                look.bold(&name),
                clean_lines(remedy, name.len() + 2)
            ));
        }
    }
    out.push_str(&summary(diagnosis));
    out
}

fn row(check: &Check) -> Vec<Cell> {
    let (word, hue) = match &check.outcome {
        Outcome::Passed => ("passed", Hue::Good),
        Outcome::Failed(_) => ("failed", Hue::Money),
        Outcome::Warned => ("warned", Hue::Attention),
        Outcome::NotChecked { .. } => ("not checked", Hue::Dim),
    };
    let found = match &check.outcome {
        Outcome::NotChecked { why } => clean(why),
        Outcome::Passed | Outcome::Failed(_) | Outcome::Warned => clean(&check.found),
    };
    vec![
        Cell::new(words(check.name)),
        cell(word, hue),
        Cell::new(found),
    ]
}

/// A check's name as a person reads it.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn summary(diagnosis: &Diagnosis) -> String {
    let counts = diagnosis.counts();
    format!(
        "{}: {} passed, {} failed, {}, {} not checked; exit {}\n",
        count(diagnosis.checks.len(), "check"),
        counts.passed,
        counts.failed,
        count(counts.warned, "warning"),
        counts.not_checked,
        diagnosis.status().code(),
    )
}
