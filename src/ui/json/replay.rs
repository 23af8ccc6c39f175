//! `relink.replay/1`: one entry per event that was not received before.

use serde::Serialize;

use super::super::NextStep;
use super::super::replay::Tense;
use super::Next;
use super::shape::{Document, Shape, amount, currency, plain};
use crate::domain::{LinkId, Money, OrderId, Timestamp};
use crate::receiver::{Foreseen, Replayed};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReplayDocument<'a> {
    schema: &'static str,
    /// Whether they were taken in; else this is what would follow.
    committed: bool,
    events: Vec<EventBody<'a>>,
    received_before: usize,
    next: Next,
}

impl Document for ReplayDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "events",
        item: "event",
        id: "/event",
        columns: &[
            plain("event", "/event"),
            plain("type", "/type"),
            plain("created", "/created"),
            plain("order_id", "/order_id"),
            amount("amount", "/amount"),
            currency("currency", "/amount"),
            plain("ruling", "/ruling"),
            plain("incident", "/incident"),
            plain("closes", "/closes"),
        ],
    };
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EventBody<'a> {
    event: &'a str,
    r#type: &'a str,
    created: Timestamp,
    order_id: Option<OrderId>,
    amount: Option<Money>,
    ruling: &'static str,
    incident: Option<&'a str>,
    closes: &'a [LinkId],
}

impl<'a> ReplayDocument<'a> {
    #[must_use]
    pub fn new(foreseen: &'a Foreseen, tense: Tense, next: &NextStep) -> Self {
        ReplayDocument {
            schema: "relink.replay/1",
            committed: tense == Tense::Did,
            events: foreseen.news.iter().map(EventBody::new).collect(),
            received_before: foreseen.known,
            next: Next::from(next.clone()),
        }
    }
}

impl<'a> EventBody<'a> {
    fn new(event: &'a Replayed) -> Self {
        EventBody {
            event: event.event.as_str(),
            r#type: &event.kind,
            created: event.created,
            order_id: event.order,
            amount: event.amount,
            ruling: event.ruling.name(),
            incident: event.incident.as_ref().map(|id| id.as_str()),
            closes: &event.closes,
        }
    }
}
