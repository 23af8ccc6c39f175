//! `relink.plan/1`: one entry per order, whatever would be done about it.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::super::{Agreed, NextStep};
use super::shape::{Document, Shape, amount, currency, plain};
use super::standing::DueBody;
use super::{Next, OrderHead, Why, flags};
use crate::domain::{AccountId, CheckoutReference, LinkId, Mode, Money, OrderId, Timestamp};
use crate::plan::{
    Action, Decision, Digest, Goal, Hold, Plan, Policy, StoredState, Tally, Verdict, advise,
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlanDocument<'a> {
    schema: &'static str,
    mode: Mode,
    account: Option<&'a AccountId>,
    taken_at: Timestamp,
    /// What `--expect` takes; null when nothing would be written, or nothing is proposed.
    digest: Option<&'a Digest>,
    goal: Goal,
    policy: PolicyBody<'a>,
    orders: Vec<DecisionBody<'a>>,
    /// Orders whose rows are gone while an operation of theirs is open: it would be concluded.
    gone_orders: &'a [OrderId],
    /// Links of paid orders that are still to be closed.
    paid_links: &'a [LinkId],
    /// Objects that would be retired although they belong to no order in scope.
    forced_objects: &'a [CheckoutReference],
    /// What was named that is neither a session nor a link.
    left_alone: &'a [String],
    /// Of a saved plan, what would be passed over.
    passed_over: Vec<DueBody<'a>>,
    /// What would be minted, per currency.
    totals: Vec<Money>,
    /// What the links of orders that would be gone on with may ask for, per currency.
    resume_totals: Vec<Money>,
    counts: Counts,
    next: Next,
}

impl Document for PlanDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "orders",
        item: "order",
        id: "/order_id",
        columns: &[
            plain("order_id", "/order_id"),
            plain("status", "/status"),
            plain("player", "/player"),
            plain("parent_email", "/parent/email"),
            plain("tournaments", "/tournaments"),
            amount("amount", "/amount"),
            currency("currency", "/amount"),
            plain("reference", "/reference"),
            plain("url", "/url"),
            plain("state", "/state"),
            plain("verdict", "/verdict"),
            plain("reason", "/reason/text"),
            plain("action", "/action/kind"),
            plain("objects", "/action/objects"),
            plain("advice", "/advice"),
        ],
    };
}

impl<'a> PlanDocument<'a> {
    #[must_use]
    pub fn new(
        plan: &'a Plan,
        agreed: Option<Agreed<'a>>,
        next: &'a NextStep,
        with_connection: &dyn Fn(&str) -> String,
    ) -> Self {
        PlanDocument::of_pages(plan, &Tally::of(plan), agreed, next, with_connection)
    }

    /// With the sums of all pages, of which `plan` is one, or none.
    #[must_use]
    pub fn of_pages(
        plan: &'a Plan,
        tally: &Tally,
        agreed: Option<Agreed<'a>>,
        next: &'a NextStep,
        with_connection: &dyn Fn(&str) -> String,
    ) -> Self {
        let Plan {
            policy,
            mode,
            account,
            taken_at,
            decisions,
            gone,
            paid_links,
            forced,
            left_alone,
        } = plan;
        PlanDocument {
            schema: "relink.plan/1",
            mode: *mode,
            account: account.as_ref(),
            taken_at: *taken_at,
            digest: agreed
                .map(|agreed| agreed.digest)
                .filter(|_| plan.has_work()),
            goal: policy.goal,
            policy: PolicyBody::new(policy),
            orders: decisions
                .iter()
                .map(|decision| DecisionBody::new(decision, with_connection))
                .collect(),
            gone_orders: gone,
            paid_links,
            forced_objects: forced,
            left_alone,
            passed_over: agreed
                .map_or(&[][..], |agreed| agreed.skipped)
                .iter()
                .map(DueBody::new)
                .collect(),
            totals: tally.totals.clone(),
            resume_totals: tally.resume_totals.clone(),
            counts: Counts::of(tally),
            next: Next::from(next.clone()),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PolicyBody<'a> {
    scope: &'a [String],
    min_age_seconds: i64,
    releases: Vec<&'static str>,
    named_orders: Vec<OrderId>,
    named_objects: Vec<&'a CheckoutReference>,
}

impl<'a> PolicyBody<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        let Policy {
            goal: _,
            scope,
            min_age,
            releases,
            named,
            objects,
        } = policy;
        PolicyBody {
            scope,
            min_age_seconds: *min_age,
            releases: flags(releases.iter().copied()),
            named_orders: named.iter().copied().collect(),
            named_objects: objects.iter().collect(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DecisionBody<'a> {
    #[serde(flatten)]
    head: OrderHead<'a>,
    #[serde(flatten)]
    decided: Decided<'a>,
}

impl<'a> DecisionBody<'a> {
    fn new(decision: &'a Decision, with_connection: &dyn Fn(&str) -> String) -> Self {
        let advice = advise(decision).map(|advice| advice.text(with_connection));
        DecisionBody {
            head: OrderHead::new(&decision.order),
            decided: Decided::new(decision, advice),
        }
    }
}

/// What was decided, and why.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Decided<'a> {
    /// Of the row's object: `session_expired`, `link_active`, `none`, …
    state: String,
    verdict: Verdict,
    reason: Why,
    /// Flags that this decision used.
    released: Vec<&'static str>,
    action: ActionBody<'a>,
    /// A command for a person to type; null when there is nothing to do.
    advice: Option<String>,
}

impl<'a> Decided<'a> {
    pub(super) fn new(decision: &'a Decision, advice: Option<String>) -> Self {
        Decided {
            state: state(decision.stored),
            verdict: decision.verdict,
            reason: Why::new(&decision.reason),
            released: flags(decision.released.iter().copied()),
            action: ActionBody::new(&decision.action),
            advice,
        }
    }
}

fn state(stored: StoredState) -> String {
    stored.name().replace(' ', "_")
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ActionBody<'a> {
    /// `nothing`, `hold`, `retire`, `replace` or `resume`.
    kind: &'static str,
    /// What would be closed.
    objects: Vec<&'a str>,
    needs_person: bool,
    /// The flag that would release the hold, if one would.
    release_flag: Option<&'static str>,
}

impl<'a> ActionBody<'a> {
    fn new(action: &'a Action) -> Self {
        let (kind, objects): (_, &[_]) = match action {
            Action::Nothing => ("nothing", &[]),
            Action::Hold(_) => ("hold", &[]),
            Action::Retire(objects) => ("retire", objects),
            Action::Replace(objects) => ("replace", objects),
            Action::Resume | Action::Conclude => ("resume", &[]),
        };
        let (needs_person, release) = match action {
            Action::Hold(Hold::NeedsPerson { release }) => (true, *release),
            _ => (false, None),
        };
        ActionBody {
            kind,
            objects: objects.iter().map(|object| object.as_str()).collect(),
            needs_person,
            release_flag: release.map(|release| release.flag()),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Counts {
    orders: usize,
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<Verdict, usize>"))]
    verdicts: Verdicts,
    replace: usize,
    retire: usize,
    resume: usize,
    wait: usize,
    need_person: usize,
    /// Objects that would be closed, those of replaced orders and forced ones included.
    objects: usize,
}

impl Counts {
    fn of(tally: &Tally) -> Self {
        Counts {
            orders: tally.orders,
            verdicts: Verdicts(tally.counts()),
            replace: tally.replace,
            retire: tally.retire,
            resume: tally.resume,
            wait: tally.wait,
            need_person: tally.need_person,
            objects: tally.objects,
        }
    }
}

/// `{"dead": 17, "settled": 6}`, in the order of the verdicts.
struct Verdicts(Vec<(Verdict, usize)>);

impl Serialize for Verdicts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (verdict, n) in &self.0 {
            map.serialize_entry(verdict.name(), n)?;
        }
        map.end()
    }
}
