//! A saved plan against the facts of now: for each order of it, whether it is still due as it was approved, done already,
//! refused, or moved.
//!
//! A fact that moved takes its order out, whatever would be decided now: the approval was for the facts as they were.

use std::sync::Arc;

use super::facts::{CHECKOUT_ID, CHECKOUT_URL, row_facts};
use super::{Facts, SavedOrder, SavedPlan, facts_of, fingerprint};
use crate::domain::{CheckoutReference, LinkId, Money, Order, OrderId, Snapshot, Timestamp};
use crate::plan::{Action, Line, Plan, Verdict};

/// The last operation of a subject that runs of this plan worked on, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkedUnder {
    /// `order:7`, `object:plink_1`
    pub subject: String,
    /// Its ending's name; `None` while it is open.
    pub ending: Option<String>,
    /// Its link, stored or not.
    pub minted: Option<String>,
}

/// A fact that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub fact: String,
    pub was: String,
    pub is: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// As it was approved.
    Due,
    /// A run of this plan was cut short at it, and goes on.
    Begun,
    /// The same, and what was approved has moved since; at least one fact. What is open is concluded, and nothing else
    /// done.
    BegunAndMoved(Vec<Moved>),
    /// A run of this plan did it.
    Done,
    /// A run of this plan tried, and Stripe refused.
    Refused,
    /// Not what was approved any more; at least one fact.
    Stale(Vec<Moved>),
}

/// One subject of the plan, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// `None` for an object without an order.
    pub order: Option<OrderId>,
    pub object: Option<CheckoutReference>,
    pub player: Option<String>,
    pub amount: Option<Money>,
    pub verdict: Option<Verdict>,
    pub stands: Stands,
}

/// Every subject of the plan: orders by id, then objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub subjects: Vec<Due>,
    /// Stripe's clock, now.
    pub taken_at: Timestamp,
}

/// What a plan is held against.
pub struct Now<'a> {
    pub plan: &'a Plan,
    pub snapshot: &'a Snapshot,
    pub worked: &'a [WorkedUnder],
    /// What is still left open without a row, and still to be closed.
    pub gone: &'a [OrderId],
    pub owed: &'a [LinkId],
}

impl SavedPlan {
    #[must_use]
    pub fn stand(&self, now: &Now<'_>) -> Standing {
        let orders = self.orders.iter().map(|order| Due {
            order: Some(order.line.order_id),
            object: None,
            player: order.player.clone(),
            amount: order.line.amount,
            verdict: Some(order.verdict),
            stands: now.of_order(order),
        });
        let gone = self.gone_orders.iter().map(|order| Due {
            order: Some(*order),
            stands: now.of_gone(*order),
            ..Due::nameless()
        });
        let links = self.paid_links.iter().map(|link| Due {
            object: Some(CheckoutReference::Link(link.clone())),
            stands: now.of_owed(link),
            ..Due::nameless()
        });
        let forced = self.forced_objects.iter().map(|object| Due {
            object: Some(object.clone()),
            stands: now.of_forced(object),
            ..Due::nameless()
        });
        Standing {
            subjects: orders.chain(gone).chain(links).chain(forced).collect(),
            taken_at: now.plan.taken_at,
        }
    }
}

impl Due {
    fn nameless() -> Due {
        Due {
            order: None,
            object: None,
            player: None,
            amount: None,
            verdict: None,
            stands: Stands::Due,
        }
    }

    /// Whether a commit would work on it.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(
            self.stands,
            Stands::Due | Stands::Begun | Stands::BegunAndMoved(_)
        )
    }

    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self.stands, Stands::Stale(_) | Stands::BegunAndMoved(_))
    }
}

impl Standing {
    /// Seconds since the plan was made, on Stripe's clock.
    #[must_use]
    pub fn age(&self, saved: &SavedPlan) -> i64 {
        self.taken_at.seconds_since(saved.made_at)
    }

    /// The part of `plan` that is still due. What moved while it was open keeps the amount that was approved.
    #[must_use]
    pub fn apply(&self, mut plan: Plan) -> Plan {
        let due: Vec<&Due> = self.subjects.iter().filter(|due| due.is_due()).collect();
        let has_order = |id: OrderId| due.iter().any(|due| due.order == Some(id));
        let has_object =
            |object: &CheckoutReference| due.iter().any(|due| due.object.as_ref() == Some(object));
        plan.decisions
            .retain(|decision| has_order(decision.order.id));
        for decision in &mut plan.decisions {
            let moved = |due: &&&Due| {
                due.order == Some(decision.order.id)
                    && matches!(due.stands, Stands::BegunAndMoved(_))
            };
            if let (Some(due), Action::Resume) = (due.iter().find(moved), &decision.action) {
                decision.action = Action::Conclude;
                Arc::make_mut(&mut decision.order).amount = due.amount;
            }
        }
        plan.gone.retain(|id| has_order(*id));
        plan.paid_links
            .retain(|link| has_object(&CheckoutReference::Link(link.clone())));
        plan.forced.retain(has_object);
        plan
    }

    /// What a commit passes over, or does not finish, with the reason.
    #[must_use]
    pub fn skipped(&self) -> Vec<Due> {
        let is_skipped = |due: &&Due| !due.is_due() || due.is_stale();
        let skipped = self.subjects.iter().filter(is_skipped);
        skipped.cloned().collect()
    }
}

impl Now<'_> {
    fn of_order(&self, saved: &SavedOrder) -> Stands {
        let id = saved.line.order_id;
        let decision = self.plan.decision(id);
        let facts = self
            .snapshot
            .orders
            .iter()
            .find(|facts| facts.order.id == id);
        if let Some(worked) = self.last_of(&format!("order:{id}")) {
            let in_doubt = decision.filter(|decision| decision.verdict == Verdict::InDoubt);
            match (worked.ending.as_deref(), in_doubt) {
                (None, Some(decision)) => return begun(saved, &decision.order, worked),
                (Some("replaced" | "retired"), _) => return Stands::Done,
                (Some("refused"), _) => return Stands::Refused,
                // It ended over facts that had moved, or could not be told: they are looked at below.
                (None | Some(_), _) => {}
            }
        }
        let (Some(decision), Some(facts)) = (decision, facts) else {
            return Stands::Stale(vec![moved("row", "there", "gone")]);
        };
        let found = facts_of(facts, decision);
        if fingerprint(&found) != saved.fingerprint {
            return Stands::Stale(differences(&saved.facts, &found));
        }
        match Line::of(decision) {
            Some(line) if line == saved.line => Stands::Due,
            _ => {
                let is = decision.reason.to_string();
                Stands::Stale(vec![moved("what would be done", "work", &is)])
            }
        }
    }

    fn of_gone(&self, order: OrderId) -> Stands {
        self.of_listed(self.gone.contains(&order), &format!("order:{order}"))
    }

    fn of_owed(&self, link: &LinkId) -> Stands {
        self.of_listed(self.owed.contains(link), &format!("object:{link}"))
    }

    /// An object that the operator insists on is looked at when its turn comes.
    fn of_forced(&self, object: &CheckoutReference) -> Stands {
        self.of_listed(true, &format!("object:{object}"))
    }

    fn of_listed(&self, is_listed: bool, subject: &str) -> Stands {
        let worked = self.last_of(subject);
        match worked.map(|worked| worked.ending.as_deref()) {
            Some(Some("retired")) => Stands::Done,
            Some(Some("refused")) => Stands::Refused,
            Some(None) => Stands::Begun,
            _ if is_listed => Stands::Due,
            _ => Stands::Stale(vec![moved("left to do", "yes", "no")]),
        }
    }

    /// `None`: no run of this plan worked on it.
    fn last_of(&self, subject: &str) -> Option<&WorkedUnder> {
        self.worked.iter().find(|worked| worked.subject == subject)
    }
}

/// Half done is no reason to do it on terms that nobody approved. The link that the run itself stored has moved nothing.
fn begun(saved: &SavedOrder, row: &Order, worked: &WorkedUnder) -> Stands {
    let mut now = row_facts(row);
    let held = row.reference.as_ref().map(|held| held.as_str());
    if held.is_some() && held == worked.minted.as_deref() {
        now.remove(CHECKOUT_ID);
        now.remove(CHECKOUT_URL);
    }
    let mut before = saved.facts.clone();
    before.retain(|name, _| now.contains_key(name));
    match differences(&before, &now) {
        moved if moved.is_empty() => Stands::Begun,
        moved => Stands::BegunAndMoved(moved),
    }
}

fn differences(before: &Facts, now: &Facts) -> Vec<Moved> {
    let absent = String::new();
    let names = before
        .keys()
        .chain(now.keys().filter(|name| !before.contains_key(*name)));
    names
        .filter_map(|name| {
            let (was, is) = (
                before.get(name).unwrap_or(&absent),
                now.get(name).unwrap_or(&absent),
            );
            (was != is).then(|| moved(name, was, is))
        })
        .collect()
}

fn moved(fact: &str, was: &str, is: &str) -> Moved {
    Moved {
        fact: fact.to_owned(),
        was: was.to_owned(),
        is: is.to_owned(),
    }
}
