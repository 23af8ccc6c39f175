//! The double's state: two realms (test and live mode) that never see each other, one clock, one id counter.
//! It knows objects only by kind and id; what they mean is in `objects/`. Requests write through a `Change`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::idempotency::Saved;
use super::ids;

/// Where the double's clock starts: 2026-03-14T09:00:00Z.
pub const CLOCK_START: i64 = 1_773_478_800;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Test,
    Live,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Test => "test",
            Mode::Live => "live",
        }
    }

    pub fn other(self) -> Mode {
        match self {
            Mode::Test => Mode::Live,
            Mode::Live => Mode::Test,
        }
    }

    pub fn of(livemode: bool) -> Mode {
        if livemode { Mode::Live } else { Mode::Test }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    PaymentLink,
    Session,
    PaymentIntent,
    Refund,
    Price,
    Product,
    Event,
    WebhookEndpoint,
}

impl Kind {
    pub const ALL: [Kind; 8] = [
        Kind::PaymentLink,
        Kind::Session,
        Kind::PaymentIntent,
        Kind::Refund,
        Kind::Price,
        Kind::Product,
        Kind::Event,
        Kind::WebhookEndpoint,
    ];

    /// The value of the `object` field, which is also the schema's name.
    pub fn object(self) -> &'static str {
        match self {
            Kind::PaymentLink => "payment_link",
            Kind::Session => "checkout.session",
            Kind::PaymentIntent => "payment_intent",
            Kind::Refund => "refund",
            Kind::Price => "price",
            Kind::Product => "product",
            Kind::Event => "event",
            Kind::WebhookEndpoint => "webhook_endpoint",
        }
    }

    pub fn of(object: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.object() == object)
    }
}

/// One stored object: what the API shows, and what it does not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Unix seconds; links have no `created` of their own but are listed in order of creation.
    pub created: i64,
    pub seq: u64,
    /// The object as answered, references unexpanded, without `line_items`.
    pub value: Value,
    /// Line items and what a later payment needs; never answered as such.
    pub hidden: Value,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    by_id: HashMap<String, Record>,
    order: BTreeSet<(i64, u64, String)>,
}

impl Shelf {
    pub fn get(&self, id: &str) -> Option<&Record> {
        self.by_id.get(id)
    }

    /// Newest first, as every Stripe list.
    pub fn newest_first(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.order
            .iter()
            .rev()
            .filter_map(|(_, _, id)| self.by_id.get(id))
    }

    fn set(&mut self, id: &str, record: Option<Record>) -> Option<Record> {
        let old = self.by_id.remove(id);
        if let Some(old) = &old {
            self.order.remove(&(old.created, old.seq, id.to_owned()));
        }
        if let Some(record) = record {
            self.order
                .insert((record.created, record.seq, id.to_owned()));
            self.by_id.insert(id.to_owned(), record);
        }
        old
    }
}

#[derive(Debug, Default)]
pub(super) struct Realm {
    shelves: BTreeMap<Kind, Shelf>,
    /// Sessions by the payment link they were opened from; a link with thousands of siblings must list fast.
    sessions_of: HashMap<String, BTreeSet<(i64, u64, String)>>,
    /// Open sessions by the second in which they expire.
    open_until: BTreeSet<(i64, String)>,
    /// Events that have not reached the webhook endpoint, in the order of their making.
    owed: BTreeSet<(u64, String)>,
    pub keys: HashMap<String, Saved>,
}

impl Realm {
    pub fn shelf(&self, kind: Kind) -> Option<&Shelf> {
        self.shelves.get(&kind)
    }

    pub fn get(&self, kind: Kind, id: &str) -> Option<&Record> {
        self.shelf(kind)?.get(id)
    }

    /// The sessions of one link, newest first.
    pub fn sessions_of_link(&self, link: &str) -> Vec<&Record> {
        let Some(ids) = self.sessions_of.get(link) else {
            return Vec::new();
        };
        ids.iter()
            .rev()
            .filter_map(|(_, _, id)| self.get(Kind::Session, id))
            .collect()
    }

    pub fn set(&mut self, kind: Kind, id: &str, record: Option<Record>) -> Option<Record> {
        let new = record.clone();
        let old = self.shelves.entry(kind).or_default().set(id, record);
        if kind == Kind::Session {
            self.index_session(id, old.as_ref(), false);
            self.index_session(id, new.as_ref(), true);
        }
        if kind == Kind::Event {
            self.index_owed(id, new.as_ref().or(old.as_ref()), new.is_some());
        }
        old
    }

    fn index_session(&mut self, id: &str, record: Option<&Record>, present: bool) {
        let Some(record) = record else { return };
        if let Some(link) = record.value["payment_link"].as_str() {
            let siblings = self.sessions_of.entry(link.to_owned()).or_default();
            let entry = (record.created, record.seq, id.to_owned());
            let _ = if present {
                siblings.insert(entry)
            } else {
                siblings.remove(&entry)
            };
        }
        if record.value["status"] == "open" {
            let entry = (
                record.value["expires_at"].as_i64().unwrap_or(i64::MAX),
                id.to_owned(),
            );
            let _ = if present {
                self.open_until.insert(entry)
            } else {
                self.open_until.remove(&entry)
            };
        }
    }

    fn index_owed(&mut self, id: &str, record: Option<&Record>, present: bool) {
        let Some(record) = record else { return };
        let entry = (record.seq, id.to_owned());
        let _ = if present && record.value["pending_webhooks"] != 0 {
            self.owed.insert(entry)
        } else {
            self.owed.remove(&entry)
        };
    }

    pub fn owed(&self) -> impl Iterator<Item = &(u64, String)> {
        self.owed.iter()
    }

    /// The first open session whose time is over at `now`, with the second it expired in.
    pub fn overdue(&self, now: i64) -> Option<(i64, String)> {
        self.open_until
            .first()
            .filter(|(expires_at, _)| *expires_at <= now)
            .cloned()
    }
}

#[derive(Debug)]
pub(super) struct World {
    /// Unix seconds on the double's own clock.
    pub now: i64,
    pub counters: Counters,
    /// Where events are sent to. Of this process, not of the state.
    pub subscribed: Option<Subscribed>,
    test: Realm,
    live: Realm,
}

/// An endpoint that waits for events.
#[derive(Clone, Debug)]
pub(super) struct Subscribed {
    pub url: String,
    /// Types of events, with `*` as Stripe takes it.
    pub events: Vec<String>,
}

/// Requests have a counter of their own, so that reading never changes the ids of what is made later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub objects: u64,
    pub requests: u64,
}

impl World {
    pub fn new() -> World {
        World {
            now: CLOCK_START,
            counters: Counters::default(),
            subscribed: None,
            test: Realm::default(),
            live: Realm::default(),
        }
    }

    pub fn realm(&self, mode: Mode) -> &Realm {
        match mode {
            Mode::Test => &self.test,
            Mode::Live => &self.live,
        }
    }

    pub fn realm_mut(&mut self, mode: Mode) -> &mut Realm {
        match mode {
            Mode::Test => &mut self.test,
            Mode::Live => &mut self.live,
        }
    }

    /// No objects, no keys, the clock and the counters at their start; who waits for events goes on waiting.
    pub fn empty(&mut self) {
        let subscribed = self.subscribed.take();
        *self = World::new();
        self.subscribed = subscribed;
    }

    pub fn next_request_id(&mut self) -> String {
        self.counters.requests += 1;
        ids::request(self.counters.requests)
    }
}

/// One line of the log: a change as it happened. The order of a batch is the order of application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Entry {
    Put {
        mode: Mode,
        kind: Kind,
        id: String,
        record: Record,
    },
    Delete {
        mode: Mode,
        kind: Kind,
        id: String,
    },
    Key {
        mode: Mode,
        key: String,
        saved: Saved,
    },
    ForgetKeys,
    Clock {
        now: i64,
        counters: Counters,
    },
    Reset,
}

impl World {
    /// Applies a change without recording it: at replay of the log, and on behalf of `Change`.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Put {
                mode,
                kind,
                id,
                record,
            } => {
                self.realm_mut(mode).set(kind, &id, Some(record));
            }
            Entry::Delete { mode, kind, id } => {
                self.realm_mut(mode).set(kind, &id, None);
            }
            Entry::Key { mode, key, saved } => {
                self.realm_mut(mode).keys.insert(key, saved);
            }
            Entry::ForgetKeys => {
                self.test.keys.clear();
                self.live.keys.clear();
            }
            Entry::Clock { now, counters } => {
                self.now = now;
                self.counters = counters;
            }
            Entry::Reset => self.empty(),
        }
    }

    /// The state as the shortest list of entries that makes it again.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::Clock {
            now: self.now,
            counters: self.counters,
        }];
        for mode in [Mode::Test, Mode::Live] {
            let realm = self.realm(mode);
            for kind in Kind::ALL {
                for record in realm.shelf(kind).into_iter().flat_map(Shelf::newest_first) {
                    let id = record.value["id"].as_str().unwrap_or_default().to_owned();
                    entries.push(Entry::Put {
                        mode,
                        kind,
                        id,
                        record: record.clone(),
                    });
                }
            }
            let kept = realm
                .keys
                .iter()
                .filter(|(_, saved)| saved.is_kept(self.now));
            entries.extend(kept.map(|(key, saved)| Entry::Key {
                mode,
                key: key.clone(),
                saved: saved.clone(),
            }));
        }
        entries
    }
}
