//! Links of paid orders that the receiver could not close: `regen --all` and `retire --all` close them as well.
//!
//! One is crossed off only after it was proved to be closed.

use crate::domain::{CheckoutReference, LinkId};
use crate::error::Error;
use crate::plan::{Action, Decision, Plan};
use crate::report::{Conclusion, Outcome, Report, Subject};
use crate::saga::Ending;

use super::opening::Opened;

/// Adds what is owed and not in the plan anyway.
///
/// # Errors
/// What any query can meet.
pub async fn add(opened: &Opened, plan: &mut Plan) -> Result<(), Error> {
    let owed = opened
        .store
        .open_retirements(opened.config.key.mode)
        .await?;
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
        Action::Nothing | Action::Hold(_) | Action::Resume => false,
    }
}

/// Crosses off what this run closed. What could not be crossed off is found closed by whoever tries next.
pub async fn cross_off(opened: &Opened, report: &Report) {
    let mode = opened.config.key.mode;
    let owed = match opened.store.open_retirements(mode).await {
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
        if let Err(error) = opened.store.retirement_done(&retirement).await {
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
