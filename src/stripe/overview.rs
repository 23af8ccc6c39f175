//! Many orders over one listing of the account, page by page: what the listing shows of a plain one is not read again.
//!
//! The rows are read before the listing, so that nothing they name is younger than it; of what they named then a hash
//! is kept. An order whose row names something else when its page comes, or came into the scope or left it, is not judged
//! but left to the next look, as one that is new: what it names now may not have been there to be listed.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::listing::{Listed, hash};
use super::observe::{ObserveRequest, observe_order, witness};
use super::{Client, Index, StripeError};
use crate::domain::{
    CheckoutReference, JournalFacts, Listing, Order, OrderFacts, OrderId, Reading, Snapshot,
    Stored, Timestamp, Witness,
};

const DAY: i64 = 86_400;
/// From so many orders on, what the listing shows of a plain one is not read again for the plan.
const MANY: usize = 100;
/// How many objects of a kind are tried before those of a page are read one by one.
const TRIED: usize = 20;
/// Instead of the hash of a reference: there is none, or the order is out of scope.
const NONE: u64 = 0;
const OUT_OF_SCOPE: u64 = 1;

/// What the rows named before anything was listed, in 16 bytes an order.
#[derive(Debug)]
pub struct Rows {
    scope: Vec<String>,
    /// By id, with the hash of the reference.
    named: Vec<(OrderId, u64)>,
    in_scope: usize,
    oldest: Oldest,
}

/// When the oldest order in scope was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oldest {
    NoOrder,
    At(Timestamp),
    /// One of them does not say when.
    Unknown,
}

impl Rows {
    #[must_use]
    pub fn of(scope: &[String]) -> Self {
        Rows {
            scope: scope.to_vec(),
            named: Vec::new(),
            in_scope: 0,
            oldest: Oldest::NoOrder,
        }
    }

    pub fn add(&mut self, orders: &[Order]) {
        for order in orders {
            self.named.push((order.id, self.named_by(order)));
            if is_in_scope(order, &self.scope) {
                self.in_scope += 1;
                self.oldest = self.oldest.or(order.created_at);
            }
        }
    }

    /// All of them, in scope or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.named.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    fn find(&self, order: OrderId) -> Option<u64> {
        let at = self
            .named
            .binary_search_by_key(&order, |(id, _)| *id)
            .ok()?;
        self.named.get(at).map(|(_, hash)| *hash)
    }

    /// Whether only the listing can tell that this object is the order's: its row names neither it nor the link that opened
    /// it, which is read with all that it opened.
    pub(super) fn lacks(&self, order: OrderId, id: &str, link: Option<&str>) -> bool {
        let is_led_to = |named| named == hash(id) || link.is_some_and(|link| named == hash(link));
        self.find(order)
            .is_some_and(|named| named != OUT_OF_SCOPE && !is_led_to(named))
    }

    fn named_by(&self, order: &Order) -> u64 {
        match &order.reference {
            _ if !is_in_scope(order, &self.scope) => OUT_OF_SCOPE,
            Some(reference) => hash(reference.as_str()),
            None => NONE,
        }
    }

    /// From when on completed sessions count: a day before the oldest order, which covers what two hosts' clocks may
    /// differ by.
    fn since(&self) -> Option<Timestamp> {
        match self.oldest {
            Oldest::At(Timestamp(oldest)) => Some(Timestamp(oldest.saturating_sub(DAY).max(0))),
            Oldest::NoOrder | Oldest::Unknown => None,
        }
    }
}

impl Oldest {
    fn or(self, other: Option<Timestamp>) -> Self {
        match (self, other) {
            (Oldest::Unknown, _) | (_, None) => Oldest::Unknown,
            (Oldest::NoOrder, Some(other)) => Oldest::At(other),
            (Oldest::At(one), Some(other)) => Oldest::At(one.min(other)),
        }
    }
}

/// Which objects the index names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Every,
    /// Those that no row led to.
    Strays,
}

pub struct Overview<'a> {
    client: &'a Client,
    request: &'a ObserveRequest<'a>,
    rows: Rows,
    names: Names,
    index: Index,
    /// Of few orders none was made.
    listed: Option<Listed>,
    taken_at: Timestamp,
    witness: Witness,
    /// Kinds of which an object was read that was not listed.
    sees_sessions: bool,
    sees_links: bool,
    /// Orders that were left out.
    moved: Vec<OrderId>,
}

impl<'a> Overview<'a> {
    /// Reads the listing. Its index names only what no row led to: enough for whoever only looks.
    ///
    /// # Errors
    /// What [`StripeError::stops_the_run`], and when Stripe never answered at all.
    pub async fn take(
        client: &'a Client,
        rows: Rows,
        request: &'a ObserveRequest<'a>,
    ) -> Result<Self, StripeError> {
        Overview::read(client, rows, request, Names::Strays).await
    }

    /// The same with an index that names everything: rows move while a run is under way.
    pub(super) async fn with_every_name(
        client: &'a Client,
        rows: Rows,
        request: &'a ObserveRequest<'a>,
    ) -> Result<Self, StripeError> {
        Overview::read(client, rows, request, Names::Every).await
    }

    async fn read(
        client: &'a Client,
        mut rows: Rows,
        request: &'a ObserveRequest<'a>,
        names: Names,
    ) -> Result<Self, StripeError> {
        rows.named.sort_unstable();
        let wanted = (names == Names::Strays).then_some(&rows);
        let (index, listed) = match rows.in_scope {
            0 => (Index::empty(client.stripe_time().await?), None),
            MANY.. => {
                let (index, listed) = client.listed_index(rows.since(), wanted).await?;
                (index, Some(listed))
            }
            _ => (client.index_of(rows.since(), wanted).await?, None),
        };
        Ok(Overview {
            taken_at: client.stripe_time().await?,
            client,
            request,
            rows,
            names,
            index,
            listed,
            witness: Witness::Absent,
            sees_sessions: false,
            sees_links: false,
            moved: Vec::new(),
        })
    }

    /// Stripe's clock when the listing was there.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    #[must_use]
    pub fn into_index(self) -> Index {
        self.index
    }

    /// The orders that changed since the rows were read, or are new, so far: they were left out.
    #[must_use]
    pub fn moved(&self) -> &[OrderId] {
        &self.moved
    }

    /// Those of these orders that are as they were when the rows were read. `progress` is told of each that is done.
    ///
    /// # Errors
    /// What [`StripeError::stops_the_run`].
    pub async fn observe(
        &mut self,
        orders: Vec<Order>,
        progress: impl Fn(),
    ) -> Result<Snapshot, StripeError> {
        let is_same = |order: &Order| {
            let before = self.rows.find(order.id);
            let is_told = self.names == Names::Every && before.is_some();
            is_told || before == Some(self.rows.named_by(order))
        };
        let (orders, moved): (Vec<Order>, Vec<Order>) = orders.into_iter().partition(is_same);
        self.moved.extend(moved.iter().map(|order| order.id));
        let is_believed = self.believes_listing(&orders).await?;
        let known = orders.into_iter();
        let reads = known.map(Arc::new).map(|order| async {
            let facts = self.facts(order, is_believed).await;
            progress();
            facts
        });
        let orders: Vec<OrderFacts> = stream::iter(reads)
            .buffered(self.request.concurrency.max(1))
            .try_collect()
            .await?;
        if self.witness == Witness::Absent {
            self.witness = witness_for(self.client, &orders, self.request.witnesses).await?;
        }
        Ok(Snapshot {
            taken_at: self.taken_at,
            mode: self.client.mode(),
            account: self.request.account.clone(),
            witness: self.witness,
            orders,
        })
    }

    async fn facts(&self, order: Arc<Order>, is_believed: bool) -> Result<OrderFacts, StripeError> {
        if !is_in_scope(&order, &self.rows.scope) {
            return Ok(skipped(order));
        }
        if self.listed.is_some()
            && let Some(gap) = self.index.gap()
        {
            return Ok(unobserved(order, gap));
        }
        if is_believed && let Some(facts) = self.plain_facts(&order) {
            return Ok(facts);
        }
        observe_order(self.client, order, &self.index).await
    }

    fn plain_facts(&self, order: &Arc<Order>) -> Option<OrderFacts> {
        let has_copy = match &order.reference {
            Some(CheckoutReference::Session(id)) => !self.index.copies_of(id).is_empty(),
            _ => false,
        };
        let listed = self.listed.as_ref().filter(|_| !has_copy)?;
        listed.plain_facts(order)
    }

    /// Whether what the listing does not show may be called not live. With a key of another account, or of the other
    /// mode, it shows none of these at all: so some of those that it lacks are read, until one of each kind is seen.
    async fn believes_listing(&mut self, orders: &[Order]) -> Result<bool, StripeError> {
        let Some(listed) = self.listed.as_ref().filter(|_| self.index.gap().is_none()) else {
            return Ok(false);
        };
        let in_scope = orders
            .iter()
            .filter(|order| is_in_scope(order, &self.rows.scope));
        let references: Vec<&CheckoutReference> = in_scope
            .filter_map(|order| order.reference.as_ref())
            .collect();
        for reference in &references {
            if let CheckoutReference::Session(id) = reference {
                self.client.refuse_other_mode(id)?;
            }
        }
        let lacking = |is_of_kind: fn(&CheckoutReference) -> bool| -> Vec<CheckoutReference> {
            let all = references.iter().copied();
            let lacking = all.filter(|reference| is_of_kind(reference) && !listed.shows(reference));
            lacking.take(TRIED).cloned().collect()
        };
        let sessions = lacking(|reference| matches!(reference, CheckoutReference::Session(_)));
        let links = lacking(|reference| matches!(reference, CheckoutReference::Link(_)));
        self.sees_sessions = self.sees_sessions || sees_any(self.client, &sessions).await?;
        if !self.sees_sessions && !sessions.is_empty() {
            return Ok(false);
        }
        self.sees_links = self.sees_links || sees_any(self.client, &links).await?;
        Ok(self.sees_links || links.is_empty())
    }
}

async fn sees_any(client: &Client, some: &[CheckoutReference]) -> Result<bool, StripeError> {
    Ok(!some.is_empty() && witness(client, some).await? == Witness::Read)
}

/// An order without a category is read: nothing says that it is out of scope.
fn is_in_scope(order: &Order, scope: &[String]) -> bool {
    order.category_outside(scope).is_none()
}

fn skipped(order: Arc<Order>) -> OrderFacts {
    OrderFacts {
        order,
        stored: Stored::Skipped,
        others: Listing::Complete(Vec::new()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

/// Without a whole listing nothing is known of so many orders, and nothing is asked one by one either.
fn unobserved(order: Arc<Order>, why: &str) -> OrderFacts {
    let stored = match &order.reference {
        None => Stored::Nothing,
        Some(CheckoutReference::Other(text)) => Stored::Unknown(text.clone()),
        Some(reference) => {
            let reading = Reading::Unread(why.to_owned());
            Stored::Read(reference.clone(), Box::new(reading))
        }
    };
    OrderFacts {
        order,
        stored,
        others: Listing::Unfinished(why.to_owned()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

async fn witness_for(
    client: &Client,
    orders: &[OrderFacts],
    more: &[CheckoutReference],
) -> Result<Witness, StripeError> {
    let mut is_missing = false;
    for facts in orders {
        let Stored::Read(_, reading) = &facts.stored else {
            continue;
        };
        match **reading {
            // What is not listed is called not live only where some of it were read.
            Reading::Seen(_) | Reading::NotLive => return Ok(Witness::Read),
            Reading::NoSuchObject => is_missing = true,
            Reading::Unread(_) => {}
        }
    }
    if is_missing {
        witness(client, more).await
    } else {
        Ok(Witness::Absent)
    }
}
