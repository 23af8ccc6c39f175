//! What is to be sent and when: one job per event that is owed, one copy per arrival that was asked for. It is told
//! the time and what became of an attempt; it never forgets a copy that has not arrived.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::super::addresses;
use super::super::world::{Kind, Mode, World};
use super::{Delivery, Webhooks};

/// Older ones are dropped: a double that serves for days must not grow for ever.
const KEPT: usize = 100_000;

/// The order in which events were made, in both modes.
type Place = (u64, Mode, String);

#[derive(Debug, Default)]
pub(in super::super) struct Outbox {
    pub webhooks: Option<Arc<Webhooks>>,
    jobs: BTreeMap<Place, Vec<Copy>>,
    deliveries: VecDeque<Delivery>,
    shuffled: u64,
}

#[derive(Clone, Debug)]
struct Copy {
    failures: u32,
    /// `None` once it has arrived.
    due: Option<Instant>,
}

/// One copy of an event, on its way.
#[derive(Debug)]
pub(super) struct Parcel {
    place: Place,
    copy: u32,
    attempt: u32,
    pub event: Value,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    Send(Arc<Webhooks>, Vec<Parcel>),
    WaitUntil(Instant),
    /// Nothing is owed, or there is nowhere to send it.
    Wait,
}

impl Outbox {
    /// What is due at `now`, the oldest event first unless an order was asked for.
    pub(super) fn next(&mut self, world: &World, origin: Option<&str>, now: Instant) -> Next {
        let Some(webhooks) = self.webhooks.clone() else {
            return Next::Wait;
        };
        self.look(world, &webhooks, now);
        let mut parcels = Vec::new();
        let mut soonest: Option<Instant> = None;
        for (place, copies) in &self.jobs {
            for (copy, number) in copies.iter().zip(0u32..) {
                match copy.due {
                    Some(due) if due <= now => {
                        parcels.extend(parcel(world, origin, place, number, copy));
                    }
                    Some(due) => soonest = Some(soonest.map_or(due, |soonest| soonest.min(due))),
                    None => {}
                }
            }
        }
        if let Some(seed) = webhooks.shuffle {
            self.shuffled += 1;
            shuffle(&mut parcels, seed.wrapping_add(self.shuffled));
        }
        match (parcels.is_empty(), soonest) {
            (false, _) => Next::Send(webhooks, parcels),
            (true, Some(soonest)) => Next::WaitUntil(soonest),
            (true, None) => Next::Wait,
        }
    }

    /// A job for every event that is owed, and for no other.
    fn look(&mut self, world: &World, webhooks: &Webhooks, now: Instant) {
        let mut jobs = BTreeMap::new();
        for mode in [Mode::Test, Mode::Live] {
            for (seq, id) in world.realm(mode).owed() {
                let place = (*seq, mode, id.clone());
                let fresh = Copy {
                    failures: 0,
                    due: Some(now),
                };
                let copies = self
                    .jobs
                    .remove(&place)
                    .unwrap_or_else(|| vec![fresh; 1 + webhooks.duplicates as usize]);
                jobs.insert(place, copies);
            }
        }
        self.jobs = jobs;
    }

    /// Notes an attempt. Answers with the event when its last copy has arrived.
    pub(super) fn note(
        &mut self,
        webhooks: &Webhooks,
        parcel: Parcel,
        outcome: Result<u16, String>,
    ) -> Option<(Mode, String)> {
        let delivery = Delivery {
            event: parcel.place.2.clone(),
            kind: parcel.event["type"].as_str().unwrap_or_default().to_owned(),
            copy: parcel.copy,
            attempt: parcel.attempt,
            status: outcome.as_ref().ok().copied(),
            error: outcome.err(),
        };
        let arrived = delivery.arrived();
        if self.deliveries.len() == KEPT {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(delivery);
        // Gone when the double was emptied meanwhile.
        let copies = self.jobs.get_mut(&parcel.place)?;
        let copy = copies.get_mut(parcel.copy as usize)?;
        copy.failures += u32::from(!arrived);
        copy.due = (!arrived).then(|| Instant::now() + webhooks.pause(copy.failures));
        let done = copies.iter().all(|copy| copy.due.is_none());
        done.then_some((parcel.place.1, parcel.place.2))
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.iter().cloned().collect()
    }

    pub fn clear(&mut self) {
        self.jobs.clear();
        self.deliveries.clear();
    }
}

fn parcel(
    world: &World,
    origin: Option<&str>,
    place: &Place,
    number: u32,
    copy: &Copy,
) -> Option<Parcel> {
    let (_, mode, id) = place;
    let mut event = world.realm(*mode).get(Kind::Event, id)?.value.clone();
    if let Some(origin) = origin {
        addresses::rewrite(origin, &mut event);
    }
    Some(Parcel {
        place: place.clone(),
        copy: number,
        attempt: copy.failures + 1,
        event,
    })
}

/// Fisher and Yates, with a generator that gives the same numbers on every machine (SplitMix64).
fn shuffle(parcels: &mut [Parcel], seed: u64) {
    let mut state = seed;
    for last in (1..parcels.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let other = mixed % (last as u64 + 1);
        parcels.swap(last, usize::try_from(other).unwrap_or(0));
    }
}
