//! One order: what an earlier run left open for it comes first, then what was approved, if it is still due.
//!
//! It sends nothing itself: every operation, its own or another's, is driven by `drive.rs`.

use std::collections::BTreeSet;

use super::drive::{Held, discreet};
use super::key::FirstTried;
use super::{Job, Run};
use crate::domain::{CheckoutReference, Order};
use crate::plan::Decision;
use crate::report::{self, Conclusion};
use crate::saga::{Ending, Observed, Operation, State, Task};
use crate::store::{Claim, Lease, Moment, Subject};
use crate::stripe::Recall;

impl Job<'_> {
    /// An operation that has done nothing yet is nothing open: where only that is concluded, it ends as it stands.
    fn unless_it_is_to_be_left(&self, operation: Operation) -> Operation {
        match operation.state {
            State::Claimed if self.only_concludes => Operation {
                state: State::Ended(Ending::LostRace),
                ..operation
            },
            _ => operation,
        }
    }
}

impl Run<'_> {
    /// Whatever an earlier run left open is concluded first; then what was approved is done, if it is still
    /// due.
    pub(super) async fn work_on(&self, job: &Job<'_>) -> (Vec<CheckoutReference>, Conclusion) {
        let subject = subject(&job.subject);
        let asked = Moment::now();
        let (mut retired, conclusion) = match self.claim(&subject, &job.operation).await {
            Ok(Claim::Held(holder)) => (Vec::new(), Conclusion::Held(holder.to_string())),
            Ok(Claim::Fresh { lease, attempt }) => {
                let operation = job.unless_it_is_to_be_left(job.operation.clone());
                let known = self.recalled_for(&operation);
                let begun = self.begin(lease, operation, attempt, job.order, known);
                let (retired, ending) = begun.await;
                (retired, Conclusion::Ended(ending))
            }
            Ok(Claim::TakenOver {
                lease,
                operation,
                mint_age,
            }) => {
                let operation = job.unless_it_is_to_be_left(*operation);
                let (mut retired, ending) = self
                    .go_on(lease, asked, operation, mint_age, job.order)
                    .await;
                let conclusion = self.then_what_is_due(job, &subject, &mut retired, ending);
                let conclusion = conclusion.await;
                (retired, conclusion)
            }
            Err(ending) => (Vec::new(), Conclusion::Ended(ending)),
        };
        let mut named = BTreeSet::new();
        retired.retain(|one| named.insert(one.clone()));
        (retired, discreet_conclusion(conclusion))
    }

    /// After what an earlier run left open came to `ending`: what was approved, if it is still to be done.
    async fn then_what_is_due(
        &self,
        job: &Job<'_>,
        subject: &Subject,
        retired: &mut Vec<CheckoutReference>,
        ending: Ending,
    ) -> Conclusion {
        let ending = match self.still_due(job, &ending).await {
            Ok(None) => ending,
            Ok(Some(due)) => match self.claim(subject, &due).await {
                Ok(Claim::Fresh { lease, attempt }) => {
                    // What was gone on with may have changed what the plan was made of.
                    let known = Recall::default();
                    let (more, last) = self.begin(lease, due, attempt, job.order, known).await;
                    retired.extend(more);
                    last
                }
                Ok(Claim::Held(holder)) if holder.run != *self.site.journal.run() => {
                    return Conclusion::Held(holder.to_string());
                }
                // Its end could not be journaled: ours still, and open.
                Ok(Claim::Held(_)) => left_open(),
                // It was left open again between two transactions of ours: the next run's.
                Ok(Claim::TakenOver { lease, .. }) => {
                    self.let_go(&lease).await;
                    left_open()
                }
                Err(failed) => failed,
            },
            Err(failed) => failed,
        };
        Conclusion::Ended(ending)
    }

    async fn claim(&self, subject: &Subject, fresh: &Operation) -> Result<Claim, Ending> {
        let claimed = self.site.journal.claim(subject, fresh).await;
        claimed.map_err(|error| {
            let what = "claiming the order".to_owned();
            let why = error.to_string();
            if self.note_store(&error) {
                Ending::Refused { what, why }
            } else {
                Ending::Unavailable { what, why }
            }
        })
    }

    async fn begin(
        &self,
        lease: Lease,
        mut operation: Operation,
        attempt: u32,
        order: Option<&Order>,
        recall: Recall,
    ) -> (Vec<CheckoutReference>, Ending) {
        operation.attempt = attempt;
        let held = Held {
            lease,
            operation,
            mint_age: None,
            mint_tried: FirstTried::now(),
            recall,
        };
        self.drive(held, Observed::Claimed, order).await
    }

    /// Only who publishes asks, before that, what changed since the plan: whoever only closes reads everything at the claim.
    fn recalled_for(&self, operation: &Operation) -> Recall {
        let recalled = operation.order.and_then(|id| self.site.recalled.get(&id));
        match operation.task {
            Task::Replace | Task::Mint => recalled.cloned().unwrap_or_default(),
            Task::Retire | Task::Withdraw | Task::RetireObjects(_) => Recall::default(),
        }
    }

    async fn go_on(
        &self,
        lease: Lease,
        claimed: Moment,
        operation: Operation,
        mint_age: Option<i64>,
        order: Option<&Order>,
    ) -> (Vec<CheckoutReference>, Ending) {
        tracing::info!(
            order = operation.order.map(|id| id.0),
            state = operation.state.name(),
            "going on with what an earlier run left open"
        );
        let held = Held {
            lease,
            operation,
            mint_age,
            mint_tried: FirstTried::seconds_before(mint_age.unwrap_or(0), claimed),
            recall: Recall::default(),
        };
        self.drive(held, Observed::TakenOver { mint_age }, order)
            .await
    }

    /// What is still to be done for the order after an earlier run's operation was concluded: decided anew,
    /// and only on the row that was approved.
    ///
    /// # Errors
    /// The reading that this rests on could not be had.
    async fn still_due(&self, job: &Job<'_>, ending: &Ending) -> Result<Option<Operation>, Ending> {
        let left_open = matches!(
            ending,
            Ending::Unknown { .. }
                | Ending::Unavailable { .. }
                | Ending::Interrupted { .. }
                | Ending::Fenced
                | Ending::Replaced {
                    unconfirmed: Some(_),
                    ..
                }
        );
        // Even a replaced or a paid one: its row may have moved on, its payment may have failed since.
        let Some(order) = job.order.filter(|_| !left_open) else {
            return Ok(None);
        };
        let facts = self
            .facts(order.id, &job.operation, &Recall::default())
            .await;
        let facts = facts.map_err(|why| Ending::Unavailable {
            what: "reading what is still to be done".to_owned(),
            why,
        })?;
        let Some(facts) = facts else {
            return Ok(None);
        };
        let decision: Decision = crate::plan::decide_order(&facts, self.moment(), self.policy);
        let same_row = decision.order.reference == order.reference
            && decision.order.amount == order.amount
            && decision.order.status == order.status;
        if !same_row || !decision.action.is_work() {
            return Ok(None);
        }
        let due = Operation::approved(order, &decision.action, self.policy.goal);
        Ok(Some(due))
    }

    async fn let_go(&self, lease: &Lease) {
        if let Err(error) = self.site.journal.release(lease).await {
            tracing::warn!(%error, "a lease could not be given up; it runs out by itself");
        }
    }
}

/// An operation that could not be ended: whatever else was done, the next run has to go on with it.
fn left_open() -> Ending {
    Ending::Unavailable {
        what: "ending what an earlier run left open".to_owned(),
        why: "the journal still holds it open".to_owned(),
    }
}

fn subject(subject: &report::Subject) -> Subject {
    match subject {
        report::Subject::Order(order) => Subject::Order(order.id),
        report::Subject::Gone(id) => Subject::Order(*id),
        report::Subject::Object(reference) => Subject::Object(reference.clone()),
    }
}

fn discreet_conclusion(conclusion: Conclusion) -> Conclusion {
    match conclusion {
        Conclusion::Ended(ending) => Conclusion::Ended(discreet(ending)),
        other => other,
    }
}
