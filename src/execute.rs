//! Drives the saga of each approved order: reads what it wants to see, sends what it wants written, feeds
//! back what came of it. It decides nothing itself.
//!
//! Continues across orders, stops within one. Takes only an approved plan, so nothing is written here that
//! was not agreed to. No HTTP request is made inside a database transaction.

use std::sync::Mutex;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::RwLock;

use crate::actions::{MintTerms, Round, deactivate_link, expire_session, mint_link};
use crate::approval::Approved;
use crate::domain::{
    AccountId, CheckoutReference, Currency, LinkId, Mode, Order, OrderId, Reading, StripeObject,
    Timestamp, Witness,
};
use crate::events::{Event, Listener};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::plan::{Action, Decision, Goal, Moment, Plan, Policy};
use crate::report::{Conclusion, Outcome, Report, Stop, Subject};
use crate::saga::{Ending, Expected, Look, Minted, Next, Observed, Operation, Task, Write, step};
use crate::store::{Publication, Published, Store};
use crate::stripe::{Client, Index, StripeError, WriteError, observe_watched};

/// What a link says beyond its order's own terms.
#[derive(Clone, Debug)]
pub struct LinkTexts {
    pub success_url: Option<String>,
    pub inactive_message: String,
}

/// Where the approved work is done.
pub struct Site<'a> {
    pub store: &'a Store,
    pub stripe: &'a Client,
    /// Which objects name which order, account-wide.
    pub index: RwLock<Index>,
    pub currency: Currency,
    pub witness: Witness,
    pub texts: LinkTexts,
    /// Orders in flight together.
    pub concurrency: usize,
    /// Part of the retirements' idempotency keys: a refusal saved for an earlier run is not replayed to us.
    pub run: String,
}

/// One thing to carry out.
struct Job<'a> {
    subject: Subject,
    operation: Operation,
    order: Option<&'a Order>,
}

/// Carries out every approved decision, then retires the forced objects.
pub async fn execute(
    approved: Approved<Plan>,
    site: &Site<'_>,
    interrupt: &Interrupt,
    listener: &dyn Listener,
) -> Report {
    let run = Run {
        site,
        account: approved.account(),
        policy: &approved.value().policy,
        mode: approved.value().mode,
        interrupt,
        stop: Mutex::new(None),
    };
    let jobs: Vec<Job<'_>> = approved
        .value()
        .work()
        .map(|decision| job_for(decision, approved.value().goal()))
        .chain(approved.value().forced.iter().map(job_for_object))
        .collect();
    listener.hear(Event::Began {
        what: "orders",
        total: jobs.len(),
    });
    let in_flight = site.concurrency.max(1);
    let mut running = stream::iter(jobs)
        .map(|job| run.carry_out(job))
        .buffered(in_flight);
    let mut outcomes = Vec::new();
    while let Some(outcome) = running.next().await {
        // An order that was left alone is no progress.
        if outcome.conclusion != Conclusion::NotBegun {
            listener.hear(Event::Ended(&outcome));
        }
        outcomes.push(outcome);
    }
    drop(running);
    listener.hear(Event::Finished);
    let stopped = run.stopped();
    let begun = |o: &Outcome| o.conclusion != Conclusion::NotBegun;
    let all_begun = outcomes.iter().all(begun);
    Report {
        stopped: match stopped {
            Some(stop) => Some(stop),
            None if all_begun => None,
            None => interrupt.asked(),
        },
        plan: approved.into_value(),
        outcomes,
        reads: site.stripe.reads(),
        writes: site.stripe.writes(),
    }
}

fn job_for(decision: &Decision, goal: Goal) -> Job<'_> {
    let task = match decision.action {
        Action::Retire(_) => Task::Retire,
        Action::Replace(_) if goal == Goal::Mint => Task::Mint,
        Action::Replace(_) | Action::Nothing | Action::Hold(_) | Action::Resume => Task::Replace,
    };
    let expected = Expected {
        reference: decision.order.reference.clone(),
        amount: decision.order.amount,
    };
    Job {
        subject: Subject::Order(Box::new(decision.order.clone())),
        operation: Operation::new(Some(decision.order.id), task, expected),
        order: Some(&decision.order),
    }
}

fn job_for_object(reference: &CheckoutReference) -> Job<'_> {
    let task = Task::RetireObjects(vec![reference.clone()]);
    let expected = Expected {
        reference: None,
        amount: None,
    };
    Job {
        subject: Subject::Object(reference.clone()),
        operation: Operation::new(None, task, expected),
        order: None,
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
}

impl Run<'_> {
    async fn carry_out(&self, job: Job<'_>) -> Outcome {
        if self.interrupt.asked().is_some() || self.stopped().is_some() {
            return Outcome {
                subject: job.subject,
                retired: Vec::new(),
                conclusion: Conclusion::NotBegun,
            };
        }
        let (retired, ending) = self.drive(job.operation, job.order).await;
        Outcome {
            subject: job.subject,
            retired,
            conclusion: Conclusion::Ended(ending),
        }
    }

    /// One operation from its claim to its end.
    async fn drive(
        &self,
        mut operation: Operation,
        order: Option<&Order>,
    ) -> (Vec<CheckoutReference>, Ending) {
        let mut observed = Observed::Claimed;
        loop {
            let (moved, next) = step(operation, observed);
            operation = moved;
            observed = match next {
                Next::Look => self.look(&operation).await,
                Next::Send { write, round } => self.send(&write, round).await,
                Next::Mint { attempt } => self.mint(order, attempt).await,
                Next::Seek => Observed::Sought(None),
                Next::Publish(minted) => self.publish(order, &minted).await,
                Next::End(ending) => {
                    report_ending(&operation, &ending);
                    return (operation.retired, ending);
                }
            };
        }
    }

    /// Reads the row and every object of the order anew, and everything this operation has touched.
    async fn look(&self, operation: &Operation) -> Observed {
        let looked = match operation.order {
            Some(id) => self.look_at_order(id, operation).await,
            None => Ok(Look {
                decision: None,
                objects: Vec::new(),
            }),
        };
        let mut look = match looked {
            Ok(look) => look,
            Err(why) => return Observed::Unread(why),
        };
        let named = match &operation.task {
            Task::RetireObjects(objects) => objects.as_slice(),
            Task::Replace | Task::Mint | Task::Retire | Task::Withdraw => &[],
        };
        for reference in operation.watched.iter().chain(named) {
            let shown = |object: &StripeObject| object.reference() == *reference;
            if look.objects.iter().any(shown) {
                continue;
            }
            match self.site.stripe.read(reference).await {
                Ok(Reading::Seen(object)) => look.objects.push(object),
                Ok(Reading::Unread(why)) => return Observed::Unread(why),
                Ok(Reading::NoSuchObject | Reading::NotLive) => {
                    return Observed::Unread(format!("Stripe does not show {reference}"));
                }
                Err(error) => return Observed::Unread(self.note(&error)),
            }
        }
        Observed::Looked(Box::new(look))
    }

    async fn look_at_order(&self, id: OrderId, operation: &Operation) -> Result<Look, String> {
        let site = self.site;
        let row = site.store.order(id, site.currency).await;
        let row = row.map_err(|e| e.to_string())?;
        let Some(row) = row else {
            return Err(format!("order {id} is gone"));
        };
        // Before publishing, what appeared since the index was built counts as well.
        if operation.minted.is_some() {
            let mut index = site.index.write().await;
            index
                .refresh(site.stripe)
                .await
                .map_err(|e| self.note(&e))?;
        }
        let facts = {
            let index = site.index.read().await;
            observe_watched(site.stripe, row, &index, &operation.watched).await
        };
        let facts = facts.map_err(|e| self.note(&e))?;
        let moment = Moment {
            taken_at: site.stripe.now().unwrap_or(Timestamp(0)),
            witness: site.witness,
        };
        Ok(Look::at_order(&facts, moment, self.policy))
    }

    async fn send(&self, write: &Write, round: u32) -> Observed {
        let round = Round {
            run: &self.site.run,
            number: round,
        };
        let request = match write {
            Write::Deactivate(link) => deactivate_link::request(link, round),
            Write::Expire(session) => expire_session::request(session, round),
        };
        match self.site.stripe.send(&request, self.may_repeat()).await {
            Ok(_) => Observed::Done,
            Err(error) => self.failed(error),
        }
    }

    async fn mint(&self, order: Option<&Order>, attempt: u32) -> Observed {
        let Some(terms) = order.and_then(|order| self.terms(order, attempt)) else {
            return Observed::Refused("the order lacks its product, player or amount".to_owned());
        };
        let mint = mint_link::render(&terms);
        let reply = match self.site.stripe.send(&mint.write, self.may_repeat()).await {
            Ok(reply) => reply,
            Err(error) => return self.failed(error),
        };
        let url = reply.body.get("url").and_then(|url| url.as_str());
        match (reply.id().map(LinkId::parse), url) {
            (Some(Ok(id)), Some(url)) if !url.is_empty() && url.chars().count() <= 500 => {
                Observed::Minted(Minted {
                    id,
                    url: url.to_owned(),
                })
            }
            _ => Observed::Unknown(
                "Stripe's answer names no link, or a URL that the row cannot hold".to_owned(),
            ),
        }
    }

    /// The terms of the order's link. `None` where the row lacks something; such an order is `invalid_order`
    /// and never gets here.
    fn terms(&self, order: &Order, attempt: u32) -> Option<MintTerms> {
        let player = order.player.as_ref()?;
        let product = order.product.as_ref()?;
        Some(MintTerms {
            account: self.account.clone(),
            mode: self.mode,
            order: order.id,
            old: order.reference.as_ref().map(|r| r.as_str().to_owned()),
            attempt,
            amount: order.amount?,
            product_name: product.name.clone(),
            player_id: player.id,
            player_name: player.name.clone(),
            product_id: product.id,
            tournament: match order.tournaments.as_slice() {
                [only] => Some(only.id),
                _ => None,
            },
            parent_email: order
                .parent
                .as_ref()
                .and_then(|parent| parent.email.clone()),
            success_url: self.site.texts.success_url.clone(),
            inactive_message: self.site.texts.inactive_message.clone(),
        })
    }

    async fn publish(&self, order: Option<&Order>, minted: &Minted) -> Observed {
        let Some((order, amount)) = order.and_then(|order| order.amount.map(|a| (order, a))) else {
            return Observed::RowMoved;
        };
        let publication = Publication {
            order: order.id,
            expected_reference: order.reference.as_ref().map(|r| r.as_str().to_owned()),
            expected_amount_minor: amount.minor,
            link: minted.id.clone(),
            url: minted.url.clone(),
        };
        match self.site.store.publish(&publication).await {
            Ok(Published::Done) => Observed::Published,
            Ok(Published::RowMoved) => Observed::RowMoved,
            Err(error) => Observed::Unknown(error.to_string()),
        }
    }

    /// Whoever asked the run to stop does not wait for repetitions: the next run settles what is in doubt.
    fn may_repeat(&self) -> impl AsyncFnMut() -> bool {
        async || self.interrupt.asked().is_none()
    }

    fn failed(&self, error: WriteError) -> Observed {
        match error {
            // What the key was first used for may exist: not a "no".
            WriteError::Refused {
                error: why @ StripeError::KeyReused { .. },
                ..
            } => Observed::Unknown(why.to_string()),
            WriteError::Refused {
                error: why @ (StripeError::RateLimited { .. } | StripeError::Unreachable { .. }),
                ..
            } => Observed::Unavailable(why.to_string()),
            WriteError::Refused { error: why, .. } => Observed::Refused(self.note(&why)),
            WriteError::Unknown { why, .. } => Observed::Unknown(self.note(&why)),
        }
    }

    /// Remembers an error that no later order can escape.
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
        if let (Some(status), Ok(mut stop)) = (status, self.stop.lock()) {
            stop.get_or_insert(Stop::Refused {
                status,
                why: why.clone(),
            });
        }
        why
    }

    fn stopped(&self) -> Option<Stop> {
        self.stop.lock().ok().and_then(|stop| stop.clone())
    }
}

fn report_ending(operation: &Operation, ending: &Ending) {
    let order = operation.order.map(|id| id.0);
    match ending {
        Ending::Replaced { link, .. } => {
            tracing::info!(order, link = %link.id, "link replaced");
        }
        Ending::Retired => tracing::info!(order, "retired"),
        other => tracing::warn!(order, ending = ?other, "order not done"),
    }
}
