//! Events that were missed: what would follow from each, and then the same taking in as of a delivery.
//!
//! Foreseeing writes nothing. What is shown is what the database says now, and what the events before would have changed
//! by then; what is done is decided again, under the order's lock.

use crate::domain::{LinkId, Money, OrderId, Timestamp};
use crate::store::{Receiver, StoreError};
use crate::webhook::{Aftermath, Decision, Event, EventId, Happened, IncidentId, Ruling};

/// What follows, or followed, from one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub event: EventId,
    pub kind: String,
    pub created: Timestamp,
    pub order: Option<OrderId>,
    pub amount: Option<Money>,
    pub ruling: Ruling,
    pub incident: Option<IncidentId>,
    /// Links that are to be closed because of it.
    pub closes: Vec<LinkId>,
}

/// What every event that was not received yet would lead to, or led to. Those that say nothing new are only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    pub news: Vec<Replayed>,
    /// Received before.
    pub known: usize,
}

/// What [`take_in`] would come to, one by one in the same order.
///
/// # Errors
/// What any query can meet.
pub async fn foresee(receiver: &Receiver, events: &[Event]) -> Result<Foreseen, StoreError> {
    let mut foreseen = Foreseen::default();
    let mut before = Aftermath::default();
    for event in events {
        match receiver.foresee(event, &before).await? {
            Some(decision) if decision.ruling == Ruling::Acknowledged => {}
            Some(decision) => {
                before.add(event, &decision);
                foreseen.news.push(expected(event, decision));
            }
            None => foreseen.known += 1,
        }
    }
    Ok(foreseen)
}

/// Takes the events in, one by one, the oldest first, until `is_over`. What was taken in before an error is committed, and
/// is told with it; taking it in again does no harm.
pub async fn take_in(
    receiver: &Receiver,
    events: &[Event],
    is_over: impl Fn() -> bool,
) -> (Foreseen, Result<(), StoreError>) {
    let mut done = Foreseen::default();
    for event in events {
        if is_over() {
            break;
        }
        let receipt = match receiver.receive(event).await {
            Ok(receipt) => receipt,
            Err(error) => return (done, Err(error)),
        };
        if receipt.seen_before {
            done.known += 1;
        } else if receipt.ruling != Ruling::Acknowledged {
            let closes = receipt.retirements.into_iter().map(|due| due.link);
            done.news.push(Replayed {
                order: receipt.order,
                ruling: receipt.ruling,
                incident: receipt.incident,
                closes: closes.collect(),
                ..told(event)
            });
        }
    }
    (done, Ok(()))
}

fn expected(event: &Event, decision: Decision) -> Replayed {
    Replayed {
        ruling: decision.ruling,
        incident: decision.incident.map(|incident| incident.id),
        closes: decision.retire,
        ..told(event)
    }
}

fn told(event: &Event) -> Replayed {
    let session = match &event.what {
        Happened::Session(_, session) => Some(session),
        Happened::Ignored(_) => None,
    };
    Replayed {
        event: event.id.clone(),
        kind: event.kind().to_owned(),
        created: event.created,
        order: session.and_then(|session| session.owner.order()),
        amount: session.and_then(|session| session.amount),
        ruling: Ruling::Acknowledged,
        incident: None,
        closes: Vec::new(),
    }
}
