//! Judges a run: what the case expects of it, and what is expected of every run: no panic, no secret in any output, no
//! write that the case does not speak of, nothing half written, an end within its time.
//!
//! It never stops at the first thing that is wrong.

use std::time::Duration;

use super::case::{Case, Database};
use super::place::{self, Entries};
use super::spelling::{CANARY, Spelling, shown};
use crate::support::world::{Output, World};

/// Most end within a tenth of a second; beside all other tests on a slow machine some take longer.
const LIMIT: Duration = Duration::from_secs(20);
/// More bytes than these on stderr are no message for a person.
const LONGEST: usize = 64 * 1024;

/// What a run could change.
pub struct State {
    rows: Vec<(i64, String)>,
    writes: usize,
    asked: usize,
    pub folder: Entries,
    pub home: Entries,
}

pub async fn state(world: &World, spelling: &Spelling<'_>) -> State {
    let home = world.command(&[]);
    let home = home.get_envs().find(|(name, _)| *name == "HOME");
    let home = home.and_then(|(_, value)| value).unwrap();
    State {
        rows: world.rows.dump().await,
        writes: world.writes().await.len(),
        asked: world.requests().await.len(),
        folder: place::entries(spelling.folder),
        home: place::entries(home.as_ref()),
    }
}

pub fn of_output(
    case: &Case,
    output: &Output,
    took: Duration,
    spelling: &Spelling<'_>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if output.code != case.exit {
        wrong.push(format!(
            "it exits with {:?}, not {:?}",
            output.code, case.exit
        ));
    }
    for (name, text, expected) in [
        ("stderr", &output.stderr, &case.says),
        ("stdout", &output.stdout, &case.prints),
    ] {
        for expected in expected.iter().map(|text| spelling.text(text)) {
            if !text.contains(&expected) {
                wrong.push(format!("{name} does not say `{}`", shown(&expected)));
            }
        }
        for hidden in case.hides.iter().map(|text| spelling.text(text)) {
            if text.contains(&hidden) {
                wrong.push(format!("{name} shows `{}`", hidden.escape_debug()));
            }
        }
        if text.contains(CANARY) {
            wrong.push(format!("a secret is on {name}"));
        }
        if text.contains("panicked at") || text.contains("RUST_BACKTRACE") {
            wrong.push(format!("it panics, says {name}"));
        }
        // A cell of CSV may have several lines.
        let allowed = if case.args.ends_with(&["csv".to_owned()]) {
            "\n\t\r"
        } else {
            "\n\t"
        };
        if let Some(odd) = text
            .chars()
            .find(|c| c.is_control() && !allowed.contains(*c))
        {
            wrong.push(format!("{name} holds the control character {odd:?}"));
        }
    }
    if case.prints_nothing && !output.stdout.is_empty() {
        wrong.push("something is on stdout".to_owned());
    }
    if output.stderr.len() > LONGEST {
        wrong.push(format!("stderr has {} bytes", output.stderr.len()));
    }
    if took > LIMIT {
        wrong.push(format!("it took {took:?}"));
    }
    wrong
}

pub async fn of_world(
    case: &Case,
    before: &State,
    world: &World,
    spelling: &Spelling<'_>,
) -> Vec<String> {
    let after = state(world, spelling).await;
    let mut wrong = place::complaints(&before.folder, &after.folder, case, spelling);
    // Of SQLite, the journal is among the files.
    wrong.extend(place::leaks(&before.home, &after.home));
    if case.database == Database::Postgres && world.has_journal().await {
        for table in ["runs", "operations", "steps"] {
            let rows = world
                .journaled(table, "SELECT CAST(t AS TEXT) FROM {} t")
                .await;
            if rows.iter().any(|row| row.contains(CANARY)) {
                wrong.push(format!("a secret is in {table}"));
            }
        }
    }
    let writes = after.writes - before.writes;
    if writes != case.writes {
        wrong.push(format!("{writes} writes at Stripe, not {}", case.writes));
    }
    if case.reaches_nobody && after.asked != before.asked {
        let asked = after.asked - before.asked;
        wrong.push(format!("{asked} requests reached Stripe"));
    }
    let of = |rows: &[(i64, String)], id: i64| rows.iter().find(|row| row.0 == id).cloned();
    for (id, row) in &before.rows {
        let changed = of(&after.rows, *id).is_none_or(|now| now.1 != *row);
        if changed != case.changes.contains(id) {
            let now = of(&after.rows, *id);
            wrong.push(format!("order {id} was {row} and is {now:?}"));
        }
    }
    if after.rows.len() != before.rows.len() {
        wrong.push(format!("{} orders are left", after.rows.len()));
    }
    wrong
}
