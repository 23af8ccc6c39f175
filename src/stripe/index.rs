//! Who names which order: one listing of the account's live objects, grouped by `metadata.order_id`.
//!
//! It only says which objects to look at. No state is kept from it, since every object it names is read by
//! its own GET before anything follows. Entries are added and never taken back, so that an event that
//! arrives late or out of order cannot hide an object.
//!
//! Not in it, because Stripe can list them only one by one through the whole account: inactive links
//! without a live or completed session, and expired sessions that no row holds.

use std::collections::{BTreeSet, HashMap};

use super::convert::{self, garbage};
use super::wire;
use super::{Client, StripeError};
use crate::actions::IdempotencyKey;
use crate::domain::{CheckoutReference, LinkId, OrderId, Owner, SessionId, Timestamp};

/// Seconds by which a refresh reaches back before the last one: what Stripe dated then but showed later.
const OVERLAP: i64 = 300;

#[derive(Clone, Debug)]
pub struct Index {
    /// Stripe's clock when the last complete reading began.
    as_of: Timestamp,
    /// Why it is not complete.
    unfinished: Option<String>,
    by_order: HashMap<OrderId, BTreeSet<CheckoutReference>>,
    /// The copies that recovery made of a session.
    copies: HashMap<SessionId, BTreeSet<SessionId>>,
    by_relink_key: HashMap<String, BTreeSet<LinkId>>,
}

impl Index {
    /// One that knows of nothing, for whoever needs no more than what is named.
    #[must_use]
    pub fn empty(as_of: Timestamp) -> Self {
        Index {
            as_of,
            unfinished: None,
            by_order: HashMap::new(),
            copies: HashMap::new(),
            by_relink_key: HashMap::new(),
        }
    }

    /// Why the index proves nothing; `None` when it is complete.
    #[must_use]
    pub fn gap(&self) -> Option<&str> {
        self.unfinished.as_deref()
    }

    /// Everything seen that names this order.
    #[must_use]
    pub fn naming(&self, order: OrderId) -> Vec<CheckoutReference> {
        let named = self.by_order.get(&order).into_iter().flatten();
        named.cloned().collect()
    }

    /// The recovered copies of this session.
    #[must_use]
    pub fn copies_of(&self, session: &SessionId) -> Vec<SessionId> {
        self.copies
            .get(session)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Active links whose `metadata.relink_key` is this one: where adoption looks.
    #[must_use]
    pub fn minted_as(&self, relink_key: &str) -> Vec<LinkId> {
        self.by_relink_key
            .get(relink_key)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Brings the index up to date from the link events and the sessions since the last reading. Events
    /// reach 30 days back (docs.stripe.com/api/events); a run is over long before.
    ///
    /// # Errors
    /// Whatever kept it from being read. The index is then no more current than it was, and the next refresh
    /// reaches back as far.
    pub async fn refresh(&mut self, client: &Client) -> Result<(), StripeError> {
        let begun = client.now().unwrap_or(self.as_of).max(self.as_of);
        let since = (self.as_of.0 - OVERLAP).to_string();
        self.read_since(client, &since).await?;
        self.as_of = begun;
        Ok(())
    }

    async fn read_since(&mut self, client: &Client, since: &str) -> Result<(), StripeError> {
        let types = [
            ("types[0]", "payment_link.created"),
            ("types[1]", "payment_link.updated"),
            ("created[gte]", since),
        ];
        for event in client.list::<wire::Event>("/v1/events", &types).await? {
            self.add_link(&event.data.object.id, &event.data.object.metadata)?;
        }
        let created = [("created[gte]", since)];
        for session in client
            .list::<wire::Session>("/v1/checkout/sessions", &created)
            .await?
        {
            if session.status.as_deref() != Some("expired") {
                self.add_session(&session)?;
            }
        }
        Ok(())
    }

    /// Links before sessions, open before complete: what moves on in the meantime is met later.
    async fn read_live(
        &mut self,
        client: &Client,
        since: Option<Timestamp>,
    ) -> Result<(), StripeError> {
        let active = [("active", "true")];
        for link in client
            .list::<wire::PaymentLink>("/v1/payment_links", &active)
            .await?
        {
            self.add_link(&link.id, &link.metadata)?;
        }
        let since = since.map(|moment| moment.0.to_string());
        let open: &[(&str, &str)] = &[("status", "open")];
        let mut complete = vec![("status", "complete")];
        complete.extend(since.as_deref().map(|moment| ("created[gte]", moment)));
        for query in [open, &complete] {
            for session in client
                .list::<wire::Session>("/v1/checkout/sessions", query)
                .await?
            {
                self.add_session(&session)?;
            }
        }
        Ok(())
    }

    fn add_link(&mut self, id: &str, metadata: &wire::Metadata) -> Result<(), StripeError> {
        let id = convert::link_id(id)?;
        if let Owner::Order(order) = convert::owner(metadata) {
            let reference = CheckoutReference::Link(id.clone());
            self.by_order.entry(order).or_default().insert(reference);
        }
        if let Some(key) = convert::metadata_text(metadata, "relink_key") {
            self.by_relink_key.entry(key).or_default().insert(id);
        }
        Ok(())
    }

    fn add_session(&mut self, session: &wire::Session) -> Result<(), StripeError> {
        let id = convert::session_id(&session.id)?;
        if let Some(original) = session.recovered_from.as_deref() {
            let original = convert::session_id(original)?;
            self.copies.entry(original).or_default().insert(id.clone());
        }
        if let Owner::Order(order) = convert::owner(&session.metadata) {
            let reference = CheckoutReference::Session(id);
            self.by_order.entry(order).or_default().insert(reference);
        }
        Ok(())
    }
}

impl Client {
    /// Reads the account's active links, its open sessions, and the sessions completed among those created
    /// since `since` (all of them without one). A listing that failed leaves a gap in the index.
    ///
    /// # Errors
    /// What [`StripeError::stops_the_run`], and when Stripe never answered at all.
    pub async fn live_index(&self, since: Option<Timestamp>) -> Result<Index, StripeError> {
        let mut index = Index::empty(self.stripe_time().await?);
        match index.read_live(self, since).await {
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
