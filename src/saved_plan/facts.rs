//! Every fact that the approval of one order rests on, by name, in the words of a person; and their fingerprint.
//!
//! Ages are no facts: they move by themselves. A parent's address is told apart by a hash, so that the file holds none.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::domain::{
    Listing, Order, OrderFacts, Reading, Session, SessionState, Stored, StripeObject,
};
use crate::plan::{Decision, StoredState, payments};

/// By name: `amount` is `55.00 USD`.
pub type Facts = BTreeMap<String, String>;

const NONE: &str = "none";
pub(super) const CHECKOUT_ID: &str = "checkout id";
pub(super) const CHECKOUT_URL: &str = "checkout URL";

#[must_use]
pub fn facts_of(facts: &OrderFacts, decision: &Decision) -> Facts {
    let mut found = Facts::new();
    let mut add = |name: &str, value: String| {
        found.insert(name.to_owned(), value);
    };
    let OrderFacts {
        order,
        stored,
        others,
        recorded_returned,
        journal,
    } = facts;
    add_row(order, &mut add);
    add("stored object", stored_object(stored, decision.stored));
    add("stored object asks", asked(stored));
    add("other objects", other_objects(others));
    add("payments", payments_of(facts));
    add("returned", recorded_returned.to_string());
    let open = journal.open.as_ref();
    add(
        "left open by a run",
        open.map_or_else(none, ToString::to_string),
    );
    add("links that were never stored", list(&journal.unstored));
    let withdrawn = journal.withdrawn.as_ref();
    add(
        "withdrawn",
        withdrawn.map_or_else(none, ToString::to_string),
    );
    add("verdict", decision.verdict.to_string());
    found
}

/// What the row alone says: of [`facts_of`], all that a run which works on the order does not move itself, but for the
/// link that it stores.
#[must_use]
pub fn row_facts(order: &Order) -> Facts {
    let mut found = Facts::new();
    add_row(order, &mut |name, value| {
        found.insert(name.to_owned(), value);
    });
    found
}

/// Of `facts`, as hex.
#[must_use]
pub fn fingerprint(facts: &Facts) -> String {
    let mut hash = Sha256::new();
    for text in facts.iter().flat_map(|(name, value)| [name, value]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize(), 16)
}

fn add_row(order: &Order, add: &mut impl FnMut(&str, String)) {
    // Named one by one, so that a field that is added is thought of here.
    let Order {
        id: _,
        status,
        amount,
        reference,
        url,
        payment_intent,
        created_at: _,
        player,
        parent,
        product,
        tournaments,
        gaps,
    } = order;
    add("status", status.to_string());
    add(
        "amount",
        amount.map_or_else(none, |amount| amount.to_string()),
    );
    add(
        CHECKOUT_ID,
        reference.as_ref().map_or_else(none, ToString::to_string),
    );
    add(CHECKOUT_URL, url.clone().unwrap_or_else(none));
    add(
        "payment intent",
        payment_intent
            .as_ref()
            .map_or_else(none, ToString::to_string),
    );
    let player = player.as_ref();
    add(
        "player",
        player.map_or_else(none, |player| format!("{} {}", player.id, player.name)),
    );
    let email = parent.as_ref().and_then(|parent| parent.email.as_deref());
    add("parent's e-mail (hash)", email.map_or_else(none, hashed));
    let product_text = product.as_ref().map(|product| {
        let state = if product.is_active {
            "active"
        } else {
            "inactive"
        };
        format!(
            "{} {}, {}, {state}",
            product.id, product.name, product.category
        )
    });
    add("product", product_text.unwrap_or_else(none));
    add(
        "tournaments",
        list(tournaments.iter().map(|tournament| tournament.id)),
    );
    add("gaps", list(gaps));
}

/// Whether it was read by itself or is missing from a complete listing is no difference: nothing of it is live.
fn stored_object(stored: &Stored, state: StoredState) -> String {
    match state {
        StoredState::NotLive | StoredState::SessionExpired => "not live".to_owned(),
        StoredState::LinkInactive if open_sessions(stored).is_empty() => "not live".to_owned(),
        state => match open_sessions(stored).as_slice() {
            [] => state.to_string(),
            open => format!("{state}, open: {}", open.join(", ")),
        },
    }
}

fn asked(stored: &Stored) -> String {
    let Stored::Read(_, reading) = stored else {
        return none();
    };
    let amount = match &**reading {
        Reading::Seen(object) if !object.is_live() => None,
        Reading::Seen(StripeObject::Session(session)) => session.amount,
        Reading::Seen(StripeObject::Link(family)) => family.link.amount,
        Reading::NotLive | Reading::NoSuchObject | Reading::Unread(_) => None,
    };
    amount.map_or_else(none, |amount| amount.to_string())
}

fn open_sessions(stored: &Stored) -> Vec<String> {
    match stored {
        Stored::Read(_, reading) => match &**reading {
            Reading::Seen(object @ StripeObject::Link(_)) => open(object),
            _ => Vec::new(),
        },
        Stored::Nothing | Stored::Unknown(_) | Stored::Skipped => Vec::new(),
    }
}

fn open(object: &StripeObject) -> Vec<String> {
    let is_open = |session: &&Session| session.state == SessionState::Open;
    let sessions = object.sessions().iter().filter(is_open);
    let mut ids: Vec<String> = sessions.map(|session| session.id.to_string()).collect();
    ids.sort();
    ids
}

/// The live ones: what is dead and names this order changes nothing.
fn other_objects(others: &Listing<StripeObject>) -> String {
    match others {
        Listing::Unfinished(_) => "the listing did not finish".to_owned(),
        Listing::Complete(objects) => {
            let mut live: Vec<String> = objects
                .iter()
                .filter(|object| object.is_live())
                .map(|object| object.reference().to_string())
                .collect();
            live.sort();
            list(live)
        }
    }
}

fn payments_of(facts: &OrderFacts) -> String {
    let mut texts: Vec<String> = payments(facts)
        .iter()
        .map(|(name, payment)| {
            let kept = payment.kept().map_or_else(none, |kept| kept.to_string());
            format!("{name} {kept}")
        })
        .collect();
    texts.sort();
    list(texts)
}

fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if texts.is_empty() {
        none()
    } else {
        texts.join(", ")
    }
}

fn none() -> String {
    NONE.to_owned()
}

fn hashed(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()), 6)
}

pub(super) fn hex(bytes: &[u8], first: usize) -> String {
    bytes
        .iter()
        .take(first)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
