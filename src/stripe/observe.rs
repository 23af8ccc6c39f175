//! Orders in, snapshot out. Every object that a decision could rest on is read by its own GET; the index
//! only tells which there are. Of many orders, those that are plain are taken from the listing alone.
//!
//! One object that cannot be read is a fact about one order. A key that is not accepted, lacks a permission
//! or belongs to the other mode, or a Stripe that never answers, ends the whole reading instead: a plan
//! made of nothing but gaps would only look like one.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use super::overview::{Overview, Rows};
use super::refunds::mark_refunds;
use super::{Client, Index, Recall, StripeError};
use crate::domain::{
    AccountId, CheckoutReference, JournalFacts, Listing, Order, OrderFacts, Owner, Reading,
    SessionId, Snapshot, Stored, StripeObject, Witness,
};

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

/// Reads the index of the account, then all the orders. `progress` is told of each that is done.
///
/// The journal's facts are left empty: Stripe does not know them.
///
/// # Errors
/// What [`StripeError::stops_the_run`], and when Stripe never answered at all.
pub async fn observe(
    client: &Client,
    orders: Vec<Order>,
    request: &ObserveRequest<'_>,
    progress: impl Fn(),
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
    progress: impl Fn(),
) -> Result<(Snapshot, Index), StripeError> {
    let mut rows = Rows::of(request.scope);
    rows.add(&orders);
    let mut overview = Overview::with_every_name(client, rows, request).await?;
    let snapshot = overview.observe(orders, progress).await?;
    Ok((snapshot, overview.into_index()))
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
