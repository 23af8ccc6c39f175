//! One order from its claim to its end: asks the protocol what comes next, commits the operation, does it, feeds
//! back what came of it.
//!
//! Who lost the lease touches nothing more, and undoes nothing.

use super::key::FirstTried;
use super::{Job, Run};
use crate::domain::{CheckoutReference, Order};
use crate::plan::Decision;
use crate::redact::{redact, without_addresses};
use crate::report::{self, Conclusion};
use crate::saga::{Disposition, Ending, Minted, Next, Observed, Operation, State, Task, Write};
use crate::store::{
    Claim, JournalError, Lease, Moment, Outcome, Publication, Published, StepId, Subject,
};
use crate::stripe::Recall;

/// The operation that is worked on, and by which right.
pub(super) struct Held {
    pub lease: Lease,
    pub operation: Operation,
    /// Seconds since the key of its mint was intended for the first time, when the operation was taken over.
    pub mint_age: Option<i64>,
    /// The mint that the operation intends.
    pub mint_tried: FirstTried,
    /// What was read since the claim and need not be read again.
    pub recall: Recall,
}

/// What came of one request, to be journaled with the state that follows from it.
pub(super) struct Concluded {
    pub step: StepId,
    pub outcome: Outcome,
}

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
        retired.dedup();
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

    /// One operation from where it stands to its end.
    async fn drive(
        &self,
        mut held: Held,
        mut observed: Observed,
        order: Option<&Order>,
    ) -> (Vec<CheckoutReference>, Ending) {
        let mut concluded: Option<Concluded> = None;
        loop {
            let before = held.operation.clone();
            let (moved, next) = (self.site.protocol)(held.operation, observed);
            held.operation = moved;
            if let Some(done) = concluded.take() {
                // An operation that ends here is written as ended by `end`, or left as it stood.
                let standing = match next {
                    Next::End(_) => &before,
                    _ => &held.operation,
                };
                if let Err(stop) = self.conclude(&held.lease, standing, &done).await {
                    // Known or not, whatever follows is for whoever holds the order next.
                    observed = stop;
                    continue;
                }
            }
            if self.interrupt.asked().is_some() && asks_stripe(&next) {
                // What was decided just now is not journaled: nothing was written by it.
                held.operation.has_written = before.has_written;
                observed = Observed::Interrupted;
                continue;
            }
            observed = match next {
                Next::Look => self.look(&mut held).await,
                Next::Send { write, round } => {
                    if let Write::Deactivate(link) = &write {
                        held.recall.forget_link(link);
                    }
                    let (seen, done) = self.retire(&held, &write, round).await;
                    concluded = done;
                    seen
                }
                Next::Mint { attempt } => match self.intend_mint(&mut held, attempt, order) {
                    Ok(()) => {
                        let (seen, done) = self.mint(&mut held).await;
                        concluded = done;
                        seen
                    }
                    Err(why) => Observed::Refused(why.to_owned()),
                },
                Next::Seek => self.seek(&held).await,
                Next::Publish(minted) => {
                    held.recall.publish(&minted.id);
                    self.publish(&held, &minted).await
                }
                Next::End(ending) => {
                    let ending = discreet(ending);
                    self.end(&held, &ending).await;
                    report_ending(&held.operation, &ending);
                    return (held.operation.retired, ending);
                }
            };
        }
    }

    /// The mint of this attempt as it is made now, unless it was intended before.
    ///
    /// # Errors
    /// Why none can be made.
    fn intend_mint(
        &self,
        held: &mut Held,
        attempt: u32,
        order: Option<&Order>,
    ) -> Result<(), &'static str> {
        if held.operation.intended(attempt).is_some() {
            return Ok(());
        }
        let order = order.ok_or("what was approved of the order has moved since")?;
        let mint = self.render(order, &held.operation);
        let mint = mint.ok_or("the order lacks its product, player or amount")?;
        held.operation.intend(mint);
        held.mint_tried = FirstTried::now();
        Ok(())
    }

    async fn conclude(
        &self,
        lease: &Lease,
        operation: &Operation,
        done: &Concluded,
    ) -> Result<(), Observed> {
        let journal = self.site.journal;
        journal
            .conclude(lease, operation, done.step.clone(), &done.outcome)
            .await
            .map_err(|error| self.fenced_or_unknown(&error))
    }

    /// The row and the operation in one transaction: what is published is confirmed next, by whomever.
    async fn publish(&self, held: &Held, minted: &Minted) -> Observed {
        let (Some(order), Some(amount)) = (held.operation.order, held.operation.expected.amount)
        else {
            return Observed::RowMoved;
        };
        let publication = Publication {
            order,
            expected_reference: held
                .operation
                .expected
                .reference
                .as_ref()
                .map(|r| r.as_str().to_owned()),
            expected_amount_minor: amount.minor,
            link: minted.id.clone(),
            url: minted.url.clone(),
        };
        let (published, _) = (self.site.protocol)(held.operation.clone(), Observed::Published);
        let journal = self.site.journal;
        match journal.publish(&held.lease, &published, &publication).await {
            Ok(Published::Done) => Observed::Published,
            Ok(Published::RowMoved) => Observed::RowMoved,
            Err(error) => self.fenced_or_unknown(&error),
        }
    }

    pub(super) fn fenced_or_unknown(&self, error: &JournalError) -> Observed {
        match error {
            JournalError::Fenced => Observed::Fenced,
            JournalError::Store(error) => {
                self.note_store(error);
                Observed::Unknown(format!("the journal: {error}"))
            }
        }
    }

    /// A journal that cannot be reached leaves the operation open: the lease runs out, and the next run goes
    /// on from what was committed last.
    async fn end(&self, held: &Held, ending: &Ending) {
        let journal = self.site.journal;
        let ended = match held.operation.disposition(ending) {
            Disposition::Done => journal.close(&held.lease, &held.operation, true).await,
            Disposition::Closed => journal.close(&held.lease, &held.operation, false).await,
            Disposition::LeftOpen => journal.release(&held.lease).await,
            Disposition::NotOurs => Ok(()),
        };
        if let Err(error) = ended {
            let order = held.operation.order.map(|id| id.0);
            tracing::warn!(order, %error, "the end of an operation could not be journaled");
        }
    }

    async fn let_go(&self, lease: &Lease) {
        if let Err(error) = self.site.journal.release(lease).await {
            tracing::warn!(%error, "a lease could not be given up; it runs out by itself");
        }
    }
}

/// Whether it takes a request to Stripe. Whoever asked the run to stop waits for the one at hand and no other.
fn asks_stripe(next: &Next) -> bool {
    match next {
        Next::Look | Next::Send { .. } | Next::Mint { .. } | Next::Seek => true,
        Next::Publish(_) | Next::End(_) => false,
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

/// Stripe repeats what it refuses: a key, or a parent's address.
fn discreet(mut ending: Ending) -> Ending {
    if let Ending::Unknown { why, .. }
    | Ending::Unavailable { why, .. }
    | Ending::Refused { why, .. } = &mut ending
    {
        *why = without_addresses(&redact(why));
    }
    ending
}

fn discreet_conclusion(conclusion: Conclusion) -> Conclusion {
    match conclusion {
        Conclusion::Ended(ending) => Conclusion::Ended(discreet(ending)),
        other => other,
    }
}

fn report_ending(operation: &Operation, ending: &Ending) {
    let order = operation.order.map(|id| id.0);
    match ending {
        Ending::Replaced { link, .. } => {
            tracing::info!(order, link = %link.id, "link replaced");
        }
        Ending::Retired => tracing::info!(order, "retired"),
        Ending::Moved { verdict, reason } => {
            tracing::info!(order, %verdict, %reason, "order moved since the approval");
        }
        other => tracing::warn!(order, ending = ?other, "order not done"),
    }
}
