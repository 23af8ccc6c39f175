//! The answers of one input, each in its place, and what relink observes through them. Nothing leaves the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use relink::domain::{
    CheckoutReference, Currency, Mode, Money, Order, OrderId, OrderStatus, Player, Product,
    Snapshot, Timestamp,
};
use relink::plan::Policy;
use relink::stripe::{
    Carried, Client, NoAnswer, ObserveRequest, Outgoing, Rps, Settings, Timings, Transport, observe,
};
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;
use tokio::runtime::Runtime;

pub const AMOUNT: i64 = 5500;
const DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
const EMPTY: &[u8] = br#"{"object": "list", "data": [], "has_more": false}"#;
/// More requests than this for one order would never end.
const ENDLESS: usize = 300;
/// What Stripe's objects always have: each with the object that holds it. Metadata may be null, and then names nobody.
const FIELDS: [(&str, &str); 14] = [
    ("", "id"),
    ("", "object"),
    ("", "livemode"),
    ("", "status"),
    ("", "payment_status"),
    ("", "active"),
    ("", "url"),
    ("", "created"),
    ("", "expires_at"),
    ("", "payment_intent"),
    ("", "amount_total"),
    ("", "currency"),
    ("/line_items", "has_more"),
    ("/after_expiration/recovery", "enabled"),
];

/// Where an answer belongs, in the order of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Own,
    Links,
    Open,
    Complete,
    Pages,
    Other,
    Intent,
    Refunds,
}

const PLACES: [Place; 8] = [
    Place::Own,
    Place::Links,
    Place::Open,
    Place::Complete,
    Place::Pages,
    Place::Other,
    Place::Intent,
    Place::Refunds,
];

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(part: &[u8]) -> Answer {
        let status = part.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let number = std::str::from_utf8(status).ok().filter(|it| it.len() == 3);
        match number.and_then(|it| it.parse().ok()) {
            Some(status @ 100..) => Answer {
                status,
                body: part.get(4..).unwrap_or_default().to_vec(),
            },
            _ => Answer {
                status: 200,
                body: part.to_vec(),
            },
        }
    }

    /// What it says, if it is a success.
    pub fn value(&self) -> Option<Value> {
        let is_success = (200..300).contains(&self.status);
        serde_json::from_slice(&self.body)
            .ok()
            .filter(|_| is_success)
    }
}

#[derive(Clone, Debug)]
pub struct Answers(HashMap<Place, Answer>);

impl Answers {
    pub fn parse(data: &[u8]) -> Answers {
        let mut parts = vec![Vec::new()];
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            match (line, parts.last_mut()) {
                (b"---\n", _) => parts.push(Vec::new()),
                (line, Some(part)) => part.extend_from_slice(line),
                (_, None) => {}
            }
        }
        let parts = parts.iter().map(|part| Answer::parse(part));
        Answers(PLACES.into_iter().zip(parts).collect())
    }

    /// A list that is not given is empty.
    pub fn at(&self, place: Place) -> Answer {
        self.0.get(&place).cloned().unwrap_or_else(|| Answer {
            status: 200,
            body: EMPTY.to_vec(),
        })
    }

    pub fn own(&self) -> Option<Value> {
        self.at(Place::Own).value()
    }

    /// The same with the row's own object written anew, so that no key is in it twice; and with a field less.
    pub fn without_a_field(&self, which: usize) -> Option<(Answers, Answers)> {
        let mut own = self.own()?;
        let whole = self.with_own(&own)?;
        let (holder, field) = FIELDS[which % FIELDS.len()];
        let holder = own.pointer_mut(holder)?.as_object_mut()?;
        holder.remove(field)?;
        Some((whole, self.with_own(&own)?))
    }

    fn with_own(&self, own: &Value) -> Option<Answers> {
        let body = serde_json::to_vec(own).ok()?;
        let mut answers = self.clone();
        answers.0.insert(Place::Own, Answer { status: 200, body });
        Some(answers)
    }

    /// What is known of the order then; nothing where the answers end the run.
    pub fn observed(&self, reference: &str) -> Option<Snapshot> {
        thread_local! {
            static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        }
        let client = client(Scripted {
            answers: self.clone(),
            reference: reference.to_owned(),
            asked: Mutex::new(0),
        });
        let scope = Policy::default_scope();
        let request = ObserveRequest {
            scope: &scope,
            account: None,
            witnesses: &[],
            concurrency: 1,
        };
        let seen = RUNTIME.with(|runtime| {
            runtime.block_on(observe(&client, vec![order(reference)], &request, || {}))
        });
        assert_eq!(client.writes(), 0, "whoever looks writes nothing");
        seen.ok()
    }
}

/// Answers by what is asked for.
#[derive(Debug)]
struct Scripted {
    answers: Answers,
    reference: String,
    asked: Mutex<usize>,
}

impl Scripted {
    fn place(&self, target: &str) -> Place {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let last = path.rsplit('/').next().unwrap_or_default();
        match path.split('/').nth(2) {
            _ if last == self.reference => Place::Own,
            Some("payment_links") if last == "payment_links" => Place::Links,
            Some("checkout") if last == "sessions" && query.contains("payment_link=") => {
                Place::Pages
            }
            Some("checkout") if last == "sessions" && query.contains("status=open") => Place::Open,
            Some("checkout") if last == "sessions" => Place::Complete,
            Some("payment_links" | "checkout") => Place::Other,
            Some("payment_intents") => Place::Intent,
            Some("refunds") => Place::Refunds,
            other => panic!("{other:?} is asked of nobody"),
        }
    }
}

impl Transport for Scripted {
    fn carry(&self, request: Outgoing) -> BoxFuture<'_, Result<Carried, NoAnswer>> {
        assert_eq!(request.method.as_str(), "GET");
        assert!(request.body.is_empty());
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        assert!(*asked < ENDLESS, "it asks for ever");
        let Answer { status, body } = self.answers.at(self.place(&request.target));
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_static(DATE));
        Box::pin(async move {
            Ok(Carried {
                status,
                headers,
                body,
            })
        })
    }
}

fn client(scripted: Scripted) -> Client {
    let settings = Settings {
        key: SecretString::from("sk_test_fuzz"),
        base: "http://127.0.0.1:9".parse().unwrap(),
        account: None,
        mode: Mode::Test,
        rps: Rps::Unlimited,
        timings: Timings {
            backoff: Duration::ZERO,
            longest_backoff: Duration::ZERO,
            longest_retry_after: Duration::ZERO,
            attempts: 2,
            ..Timings::on_loopback()
        },
    };
    Client::over(settings, Arc::new(scripted)).unwrap()
}

fn order(reference: &str) -> Order {
    Order {
        id: OrderId(1),
        status: OrderStatus::Pending,
        amount: Some(Money::new(AMOUNT, Currency::USD)),
        reference: Some(CheckoutReference::classify(reference)),
        url: None,
        payment_intent: None,
        created_at: Some(Timestamp(1_700_000_000)),
        player: Some(Player {
            id: 7,
            name: "Ada".to_owned(),
        }),
        parent: None,
        product: Some(Product {
            id: 3,
            name: "Entry".to_owned(),
            category: "tournament".to_owned(),
            is_active: true,
        }),
        tournaments: Vec::new(),
        gaps: Vec::new(),
    }
}
