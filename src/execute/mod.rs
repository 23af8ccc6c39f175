//! Carries out an approved plan: one saga per order, several orders in flight. It decides nothing itself.
//!
//! Continues across orders, stops within one. A signal ends it after the requests at hand. Takes only an approved plan,
//! so nothing is written here that was not agreed to. No HTTP request is made inside a database transaction, and no
//! request that writes leaves before the journal holds its intent.

mod drive;
mod key;
mod look;
mod order;
mod send;
mod tempo;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::actions::NameTemplate;
use crate::approval::Approved;
use crate::breaker::{Beat, Breaker};
use crate::domain::{
    AccountId, CheckoutReference, Currency, LinkId, Mode, Order, OrderFacts, OrderId, Snapshot,
    Witness,
};
use crate::error;
use crate::events::{Event, Listener};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::plan::{Action, Decision, Goal, Plan, Policy};
use crate::report::{Conclusion, Outcome, Report, Stop, Subject};
use crate::saga::{Ending, Expected, Operation, Protocol, Task};
use crate::store::{Journal, Store, StoreError};
use crate::stripe::{Client, Index, Load, Recall, SharedIndex, StripeError};

use tempo::Tempo;

/// What a link says beyond its order's own terms.
#[derive(Clone, Debug, Default)]
pub struct LinkTexts {
    pub success_url: Option<String>,
    pub inactive_message: String,
    pub product_name: NameTemplate,
}

/// Where the approved work is done.
pub struct Site<'a> {
    pub store: &'a Store,
    pub journal: &'a Journal,
    pub stripe: &'a Client,
    /// Which objects name which order, account-wide.
    pub index: SharedIndex,
    /// What the plan was made of, as far as the first look at an order need not read it again.
    pub recalled: HashMap<OrderId, Recall>,
    pub currency: Currency,
    pub witness: Witness,
    pub texts: LinkTexts,
    /// Orders in flight together, at most.
    pub concurrency: usize,
    /// Failures in a row that stop the run.
    pub max_failures: usize,
    /// What says of an order what comes next.
    pub protocol: Protocol<'a>,
}

/// For [`Site::recalled`]: the index is the one that the snapshot was read with, and was not refreshed since.
#[must_use]
pub fn recalled(snapshot: &Snapshot, index: &Index) -> HashMap<OrderId, Recall> {
    let mark = index.mark();
    let of = |facts: &OrderFacts| (facts.order.id, Recall::of_plan(facts, mark));
    let all = snapshot.orders.iter().map(of);
    all.filter(|(_, recall)| !recall.is_empty()).collect()
}

/// One thing to carry out.
struct Job<'a> {
    subject: Subject,
    operation: Operation,
    /// The terms of whatever is newly begun for the order.
    order: Option<&'a Order>,
    /// Nothing is begun: only what is open already is gone on with.
    only_concludes: bool,
}

/// Carries out every approved decision, then retires the forced objects. What an earlier run left open comes
/// first.
pub async fn execute(
    approved: Approved<Plan>,
    site: &Site<'_>,
    interrupt: &Interrupt,
    listener: &dyn Listener,
) -> Report {
    let plan = approved.value();
    let run = Run {
        site,
        account: approved.account(),
        policy: &plan.policy,
        mode: plan.mode,
        interrupt,
        stop: Mutex::new(None),
        breaker: Mutex::new(Breaker::new(site.max_failures)),
    };
    let jobs = jobs(plan);
    listener.hear(Event::Began {
        what: "orders",
        total: jobs.len(),
    });
    let load = || Load {
        waited: site.stripe.load().waited + site.store.waited(),
        ..site.stripe.load()
    };
    let mut tempo = Tempo::new(site.concurrency, site.stripe.pace(), Instant::now(), load());
    let mut waiting = jobs.into_iter();
    let mut running = FuturesUnordered::new();
    let mut outcomes = Vec::new();
    loop {
        while running.len() < tempo.in_flight()
            && let Some(job) = waiting.next()
        {
            running.push(run.carry_out(job));
        }
        let Some(outcome) = running.next().await else {
            break;
        };
        if beat(&outcome.conclusion) == Some(Beat::Good) {
            tempo.order_ended(Instant::now(), load());
        }
        // An order that was left alone is no progress.
        if outcome.conclusion != Conclusion::NotBegun {
            listener.hear(Event::Ended(&outcome));
        }
        outcomes.push(outcome);
    }
    drop(running);
    listener.hear(Event::Finished);
    outcomes.sort_by_key(|outcome| outcome.subject.rank());
    let signal = interrupt
        .asked()
        .filter(|_| outcomes.iter().any(was_cut_short));
    Report {
        stopped: all_stops(signal, run.stopped()),
        run: Some(site.journal.run().clone()),
        digest: approved.digest().clone(),
        skipped: Vec::new(),
        plan: approved.into_value(),
        outcomes,
        is_unlisted: false,
        reads: site.stripe.reads(),
        writes: site.stripe.writes(),
    }
}

/// What the end of an order says of the run; `None`: nothing.
fn beat(conclusion: &Conclusion) -> Option<Beat> {
    match conclusion {
        Conclusion::Ended(
            Ending::Refused { .. }
            | Ending::Unavailable { .. }
            | Ending::Unknown { .. }
            | Ending::StillLive(_),
        ) => Some(Beat::Failed),
        Conclusion::NotBegun
        | Conclusion::Held(_)
        | Conclusion::Ended(Ending::Interrupted { .. }) => None,
        Conclusion::Ended(_) => Some(Beat::Good),
    }
}

/// Whether a signal, if there was one, kept it from its end.
fn was_cut_short(outcome: &Outcome) -> bool {
    matches!(
        outcome.conclusion,
        Conclusion::NotBegun
            | Conclusion::Ended(
                Ending::Interrupted { .. }
                    | Ending::Unknown { .. }
                    | Ending::Replaced {
                        unconfirmed: Some(_),
                        ..
                    }
            )
    )
}

/// A signal that left orders undone counts beside whatever else stopped the run.
fn all_stops(signal: Option<Stop>, own: Option<Stop>) -> Vec<Stop> {
    signal.into_iter().chain(own).collect()
}

fn jobs(plan: &Plan) -> Vec<Job<'_>> {
    let (left_open, fresh): (Vec<_>, Vec<_>) = plan
        .work()
        .partition(|decision| matches!(decision.action, Action::Resume | Action::Conclude));
    left_open
        .into_iter()
        .chain(fresh)
        .map(|decision| job_for(decision, plan.goal()))
        .chain(plan.gone.iter().map(|order| job_for_gone(*order)))
        .chain(plan.paid_links.iter().map(job_for_link))
        .chain(plan.forced.iter().map(job_for_object))
        .collect()
}

fn job_for(decision: &Decision, goal: Goal) -> Job<'_> {
    let only_concludes = decision.action == Action::Conclude;
    Job {
        subject: Subject::Order(Arc::clone(&decision.order)),
        operation: Operation::approved(&decision.order, &decision.action, goal),
        order: (!only_concludes).then_some(&decision.order),
        only_concludes,
    }
}

/// Only what is open can be worked on: there is no row that anything new could be for.
fn job_for_gone<'a>(order: OrderId) -> Job<'a> {
    Job {
        subject: Subject::Gone(order),
        operation: Operation::new(Some(order), Task::Retire, Expected::default()),
        order: None,
        only_concludes: false,
    }
}

fn job_for_link<'a>(link: &LinkId) -> Job<'a> {
    job_for_object(&CheckoutReference::Link(link.clone()))
}

fn job_for_object<'a>(reference: &CheckoutReference) -> Job<'a> {
    let task = Task::RetireObjects(vec![reference.clone()]);
    Job {
        subject: Subject::Object(reference.clone()),
        operation: Operation::new(None, task, Expected::default()),
        order: None,
        only_concludes: false,
    }
}

struct Run<'a> {
    site: &'a Site<'a>,
    account: &'a AccountId,
    policy: &'a Policy,
    mode: Mode,
    interrupt: &'a Interrupt,
    /// Set when no later order can fare better; the orders not yet begun are left.
    stop: Mutex<Option<Stop>>,
    breaker: Mutex<Breaker>,
}

impl Run<'_> {
    async fn carry_out(&self, job: Job<'_>) -> Outcome {
        let (retired, conclusion) = if self.interrupt.asked().is_some() || self.stopped().is_some()
        {
            (Vec::new(), Conclusion::NotBegun)
        } else {
            let done = self.work_on(&job).await;
            self.count(&done.1);
            done
        };
        Outcome {
            subject: job.subject,
            retired,
            conclusion,
        }
    }

    fn count(&self, conclusion: &Conclusion) {
        let Some(beat) = beat(conclusion) else { return };
        let tripped = self
            .breaker
            .lock()
            .ok()
            .and_then(|mut breaker| breaker.count(beat));
        if let Some(why) = tripped {
            self.stop(Stop::Breaker(why));
        }
    }

    /// Remembers an error that no later order can escape; its words.
    fn note(&self, error: &StripeError) -> String {
        let status = match error {
            StripeError::Authentication { .. } | StripeError::Permission { .. } => {
                Some(ExitStatus::Permission)
            }
            StripeError::WrongMode { .. } | StripeError::BadSettings { .. } => {
                Some(ExitStatus::Configuration)
            }
            _ => None,
        };
        let why = error.to_string();
        if let Some(status) = status {
            self.stop(Stop::Refused {
                status,
                why: why.clone(),
            });
        }
        why
    }

    /// As `note`, of the database: whether no later order can escape it. What may pass is no reason to stop.
    fn note_store(&self, error: &StoreError) -> bool {
        let status = error::status_of_store(error);
        let is_permanent = matches!(status, ExitStatus::Configuration | ExitStatus::Permission);
        if is_permanent {
            self.stop(Stop::Refused {
                status,
                why: crate::redact::redact(&error.to_string()),
            });
        }
        is_permanent
    }

    fn stop(&self, why: Stop) {
        if let Ok(mut stop) = self.stop.lock() {
            stop.get_or_insert(why);
        }
    }

    fn stopped(&self) -> Option<Stop> {
        self.stop.lock().ok().and_then(|stop| stop.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_after_all_was_done_is_none() {
        let outcome = |conclusion| Outcome {
            subject: Subject::Gone(OrderId(1)),
            retired: Vec::new(),
            conclusion,
        };
        let cut_short = |conclusion| was_cut_short(&outcome(conclusion));
        let what = "minting a link".to_owned();
        assert!(cut_short(Conclusion::NotBegun));
        assert!(cut_short(Conclusion::Ended(Ending::Interrupted { what })));
        for ending in [Ending::Retired, Ending::LostRace, Ending::Fenced] {
            assert!(!cut_short(Conclusion::Ended(ending)));
        }
        assert!(!cut_short(Conclusion::Held("another run".to_owned())));
    }

    #[test]
    fn a_signal_is_not_lost_when_the_run_had_stopped_by_itself() {
        let breaker = Stop::Breaker("5 orders failed".to_owned());
        assert_eq!(
            all_stops(Some(Stop::Terminated), Some(breaker.clone())),
            [Stop::Terminated, breaker]
        );
        assert_eq!(all_stops(None, None), []);
    }
}
