//! A plan as a table, a line of sums and the next command. It shows every order of the plan, also those for
//! which nothing would be done.

use comfy_table::Cell;

use super::look::{Hue, Look, cell, full, id, list, name, render, right};
use super::sanitize::clean;
use super::words::{self, Ids};
use super::{Agreed, NextStep, standing};
use crate::domain::Order;
use crate::plan::{Action, Decision, Plan, Tally};

/// Columns that a player's name may take.
pub const NAME: usize = 24;

#[must_use]
pub fn text(plan: &Plan, agreed: Option<Agreed<'_>>, next: &NextStep, look: Look) -> String {
    table(plan, look) + &rest(plan, &Tally::of(plan), agreed, next, look)
}

/// The orders; nothing without one.
#[must_use]
pub fn table(plan: &Plan, look: Look) -> String {
    if plan.decisions.is_empty() {
        return String::new();
    }
    let mut table = look.table(&header(look));
    for decision in &plan.decisions {
        table.add_row(row(decision, look));
    }
    render(&table)
}

/// What follows the table. `tally` is of all pages, where the plan is a page of one.
#[must_use]
pub fn rest(
    plan: &Plan,
    tally: &Tally,
    agreed: Option<Agreed<'_>>,
    next: &NextStep,
    look: Look,
) -> String {
    let mut out = String::new();
    for order in &plan.gone {
        out.push_str(&format!(
            "order {order}: its row is gone; would conclude what an earlier run left open\n"
        ));
    }
    for link in &plan.paid_links {
        out.push_str(&format!(
            "{}: would close it, its order is paid\n",
            clean(link.as_str())
        ));
    }
    for object in &plan.forced {
        let object = full(object);
        out.push_str(&format!(
            "{object}: would retire it by force, it belongs to no order in scope\n"
        ));
    }
    for text in &plan.left_alone {
        let text = clean(text);
        out.push_str(&format!(
            "`{text}` is neither a checkout session nor a payment link: left alone\n"
        ));
    }
    out.push_str(&words::summary(plan.goal(), tally));
    out.push('\n');
    if let Some(Agreed { digest, skipped }) = agreed {
        for due in skipped {
            let would = if due.is_due() {
                "would not finish"
            } else {
                "would pass over"
            };
            out.push_str(&format!("{would} {}\n", standing::line(due)));
        }
        if plan.has_work() {
            out.push_str(&format!("digest: {digest}\n"));
        }
    }
    out.push_str(&next_step(next, look));
    out
}

fn header(look: Look) -> Vec<&'static str> {
    let mut names = vec!["order", "player"];
    if look.is_wide {
        names.extend(["parent", "tournament", "created"]);
    }
    names.extend(["amount", "old object", "verdict", "what would be done"]);
    names
}

fn row(decision: &Decision, look: Look) -> Vec<Cell> {
    let hue = match decision.action {
        Action::Nothing => Hue::Dim,
        Action::Hold(_)
        | Action::Retire(_)
        | Action::Replace(_)
        | Action::Resume
        | Action::Conclude => Hue::Plain,
    };
    let order = &decision.order;
    let ids = if look.is_wide { Ids::Full } else { Ids::Short };
    let mut cells = vec![right(order.id), Cell::new(player(order))];
    if look.is_wide {
        cells.push(Cell::new(parent(order, look)));
        cells.push(Cell::new(list(&order.tournaments, |t| {
            clean(&t.name).into_owned()
        })));
        let created = order.created_at.map(|moment| moment.to_string());
        cells.push(Cell::new(created.unwrap_or_else(none)));
    }
    cells.push(right(amount(order)));
    cells.push(Cell::new(old_object(decision, look)));
    cells.push(cell(decision.verdict, Hue::of(decision.verdict)));
    cells.push(cell(words::would(decision, ids), hue));
    cells
}

fn none() -> String {
    "—".to_owned()
}

/// `Nell Nomail <n…@example.com>`
fn parent(order: &Order, look: Look) -> String {
    let Some(parent) = &order.parent else {
        return none();
    };
    let name = name(&parent.name, NAME);
    match &parent.email {
        Some(email) => format!("{name} <{}>", look.address(email)),
        None => name,
    }
}

#[must_use]
pub fn player(order: &Order) -> String {
    match &order.player {
        Some(player) => name(&player.name, NAME),
        None => "—".to_owned(),
    }
}

#[must_use]
pub fn amount(order: &Order) -> String {
    match order.amount {
        Some(amount) => amount.to_string(),
        None => "—".to_owned(),
    }
}

fn old_object(decision: &Decision, look: Look) -> String {
    match &decision.order.reference {
        Some(reference) => format!("{} ({})", id(reference, look), decision.stored),
        None => decision.stored.to_string(),
    }
}

/// A result of one line, with what to do next.
#[must_use]
pub fn fact(fact: &str, next: &NextStep, look: Look) -> String {
    format!("{}\n{}", clean(fact), next_step(next, look))
}

/// The last lines of every result: what to type next, and what to know about it.
#[must_use]
pub fn next_step(next: &NextStep, look: Look) -> String {
    let NextStep { command, note } = next;
    let note = note.as_deref().map(clean);
    match (command, note) {
        (Some(command), Some(note)) => format!("{note}\nnext: {}\n", look.bold(clean(command))),
        (Some(command), None) => format!("next: {}\n", look.bold(clean(command))),
        (None, Some(note)) => format!("next: {note}\n"),
        (None, None) => String::new(),
    }
}
