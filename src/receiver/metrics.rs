//! What Prometheus reads: how deliveries were answered by this process, and what the database has open.
//!
//! No ids and no names: a metric never tells who paid.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Answer;
use crate::store::ReceiverCounts;

/// Deliveries by answer, since this process began.
#[derive(Debug, Default)]
pub struct Tally {
    taken: AtomicU64,
    refused: AtomicU64,
    later: AtomicU64,
}

impl Tally {
    pub fn count(&self, answer: Answer) {
        let counter = match answer {
            Answer::Taken => &self.taken,
            Answer::Refused => &self.refused,
            Answer::Later => &self.later,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The text format, version 0.0.4. `counts`: `None` when the database could not be asked.
pub fn render(tally: &Tally, counts: Option<&ReceiverCounts>) -> String {
    let mut text = String::new();
    head(
        &mut text,
        "relink_webhook_deliveries_total",
        "counter",
        "Deliveries by answer",
    );
    for (answer, counter) in [
        ("taken", &tally.taken),
        ("refused", &tally.refused),
        ("later", &tally.later),
    ] {
        let count = counter.load(Ordering::Relaxed);
        line(
            &mut text,
            &format!("relink_webhook_deliveries_total{{answer=\"{answer}\"}}"),
            count,
        );
    }
    head(
        &mut text,
        "relink_database_up",
        "gauge",
        "Whether the database answers",
    );
    line(&mut text, "relink_database_up", u64::from(counts.is_some()));
    let Some(counts) = counts else {
        return text;
    };
    head(
        &mut text,
        "relink_webhook_events",
        "gauge",
        "Events taken in, by ruling",
    );
    for (ruling, count) in &counts.events {
        line(
            &mut text,
            &format!("relink_webhook_events{{ruling=\"{ruling}\"}}"),
            *count,
        );
    }
    for (name, help, value) in [
        (
            "relink_open_incidents",
            "Incidents that wait for a person",
            counts.open_incidents,
        ),
        (
            "relink_links_to_close",
            "Links of paid orders that are not closed yet",
            counts.open_retirements,
        ),
        (
            "relink_links_to_close_oldest_seconds",
            "How long the oldest of them has waited",
            counts.oldest_retirement,
        ),
    ] {
        head(&mut text, name, "gauge", help);
        line(&mut text, name, value);
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, value: u64) {
    let _ = writeln!(text, "{name} {value}");
}
