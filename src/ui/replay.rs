//! What missed events lead to, as a table: before they are taken in, and afterwards.

use comfy_table::Cell;

use super::NextStep;
use super::look::{Look, count, render, right};
use super::plan::next_step;
use super::sanitize::clean;
use crate::receiver::{Foreseen, Replayed};
use crate::webhook::Ruling;

/// Whether the events were taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    Would,
    Did,
}

#[must_use]
pub fn text(foreseen: &Foreseen, tense: Tense, next: &NextStep, look: Look) -> String {
    let Foreseen { news, known } = foreseen;
    let mut out = String::new();
    if !news.is_empty() {
        let header = match tense {
            Tense::Would => "what would follow",
            Tense::Did => "what followed",
        };
        let mut table = look.table(&["event", "what happened", "order", "amount", header]);
        for event in news {
            table.add_row(row(event));
        }
        out.push_str(&render(&table));
    }
    let events = count(news.len() + known, "event");
    out.push_str(&format!(
        "{events}, {known} received before; {}\n",
        sum(news, tense)
    ));
    out.push_str(&next_step(next, look));
    out
}

fn sum(news: &[Replayed], tense: Tense) -> String {
    if news.is_empty() {
        return "nothing to take in".to_owned();
    }
    let settled = news
        .iter()
        .filter(|event| event.ruling == Ruling::Settled)
        .count();
    let incidents = news.iter().filter(|event| event.incident.is_some()).count();
    let (settle, open) = match tense {
        Tense::Would => ("would settle", "would open"),
        Tense::Did => ("settled", "opened"),
    };
    format!(
        "{settle} {}, {open} {}",
        count(settled, "order"),
        count(incidents, "incident"),
    )
}

fn row(event: &Replayed) -> Vec<Cell> {
    let none = || "—".to_owned();
    vec![
        Cell::new(clean(event.event.as_str())),
        Cell::new(clean(&event.kind)),
        right(event.order.map_or_else(none, |order| order.to_string())),
        right(event.amount.map_or_else(none, |amount| amount.to_string())),
        Cell::new(words(event)),
    ]
}

fn words(event: &Replayed) -> String {
    let mut words = event.ruling.name().replace('_', " ");
    if let Some(incident) = &event.incident {
        words.push_str(&format!(" (incident {})", incident.as_str()));
    }
    for link in &event.closes {
        words.push_str(&format!(", close {}", clean(link.as_str())));
    }
    words
}
