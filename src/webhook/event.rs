//! From the bytes of a delivery to an event. What is not an event of Stripe's is an error, and nothing follows
//! from it; an event that has nothing to do with a checkout session is `Ignored`.
//!
//! Nothing is guessed: an order's number that is none stays the text it is, for a person.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{
    AccountId, Currency, LinkId, Mode, Money, Owner, PaymentIntentId, Session, SessionId,
    SessionState, Timestamp,
};

/// Bytes of the longest body that is decoded.
pub const MAX_BODY: usize = 1024 * 1024;
const LONGEST_ID: usize = 255;
/// The end of the year 9999: no database knows a later time.
const LAST_MOMENT: i64 = 253_402_300_799;

/// The body is no event that relink can read. The text is for logs; the sender is not told which part failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {0}")]
pub struct Undecodable(String);

/// By which a delivery is known again: Stripe's `evt_…`, or one made from a session that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);

impl EventId {
    const PREFIX: &'static str = "evt_";

    /// # Errors
    /// Not `evt_` and letters, digits or underscores, or more than 255 of them.
    pub fn parse(text: &str) -> Result<Self, Undecodable> {
        let is_clean = |tail: &str| {
            !tail.is_empty()
                && tail
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let tail = text.strip_prefix(Self::PREFIX);
        if text.len() <= LONGEST_ID && tail.is_some_and(is_clean) {
            Ok(EventId(text.to_owned()))
        } else {
            Err(Undecodable("its id is no event's".to_owned()))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    /// Stripe's clock. It tells no order of events.
    pub created: Timestamp,
    pub mode: Mode,
    /// The connected account it happened in; absent for the endpoint's own.
    pub account: Option<AccountId>,
    pub what: Happened,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    Session(SessionEvent, Box<SessionFacts>),
    /// Anything else, by its type.
    Ignored(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionEvent {
    Completed,
    PaymentSucceeded,
    PaymentFailed,
    Expired,
}

impl SessionEvent {
    pub const ALL: [SessionEvent; 4] = [
        SessionEvent::Completed,
        SessionEvent::PaymentSucceeded,
        SessionEvent::PaymentFailed,
        SessionEvent::Expired,
    ];

    /// Stripe's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SessionEvent::Completed => "checkout.session.completed",
            SessionEvent::PaymentSucceeded => "checkout.session.async_payment_succeeded",
            SessionEvent::PaymentFailed => "checkout.session.async_payment_failed",
            SessionEvent::Expired => "checkout.session.expired",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    Paid,
    Unpaid,
    NoPaymentRequired,
    /// One that relink does not know, or none.
    Unknown(String),
}

/// What the event's session says of itself, as it was when the event was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    pub id: SessionId,
    pub payment_status: PaymentStatus,
    /// `amount_total` and `currency`; `None` where either is missing or unknown to Stripe's list.
    pub amount: Option<Money>,
    pub intent: Option<PaymentIntentId>,
    pub link: Option<LinkId>,
    pub owner: Owner,
}

impl Event {
    /// The event that a session read from Stripe stands for, for payments whose own event is gone: `None` where
    /// the session tells of no payment.
    #[must_use]
    pub fn of_session(session: &Session, mode: Mode, read_at: Timestamp) -> Option<Event> {
        let (kind, payment_status, state) = match &session.state {
            SessionState::Paid(_) => (SessionEvent::Completed, PaymentStatus::Paid, "paid"),
            SessionState::Processing => {
                (SessionEvent::Completed, PaymentStatus::Unpaid, "processing")
            }
            SessionState::Failed => (SessionEvent::PaymentFailed, PaymentStatus::Unpaid, "failed"),
            SessionState::Open | SessionState::Expired | SessionState::Unknown(_) => return None,
        };
        let intent = match &session.state {
            SessionState::Paid(payment) => payment.intent.clone(),
            _ => None,
        };
        let facts = SessionFacts {
            id: session.id.clone(),
            payment_status,
            amount: session.amount,
            intent,
            link: session.link.clone(),
            owner: session.owner.clone(),
        };
        Some(Event {
            id: EventId(format!("{state}:{}", session.id)),
            created: read_at,
            mode,
            account: None,
            what: Happened::Session(kind, Box::new(facts)),
        })
    }

    /// Stripe's name of what happened.
    #[must_use]
    pub fn kind(&self) -> &str {
        match &self.what {
            Happened::Session(kind, _) => kind.name(),
            Happened::Ignored(kind) => kind,
        }
    }
}

/// # Errors
/// [`Undecodable`]: too long, no JSON, or not an event as Stripe makes them.
pub fn decode(body: &[u8]) -> Result<Event, Undecodable> {
    if body.len() > MAX_BODY {
        return Err(Undecodable("the body is too long".to_owned()));
    }
    // Also where the text is one that nothing is read from.
    let body = std::str::from_utf8(body).map_err(|_| Undecodable("it is no text".to_owned()))?;
    let envelope: Envelope = read(body)?;
    expect("object", &envelope.object, "event")?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._".contains(&byte);
    if envelope.kind.len() > LONGEST_ID || !envelope.kind.bytes().all(is_name) {
        return Err(Undecodable("its `type` is no name".to_owned()));
    }
    if !(0..=LAST_MOMENT).contains(&envelope.created) {
        return Err(Undecodable("its `created` is no time".to_owned()));
    }
    let mode = Mode::from_livemode(envelope.livemode);
    let session_event = SessionEvent::ALL
        .into_iter()
        .find(|event| event.name() == envelope.kind);
    let what = match session_event {
        Some(event) => {
            let Content { data } = read(body)?;
            Happened::Session(event, Box::new(session(data.object, mode)?))
        }
        None => Happened::Ignored(envelope.kind),
    };
    let account = envelope.account.as_deref().map(AccountId::parse);
    Ok(Event {
        id: EventId::parse(&envelope.id)?,
        created: Timestamp(envelope.created),
        mode,
        account: account.transpose().map_err(|_| no_id_of("account"))?,
        what,
    })
}

/// What every event has.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    object: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    livemode: bool,
    account: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: WireSession,
}

#[derive(Deserialize)]
struct WireSession {
    id: String,
    object: String,
    livemode: bool,
    payment_status: Option<String>,
    amount_total: Option<i64>,
    currency: Option<String>,
    payment_intent: Option<Expandable>,
    payment_link: Option<Expandable>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    order_id: Option<Value>,
}

/// An id, or the object itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expandable {
    Id(String),
    Object { id: String },
}

impl Expandable {
    fn id(&self) -> &str {
        match self {
            Expandable::Id(id) | Expandable::Object { id } => id,
        }
    }
}

fn session(wire: WireSession, mode: Mode) -> Result<SessionFacts, Undecodable> {
    expect("data.object.object", &wire.object, "checkout.session")?;
    if Mode::from_livemode(wire.livemode) != mode {
        return Err(Undecodable(
            "event and session are not of one mode".to_owned(),
        ));
    }
    let currency = wire
        .currency
        .as_deref()
        .and_then(|code| Currency::parse(code).ok());
    let intent = wire.payment_intent.as_ref().map(Expandable::id);
    let link = wire.payment_link.as_ref().map(Expandable::id);
    Ok(SessionFacts {
        id: SessionId::parse(&wire.id).map_err(|_| no_id_of("session"))?,
        payment_status: payment_status(wire.payment_status.as_deref()),
        amount: wire
            .amount_total
            .zip(currency)
            .map(|(minor, currency)| Money::new(minor, currency)),
        intent: intent
            .map(PaymentIntentId::parse)
            .transpose()
            .map_err(|_| no_id_of("payment intent"))?,
        link: link
            .map(LinkId::parse)
            .transpose()
            .map_err(|_| no_id_of("payment link"))?,
        owner: Owner::read(
            wire.metadata
                .and_then(|metadata| metadata.order_id)
                .as_ref(),
        ),
    })
}

fn payment_status(text: Option<&str>) -> PaymentStatus {
    match text {
        Some("paid") => PaymentStatus::Paid,
        Some("unpaid") => PaymentStatus::Unpaid,
        Some("no_payment_required") => PaymentStatus::NoPaymentRequired,
        other => PaymentStatus::Unknown(other.unwrap_or("null").chars().take(80).collect()),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, Undecodable> {
    // The parser's text names a place and a type, and may repeat a short value: no more of it is kept.
    serde_json::from_str(body).map_err(|error| {
        let text: String = error.to_string().chars().take(200).collect();
        Undecodable(text)
    })
}

fn expect(field: &str, found: &str, wanted: &str) -> Result<(), Undecodable> {
    if found == wanted {
        Ok(())
    } else {
        Err(Undecodable(format!("its `{field}` is not `{wanted}`")))
    }
}

fn no_id_of(what: &str) -> Undecodable {
    Undecodable(format!("an id in it is no {what}'s"))
}
