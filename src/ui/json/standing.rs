//! `relink.standing/1`: how a saved plan stands, order by order. And the orders of one that a commit passed over.

use serde::Serialize;

use super::super::NextStep;
use super::super::look::list;
use super::super::standing::{Tally, code, moved_words};
use super::Next;
use super::shape::{Document, Shape, amount, currency, plain};
use crate::domain::{AccountId, Mode, Money, OrderId, Timestamp};
use crate::plan::{Digest, Goal, Verdict};
use crate::saved_plan::{Due, Moved, SavedPlan, Standing, Stands};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StandingDocument<'a> {
    schema: &'static str,
    digest: &'a Digest,
    mode: Mode,
    account: &'a AccountId,
    goal: Goal,
    /// On Stripe's clock, both.
    made_at: Timestamp,
    taken_at: Timestamp,
    age_seconds: i64,
    command: &'a str,
    orders: Vec<DueBody<'a>>,
    /// What the new links of the whole plan ask for, per currency.
    totals: &'a [Money],
    due: usize,
    done: usize,
    refused: usize,
    stale: usize,
    next: Next,
}

impl Document for StandingDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "orders",
        item: "order",
        id: "/order_id",
        columns: &[
            plain("order_id", "/order_id"),
            plain("object", "/object"),
            plain("player", "/player"),
            amount("amount", "/amount"),
            currency("currency", "/amount"),
            plain("verdict", "/verdict"),
            plain("stands", "/stands"),
            plain("moved", "/moved_text"),
        ],
    };
}

impl<'a> StandingDocument<'a> {
    #[must_use]
    pub fn new(saved: &'a SavedPlan, standing: &'a Standing, next: &NextStep) -> Self {
        let Tally {
            due,
            done,
            refused,
            stale,
        } = Tally::of(standing);
        StandingDocument {
            schema: "relink.standing/1",
            digest: &saved.digest,
            mode: saved.mode,
            account: &saved.account,
            goal: saved.goal(),
            made_at: saved.made_at,
            taken_at: standing.taken_at,
            age_seconds: standing.age(saved),
            command: &saved.command,
            orders: standing.subjects.iter().map(DueBody::new).collect(),
            totals: &saved.totals.amounts,
            due,
            done,
            refused,
            stale,
            next: Next::from(next.clone()),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DueBody<'a> {
    /// Null for an object without an order.
    order_id: Option<OrderId>,
    object: Option<&'a str>,
    player: Option<&'a str>,
    amount: Option<Money>,
    /// When the plan was made.
    verdict: Option<Verdict>,
    /// `due`, `begun`, `done`, `refused` or `stale`.
    stands: &'static str,
    /// Empty unless it is stale.
    moved: Vec<MovedBody<'a>>,
    /// The same in words; empty unless it is stale.
    moved_text: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MovedBody<'a> {
    fact: &'a str,
    was: &'a str,
    is: &'a str,
}

impl<'a> DueBody<'a> {
    pub(super) fn new(due: &'a Due) -> Self {
        let moved: &[Moved] = match &due.stands {
            Stands::Stale(moved) | Stands::BegunAndMoved(moved) => moved,
            Stands::Due | Stands::Begun | Stands::Done | Stands::Refused => &[],
        };
        DueBody {
            order_id: due.order,
            object: due.object.as_ref().map(|object| object.as_str()),
            player: due.player.as_deref(),
            amount: due.amount,
            verdict: due.verdict,
            stands: code(&due.stands),
            moved: moved
                .iter()
                .map(|Moved { fact, was, is }| MovedBody { fact, was, is })
                .collect(),
            moved_text: list(moved, moved_words),
        }
    }
}
