//! A plan as a table, a line of sums and the next command. It shows every order of the plan, also those for
//! which nothing would be done.

use comfy_table::Cell;

use super::look::{Hue, Look, cell, full, name, render, right, short};
use super::sanitize::clean;
use super::words::{self, Ids};
use super::{Agreed, NextStep, standing};
use crate::domain::Order;
use crate::plan::{Action, Decision, Plan};

/// Columns that a player's name may take.
pub const NAME: usize = 24;

#[must_use]
pub fn text(plan: &Plan, agreed: Option<Agreed<'_>>, next: &NextStep, look: Look) -> String {
    let mut out = String::new();
    if !plan.decisions.is_empty() {
        let mut table = look.table(&[
            "order",
            "player",
            "amount",
            "old object",
            "verdict",
            "what would be done",
        ]);
        for decision in &plan.decisions {
            table.add_row(row(decision));
        }
        out.push_str(&render(&table));
    }
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
    out.push_str(&words::summary(plan));
    out.push('\n');
    if let Some(Agreed { digest, skipped }) = agreed {
        for due in skipped {
            out.push_str(&format!("would pass over {}\n", standing::line(due)));
        }
        if plan.has_work() {
            out.push_str(&format!("digest: {digest}\n"));
        }
    }
    out.push_str(&next_step(next, look));
    out
}

fn row(decision: &Decision) -> Vec<Cell> {
    let hue = match decision.action {
        Action::Nothing => Hue::Dim,
        Action::Hold(_) | Action::Retire(_) | Action::Replace(_) | Action::Resume => Hue::Plain,
    };
    vec![
        right(decision.order.id),
        Cell::new(player(&decision.order)),
        right(amount(&decision.order)),
        Cell::new(old_object(decision)),
        cell(decision.verdict, Hue::of(decision.verdict)),
        cell(words::would(decision, Ids::Short), hue),
    ]
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

fn old_object(decision: &Decision) -> String {
    match &decision.order.reference {
        Some(reference) => format!("{} ({})", short(reference), decision.stored),
        None => decision.stored.to_string(),
    }
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
