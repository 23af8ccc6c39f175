//! A run of the past, named on the command line by its id or the beginning of it. Reads the journal and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{CheckoutReference, OrderId, RunId};
use crate::error::Error;
use crate::redact::redact;
use crate::store::{FoundRun, History, RunEntry, StepEntry, Store};

use super::Context;

/// # Errors
/// Usage: no run is named so, or several are. What any query can meet.
pub async fn find(
    store: &Store,
    id: &str,
    context: &Context<'_>,
) -> Result<(RunEntry, History), Error> {
    match store.find_run(id).await? {
        FoundRun::One(run, history) => Ok((*run, history)),
        FoundRun::Nothing => Err(Error::usage(
            format!("the journal knows no run `{}`", redact(id)),
            format!(
                "{} names them",
                context.with_connection("relink journal list")
            ),
        )),
        FoundRun::Several(runs) => {
            let named: Vec<&str> = runs.iter().map(|run| run.as_str()).collect();
            Err(Error::usage(
                format!("more than one run begins with `{id}`: {}", named.join(", ")),
                "give more of the id",
            ))
        }
    }
}

/// What a run brought about, as far as it can be undone.
#[derive(Debug, Default)]
pub struct Made {
    /// The links that it minted or stored, each with its order.
    pub links: BTreeMap<OrderId, BTreeSet<CheckoutReference>>,
    /// Orders that it worked on and whose operation is open: whether there is another link is not known, and the next
    /// run may store one.
    pub open: BTreeSet<OrderId>,
    /// Runs that ended what it had left open.
    pub heirs: BTreeSet<RunId>,
}

impl Made {
    #[must_use]
    pub fn by(run: &RunEntry, history: &History) -> Made {
        let mut made = Made::default();
        let order_of = |step: &StepEntry| {
            let mut operations = history.operations.iter();
            let operation = operations.find(|operation| operation.id == step.operation);
            step.order
                .or_else(|| operation.and_then(|operation| operation.order))
        };
        for step in &history.steps {
            let (Some(order), Some(link)) = (order_of(step), link_of(step)) else {
                continue;
            };
            if is_by(step, &run.id) {
                let link = CheckoutReference::classify(link);
                made.links.entry(order).or_default().insert(link);
            } else {
                made.heirs.insert(step.run.clone());
            }
        }
        let mints = |task: &str| matches!(task, "replace" | "mint");
        let open = history
            .operations
            .iter()
            .filter(|operation| operation.closed_at.is_none() && mints(&operation.task));
        made.open = open.filter_map(|operation| operation.order).collect();
        made
    }

    #[must_use]
    pub fn orders(&self) -> BTreeSet<OrderId> {
        self.links.keys().chain(&self.open).copied().collect()
    }

    #[must_use]
    pub fn objects(&self) -> BTreeSet<CheckoutReference> {
        self.links.values().flatten().cloned().collect()
    }
}

/// The link that the step made or stored: known only by its outcome, since another run may have got it by the same key.
fn link_of(step: &StepEntry) -> Option<&str> {
    if !matches!(step.action.as_str(), "mint" | "publish") {
        return None;
    }
    step.outcome.as_ref()?.result_id.as_deref()
}

fn is_by(step: &StepEntry, run: &RunId) -> bool {
    let concluded = step.outcome.as_ref().map(|outcome| &outcome.run);
    step.run == *run || concluded == Some(run)
}
