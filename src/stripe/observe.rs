//! Orders in, snapshot out. Every object that a decision could rest on is read by its own GET; the index
//! only tells which there are. Of many orders, those that are plain are taken from the listing alone.
//!
//! One object that cannot be read is a fact about one order. A key that is not accepted, lacks a permission
//! or belongs to the other mode, or a Stripe that never answers, ends the whole reading instead: a plan
//! made of nothing but gaps would only look like one.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::listing::Listed;
use super::refunds::mark_refunds;
use super::{Client, Index, Recall, StripeError};
use crate::domain::{
    AccountId, CheckoutReference, JournalFacts, Listing, Order, OrderFacts, Owner, Reading,
    SessionId, Snapshot, Stored, StripeObject, Timestamp, Witness,
};

const DAY: i64 = 86_400;
/// From so many orders on, what the listing shows of a plain one is not read again for the plan.
const MANY: usize = 100;
/// How many objects of a kind are tried before all are read one by one.
const TRIED: usize = 20;

/// What to observe, and what the snapshot repeats.
#[derive(Clone, Debug)]
pub struct ObserveRequest<'a> {
    /// Product categories that are read; an order of another one is `Skipped`.
    pub scope: &'a [String],
    pub account: Option<AccountId>,
    /// Some references of this database beyond the selected orders, read only when an object is missing
    /// and nothing selected was seen.
    pub witnesses: &'a [CheckoutReference],
    /// Orders read at the same time; at least one is.
    pub concurrency: usize,
}

/// Reads the index of the account, then all the orders. `progress` is told (done, total).
///
/// The journal's facts are left empty: Stripe does not know them.
///
/// # Errors
/// What [`StripeError::stops_the_run`], and when Stripe never answered at all.
pub async fn observe(
    client: &Client,
    orders: Vec<Order>,
    request: &ObserveRequest<'_>,
    progress: impl Fn(usize, usize),
) -> Result<Snapshot, StripeError> {
    let observed = observe_indexed(client, orders, request, progress).await?;
    Ok(observed.0)
}

/// [`observe`], and the index that it used, to be refreshed and used again.
///
/// # Errors
/// As [`observe`].
pub async fn observe_indexed(
    client: &Client,
    orders: Vec<Order>,
    request: &ObserveRequest<'_>,
    progress: impl Fn(usize, usize),
) -> Result<(Snapshot, Index), StripeError> {
    let in_scope = |order: &&Order| is_in_scope(order, request.scope);
    let since = oldest(orders.iter().filter(in_scope));
    let (index, listed) = match orders.iter().filter(in_scope).count() {
        0 => (Index::empty(client.stripe_time().await?), None),
        MANY.. => {
            let (index, listed) = client.listed_index(since).await?;
            (index, Some(listed))
        }
        _ => (client.live_index(since).await?, None),
    };
    let taken_at = client.stripe_time().await?;
    let listed = match listed {
        Some(listed) if index.gap().is_none() => {
            let references = orders.iter().filter(in_scope).map(|order| &order.reference);
            let references: Vec<_> = references.flatten().collect();
            let is_ours = is_of_this_account(client, &references, &listed).await?;
            is_ours.then_some(Known::Listed(listed))
        }
        Some(_) => index.gap().map(|gap| Known::Nothing(gap.to_owned())),
        None => None,
    };
    let has_no_copy = |order: &Order| match &order.reference {
        Some(CheckoutReference::Session(id)) => index.copies_of(id).is_empty(),
        _ => true,
    };
    let plain_facts = |order: &Arc<Order>| match &listed {
        None => None,
        Some(Known::Nothing(gap)) => Some(unobserved(order, gap)),
        Some(Known::Listed(listed)) => {
            let facts = listed.plain_facts(order);
            facts.filter(|_| has_no_copy(order))
        }
    };
    let (done, total) = (AtomicUsize::new(0), orders.len());
    let reads = orders.into_iter().map(Arc::new).map(|order| async {
        let facts = if !is_in_scope(&order, request.scope) {
            Ok(skipped(order))
        } else if let Some(facts) = plain_facts(&order) {
            Ok(facts)
        } else {
            observe_order(client, order, &index).await
        };
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        facts
    });
    let orders: Vec<OrderFacts> = stream::iter(reads)
        .buffered(request.concurrency.max(1))
        .try_collect()
        .await?;
    let snapshot = Snapshot {
        taken_at,
        mode: client.mode(),
        account: request.account.clone(),
        witness: witness_for(client, &orders, request.witnesses).await?,
        orders,
    };
    Ok((snapshot, index))
}

/// Fresh facts of one order, every object read by GET. A gap in the index makes `others` unfinished.
///
/// # Errors
/// What [`StripeError::stops_the_run`].
pub async fn observe_order(
    client: &Client,
    order: Arc<Order>,
    index: &Index,
) -> Result<OrderFacts, StripeError> {
    observe_watched(client, order, index, &BTreeSet::new(), &Recall::default()).await
}

/// [`observe_order`], with these objects in it whatever they are by now: what an operation meant to close
/// or made must show in each of its looks, listed or not. What is recalled is not read.
///
/// # Errors
/// As [`observe_order`].
pub async fn observe_watched(
    client: &Client,
    order: Arc<Order>,
    index: &Index,
    watched: &BTreeSet<CheckoutReference>,
    recall: &Recall,
) -> Result<OrderFacts, StripeError> {
    let stored = read_stored(client, order.reference.as_ref(), index, recall).await;
    let mut stored = stored.map_err(|error| error.at_order(order.id))?;
    let mut others = match index.gap() {
        Some(reason) => Listing::Unfinished(reason.to_owned()),
        None => read_others(client, &order, &stored, index, (watched, recall)).await?,
    };
    let recorded_returned = mark_refunds(client, &order, &mut stored, &mut others).await?;
    Ok(OrderFacts {
        order,
        stored,
        others,
        recorded_returned,
        journal: JournalFacts::default(),
    })
}

/// Whether any of these objects can be read in this account. Stops at the first that can.
///
/// # Errors
/// What [`StripeError::stops_the_run`].
pub async fn witness(
    client: &Client,
    references: &[CheckoutReference],
) -> Result<Witness, StripeError> {
    for reference in references {
        if let Reading::Seen(_) = client.read(reference).await? {
            return Ok(Witness::Read);
        }
    }
    Ok(Witness::Absent)
}

/// An order without a product is read: nothing says that it is out of scope.
fn is_in_scope(order: &Order, scope: &[String]) -> bool {
    order
        .product
        .as_ref()
        .is_none_or(|product| scope.contains(&product.category))
}

/// A day before the oldest of these orders was made; `None` when one of them does not say when. The day
/// covers what two hosts' clocks may differ by.
fn oldest<'a>(orders: impl Iterator<Item = &'a Order>) -> Option<Timestamp> {
    let dated: Option<Vec<Timestamp>> = orders.map(|order| order.created_at).collect();
    let Timestamp(oldest) = dated?.into_iter().min()?;
    Some(Timestamp(oldest.saturating_sub(DAY).max(0)))
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

/// What is known of many orders together.
enum Known {
    Listed(Listed),
    /// Why not.
    Nothing(String),
}

/// Whether what the listing does not show may be called not live. With a key of another account, or of the other mode,
/// it shows none of these at all: so some of those that it lacks are read, until one of each kind is seen.
async fn is_of_this_account(
    client: &Client,
    references: &[&CheckoutReference],
    listed: &Listed,
) -> Result<bool, StripeError> {
    for reference in references {
        if let CheckoutReference::Session(id) = reference {
            client.refuse_other_mode(id)?;
        }
    }
    let is_session =
        |reference: &CheckoutReference| matches!(reference, CheckoutReference::Session(_));
    let is_link = |reference: &CheckoutReference| matches!(reference, CheckoutReference::Link(_));
    for is_of_kind in [is_session, is_link] {
        let lacking: Vec<CheckoutReference> = references
            .iter()
            .filter(|reference| is_of_kind(reference) && !listed.shows(reference))
            .take(TRIED)
            .map(|reference| (*reference).clone())
            .collect();
        if !lacking.is_empty() && witness(client, &lacking).await? == Witness::Absent {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Without a whole listing nothing is known of so many orders, and nothing is asked one by one either.
fn unobserved(order: &Arc<Order>, gap: &str) -> OrderFacts {
    let stored = match &order.reference {
        None => Stored::Nothing,
        Some(CheckoutReference::Other(text)) => Stored::Unknown(text.clone()),
        Some(reference) => {
            let reading = Reading::Unread(gap.to_owned());
            Stored::Read(reference.clone(), Box::new(reading))
        }
    };
    OrderFacts {
        order: Arc::clone(order),
        stored,
        others: Listing::Unfinished(gap.to_owned()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

async fn witness_for(
    client: &Client,
    orders: &[OrderFacts],
    more: &[CheckoutReference],
) -> Result<Witness, StripeError> {
    let reading = |facts: &OrderFacts| match &facts.stored {
        Stored::Read(_, reading) => Some((**reading).clone()),
        Stored::Nothing | Stored::Unknown(_) | Stored::Skipped => None,
    };
    let mut is_missing = false;
    for reading in orders.iter().filter_map(reading) {
        match reading {
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

async fn read_stored(
    client: &Client,
    reference: Option<&CheckoutReference>,
    index: &Index,
    recall: &Recall,
) -> Result<Stored, StripeError> {
    Ok(match reference {
        None => Stored::Nothing,
        Some(CheckoutReference::Other(text)) => Stored::Unknown(text.clone()),
        Some(reference) => {
            let reading = client.read_or_recall(reference, index, recall).await?;
            Stored::Read(reference.clone(), Box::new(reading))
        }
    })
}

/// Reads what the index knows of the order beside its stored object, links first: a session that turns up in
/// a link's family is not read again on its own. Then the recovered copies of every session met, and their
/// copies in turn.
async fn read_others(
    client: &Client,
    order: &Order,
    stored: &Stored,
    index: &Index,
    (watched, recall): (&BTreeSet<CheckoutReference>, &Recall),
) -> Result<Listing<StripeObject>, StripeError> {
    let mut met: HashSet<SessionId> = sessions_of(stored).into_iter().collect();
    let mut visited: HashSet<CheckoutReference> = order.reference.iter().cloned().collect();
    let mut named = watched.clone();
    named.extend(index.naming(order.id));
    let (links, sessions): (Vec<_>, Vec<_>) = named
        .into_iter()
        .partition(|reference| matches!(reference, CheckoutReference::Link(_)));
    let mut waiting: VecDeque<CheckoutReference> = links.into_iter().chain(sessions).collect();
    waiting.extend(copies(index, &met));
    let mut others = Vec::new();
    while let Some(reference) = waiting.pop_front() {
        let is_met = matches!(&reference, CheckoutReference::Session(id) if met.contains(id));
        if is_met || !visited.insert(reference.clone()) {
            continue;
        }
        let object = match client.read_or_recall(&reference, index, recall).await? {
            Reading::Seen(object) => object,
            Reading::Unread(reason) => return Ok(Listing::Unfinished(reason)),
            // Whoever watches it says what follows from that.
            Reading::NoSuchObject if watched.contains(&reference) => continue,
            Reading::NotLive | Reading::NoSuchObject => {
                let reason = format!("`{reference}` was listed and then not found");
                return Ok(Listing::Unfinished(reason));
            }
        };
        if let StripeObject::Link(family) = &object
            && let Listing::Unfinished(reason) = &family.sessions
        {
            return Ok(Listing::Unfinished(reason.clone()));
        }
        if !watched.contains(&reference) && !belongs_to(&object, order, &met) {
            continue;
        }
        let ids: HashSet<SessionId> = object.sessions().iter().map(|s| s.id.clone()).collect();
        waiting.extend(copies(index, &ids));
        met.extend(ids);
        others.push(object);
    }
    Ok(Listing::Complete(others))
}

/// The stored session by its id even where it could not be read: its copies are known by it.
fn sessions_of(stored: &Stored) -> Vec<SessionId> {
    let Stored::Read(reference, reading) = stored else {
        return Vec::new();
    };
    match (reference, &**reading) {
        (CheckoutReference::Session(id), _) => vec![id.clone()],
        (_, Reading::Seen(object)) => object.sessions().iter().map(|s| s.id.clone()).collect(),
        _ => Vec::new(),
    }
}

fn copies(index: &Index, sessions: &HashSet<SessionId>) -> Vec<CheckoutReference> {
    sessions
        .iter()
        .flat_map(|id| index.copies_of(id))
        .map(CheckoutReference::Session)
        .collect()
}

/// As it reads now: metadata may have changed since the listing, and what names another order must never
/// look like a duplicate of this one.
fn belongs_to(object: &StripeObject, order: &Order, met: &HashSet<SessionId>) -> bool {
    let is_copy = match object {
        StripeObject::Session(session) => session
            .recovered_from
            .as_ref()
            .is_some_and(|id| met.contains(id)),
        StripeObject::Link(_) => false,
    };
    is_copy || *object.owner() == Owner::Order(order.id)
}
