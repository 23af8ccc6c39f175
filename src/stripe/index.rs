//! Who names which order: one listing of the account's live objects, grouped by `metadata.order_id`.
//!
//! It only says which objects to look at. No state is kept from it, since every object it names is read by
//! its own GET before anything is written. Entries are added and never taken back, so that an event that
//! arrives late or out of order cannot hide an object.
//!
//! Not in it, because Stripe can list them only one by one through the whole account: inactive links
//! without a live or completed session, and expired sessions that no row holds.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::convert::{self, garbage};
use super::listing::Listed;
use super::overview::Rows;
use super::wire;
use super::{Client, StripeError};
use crate::actions::IdempotencyKey;
use crate::domain::{CheckoutReference, LinkId, OrderId, Owner, SessionId, Timestamp};

/// Seconds by which a refresh reaches back before the last thorough one: what Stripe dated then but showed later.
const OVERLAP: i64 = 300;
/// Seconds. In between, a refresh reads from the newest on until a whole page was met before, and lies this much before the
/// last refresh.
const THOROUGH_EVERY: i64 = 60;
const SHORT_OVERLAP: i64 = 15;

/// One that several orders use together: what a refresh adds, all of them see.
#[derive(Debug)]
pub struct Index {
    /// Why it is not complete.
    unfinished: Option<String>,
    known: RwLock<Known>,
}

#[derive(Debug)]
struct Known {
    /// Stripe's clock when the last reading began, and when the last one did that went through everything.
    read_at: Timestamp,
    thorough_at: Timestamp,
    by_order: HashMap<OrderId, BTreeSet<CheckoutReference>>,
    /// The copies that recovery made of a session.
    copies: HashMap<SessionId, BTreeSet<SessionId>>,
    by_relink_key: HashMap<String, BTreeSet<LinkId>>,
    /// Ids of the events and sessions that a refresh would meet again.
    met: HashSet<String>,
    /// How many changes of links were told, and which of them was a link's latest.
    changes: u64,
    changed: HashMap<LinkId, u64>,
}

/// A point between two changes of links, as the index heard of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Index {
    /// One that knows of nothing, for whoever needs no more than what is named.
    #[must_use]
    pub fn empty(as_of: Timestamp) -> Self {
        Index {
            unfinished: None,
            known: RwLock::new(Known {
                read_at: as_of,
                thorough_at: as_of,
                by_order: HashMap::new(),
                copies: HashMap::new(),
                by_relink_key: HashMap::new(),
                met: HashSet::new(),
                changes: 0,
                changed: HashMap::new(),
            }),
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the index proves nothing; `None` when it is complete.
    #[must_use]
    pub fn gap(&self) -> Option<&str> {
        self.unfinished.as_deref()
    }

    /// Everything seen that names this order.
    #[must_use]
    pub fn naming(&self, order: OrderId) -> Vec<CheckoutReference> {
        let known = self.known();
        let named = known.by_order.get(&order).into_iter().flatten();
        named.cloned().collect()
    }

    /// The recovered copies of this session.
    #[must_use]
    pub fn copies_of(&self, session: &SessionId) -> Vec<SessionId> {
        let known = self.known();
        let copies = known.copies.get(session).into_iter().flatten();
        copies.cloned().collect()
    }

    /// Links whose `metadata.relink_key` is this one, active when they were listed or told of since: where adoption looks.
    #[must_use]
    pub fn minted_as(&self, relink_key: &str) -> Vec<LinkId> {
        let known = self.known();
        let minted = known.by_relink_key.get(relink_key).into_iter().flatten();
        minted.cloned().collect()
    }

    /// To be taken before a reading: what that read is as it was unless the link changed since.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.known().changes)
    }

    /// Whether an event told of a change of this link after that.
    #[must_use]
    pub fn has_changed_since(&self, link: &LinkId, Mark(then): Mark) -> bool {
        self.known().changed.get(link).is_some_and(|at| *at > then)
    }

    /// Brings the index up to date from the link events and the sessions since the last reading. Events
    /// reach 30 days back (docs.stripe.com/api/events); a run is over long before. Both are read newest first, to the
    /// first page that shows nothing new and is some seconds old, and once a minute further than Stripe may have been late with any. It tells how
    /// many pages that took.
    ///
    /// # Errors
    /// Whatever kept it from being read. The index is then no more current than it was, and the next refresh
    /// reaches back as far.
    pub async fn refresh(&self, client: &Client) -> Result<u64, StripeError> {
        let (read_at, thorough_at, is_new) = {
            let known = self.known();
            (known.read_at, known.thorough_at, known.met.is_empty())
        };
        let begun = client.now().unwrap_or(thorough_at).max(thorough_at);
        let is_thorough = is_new || begun.0 - thorough_at.0 >= THOROUGH_EVERY;
        let is_old = |id: &str, created: i64| {
            let is_recent = created >= read_at.0 - SHORT_OVERLAP;
            !is_thorough && !is_recent && self.known().met.contains(id)
        };
        let since = (thorough_at.0 - OVERLAP).to_string();
        let links = [
            ("types[0]", "payment_link.created"),
            ("types[1]", "payment_link.updated"),
            ("created[gte]", since.as_str()),
        ];
        let created = [("created[gte]", since.as_str())];
        let events = client.list_newer("/v1/events", &links, |event: &wire::Event| {
            is_old(&event.id, event.created)
        });
        let events = events.await?;
        let path = "/v1/checkout/sessions";
        let sessions = client.list_newer(path, &created, |session: &wire::Session| {
            is_old(&session.id, session.created)
        });
        let sessions = sessions.await?;
        let mut known = self.known_mut();
        let met = std::mem::take(&mut known.met);
        if let Err(error) = known.learn(&met, &events, &sessions) {
            known.met = met;
            return Err(error);
        }
        known.read_at = begun;
        if is_thorough {
            known.thorough_at = begun;
        } else {
            known.met.extend(met);
        }
        Ok(pages(events.len()) + pages(sessions.len()))
    }

    /// Links before sessions, open before complete: what moves on in the meantime is met later.
    async fn read_live(
        &self,
        client: &Client,
        since: Option<Timestamp>,
        wanted: Option<&Rows>,
        mut listed: Option<&mut Listed>,
    ) -> Result<(), StripeError> {
        let mut active = vec![("active", "true")];
        if listed.is_some() {
            active.push(("expand[0]", "data.line_items"));
        }
        let take = |link: wire::PaymentLink| {
            self.known_mut()
                .add_link(&link.id, &link.metadata, wanted)?;
            match &mut listed {
                Some(listed) => listed.add_link(&link),
                None => Ok(()),
            }
        };
        client.for_each("/v1/payment_links", &active, take).await?;
        let since = since.map(|moment| moment.0.to_string());
        let open: &[(&str, &str)] = &[("status", "open")];
        let mut complete = vec![("status", "complete")];
        complete.extend(since.as_deref().map(|moment| ("created[gte]", moment)));
        for query in [open, &complete] {
            let take = |session: wire::Session| {
                self.known_mut().add_session(&session, wanted)?;
                match &mut listed {
                    Some(listed) => listed.add_session(&session),
                    None => Ok(()),
                }
            };
            client
                .for_each("/v1/checkout/sessions", query, take)
                .await?;
        }
        Ok(())
    }
}

impl Known {
    /// What of it is new, the oldest first.
    fn learn(
        &mut self,
        met: &HashSet<String>,
        events: &[wire::Event],
        sessions: &[wire::Session],
    ) -> Result<(), StripeError> {
        for event in events.iter().rev() {
            self.met.insert(event.id.clone());
            if met.contains(&event.id) {
                continue;
            }
            let link = &event.data.object;
            self.add_link(&link.id, &link.metadata, None)?;
            if event.kind != wire::LINK_CREATED {
                self.changes += 1;
                let link = convert::link_id(&link.id)?;
                self.changed.insert(link, self.changes);
            }
        }
        for session in sessions {
            self.met.insert(session.id.clone());
            if session.status.as_deref() != Some("expired") {
                self.add_session(session, None)?;
            }
        }
        Ok(())
    }

    /// Of what is wanted of some rows only, a link's key is no part.
    fn add_link(
        &mut self,
        id: &str,
        metadata: &wire::Metadata,
        wanted: Option<&Rows>,
    ) -> Result<(), StripeError> {
        let id = convert::link_id(id)?;
        if let Some(order) = owner_in(metadata, (id.as_str(), None), wanted) {
            let reference = CheckoutReference::Link(id.clone());
            self.by_order.entry(order).or_default().insert(reference);
        }
        if wanted.is_none()
            && let Some(key) = convert::metadata_text(metadata, "relink_key")
        {
            self.by_relink_key.entry(key).or_default().insert(id);
        }
        Ok(())
    }

    fn add_session(
        &mut self,
        session: &wire::Session,
        wanted: Option<&Rows>,
    ) -> Result<(), StripeError> {
        let id = convert::session_id(&session.id)?;
        if let Some(original) = session.recovered_from.as_deref() {
            let original = convert::session_id(original)?;
            self.copies.entry(original).or_default().insert(id.clone());
        }
        let link = session.payment_link.as_ref().map(|link| link.id());
        if let Some(order) = owner_in(&session.metadata, (id.as_str(), link), wanted) {
            let reference = CheckoutReference::Session(id);
            self.by_order.entry(order).or_default().insert(reference);
        }
        Ok(())
    }
}

/// The order that it names, if that is asked for. A session comes with the link that opened it.
fn owner_in(
    metadata: &wire::Metadata,
    (id, link): (&str, Option<&str>),
    wanted: Option<&Rows>,
) -> Option<OrderId> {
    let Owner::Order(order) = convert::owner(metadata) else {
        return None;
    };
    let is_wanted = wanted.is_none_or(|rows| rows.lacks(order, id, link));
    is_wanted.then_some(order)
}

/// That so many objects came on.
fn pages(objects: usize) -> u64 {
    (objects as u64).div_ceil(100).max(1)
}

impl Client {
    /// Reads the account's active links, its open sessions, and the sessions completed among those created
    /// since `since` (all of them without one). A listing that failed leaves a gap in the index.
    ///
    /// # Errors
    /// What [`StripeError::stops_the_run`], and when Stripe never answered at all.
    pub async fn live_index(&self, since: Option<Timestamp>) -> Result<Index, StripeError> {
        self.read_index(since, None, None).await
    }

    /// [`Client::live_index`], of those that no row of `wanted` leads to, where there is one.
    pub(super) async fn index_of(
        &self,
        since: Option<Timestamp>,
        wanted: Option<&Rows>,
    ) -> Result<Index, StripeError> {
        self.read_index(since, wanted, None).await
    }

    /// [`Client::index_of`], and what it showed of each object, in short; with a gap that says nothing of any.
    pub(super) async fn listed_index(
        &self,
        since: Option<Timestamp>,
        wanted: Option<&Rows>,
    ) -> Result<(Index, Listed), StripeError> {
        let mut listed = Listed::default();
        let index = self.read_index(since, wanted, Some(&mut listed)).await?;
        listed.sort();
        Ok((index, listed))
    }

    async fn read_index(
        &self,
        since: Option<Timestamp>,
        wanted: Option<&Rows>,
        listed: Option<&mut Listed>,
    ) -> Result<Index, StripeError> {
        let mut index = Index::empty(self.stripe_time().await?);
        match index.read_live(self, since, wanted, listed).await {
            Ok(()) => {}
            Err(error) if error.stops_the_run() => return Err(error),
            Err(error) => index.unfinished = Some(error.to_string()),
        }
        Ok(index)
    }

    /// Stripe's clock, asked for where no answer has told it yet.
    pub async fn stripe_time(&self) -> Result<Timestamp, StripeError> {
        if self.now().is_none() {
            self.probe().await?;
        }
        self.now()
            .ok_or_else(|| garbage("no answer carries a `Date` header"))
    }

    /// The links that a request with this key made, by the events since: the event names the key itself, and
    /// its object carries `relink_key` (docs.stripe.com/api/events/object).
    ///
    /// # Errors
    /// Whatever kept the events from being read: then nothing is known.
    pub async fn links_minted_with(
        &self,
        key: &IdempotencyKey,
        relink_key: &str,
        since: Timestamp,
    ) -> Result<Vec<LinkId>, StripeError> {
        let since = since.0.to_string();
        let query = [
            ("type", "payment_link.created"),
            ("created[gte]", since.as_str()),
        ];
        let mut found = BTreeSet::new();
        for event in self.list::<wire::Event>("/v1/events", &query).await? {
            let sent_key = event.request.and_then(|request| request.idempotency_key);
            let link = event.data.object;
            let carried = convert::metadata_text(&link.metadata, "relink_key");
            if sent_key.as_deref() == Some(key.as_str()) || carried.as_deref() == Some(relink_key) {
                found.insert(convert::link_id(&link.id)?);
            }
        }
        Ok(found.into_iter().collect())
    }
}
