//! What a command for all orders does besides them: it ends what was left open without an order, and closes the links of
//! paid orders that the receiver could not close.
//!
//! A link is crossed off only after it was proved to be closed.

use crate::domain::{CheckoutReference, LinkId, Mode, OrderId};
use crate::plan::{Action, Decision, Plan};
use crate::report::{Conclusion, Outcome, Report, Subject};
use crate::saga::Ending;
use crate::store::{Store, StoreError};

/// Adds what earlier runs left open for objects and for orders whose rows are gone; `exclude` names orders that the
/// operator left out.
///
/// # Errors
/// What any query can meet.
pub async fn add_left_open(
    store: &Store,
    mode: Mode,
    exclude: &[OrderId],
    plan: &mut Plan,
) -> Result<(), StoreError> {
    plan.forced = store.open_objects(mode).await?;
    let mut gone = store.gone_orders(mode).await?;
    gone.retain(|order| !exclude.contains(order));
    plan.gone = gone;
    Ok(())
}

/// Adds the links of paid orders that are not in the plan anyway.
///
/// # Errors
/// What any query can meet.
pub async fn add(store: &Store, mode: Mode, plan: &mut Plan) -> Result<(), StoreError> {
    let owed = store.open_retirements(mode).await?;
    let links = owed.into_iter().map(|retirement| retirement.link);
    let extra: Vec<LinkId> = links.filter(|link| !is_planned(plan, link)).collect();
    plan.paid_links = extra;
    Ok(())
}

fn is_planned(plan: &Plan, link: &LinkId) -> bool {
    let link = CheckoutReference::Link(link.clone());
    plan.work().any(|decision| names(decision, &link))
}

fn names(decision: &Decision, link: &CheckoutReference) -> bool {
    match &decision.action {
        Action::Retire(objects) | Action::Replace(objects) => objects.contains(link),
        Action::Nothing | Action::Hold(_) | Action::Resume | Action::Conclude => false,
    }
}

/// Crosses off what this run closed. What could not be crossed off is found closed by whoever tries next.
pub async fn cross_off(store: &Store, mode: Mode, report: &Report) {
    let owed = match store.open_retirements(mode).await {
        Ok(owed) => owed,
        Err(error) => {
            tracing::warn!(%error, "which links are still to be closed could not be read");
            return;
        }
    };
    for retirement in owed {
        let link = CheckoutReference::Link(retirement.link.clone());
        let closes = |outcome: &Outcome| closes(outcome, &report.plan, &link);
        if !report.outcomes.iter().any(closes) {
            continue;
        }
        if let Err(error) = store.retirement_done(&retirement).await {
            tracing::warn!(link = %retirement.link, %error, "a closed link could not be crossed off");
        }
    }
}

/// The operation was to close it, and ended with the proof that it is closed.
fn closes(outcome: &Outcome, plan: &Plan, link: &CheckoutReference) -> bool {
    let was_to = match &outcome.subject {
        Subject::Object(object) => object == link,
        Subject::Order(order) => plan.decision(order.id).is_some_and(|d| names(d, link)),
        Subject::Gone(_) => false,
    };
    was_to && outcome.conclusion == Conclusion::Ended(Ending::Retired)
}
