//! A change of the state: the writes of one request, undone as a whole when it is refused and logged as a whole when
//! it is not. Every event is made here, so that a change and its event cannot come apart.

use serde_json::{Value, json};

use super::ids::IdKind;
use super::objects::{events, sessions};
use super::world::{Counters, Entry, Kind, Mode, Realm, Record, World};

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
            "pending_webhooks": i32::from(self.is_awaited(kind)),
            "request": {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key},
            "type": kind,
        });
        self.insert(Kind::Event, event, Value::Null, now);
    }
}

impl Change<'_> {
    fn is_awaited(&self, kind: &str) -> bool {
        let subscribed = self.world.subscribed.iter();
        subscribed
            .flat_map(|subscribed| &subscribed.events)
            .any(|pattern| events::covers(pattern, kind))
    }
}

/// Moves the clock; sessions whose time is over expire, in both modes.
pub(super) fn tick(
    world: &mut World,
    seconds: i64,
    entries: &mut Vec<Entry>,
    undone: &mut Vec<Undo>,
) {
    let mut moved = Change::new(world, Mode::Test, Cause::default());
    moved.world.now += seconds;
    sessions::expire_overdue(&mut moved);
    let (first, undo) = moved.finish();
    entries.extend(first);
    undone.push(undo);
    let mut live = Change::new(world, Mode::Live, Cause::default());
    sessions::expire_overdue(&mut live);
    let (second, undo) = live.finish();
    entries.extend(second);
    undone.push(undo);
}

pub(super) fn revert(world: &mut World, undone: Vec<Undo>) {
    undone.into_iter().rev().for_each(|undo| undo.revert(world));
}
