//! How a saved plan stands: which of its orders are still as they were approved, and what has moved since.

use comfy_table::Cell;

use super::NextStep;
use super::look::{Hue, Look, cell, count, full, list, name, render, right, sums};
use super::plan::{NAME, next_step};
use super::sanitize::clean;
use crate::domain::Money;
use crate::saved_plan::{Due, Moved, SavedPlan, Standing, Stands};

/// Hours and minutes are enough for a plan.
const MINUTE: i64 = 60;

#[must_use]
pub fn text(saved: &SavedPlan, standing: &Standing, next: &NextStep, look: Look) -> String {
    let mut out = String::new();
    if !standing.subjects.is_empty() {
        let mut table = look.table(&["order", "player", "amount", "verdict then", "now"]);
        for due in &standing.subjects {
            table.add_row(row(due));
        }
        out.push_str(&render(&table));
    }
    out.push_str(&summary(saved, standing));
    out.push_str(&next_step(next, look));
    out
}

fn row(due: &Due) -> Vec<Cell> {
    let verdict = due.verdict.map(|verdict| verdict.to_string());
    vec![
        right(subject(due)),
        Cell::new(player(due)),
        right(amount(due)),
        Cell::new(verdict.unwrap_or_else(none)),
        cell(words(&due.stands), hue(&due.stands)),
    ]
}

/// `order 7, Mia Rossi, 55.00 USD: moved: status was pending, is paid`
#[must_use]
pub fn line(due: &Due) -> String {
    let mut parts = vec![match &due.order {
        Some(id) => format!("order {id}"),
        None => subject(due),
    }];
    if due.player.is_some() {
        parts.push(player(due));
    }
    if due.amount.is_some() {
        parts.push(amount(due));
    }
    format!("{}: {}", parts.join(", "), words(&due.stands))
}

fn subject(due: &Due) -> String {
    match (&due.order, &due.object) {
        (Some(id), _) => id.to_string(),
        (None, Some(object)) => full(object),
        (None, None) => none(),
    }
}

fn player(due: &Due) -> String {
    due.player
        .as_deref()
        .map_or_else(none, |player| name(player, NAME))
}

fn amount(due: &Due) -> String {
    due.amount.map_or_else(none, |amount| amount.to_string())
}

fn none() -> String {
    "—".to_owned()
}

/// The spelling of JSON.
#[must_use]
pub fn code(stands: &Stands) -> &'static str {
    match stands {
        Stands::Due => "due",
        Stands::Begun => "begun",
        Stands::Done => "done",
        Stands::Refused => "refused",
        Stands::Stale(_) | Stands::BegunAndMoved(_) => "stale",
    }
}

#[must_use]
pub fn words(stands: &Stands) -> String {
    match stands {
        Stands::Due => "as it was approved".to_owned(),
        Stands::Begun => "begun, and would be gone on with".to_owned(),
        Stands::Done => "done under this plan".to_owned(),
        Stands::Refused => "refused by Stripe under this plan".to_owned(),
        Stands::Stale(moved) => format!("moved: {}", list(moved, moved_words)),
        Stands::BegunAndMoved(moved) => format!(
            "moved: {} (it was begun: what is open of it is concluded, and no more)",
            list(moved, moved_words)
        ),
    }
}

/// `amount was 55.00 USD, is 65.00 USD`
#[must_use]
pub fn moved_words(moved: &Moved) -> String {
    let Moved { fact, was, is } = moved;
    format!("{} was {}, is {}", clean(fact), clean(was), clean(is))
}

fn hue(stands: &Stands) -> Hue {
    match stands {
        Stands::Due | Stands::Begun => Hue::Plain,
        Stands::Done => Hue::Good,
        Stands::Refused => Hue::Money,
        Stands::Stale(_) | Stands::BegunAndMoved(_) => Hue::Attention,
    }
}

fn summary(saved: &SavedPlan, standing: &Standing) -> String {
    let tally = Tally::of(standing);
    let Tally {
        due,
        done,
        refused,
        stale,
    } = tally;
    let totals = match saved.totals.new_links {
        0 => "mint nothing".to_owned(),
        links => format!(
            "mint {}, {}",
            count(links, "link"),
            sums(&saved.totals.amounts)
        ),
    };
    let resumed: Vec<Money> = saved.resumed().filter_map(|line| line.amount).collect();
    let resumes = match saved.resumed().count() {
        0 => String::new(),
        n => format!(
            ", go on with {}, {}",
            count(n, "order"),
            sums(&Money::totals(resumed))
        ),
    };
    format!(
        "plan {} of `relink {}` in {} mode for {}: {}, {totals}{resumes}\n\
         made {} ({} ago) by {}: {}\n\
         {due} due, {done} done, {stale} moved, {refused} refused\n",
        saved.digest,
        saved.goal().command(),
        saved.mode,
        saved.account,
        count(saved.size(), "order"),
        saved.made_at,
        age(standing.age(saved)),
        clean(&saved.made_by),
        clean(&saved.command),
    )
}

/// `26 h 5 min`
#[must_use]
pub fn age(seconds: i64) -> String {
    let minutes = seconds.max(0) / MINUTE;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// How many of a plan's subjects stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub due: usize,
    pub done: usize,
    pub refused: usize,
    pub stale: usize,
}

impl Tally {
    #[must_use]
    pub fn of(standing: &Standing) -> Tally {
        let mut tally = Tally::default();
        for due in &standing.subjects {
            match due.stands {
                Stands::Due | Stands::Begun => tally.due += 1,
                Stands::Done => tally.done += 1,
                Stands::Refused => tally.refused += 1,
                Stands::Stale(_) | Stands::BegunAndMoved(_) => tally.stale += 1,
            }
        }
        tally
    }
}
