//! Orders → snapshot → plan: the reading half of every command. Writes nothing.

use crate::domain::{CheckoutReference, OrderId, Snapshot};
use crate::error::Error;
use crate::events::{Event, Listener};
use crate::plan::{Plan, Policy, Verdict, decide};
use crate::store::Selection;
use crate::stripe::{Index, ObserveRequest, observe_indexed};

use super::Context;
use super::opening::Opened;

/// How many other references are tried as witnesses that this database belongs to this account.
pub(super) const WITNESSES: u32 = 20;

pub struct Survey {
    pub snapshot: Snapshot,
    pub plan: Plan,
    pub index: Index,
    /// What was looked at.
    pub selection: Selection,
    pub verdicts: Vec<Verdict>,
}

pub(super) fn request<'a>(
    opened: &Opened,
    policy: &'a Policy,
    witnesses: &'a [CheckoutReference],
) -> ObserveRequest<'a> {
    ObserveRequest {
        scope: &policy.scope,
        account: opened.account.clone(),
        witnesses,
        concurrency: opened.config.concurrency,
    }
}

/// Adds what earlier runs left behind: Stripe does not know it.
pub(super) async fn recall(opened: &Opened, snapshot: &mut Snapshot) -> Result<(), Error> {
    let ids: Vec<OrderId> = snapshot.orders.iter().map(|facts| facts.order.id).collect();
    let mut journaled = opened.store.journal_facts(snapshot.mode, &ids).await?;
    for facts in &mut snapshot.orders {
        facts.journal = journaled.remove(&facts.order.id).unwrap_or_default();
    }
    Ok(())
}

/// # Errors
/// An unknown tournament or order, an unreadable database, a key that is not accepted, a Stripe that never
/// answers; interrupted.
pub async fn survey(
    opened: &Opened,
    selection: &Selection,
    policy: &Policy,
    verdicts: &[Verdict],
    context: &Context<'_>,
) -> Result<Survey, Error> {
    let reading = async {
        let currency = opened.config.currency;
        let orders = opened.store.select_orders(selection, currency).await?;
        let witnesses = opened.store.witness_references(WITNESSES).await?;
        let listener = context.ui.progress();
        listener.hear(Event::Began {
            what: "reading orders",
            total: orders.len(),
        });
        let request = request(opened, policy, &witnesses);
        let read = observe_indexed(&opened.stripe, orders, &request, || {
            listener.hear(Event::Read);
        })
        .await;
        listener.hear(Event::Finished);
        let (mut snapshot, index) = read?;
        recall(opened, &mut snapshot).await?;
        Ok((snapshot, index))
    };
    let (snapshot, index) = context.interrupt.unless_asked(reading).await?;
    let plan = decide(&snapshot, policy).narrowed_to(verdicts);
    context.monitor.observed(&plan, opened.config.currency);
    Ok(Survey {
        snapshot,
        plan,
        index,
        selection: selection.clone(),
        verdicts: verdicts.to_vec(),
    })
}
