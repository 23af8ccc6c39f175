//! What one listing of the account shows, in at most 64 bytes an object, joined with the rows in memory: a plan over
//! thousands of orders then takes one page per hundred objects instead of a request per order.
//!
//! It speaks only of plain orders: behind their own active link and nothing else, behind nothing live, or settled with
//! nothing left, paid through the link that the row names among them. Whatever else it shows of an order is said by a GET. It is never the last word either: each order is
//! read again by its own GETs before anything is written for it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{StripeError, convert, wire};
use crate::domain::{
    CheckoutReference, Currency, Family, JournalFacts, LinkId, Listing, Money, Order, OrderFacts,
    OrderId, OrderStatus, Owner, PaymentLink, Reading, SessionState, Stored, StripeObject,
};

/// Ids are kept as hashes: among a million objects, any two share one with a chance of one in forty million.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// By owner.
    entries: Vec<Entry>,
    /// Where the entries are, by their ids.
    places: Vec<u32>,
    /// The links that sessions came from, once for each session.
    origins: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The order that it names; none of ours is zero or less.
    owner: i64,
    id: u64,
    /// The URL of a link; the intent of a paid session.
    tie: u64,
    /// The link that a session came from; zero without one.
    origin: u64,
    minor: i64,
    currency: Currency,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Active, of a known amount, never paid.
    Link,
    Paid,
    /// Only a GET can say what follows from it.
    Odd,
}

/// The owner of what names no order, or nothing that is a number of ours.
const NOBODY: i64 = 0;

impl Listed {
    /// # Errors
    /// [`StripeError::Garbage`]: an id that is none, a link without a URL.
    pub fn add_link(&mut self, wire: &wire::PaymentLink) -> Result<(), StripeError> {
        let link = convert::link(wire)?;
        let is_plain = link.active && link.completed_count.unwrap_or(0) == 0;
        let amount = link.amount.filter(|_| is_plain);
        self.entries.push(Entry {
            owner: owner(&link.owner),
            id: hash(link.id.as_str()),
            tie: hash(&link.url),
            origin: 0,
            minor: amount.map_or(0, |amount| amount.minor),
            currency: amount.map_or(Currency::USD, |amount| amount.currency),
            kind: if amount.is_some() {
                Kind::Link
            } else {
                Kind::Odd
            },
        });
        Ok(())
    }

    /// # Errors
    /// [`StripeError::Garbage`]: an id that is none.
    pub fn add_session(&mut self, wire: &wire::Session) -> Result<(), StripeError> {
        let session = convert::session(wire)?;
        let origin = session.link.as_ref().map(|link| hash(link.as_str()));
        self.origins.extend(origin);
        let is_plain = session.recovery.is_none() && session.recovered_from.is_none();
        let (kind, tie) = match &session.state {
            SessionState::Paid(payment) if is_plain => {
                let intent = payment.intent.as_ref().map(|intent| hash(intent.as_str()));
                (
                    intent.map_or(Kind::Odd, |_| Kind::Paid),
                    intent.unwrap_or(0),
                )
            }
            _ => (Kind::Odd, 0),
        };
        self.entries.push(Entry {
            owner: owner(&session.owner),
            id: hash(session.id.as_str()),
            tie,
            origin: origin.unwrap_or(0),
            minor: 0,
            currency: Currency::USD,
            kind,
        });
        Ok(())
    }

    /// To be called once everything was added.
    pub fn sort(&mut self) {
        self.entries.shrink_to_fit();
        self.entries.sort_unstable_by_key(|entry| entry.owner);
        let entries = &self.entries;
        self.places = (0..).zip(entries).map(|(at, _)| at).collect();
        self.places.sort_unstable_by_key(|at| id_at(entries, *at));
        self.origins.shrink_to_fit();
        self.origins.sort_unstable();
    }

    /// The order's facts, where it is a plain one; `None`: read it.
    pub fn plain_facts(&self, order: &Arc<Order>) -> Option<OrderFacts> {
        let stored = match &order.reference {
            None => {
                self.has_nothing_live(order).then_some(())?;
                Stored::Nothing
            }
            Some(CheckoutReference::Other(_)) => return None,
            Some(reference) => {
                let reading = match (self.find(hash(reference.as_str())), reference) {
                    (own, _) if self.is_over(order, reference, own) => Reading::NotLive,
                    (Some(own), CheckoutReference::Link(link)) => {
                        Reading::Seen(self.plain_link(order, link, own)?)
                    }
                    _ => return None,
                };
                Stored::Read(reference.clone(), Box::new(reading))
            }
        };
        Some(OrderFacts {
            order: Arc::clone(order),
            stored,
            others: Listing::Complete(Vec::new()),
            recorded_returned: 0,
            journal: JournalFacts::default(),
        })
    }

    /// What the row names is not live, or is the very payment that it records. Of a settled order that is the last word:
    /// where its session may have left a recovery URL behind, which no listing shows, it is read.
    fn is_over(&self, order: &Order, reference: &CheckoutReference, own: Option<Entry>) -> bool {
        let is_its_payment = |own: Entry| own.kind == Kind::Paid && own.owner == order.id.0;
        let may_recover = own.is_none()
            && order.status.is_settled()
            && matches!(reference, CheckoutReference::Session(_));
        own.is_none_or(is_its_payment)
            && !may_recover
            && self.opened(hash(reference.as_str())) == self.paid_through(order, reference)
            && self.has_nothing_live(order)
    }

    /// How many of the sessions that a link opened are the one payment that names the order.
    fn paid_through(&self, order: &Order, link: &CheckoutReference) -> usize {
        match self.naming(order.id) {
            [entry] if entry.kind == Kind::Paid => usize::from(entry.origin == hash(link.as_str())),
            _ => 0,
        }
    }

    /// Nothing live names it; if it is paid, by nothing but what its row names.
    fn has_nothing_live(&self, order: &Order) -> bool {
        match (self.naming(order.id), &order.payment_intent) {
            ([], _) => true,
            ([entry], Some(intent)) => {
                entry.kind == Kind::Paid
                    && entry.tie == hash(intent.as_str())
                    && order.status == OrderStatus::Paid
            }
            _ => false,
        }
    }

    /// The pending order's own active link, beside which there is nothing, not even a page that it opened.
    fn plain_link(&self, order: &Order, id: &LinkId, own: Entry) -> Option<StripeObject> {
        let is_own = own.kind == Kind::Link && own.owner == order.id.0;
        let is_pending = order.status == OrderStatus::Pending;
        let is_alone = self.naming(order.id).len() == 1 && self.opened(own.id) == 0;
        let url = order.url.as_ref().filter(|url| hash(url) == own.tie)?;
        if !is_own || !is_pending || !is_alone {
            return None;
        }
        Some(StripeObject::Link(Family {
            link: PaymentLink {
                id: id.clone(),
                active: true,
                url: url.clone(),
                owner: Owner::Order(order.id),
                amount: Some(Money::new(own.minor, own.currency)),
                completed_count: None,
                relink_key: None,
            },
            sessions: Listing::Complete(Vec::new()),
        }))
    }

    /// Whether it is among what was listed.
    pub fn shows(&self, reference: &CheckoutReference) -> bool {
        self.find(hash(reference.as_str())).is_some()
    }

    fn naming(&self, order: OrderId) -> &[Entry] {
        let from = self.entries.partition_point(|entry| entry.owner < order.0);
        let to = self.entries.partition_point(|entry| entry.owner <= order.0);
        self.entries.get(from..to).unwrap_or_default()
    }

    fn find(&self, id: u64) -> Option<Entry> {
        let at = self
            .places
            .partition_point(|at| id_at(&self.entries, *at) < id);
        let entry = self.entries.get(*self.places.get(at)? as usize)?;
        (entry.id == id).then_some(*entry)
    }

    /// How many sessions of this link are listed.
    fn opened(&self, link: u64) -> usize {
        let from = self.origins.partition_point(|known| *known < link);
        let to = self.origins.partition_point(|known| *known <= link);
        to - from
    }
}

fn id_at(entries: &[Entry], at: u32) -> u64 {
    entries.get(at as usize).map_or(u64::MAX, |entry| entry.id)
}

fn owner(owner: &Owner) -> i64 {
    owner.order().map_or(NOBODY, |order| order.0)
}

/// As ids are kept here.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_takes_at_most_64_bytes() {
        let of_an_object = size_of::<Entry>() + size_of::<u32>() + size_of::<u64>();
        assert!(of_an_object <= 64, "{of_an_object}");
    }
}
