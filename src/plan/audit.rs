//! A second, independent look at a finished plan before anybody may approve it.
//!
//! It knows none of the rules of `judge`: it checks only what must hold for any plan, so that a mistake
//! there does not pass here as well.

use std::collections::HashMap;
use std::fmt;

use super::decide::{Action, Plan};
use crate::domain::{CheckoutReference, OrderId, OrderStatus};

/// What must never be in a plan. Finding one is our bug: the run stops and nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    OrderTwice(OrderId),
    MintForOrderThatIsNotPending(OrderId),
    MintWithoutPositiveAmount(OrderId),
    OutOfScope(OrderId),
    ObjectOfTwoOrders(CheckoutReference, OrderId, OrderId),
    RetiresUnknownObject(OrderId),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::OrderTwice(id) => write!(f, "order {id} is in the plan twice"),
            Violation::MintForOrderThatIsNotPending(id) => {
                write!(f, "order {id} is not pending, yet the plan mints for it")
            }
            Violation::MintWithoutPositiveAmount(id) => {
                write!(
                    f,
                    "order {id} has no positive amount, yet the plan mints for it"
                )
            }
            Violation::OutOfScope(id) => {
                write!(f, "order {id} is out of scope, yet the plan touches it")
            }
            Violation::ObjectOfTwoOrders(object, one, other) => {
                write!(f, "{object} would be retired for orders {one} and {other}")
            }
            Violation::RetiresUnknownObject(id) => {
                write!(
                    f,
                    "the plan retires an object of unknown kind for order {id}"
                )
            }
        }
    }
}

/// Every violation found; empty for a sound plan.
#[must_use]
pub fn audit(plan: &Plan) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut orders = std::collections::HashSet::new();
    let mut owners: HashMap<&CheckoutReference, OrderId> = HashMap::new();
    for decision in &plan.decisions {
        let id = decision.order.id;
        if !orders.insert(id) {
            violations.push(Violation::OrderTwice(id));
        }
        let objects = match &decision.action {
            // What it will close and mint was approved and enumerated by the run that began it.
            Action::Nothing | Action::Hold(_) | Action::Resume | Action::Conclude => continue,
            Action::Retire(objects) => objects,
            Action::Replace(objects) => {
                if decision.order.status != OrderStatus::Pending {
                    violations.push(Violation::MintForOrderThatIsNotPending(id));
                }
                if decision.order.amount.is_none_or(|amount| amount.minor <= 0) {
                    violations.push(Violation::MintWithoutPositiveAmount(id));
                }
                objects
            }
        };
        let is_in_scope = |category| plan.policy.scope.iter().any(|known| known == category);
        if !decision.order.category().is_some_and(is_in_scope) {
            violations.push(Violation::OutOfScope(id));
        }
        for object in objects {
            if matches!(object, CheckoutReference::Other(_)) {
                violations.push(Violation::RetiresUnknownObject(id));
            }
            match owners.insert(object, id) {
                Some(other) if other != id => {
                    violations.push(Violation::ObjectOfTwoOrders(object.clone(), other, id));
                }
                _ => {}
            }
        }
    }
    violations
}
