//! From a description to Stripe objects: the JSON that the double stores for one order.
//!
//! Only what differs from the double's defaults is written. It decides nothing and sends nothing.

use serde_json::{Map, Value, json};

use super::wording::{Held, Link, Owner, Session, Terms};

const DAY: i64 = 24 * 3600;

/// The order that the objects are about.
pub struct Subject<'a> {
    pub order: i64,
    pub amount: i64,
    pub metadata: &'a Map<String, Value>,
    pub product: &'a str,
    /// How the ids of its sessions begin: by the mode.
    pub session_prefix: &'static str,
}

/// What one description became.
#[derive(Default)]
pub struct Made {
    /// The id and URL for the row.
    pub id: Option<String>,
    pub url: Option<String>,
    /// The first succeeded payment.
    pub payment: Option<String>,
    pub objects: Vec<Value>,
}

/// Makes objects for one order; ids end in the order's number and a letter, in the order of making.
pub struct Maker<'a> {
    subject: Subject<'a>,
    made: Made,
    letters: std::ops::RangeInclusive<char>,
}

impl<'a> Maker<'a> {
    pub fn new(subject: Subject<'a>) -> Self {
        Maker {
            subject,
            made: Made::default(),
            letters: 'a'..='z',
        }
    }

    /// The object that the row names, with all that hangs on it.
    pub fn hold(&mut self, held: &Held) {
        let id = self.make(held);
        self.made.url = id.as_ref().map(|id| url_of(id));
        self.made.id = id;
    }

    /// An object that the row does not name.
    pub fn add(&mut self, other: &Held) {
        self.make(other);
    }

    pub fn finish(self) -> Made {
        self.made
    }

    fn make(&mut self, held: &Held) -> Option<String> {
        match held {
            Held::Nothing => None,
            Held::Id(id) => Some(id.clone()),
            Held::Session(session) => Some(self.session(session, None, None)),
            Held::Link(link) => Some(self.link(link)),
        }
    }

    fn link(&mut self, link: &Link) -> String {
        let id = self.name("plink");
        let paid = |s: &&Session| s.status == "complete";
        let count = link.sessions.iter().filter(paid).count();
        let restrictions = link
            .restricted
            .then(|| json!({"completed_sessions": {"count": count, "limit": 1}}));
        self.made.objects.push(json!({
            "object": "payment_link",
            "id": id,
            "active": link.active,
            "currency": currency(&link.terms),
            "url": url_of(&id),
            "metadata": self.metadata(&link.terms),
            "restrictions": restrictions,
            "line_items": [{
                "name": self.subject.product,
                "unit_amount": self.amount(&link.terms),
                "quantity": 1,
            }],
        }));
        for session in &link.sessions {
            let mut session = session.clone();
            let said = &mut session.terms;
            said.amount = said.amount.or(link.terms.amount);
            said.currency = said.currency.or(link.terms.currency);
            if matches!(said.owner, Owner::ItsOrder) {
                said.owner = link.terms.owner.clone();
            }
            self.session(&session, Some(&id), None);
        }
        id
    }

    fn session(&mut self, session: &Session, link: Option<&str>, source: Option<&str>) -> String {
        let id = self.name(self.subject.session_prefix);
        let intent = session.intent.map(|status| self.intent(session, status));
        let (created, expires) = (session.created(), session.created() + DAY);
        let open = session.status == "open";
        let recovery = session.recovery.then(|| {
            json!({"recovery": {
                "enabled": true,
                "allow_promotion_codes": false,
                "expires_at": (!open).then_some(expires + 30 * DAY),
                "url": (!open).then(|| format!("https://buy.stripe.com/r/{id}")),
            }})
        });
        self.made.objects.push(json!({
            "object": "checkout.session",
            "id": id,
            "status": session.status,
            "payment_status": session.payment_status,
            "amount_total": self.amount(&session.terms),
            "currency": currency(&session.terms),
            "created": created,
            "expires_at": expires,
            "url": open.then(|| url_of(&id)),
            "payment_link": link,
            "payment_intent": intent,
            "after_expiration": recovery,
            "recovered_from": source,
            "metadata": self.metadata(&session.terms),
        }));
        if let Some(copy) = &session.copy {
            self.session(copy, None, Some(&id));
        }
        id
    }

    fn intent(&mut self, session: &Session, status: &str) -> String {
        let id = self.name("pi");
        let amount = self.amount(&session.terms);
        let received = if status == "succeeded" { amount } else { 0 };
        self.made.objects.push(json!({
            "object": "payment_intent",
            "id": id,
            "amount": amount,
            "amount_received": received,
            "currency": currency(&session.terms),
            "status": status,
            "created": session.created() + 300,
            "metadata": self.metadata(&session.terms),
        }));
        if session.refunded {
            let refund = self.name("re");
            self.made.objects.push(json!({
                "object": "refund",
                "id": refund,
                "payment_intent": id,
                "amount": amount,
                "currency": currency(&session.terms),
                "status": "succeeded",
                "created": session.created() + 3600,
            }));
        }
        if status == "succeeded" && self.made.payment.is_none() {
            self.made.payment = Some(id.clone());
        }
        id
    }

    fn name(&mut self, kind: &str) -> String {
        let letter = self.letters.next().expect("at most 26 objects per order");
        format!("{kind}_w{}{letter}", self.subject.order)
    }

    fn amount(&self, terms: &Terms) -> i64 {
        terms.amount.unwrap_or(self.subject.amount)
    }

    fn metadata(&self, terms: &Terms) -> Map<String, Value> {
        match &terms.owner {
            Owner::ItsOrder => self.subject.metadata.clone(),
            Owner::Nobody => Map::new(),
            Owner::Order(other) => {
                let mut metadata = self.subject.metadata.clone();
                metadata.insert("order_id".to_owned(), json!(other));
                metadata
            }
        }
    }
}

fn currency(terms: &Terms) -> &str {
    terms.currency.unwrap_or("usd")
}

/// The URL that the application would have stored with this id.
pub fn url_of(id: &str) -> String {
    match id.strip_prefix("plink_") {
        Some(rest) => format!("https://buy.stripe.com/test_{rest}"),
        None => format!("https://checkout.stripe.com/c/pay/{id}"),
    }
}
