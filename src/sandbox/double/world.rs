//! The double's state: two realms (test and live mode) that never see each other, one clock, one id counter.
//! Writes go through a `Change`, which is undone as a whole when the request is refused and logged as a whole when
//! it is not. It knows objects only by kind and id; what they mean is in `objects/`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::idempotency::Saved;

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
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::PaymentLink,
        Kind::Session,
        Kind::PaymentIntent,
        Kind::Refund,
        Kind::Price,
        Kind::Product,
        Kind::Event,
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
    test: Realm,
    live: Realm,
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

    pub fn next_request_id(&mut self) -> String {
        self.counters.requests += 1;
        format!("req_{}", letters("req", self.counters.requests, 14))
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
            Entry::Reset => *self = World::new(),
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

/// Who caused a change, as events tell it: an API request, or (both null) a payer, an admin call or the clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Cause {
    pub request: Option<String>,
    pub idempotency_key: Option<String>,
}

/// The writes of one request: `finish` gives what to log and how to take it back.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub world: &'a mut World,
    pub mode: Mode,
    pub cause: Cause,
    /// No events: for objects that are put there as if they had always been.
    pub quiet: bool,
    entries: Vec<Entry>,
    undo: Undo,
}

/// How to take writes back, should they be refused or not reach the log.
#[derive(Debug)]
#[must_use]
pub(super) struct Undo {
    writes: Vec<(Mode, Kind, String, Option<Record>)>,
    now: i64,
    counters: Counters,
}

impl Undo {
    /// The newest write first. Ids once given stay used.
    pub fn revert(self, world: &mut World) {
        for (mode, kind, id, old) in self.writes.into_iter().rev() {
            world.realm_mut(mode).set(kind, &id, old);
        }
        world.now = self.now;
    }
}

impl<'a> Change<'a> {
    pub fn new(world: &'a mut World, mode: Mode, cause: Cause) -> Change<'a> {
        let undo = Undo {
            writes: Vec::new(),
            now: world.now,
            counters: world.counters,
        };
        Change {
            world,
            mode,
            cause,
            quiet: false,
            entries: Vec::new(),
            undo,
        }
    }

    /// The entries to log, with the clock and the counters as they now stand, and the way back.
    pub fn finish(self) -> (Vec<Entry>, Undo) {
        let mut entries = self.entries;
        let (now, counters) = (self.world.now, self.world.counters);
        if !entries.is_empty() || (now, counters) != (self.undo.now, self.undo.counters) {
            entries.push(Entry::Clock { now, counters });
        }
        (entries, self.undo)
    }

    pub fn now(&self) -> i64 {
        self.world.now
    }

    pub fn realm(&self) -> &Realm {
        self.world.realm(self.mode)
    }

    pub fn get(&self, kind: Kind, id: &str) -> Option<&Record> {
        self.realm().get(kind, id)
    }

    /// Stores a new object, made at `created` on the double's clock.
    pub fn insert(&mut self, kind: Kind, value: Value, hidden: Value, created: i64) {
        self.world.counters.objects += 1;
        let seq = self.world.counters.objects;
        self.put(
            kind,
            Record {
                created,
                seq,
                value,
                hidden,
            },
        );
    }

    pub fn put(&mut self, kind: Kind, record: Record) {
        let id = record.value["id"].as_str().unwrap_or_default().to_owned();
        let mode = self.mode;
        let old = self
            .world
            .realm_mut(mode)
            .set(kind, &id, Some(record.clone()));
        self.undo.writes.push((mode, kind, id.clone(), old));
        self.entries.push(Entry::Put {
            mode,
            kind,
            id,
            record,
        });
    }

    pub fn delete(&mut self, kind: Kind, id: &str) {
        let mode = self.mode;
        let old = self.world.realm_mut(mode).set(kind, id, None);
        self.undo.writes.push((mode, kind, id.to_owned(), old));
        self.entries.push(Entry::Delete {
            mode,
            kind,
            id: id.to_owned(),
        });
    }

    /// True when anything was written.
    pub fn has_effect(&self) -> bool {
        !self.entries.is_empty()
    }

    /// A new id with Stripe's look; unique because the counter is.
    pub fn new_id(&mut self, kind: IdKind) -> String {
        self.world.counters.objects += 1;
        kind.render(self.world.counters.objects, self.mode)
    }

    pub fn emit(&mut self, kind: &str, object: &Value, previous: Option<Value>) {
        if self.quiet {
            return;
        }
        let id = self.new_id(IdKind::Event);
        let mut data = json!({ "object": object });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let now = self.now();
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": super::spec::DEFAULT_VERSION,
            "created": now,
            "data": data,
            "livemode": self.mode == Mode::Live,
            "pending_webhooks": 0,
            "request": {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key},
            "type": kind,
        });
        self.insert(Kind::Event, event, Value::Null, now);
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum IdKind {
    PaymentLink,
    Session,
    PaymentIntent,
    Charge,
    PaymentMethod,
    Refund,
    Price,
    Product,
    LineItem,
    Event,
    /// The secret part of a public URL.
    Slug,
}

impl IdKind {
    fn render(self, counter: u64, mode: Mode) -> String {
        match self {
            IdKind::PaymentLink => format!("plink_1Sbx{}", letters("plink", counter, 20)),
            IdKind::Session => format!("cs_{}_a1{}", mode.name(), letters("cs", counter, 56)),
            IdKind::PaymentIntent => format!("pi_3Sbx{}", letters("pi", counter, 20)),
            IdKind::Charge => format!("ch_3Sbx{}", letters("ch", counter, 20)),
            IdKind::PaymentMethod => format!("pm_1Sbx{}", letters("pm", counter, 20)),
            IdKind::Refund => format!("re_3Sbx{}", letters("re", counter, 20)),
            IdKind::Price => format!("price_1Sbx{}", letters("price", counter, 20)),
            IdKind::Product => format!("prod_{}", letters("prod", counter, 14)),
            IdKind::LineItem => format!("li_1Sbx{}", letters("li", counter, 20)),
            IdKind::Event => format!("evt_1Sbx{}", letters("evt", counter, 20)),
            IdKind::Slug => letters("slug", counter, 18),
        }
    }
}

/// `length` letters and digits that depend on nothing but the counter: the same calls give the same ids.
fn letters(domain: &str, counter: u64, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    let mut round = 0u32;
    while text.len() < length {
        let digest = Sha256::digest(format!("{domain}/{counter}/{round}"));
        for byte in digest.iter().take(length - text.len()) {
            text.push(char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        }
        round += 1;
    }
    text
}
