//! What Prometheus reads: how deliveries were answered by this process, and what the database has open.
//!
//! No ids and no names: a metric never tells who paid.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Answer;
use crate::monitor::exposition::{self, Family, Kind, Sample};
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

/// `counts`: `None` when the database could not be asked.
pub fn render(tally: &Tally, counts: Option<&ReceiverCounts>) -> String {
    let answers = [
        ("taken", &tally.taken),
        ("refused", &tally.refused),
        ("later", &tally.later),
    ];
    let deliveries = answers
        .map(|(answer, counter)| sample(&[("answer", answer)], counter.load(Ordering::Relaxed)));
    let mut families = vec![
        Family {
            name: "relink_webhook_deliveries_total",
            help: "Deliveries by answer",
            kind: Kind::Counter,
            samples: deliveries.to_vec(),
        },
        gauge(
            "relink_database_up",
            "Whether the database answers",
            u64::from(counts.is_some()),
        ),
    ];
    families.extend(counts.map(of_database).into_iter().flatten());
    exposition::render(&families)
}

fn of_database(counts: &ReceiverCounts) -> [Family; 4] {
    let events = counts.events.iter();
    let events = events.map(|(ruling, count)| sample(&[("ruling", ruling)], *count));
    [
        Family {
            name: "relink_webhook_events",
            help: "Events taken in, by ruling",
            kind: Kind::Gauge,
            samples: events.collect(),
        },
        gauge(
            "relink_open_incidents",
            "Incidents that wait for a person",
            counts.open_incidents,
        ),
        gauge(
            "relink_links_to_close",
            "Links of paid orders that are not closed yet",
            counts.open_retirements,
        ),
        gauge(
            "relink_links_to_close_oldest_seconds",
            "How long the oldest of them has waited",
            counts.oldest_retirement,
        ),
    ]
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Family {
    Family {
        name,
        help,
        kind: Kind::Gauge,
        samples: vec![sample(&[], value)],
    }
}

fn sample(labels: &[(&str, &str)], value: u64) -> Sample {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sample {
        labels: labels.iter().map(owned).collect(),
        value: i64::try_from(value).unwrap_or(i64::MAX),
    }
}
