//! A run of the past, named on the command line by its id or the beginning of it. Reads the journal and nothing else.

use std::collections::BTreeMap;

use crate::domain::{CheckoutReference, OrderId};
use crate::error::Error;
use crate::redact::redact;
use crate::store::{FoundRun, History, RunEntry, StepEntry, Store};

/// # Errors
/// Usage: no run is named so, or several are. What any query can meet.
pub async fn find(store: &Store, id: &str) -> Result<(RunEntry, History), Error> {
    match store.find_run(id).await? {
        FoundRun::One(run, history) => Ok((*run, history)),
        FoundRun::Nothing => Err(Error::usage(
            format!("the journal knows no run `{}`", redact(id)),
            "relink journal list names them",
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

/// The links that the run minted, each with its order; also those that another run stored in its place.
#[must_use]
pub fn minted(run: &RunEntry, history: &History) -> BTreeMap<OrderId, Vec<CheckoutReference>> {
    let mut links: BTreeMap<OrderId, Vec<CheckoutReference>> = BTreeMap::new();
    for operation in &history.operations {
        let is_mint = |step: &&StepEntry| {
            step.operation == operation.id && step.run == run.id && step.action == "mint"
        };
        if !history.steps.iter().any(|step| is_mint(&step)) {
            continue;
        }
        if let (Some(order), Some(link)) = (operation.order, operation.minted.as_deref()) {
            let link = CheckoutReference::classify(link);
            links.entry(order).or_default().push(link);
        }
    }
    links
}
