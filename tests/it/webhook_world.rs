//! Deliveries for the receiver's tests: bodies as Stripe makes them, and the header that signs them, made here and not
//! by the code under test.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use relink::domain::{Currency, LinkId, Mode};
use relink::store::{Access, Receipt, Receiver, StoredIncident};
use relink::webhook::{Categories, Event, Policy, Ruling, decode};

use crate::store_world::World;

pub const SECRET: &str = "whsec_test_one";
pub const CREATED: i64 = 1_800_000_000;

/// What Stripe's servers compute.
pub fn signature(secret: &str, time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let digits = mac.finalize().into_bytes();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The clock by which a receiver judges a signature.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

pub fn header(secret: &str, time: i64, body: &[u8]) -> String {
    let signature = signature(secret, &time.to_string(), body);
    format!("t={time},v1={signature}")
}

/// What an event's session is, as far as tests vary it.
#[derive(Clone, Debug)]
pub struct Told {
    pub kind: &'static str,
    pub order: Value,
    pub session: &'static str,
    pub payment_status: &'static str,
    pub amount: i64,
    pub currency: &'static str,
    pub intent: Option<&'static str>,
    pub link: Option<&'static str>,
    pub livemode: bool,
}

pub const COMPLETED: &str = "checkout.session.completed";
pub const SUCCEEDED: &str = "checkout.session.async_payment_succeeded";
pub const FAILED: &str = "checkout.session.async_payment_failed";
pub const EXPIRED: &str = "checkout.session.expired";

/// Order 1 of the club, paid by card through a link.
pub fn paid() -> Told {
    Told {
        kind: COMPLETED,
        order: json!("1"),
        session: "cs_test_paid",
        payment_status: "paid",
        amount: 5500,
        currency: "usd",
        intent: Some("pi_one"),
        link: Some("plink_one"),
        livemode: false,
    }
}

/// The same session, told of by a debit's events.
pub fn debit(kind: &'static str) -> Told {
    let payment_status = match kind {
        SUCCEEDED => "paid",
        _ => "unpaid",
    };
    Told {
        kind,
        payment_status,
        ..paid()
    }
}

impl Told {
    pub fn body(&self, id: &str) -> Value {
        json!({
            "id": id, "object": "event", "api_version": "2026-07-29.dahlia", "created": CREATED,
            "livemode": self.livemode, "pending_webhooks": 1, "type": self.kind,
            "request": {"id": null, "idempotency_key": null},
            "data": {"object": {
                "id": self.session, "object": "checkout.session", "livemode": self.livemode,
                "created": CREATED - 60, "expires_at": CREATED + 86_340, "mode": "payment",
                "status": if self.kind == EXPIRED { "expired" } else { "complete" },
                "payment_status": self.payment_status, "amount_total": self.amount, "currency": self.currency,
                "payment_intent": self.intent, "payment_link": self.link,
                "metadata": {"order_id": self.order, "player_id": "1"},
            }},
        })
    }

    pub fn event(&self, id: &str) -> Event {
        decode(self.body(id).to_string().as_bytes()).unwrap()
    }
}

pub fn policy() -> Policy {
    Policy {
        mode: Mode::Test,
        account: None,
        categories: Categories::Only(vec!["tournament".to_owned()]),
        currency: Currency::USD,
    }
}

pub async fn receiver(world: &World) -> Receiver {
    receiver_with(world, policy()).await
}

pub async fn receiver_with(world: &World, policy: Policy) -> Receiver {
    let store = world.open(Access::ReadWrite).await;
    store.open_receiver(policy).await.unwrap()
}

/// Delivers, and tells how it was ruled.
pub async fn deliver(receiver: &Receiver, told: &Told, id: &str) -> Receipt {
    receiver.receive(&told.event(id)).await.unwrap()
}

pub async fn ruled(receiver: &Receiver, told: &Told, id: &str) -> &'static str {
    let receipt = deliver(receiver, told, id).await;
    assert!(!receipt.seen_before, "{receipt:?}");
    receipt.ruling.name()
}

pub async fn incidents(receiver: &Receiver) -> Vec<StoredIncident> {
    receiver.store().open_incidents(Mode::Test).await.unwrap()
}

pub async fn incident_kinds(receiver: &Receiver) -> Vec<&'static str> {
    let open = incidents(receiver).await;
    open.iter().map(|incident| incident.kind.name()).collect()
}

pub async fn links_due(receiver: &Receiver) -> Vec<String> {
    let due = receiver.store().retirements_due(Mode::Test, 100).await;
    let mut links: Vec<String> = due
        .unwrap()
        .into_iter()
        .map(|due| due.link.to_string())
        .collect();
    links.sort();
    links
}

pub fn link(id: &str) -> LinkId {
    LinkId::parse(id).unwrap()
}

/// `status|payment intent|paid_at in seconds` of an order's row.
pub async fn row(world: &World, id: i64) -> String {
    let paid_at = if world.is_postgres() {
        "CAST(CAST(EXTRACT(EPOCH FROM paid_at) AS BIGINT) AS TEXT)"
    } else {
        "strftime('%s', paid_at)"
    };
    let sql = format!(
        "SELECT CAST(status AS TEXT) || '|' || COALESCE(stripe_payment_intent_id, '-') || '|' \
         || COALESCE({paid_at}, '-') FROM orders WHERE id = {id}"
    );
    world.value(&sql).await.unwrap()
}

/// Everything that receiving can write, but for times, to be compared.
pub async fn written(world: &World) -> String {
    let list = |line: &str, from: String| {
        let list = if world.is_postgres() {
            "string_agg(line, '; ' ORDER BY line)"
        } else {
            "group_concat(line, '; ')"
        };
        format!(
            "SELECT COALESCE({list}, 'none') FROM (SELECT {line} AS line FROM {from} ORDER BY 1) lines"
        )
    };
    let payments = "session_id || ' ' || COALESCE(payment_intent, '-') || ' ' || CAST(order_id AS TEXT) || ' ' \
                    || state || ' ' || CAST(COALESCE(amount_minor, 0) AS TEXT)";
    let retirements = "link || ' ' || CAST(order_id AS TEXT) || ' ' || CAST(attempts AS TEXT)";
    let incidents = "kind || ' ' || CAST(COALESCE(order_id, 0) AS TEXT)";
    let tables = [
        ("payments", payments),
        ("retirements", retirements),
        ("incidents", incidents),
    ];
    let mut text = row(world, 1).await;
    for (table, line) in tables {
        let found = world.value(&list(line, world.journal_table(table))).await;
        text += &format!("\n{table}: {}", found.unwrap());
    }
    text
}

pub async fn events(world: &World) -> String {
    let count = "SELECT CAST(COUNT(*) AS TEXT) FROM {events}";
    world.journaled(count).await.unwrap()
}

pub fn is_settled(receipt: &Receipt) -> bool {
    receipt.ruling == Ruling::Settled
}
