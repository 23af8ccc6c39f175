//! The protocol, checked over every interleaving within bounds: operators, payers, the bank, the application,
//! Stripe's memory, kills at every step, a database that forgets.
//!
//! It drives relink's own `step` and `decide_order`: whoever changes the protocol changes what is checked.
//! `RELINK_MODEL_BOUNDS=long` checks larger bounds as well.

mod broken;
mod checker;
mod drive;
mod eyes;
mod mind;
mod mutants;
mod numbers;
mod promises;
mod requests;
mod scenarios;
mod surroundings;
mod table;
mod world;

use std::time::Instant;

use broken::{Broken, Expected};
use checker::{Checker, Report};
pub use mutants::Mutant;

use crate::support::tally::tell;

/// More than any scenario here has; the search is exhaustive, or the test fails.
const MOST_WORLDS: usize = 30_000_000;

#[test]
fn the_protocol_keeps_its_promises_in_every_interleaving() {
    let mut scenarios = scenarios::everyday();
    match std::env::var("RELINK_MODEL_BOUNDS").as_deref() {
        Ok("long") => scenarios.extend(scenarios::long()),
        Ok(other) => panic!("RELINK_MODEL_BOUNDS is `{other}`; only `long` is known"),
        Err(_) => {}
    }
    let mut sum = Report::default();
    let mut broken = Vec::new();
    let begun = Instant::now();
    for scenario in scenarios {
        let begun = Instant::now();
        let report = Checker::check(&scenario, Mutant::None, MOST_WORLDS);
        row(scenario.name, &report, begun);
        sum.worlds += report.worlds;
        sum.steps += report.steps;
        sum.kills += report.kills;
        sum.reruns += report.reruns;
        sum.longest = sum.longest.max(report.longest);
        if let Some(found) = &report.found {
            let (length, trace) = (found.trace.len() - 1, found.trace.join(" > "));
            broken.push(format!(
                "{}: {} after {length} steps: {trace}",
                scenario.name, found.rule
            ));
        } else if !report.is_exhaustive {
            broken.push(format!("{}: more than {MOST_WORLDS} worlds", scenario.name));
        }
    }
    row("all", &sum, begun);
    assert_eq!(broken, Vec::<String>::new());
}

fn row(name: &str, report: &Report, begun: Instant) {
    tell(&format!(
        "model: {name:46} {:>9} worlds {:>10} steps {:>9} kills {:>9} re-runs, the longest {:>3} steps, {:>5.1} s",
        report.worlds,
        report.steps,
        report.kills,
        report.reruns,
        report.longest,
        begun.elapsed().as_secs_f32()
    ));
    let excused = &report.excused;
    if excused.payable + excused.payments > 0 {
        tell(&format!(
            "model: {name:46} {} worlds with two payable objects, {} with two payments, by the application's own \
             storing of a session that it had made before",
            excused.payable, excused.payments
        ));
    }
}

/// A checker that finds nothing proves nothing.
#[test]
fn whoever_breaks_a_rule_of_the_protocol_is_found() {
    table_of("a rule broken", broken::broken_rules());
}

/// These are known; when one is closed, this says so.
#[test]
fn what_the_design_leaves_open_is_what_it_says() {
    table_of("left open", broken::holes());
}

fn table_of(kind: &str, all: Vec<Broken>) {
    let mut wrong: Vec<String> = Vec::new();
    for broken in all {
        let report = Checker::check(&broken.scenario, broken.mutant, MOST_WORLDS);
        let name = broken.scenario.name;
        let (rule, length) = match &report.found {
            Some(found) => (found.rule.as_str(), found.trace.len() - 1),
            None => ("nothing", 0),
        };
        tell(&format!(
            "model, {kind}: {name:50} {length:>3} steps {:>8} worlds  {rule}",
            report.worlds
        ));
        let is_as_expected = match broken.expected {
            Expected::Found(what) => rule.contains(what),
            Expected::Redundant => report.found.is_none() && report.is_exhaustive,
        };
        if !is_as_expected {
            let trace = report.found.as_ref().map(|found| found.trace.join(" > "));
            wrong.push(format!("{name}: {rule}: {trace:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
