//! `relink.report/1`: what became of every approved order, and what holds for the run.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::report::{
    Tally, closed, detail, mailing_command, next, outcome_code, stops_words,
};
use super::shape::{Document, Shape, amount, currency, line, plain};
use super::standing::DueBody;
use super::{Named, Next, ParentBody, Why, parent, player};
use crate::domain::{AccountId, Mode, Money, OrderId, RunId};
use crate::exit::ExitStatus;
use crate::plan::{Decision, Digest, Goal, Verdict};
use crate::report::{Conclusion, Outcome, Outdated, Report, Subject};
use crate::saga::{Ending, Minted};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportDocument<'a> {
    schema: &'static str,
    mode: Mode,
    account: Option<&'a AccountId>,
    goal: Goal,
    /// The run in the journal; null when nothing was to be written.
    run: Option<&'a RunId>,
    /// What the run was approved under.
    plan_digest: &'a Digest,
    outcomes: Vec<OutcomeBody<'a>>,
    /// Of a saved plan, what was approved and passed over.
    passed_over: Vec<DueBody<'a>>,
    needs_person: Vec<Held<'a>>,
    summary: Summary,
    /// Requests sent to Stripe.
    reads: u64,
    writes: u64,
    /// Why the run ended before its last order; null when it did not.
    stopped: Option<String>,
    exit_code: u8,
    /// All that held, foremost first.
    statuses: BTreeSet<ExitStatus>,
    /// Makes the list for the mail to the parents whose URL was replaced; null where there is none.
    mailing_command: Option<String>,
    next: Next,
}

impl Document for ReportDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "outcomes",
        item: "outcome",
        id: "/order_id",
        columns: &[
            plain("order_id", "/order_id"),
            plain("player", "/player"),
            plain("parent_email", "/parent/email"),
            amount("amount", "/amount"),
            currency("currency", "/amount"),
            plain("old", "/old"),
            plain("retired", "/retired"),
            plain("outcome", "/outcome"),
            plain("link", "/link/id"),
            plain("url", "/link/url"),
            plain("detail", "/detail"),
        ],
    };
}

/// One outcome as an event.
#[must_use]
pub fn outcome_line(outcome: &Outcome) -> String {
    let value = serde_json::to_value(OutcomeBody::new(outcome));
    line("outcome", value.unwrap_or_default())
}

impl<'a> ReportDocument<'a> {
    #[must_use]
    pub fn new(report: &'a Report, with_connection: &dyn Fn(&str) -> String) -> Self {
        let Report {
            plan,
            digest,
            skipped,
            outcomes,
            stopped,
            reads,
            writes,
            run,
            is_unlisted: _,
        } = report;
        let tally = Tally::of(report);
        ReportDocument {
            schema: "relink.report/1",
            mode: plan.mode,
            account: plan.account.as_ref(),
            goal: plan.goal(),
            run: run.as_ref(),
            plan_digest: digest,
            passed_over: skipped.iter().map(DueBody::new).collect(),
            outcomes: outcomes.iter().map(OutcomeBody::new).collect(),
            needs_person: plan.for_a_person().map(Held::new).collect(),
            summary: Summary::new(report, tally),
            reads: *reads,
            writes: *writes,
            stopped: (!stopped.is_empty()).then(|| stops_words(stopped)),
            exit_code: report.exit_status().code(),
            statuses: report.statuses(),
            mailing_command: mailing_command(report, with_connection),
            next: Next::from(next(report, with_connection, tally)),
        }
    }
}

impl<'a> ReportDocument<'a> {
    /// With those outcomes that no event told of: of orders that were never begun.
    #[must_use]
    pub fn of_untold(report: &'a Report, with_connection: &dyn Fn(&str) -> String) -> Self {
        let untold = report
            .outcomes
            .iter()
            .filter(|outcome| outcome.conclusion == Conclusion::NotBegun);
        ReportDocument {
            outcomes: untold.map(OutcomeBody::new).collect(),
            ..ReportDocument::new(report, with_connection)
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OutcomeBody<'a> {
    /// Null for an object that was retired without an order.
    order_id: Option<OrderId>,
    player: Option<Named<'a, i64>>,
    parent: Option<ParentBody<'a>>,
    amount: Option<Money>,
    /// The row's checkout id as it was approved, or the bare object.
    old: Option<&'a str>,
    /// What was closed, in order.
    retired: Vec<&'a str>,
    outcome: &'static str,
    link: Option<Link<'a>>,
    /// The same in words; empty when there is nothing to add.
    detail: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Link<'a> {
    id: &'a str,
    url: &'a str,
}

impl<'a> OutcomeBody<'a> {
    fn new(outcome: &'a Outcome) -> Self {
        let Outcome {
            subject,
            retired,
            conclusion,
        } = outcome;
        let order = match subject {
            Subject::Order(order) => Some(order),
            Subject::Gone(_) | Subject::Object(_) => None,
        };
        let old = match subject {
            Subject::Order(order) => order.reference.as_ref(),
            Subject::Gone(_) => None,
            Subject::Object(object) => Some(object),
        };
        let link = match conclusion {
            Conclusion::Ended(Ending::Replaced { link, .. }) => Some(link),
            _ => None,
        };
        OutcomeBody {
            order_id: match subject {
                Subject::Order(order) => Some(order.id),
                Subject::Gone(id) => Some(*id),
                Subject::Object(_) => None,
            },
            player: order.and_then(|order| player(order)),
            parent: order.and_then(|order| parent(order)),
            amount: order.and_then(|order| order.amount),
            old: old.map(|reference| reference.as_str()),
            retired: retired.iter().map(|object| object.as_str()).collect(),
            outcome: outcome_code(outcome),
            link: link.map(|Minted { id, url }| Link {
                id: id.as_str(),
                url,
            }),
            detail: detail(outcome),
        }
    }
}

/// An order that was held and that an operator must look at.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Held<'a> {
    order_id: OrderId,
    player: Option<Named<'a, i64>>,
    amount: Option<Money>,
    verdict: Verdict,
    reason: Why,
}

impl<'a> Held<'a> {
    fn new(decision: &'a Decision) -> Self {
        Held {
            order_id: decision.order.id,
            player: player(&decision.order),
            amount: decision.order.amount,
            verdict: decision.verdict,
            reason: Why::new(&decision.reason),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Summary {
    approved: usize,
    done: usize,
    failed: usize,
    unknown: usize,
    /// A signal ended the run before they were done; the next run goes on.
    interrupted: usize,
    not_begun: usize,
    passed_over: usize,
    /// Another run is at them.
    held_elsewhere: usize,
    /// What was approved had been done, or needed doing no more.
    moot: usize,
    needs_person: usize,
    links_minted: usize,
    /// What the new links ask for, per currency.
    totals: Vec<Money>,
    objects_closed: usize,
    /// Parents who hold a URL in their mail that leads nowhere; and orders with such a URL and no address.
    parents_to_tell: usize,
    orders_without_address: usize,
}

impl Summary {
    fn new(report: &Report, tally: Tally) -> Self {
        let (links_minted, totals) = report.replaced();
        let Outdated {
            parents,
            without_address,
        } = report.outdated();
        let Tally {
            approved,
            done,
            failed,
            unknown,
            interrupted,
            not_begun,
            held_elsewhere,
            moot,
        } = tally;
        Summary {
            approved: approved + report.passed_over(),
            done,
            failed,
            unknown,
            interrupted,
            not_begun,
            passed_over: report.passed_over(),
            held_elsewhere,
            moot,
            needs_person: report.plan.for_a_person().count(),
            links_minted,
            totals,
            objects_closed: closed(report).count(),
            parents_to_tell: parents,
            orders_without_address: without_address,
        }
    }
}
