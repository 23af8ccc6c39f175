//! From what was approved for an order to the operation that carries it out: its task, its row, and what it watches.

use relink::domain::*;
use relink::plan::{Action, Goal};
use relink::saga::*;

use crate::saga_steps::ORDER;
use crate::support::facts::*;

#[test]
fn what_was_approved_becomes_the_operation_of_the_command_that_asked_for_it() {
    let own = CheckoutReference::classify("cs_old");
    let other = CheckoutReference::classify("plink_other");
    let row = order(ORDER, Some("cs_old"));
    let mut settled = row.clone();
    settled.status = OrderStatus::Paid;
    let replace = Action::Replace(vec![own.clone()]);
    let retire_own = Action::Retire(vec![other.clone(), own.clone()]);
    let retire_other = Action::Retire(vec![other.clone()]);
    let cases = [
        (&row, &replace, Goal::Regen, Task::Replace),
        (&row, &replace, Goal::Mint, Task::Mint),
        (&row, &Action::Resume, Goal::Regen, Task::Replace),
        (&row, &Action::Resume, Goal::Retire, Task::Retire),
        (&row, &Action::Resume, Goal::RetirePending, Task::Retire),
        (&row, &retire_other, Goal::Regen, Task::Retire),
        (&row, &retire_other, Goal::Mint, Task::Retire),
        // Only a pending order that loses its own object is withdrawn.
        (&row, &retire_own, Goal::RetirePending, Task::Withdraw),
        (&row, &retire_own, Goal::Retire, Task::Retire),
        (&row, &retire_own, Goal::Undo, Task::Withdraw),
        (&row, &retire_other, Goal::RetirePending, Task::Retire),
        (&settled, &retire_own, Goal::RetirePending, Task::Retire),
    ];
    for (row, action, goal, task) in cases {
        let operation = Operation::approved(row, action, goal);
        assert_eq!(operation.task, task, "{action:?} {goal:?}");
        assert_eq!(operation.order, Some(row.id));
        assert_eq!(operation.expected.reference, row.reference);
        assert_eq!(operation.expected.amount, row.amount);
        // What was approved to go is looked at from the first look on.
        let watched: Vec<_> = operation.watched.into_iter().collect();
        let mut named = match action {
            Action::Replace(objects) | Action::Retire(objects) => objects.clone(),
            _ => Vec::new(),
        };
        named.sort();
        assert_eq!(watched, named, "{action:?}");
    }
}
