//! Mistakes made on purpose: a protocol with one rule broken, the very ones that the model must find, and in the layers
//! around the product: what it reads of Stripe is not what Stripe said, and the database does not hold what a transaction
//! relies on. A generator that finds none of them proves nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use relink::saga::{Next, Observed, Operation, step};
use relink::sandbox::double::Double;
use relink::store::{Place, Point};
use relink::stripe::Outgoing;
use serde_json::{Value, json};

use super::broken::{broken_step, undo_link, undone, wildcard};
use super::stage::{Rates, Reach};
use crate::model::Mutant;
use crate::support::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// The open sessions of a link are not shown in its list.
    HideTabs,
    /// A complete session reads as an expired one.
    CompleteReadsExpired,
    /// A debit on its way reads as one that failed.
    DebitReadsFailed,
    /// A link reads as active for ever.
    LinksReadActive,
    /// Nothing is found by its metadata.
    NothingNamesTheOrder,
    /// Stripe never knows a key again.
    KeysAreForgotten,
    /// A link is published whatever the row's status is.
    PublishWhateverTheStatus,
    /// A link is published over whatever the row holds.
    PublishOverAnything,
    /// Whoever lost the lease writes on.
    TokenIsIgnored,
    /// An intent is not in the journal when its request leaves.
    IntentIsForgotten,
    /// An answer never gets into the journal.
    OutcomeIsForgotten,
    /// An event says that the session is paid when the money is only on its way.
    UnpaidReadsPaid,
    /// An event says that the sum was paid that the order asks for.
    AnySumReadsRight,
    /// A payment is not remembered once its event is taken in.
    PaymentIsForgotten,
    /// Stripe is not told that a link of ours takes one payment.
    NoLimit,
    /// A rule of the protocol is broken.
    Protocol(Mutant),
}

/// What must be found by a few hundred seeds.
pub const FOUND: [Mistake; 16] = [
    Mistake::HideTabs,
    Mistake::CompleteReadsExpired,
    Mistake::DebitReadsFailed,
    Mistake::LinksReadActive,
    Mistake::NothingNamesTheOrder,
    Mistake::IntentIsForgotten,
    Mistake::OutcomeIsForgotten,
    Mistake::UnpaidReadsPaid,
    Mistake::AnySumReadsRight,
    Mistake::PaymentIsForgotten,
    Mistake::Protocol(Mutant::MintFirst),
    Mistake::Protocol(Mutant::SessionsLeftOpen),
    Mistake::Protocol(Mutant::MissingIsDead),
    Mistake::Protocol(Mutant::Wildcard),
    Mistake::Protocol(Mutant::NoSweep),
    Mistake::Protocol(Mutant::StoredIsLost),
];

/// What shows only in a rare moment: everyday the model finds these, the simulation when there is time.
pub const RARE: [Mistake; 11] = [
    Mistake::PublishWhateverTheStatus,
    Mistake::PublishOverAnything,
    Mistake::TokenIsIgnored,
    Mistake::NoLimit,
    Mistake::Protocol(Mutant::ListedBeforeClosing),
    Mistake::Protocol(Mutant::NoSecondScan),
    Mistake::Protocol(Mutant::NoGetAfterMint),
    Mistake::Protocol(Mutant::FencedUndoes),
    Mistake::Protocol(Mutant::GivesUpEverything),
    Mistake::Protocol(Mutant::SameAttempt),
    Mistake::Protocol(Mutant::TakeOverPublishes),
];

/// What never shows, since other rules hold the promises without it. What is minted twice is found by its metadata and
/// closed. The model says the same of the last two. That no old key is sent again is not here: whoever drives the protocol
/// looks at the key's age once more.
pub const REDUNDANT: [Mistake; 3] = [
    Mistake::KeysAreForgotten,
    Mistake::Protocol(Mutant::NoConfirm),
    Mistake::Protocol(Mutant::NoAdoption),
];

impl Mistake {
    /// Who sleeps must wake up again within them.
    pub fn steps(self, usual: usize) -> usize {
        match self {
            Mistake::NoLimit
            | Mistake::TokenIsIgnored
            | Mistake::Protocol(
                Mutant::ListedBeforeClosing
                | Mutant::NoGetAfterMint
                | Mutant::FencedUndoes
                | Mutant::TakeOverPublishes,
            ) => usual + 90,
            _ => usual,
        }
    }

    /// Whether this is how it must show: else something else was found.
    pub fn explains(self, failure: &str) -> bool {
        let says: &[&str] = match self {
            Mistake::IntentIsForgotten => &["left before its intent was committed"],
            Mistake::OutcomeIsForgotten | Mistake::TokenIsIgnored => &[
                "each step has one outcome",
                "was dead when it was published",
            ],
            Mistake::PublishWhateverTheStatus => &["published on a"],
            Mistake::NoLimit => &["which was paid already"],
            Mistake::DebitReadsFailed => &["published over", "processing"],
            Mistake::Protocol(mutant) => match mutant {
                Mutant::MintFirst | Mutant::NoSecondScan | Mutant::ListedBeforeClosing => {
                    &["published beside"]
                }
                Mutant::SessionsLeftOpen | Mutant::MissingIsDead => {
                    &["published beside", "leaked", "duplicate", "published over"]
                }
                Mutant::Wildcard => &["which no journaled step names"],
                Mutant::NoSweep => &["leaked"],
                Mutant::StoredIsLost => &["dead: row pending"],
                Mutant::FencedUndoes => &["was dead when it was published"],
                Mutant::GivesUpEverything => &["which the row came to hold meanwhile"],
                Mutant::NoGetAfterMint | Mutant::TakeOverPublishes => &[
                    "was dead when it was published",
                    "published over",
                    "published beside",
                ],
                Mutant::SameAttempt => &["in_doubt"],
                _ => &[""],
            },
            _ => &[""],
        };
        says.iter().any(|words| failure.contains(words))
    }

    /// Some show only in a rare moment: it comes more often.
    pub fn sharpen(self, rates: &mut Rates) {
        match self {
            // The world moves between a look and what follows on it.
            Mistake::PublishWhateverTheStatus | Mistake::PublishOverAnything => {
                rates.world = 300;
                rates.crash = 0;
            }
            // Nobody is in the way, and now and then a parent opens a page.
            Mistake::Protocol(Mutant::ListedBeforeClosing) => {
                *rates = Rates {
                    world: 60,
                    ..Rates::default()
                };
            }
            // Links are published, parents pay, and they come again.
            Mistake::NoLimit => {
                *rates = Rates {
                    world: 150,
                    ..Rates::default()
                };
            }
            // Somebody sleeps while another goes on with its work.
            Mistake::TokenIsIgnored
            | Mistake::Protocol(
                Mutant::NoGetAfterMint | Mutant::FencedUndoes | Mutant::TakeOverPublishes,
            ) => {
                rates.crash = 0;
                rates.buried = 80;
            }
            Mistake::UnpaidReadsPaid | Mistake::AnySumReadsRight | Mistake::PaymentIsForgotten => {
                rates.mail = 200;
            }
            _ => {}
        }
    }
}

const PUBLISH: &str = "publish the link of an order";

pub struct Ground {
    pub world: World,
    mistake: Mistake,
    /// Each run's tokens, by operation.
    tokens: Mutex<BTreeMap<(String, String), String>>,
    /// SQL that undoes what was done to a run's transaction.
    undo: Mutex<BTreeMap<String, Vec<String>>>,
    /// Links that a run is about to close although it was fenced out.
    zeal: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Ground {
    pub fn new(world: World, mistake: Mistake) -> Self {
        Ground {
            world,
            mistake,
            tokens: Mutex::default(),
            undo: Mutex::default(),
            zeal: Mutex::default(),
        }
    }

    /// Whether a run still comes that closes what settled orders left.
    pub fn sweeps(&self) -> bool {
        self.mistake != Mistake::Protocol(Mutant::NoSweep)
    }

    /// A delivery as the receiver gets it.
    pub async fn tamper(&self, body: String) -> String {
        let mut event: Value = serde_json::from_str(&body).unwrap();
        let session = &mut event["data"]["object"];
        match self.mistake {
            Mistake::UnpaidReadsPaid => {
                rewrite(session, "payment_status", "unpaid", &json!("paid"));
            }
            Mistake::AnySumReadsRight => {
                let order = session["metadata"]["order_id"].as_str().unwrap_or("0");
                let asked = format!("SELECT amount_cents FROM orders WHERE id = {order}");
                if let Some(&sum) = self.world.rows.numbers(&asked).await.first() {
                    session["amount_total"] = json!(sum);
                }
            }
            _ => return body,
        }
        event.to_string()
    }

    /// Orders and expected references of what this run holds.
    async fn held_by(&self, run: &str) -> Vec<(String, String)> {
        let query = format!(
            "SELECT order_id || ' ' || COALESCE(expected_reference, '') FROM {{}} \
             WHERE held_by = '{run}' AND closed_at IS NULL AND order_id IS NOT NULL"
        );
        let found = self.world.journaled("operations", &query).await;
        let pair = |line: &String| {
            let (order, reference) = line.split_once(' ')?;
            Some((order.to_owned(), reference.to_owned()))
        };
        found.iter().filter_map(pair).collect()
    }

    async fn pretend(&self, run: &str, column: &str, order: &str, value: &str) {
        let rows = &self.world.rows;
        let is = format!("SELECT COALESCE({column}, '') FROM orders WHERE id = {order}");
        let Some(before) = rows.texts(&is).await.pop() else {
            return;
        };
        if before == value {
            return;
        }
        let set = |to: &str| format!("UPDATE orders SET {column} = '{to}' WHERE id = {order}");
        rows.execute(&set(value)).await;
        let undo = format!("{} AND {column} = '{value}'", set(&before));
        let mut all = self.undo.lock().unwrap();
        all.entry(run.to_owned()).or_default().push(undo);
    }

    async fn remember_tokens(&self, run: &str) {
        let query = format!(
            "SELECT operation_id || ' ' || lease_token FROM {{}} \
             WHERE held_by = '{run}' AND lease_token IS NOT NULL"
        );
        for line in self.world.journaled("operations", &query).await {
            if let Some((operation, token)) = line.split_once(' ') {
                let key = (run.to_owned(), operation.to_owned());
                let mut tokens = self.tokens.lock().unwrap();
                tokens.entry(key).or_insert_with(|| token.to_owned());
            }
        }
    }

    async fn put_tokens_back(&self, run: &str) {
        let tokens = self.tokens.lock().unwrap().clone();
        let table = self.world.journal_table("operations");
        for ((_, operation), token) in tokens.iter().filter(|((whose, _), _)| whose == run) {
            let sql = format!(
                "UPDATE {table} SET lease_token = '{token}' WHERE operation_id = '{operation}'"
            );
            self.world.rows.execute(&sql).await;
        }
    }

    /// The newest of these rows was never written.
    async fn forget(&self, table: &str) {
        let clock = if table == "steps" {
            "intended_at"
        } else {
            "concluded_at"
        };
        let table = self.world.journal_table(table);
        let sql = format!(
            "DELETE FROM {table} WHERE step_id = (SELECT step_id FROM {table} ORDER BY {clock} DESC LIMIT 1)"
        );
        self.world.rows.execute(&sql).await;
    }
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the world")
    }
}

impl Reach for Ground {
    fn double(&self) -> &Double {
        self.world.stripe.double()
    }

    fn is_journaled<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let query = format!("SELECT action FROM {{}} WHERE idempotency_key = '{key}'");
            !self.world.journaled("steps", &query).await.is_empty()
        })
    }

    fn distort<'a>(&'a self, request: &'a mut Outgoing) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match self.mistake {
                Mistake::KeysAreForgotten => {
                    request.headers.remove("idempotency-key");
                }
                Mistake::NoLimit => request.body = without_limit(&request.body),
                Mistake::Protocol(Mutant::Wildcard) => {
                    for link in wildcard(self.double(), request) {
                        undo_link(self.double(), &link).await;
                    }
                }
                _ => {}
            }
        })
    }

    fn step(&self, run: &str, operation: Operation, observed: Observed) -> (Operation, Next) {
        let Mistake::Protocol(mutant) = self.mistake else {
            return step(operation, observed);
        };
        if let Some(link) = undone(mutant, &operation, &observed) {
            let mut zeal = self.zeal.lock().unwrap();
            zeal.entry(run.to_owned())
                .or_default()
                .push(link.to_string());
        }
        broken_step(mutant, operation, observed)
    }

    fn spoil(&self, method: &str, target: &str, body: Vec<u8>) -> Vec<u8> {
        if method != "GET" {
            return body;
        }
        match self.mistake {
            Mistake::HideTabs
            | Mistake::CompleteReadsExpired
            | Mistake::DebitReadsFailed
            | Mistake::LinksReadActive
            | Mistake::NothingNamesTheOrder => {}
            _ => return body,
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
            return body;
        };
        match self.mistake {
            Mistake::HideTabs if target.contains("payment_link=") => {
                if let Some(data) = value["data"].as_array_mut() {
                    data.retain(|session| session["status"] != "open");
                }
            }
            Mistake::NothingNamesTheOrder if !target.contains("payment_link=") => {
                if let Some(data) = value["data"].as_array_mut() {
                    data.clear();
                }
                if value["has_more"].is_boolean() {
                    value["has_more"] = json!(false);
                }
            }
            Mistake::CompleteReadsExpired => {
                rewrite(&mut value, "status", "complete", &json!("expired"))
            }
            Mistake::DebitReadsFailed => {
                let failed = json!("requires_payment_method");
                rewrite(&mut value, "status", "processing", &failed);
            }
            Mistake::LinksReadActive if target.starts_with("/v1/payment_links/") => {
                value["active"] = json!(true)
            }
            _ => {}
        }
        value.to_string().into_bytes()
    }

    fn tidy<'a>(&'a self, run: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let zeal = self.zeal.lock().unwrap().remove(run).unwrap_or_default();
            for link in zeal {
                undo_link(self.double(), &link).await;
            }
            let undo = self.undo.lock().unwrap().remove(run).unwrap_or_default();
            for sql in undo {
                self.world.rows.execute(&sql).await;
            }
        })
    }

    fn meddle<'a>(&'a self, run: &'a str, point: Point) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.mistake == Mistake::None || !self.world.has_journal().await {
                return;
            }
            let begins = point.place == Place::Begin;
            match self.mistake {
                Mistake::PublishWhateverTheStatus if begins && point.what == PUBLISH => {
                    for (order, _) in self.held_by(run).await {
                        self.pretend(run, "status", &order, "pending").await;
                    }
                }
                Mistake::PublishOverAnything if begins && point.what == PUBLISH => {
                    for (order, reference) in self.held_by(run).await {
                        let column = "stripe_checkout_session_id";
                        self.pretend(run, column, &order, &reference).await;
                    }
                }
                Mistake::TokenIsIgnored if begins => self.put_tokens_back(run).await,
                Mistake::TokenIsIgnored if point.place == Place::AfterCommit => {
                    self.remember_tokens(run).await;
                }
                Mistake::IntentIsForgotten if is_after(point, "journal an intent") => {
                    self.forget("steps").await;
                }
                Mistake::PaymentIsForgotten if is_after(point, "receive a payment") => {
                    let payments = self.world.journal_table("payments");
                    let sql = format!("DELETE FROM {payments}");
                    self.world.rows.execute(&sql).await;
                }
                // An end concludes what has no outcome: that is forgotten as well.
                Mistake::OutcomeIsForgotten
                    if is_after(point, "journal an outcome")
                        || is_after(point, "close an operation of the journal") =>
                {
                    self.forget("outcomes").await;
                }
                _ => {}
            }
        })
    }
}

/// A mint that does not say how often its link may be paid.
fn without_limit(body: &str) -> String {
    let is_kept = |pair: &&str| !pair.starts_with("restrictions");
    let pairs: Vec<&str> = body.split('&').filter(is_kept).collect();
    pairs.join("&")
}

fn is_after(point: Point, what: &str) -> bool {
    point.place == Place::AfterCommit && point.what == what
}

fn rewrite(value: &mut Value, field: &str, from: &str, to: &Value) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| rewrite(item, field, from, to)),
        Value::Object(fields) => {
            for (name, inner) in fields {
                if name == field && inner == from {
                    *inner = to.clone();
                } else {
                    rewrite(inner, field, from, to);
                }
            }
        }
        _ => {}
    }
}
