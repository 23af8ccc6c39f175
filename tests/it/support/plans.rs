//! The planner asked about plain facts, at the moment of `facts`, when nothing else was read in the account.

use relink::domain::*;
use relink::plan::*;

use super::facts::NOW;

pub fn decided(facts: &OrderFacts, policy: &Policy) -> Decision {
    let moment = Moment {
        taken_at: Timestamp(NOW),
        witness: Witness::Absent,
    };
    decide_order(facts, moment, policy)
}

pub fn decided_by_regen(facts: &OrderFacts) -> Decision {
    decided(facts, &Policy::new(Goal::Regen))
}

/// What `regen` would do about these orders.
pub fn regen_of(orders: Vec<OrderFacts>) -> Plan {
    let snapshot = Snapshot {
        taken_at: Timestamp(NOW),
        mode: Mode::Test,
        account: None,
        witness: Witness::Absent,
        orders,
    };
    decide(&snapshot, &Policy::new(Goal::Regen))
}
