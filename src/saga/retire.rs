//! Closing, and the proof that it is closed.
//!
//! A refusal is never parsed and never believed: the object is read again, and only a complete reading that
//! shows nothing open, nothing active and nothing complete lets the operation go on.

use super::look::{
    Look, live, over, recoverable, row_moved, shows_all, unread, without, writes_for,
};
use super::mint::{mint, seek};
use super::operation::{Ending, Minted, Operation, State, Task, Then, Write};
use super::step::{Next, end};
use crate::domain::CheckoutReference;

/// Something live was found again and again: an application that keeps opening sessions, or a lying answer.
const MAX_ROUNDS: u32 = 8;

/// Reads the fence off a complete look: goes on only when every target is dead. What is still live is
/// closed, links before sessions: a link that is still active would open another session behind our back.
pub(super) fn prove(
    mut operation: Operation,
    look: &Look,
    mut targets: Vec<CheckoutReference>,
    mut then: Then,
) -> (Operation, Next) {
    // A target inside a link's family is not shown by itself at first: it is watched from here on, and
    // nothing is concluded before a look has shown it.
    let watched = targets.iter().all(|t| operation.watched.contains(t));
    if !watched && !shows_all(look, &targets) {
        return send_first(operation, targets, Vec::new(), then);
    }
    if let Some(why) = unread(&operation, look) {
        let what = "proving that nothing is payable".to_owned();
        return end(operation, Ending::Unknown { what, why });
    }
    operation.watched.extend(targets.iter().cloned());
    if then == Then::Mint {
        if let Some(ending) = over(look, None) {
            // Nothing may be minted any more, and nothing that is live may stay so.
            extend(&mut targets, live(&look.objects));
            then = Then::End(ending);
        } else if row_moved(&operation, look) {
            // What the row holds now is the order's link; ours is a secret and goes with the old ones. The
            // approved object goes even if the row still holds it, for another amount: a request of a process
            // that was cut off may close it at any time, and nobody would know.
            if let Some(held) = look.held()
                && operation.expected.reference.as_ref() != Some(held)
            {
                targets = without(targets, held, look);
            }
            let own = operation.minted.iter().map(own_link).collect();
            extend(&mut targets, own);
            then = Then::End(Ending::LostRace);
        } else if let Some(ending) = recoverable(look) {
            // Expiring it would hand the payer a new URL that nobody agreed to.
            return give_up_own_link(operation, ending);
        } else if operation.task == Task::Mint && !live_besides_minted(&operation, look).is_empty()
        {
            // `mint` retires nothing but its own link.
            let others = live_besides_minted(&operation, look);
            return give_up_own_link(operation, Ending::StillLive(others));
        } else {
            // What turned up since the claim is closed as well, by its id: nothing may be payable at the mint.
            extend(&mut targets, live_besides_minted(&operation, look));
        }
    }
    if is_overtaken(&operation, look, &then) {
        // The row names something else now, maybe one of these: what it names is not ours to close.
        return end(operation, Ending::LostRace);
    }
    let queue = writes_for(&look.objects, &targets);
    if !queue.is_empty() {
        if operation.rounds >= MAX_ROUNDS {
            let live = queue.iter().map(Write::target).collect();
            return end(operation, Ending::StillLive(live));
        }
        let operation = Operation {
            rounds: operation.rounds + 1,
            ..operation
        };
        return send_first(operation, targets, queue, then);
    }
    match then {
        Then::End(ending) => end(operation, ending),
        // What turned up late is closed; the link that was minted before is looked at again.
        Then::Mint if operation.minted.is_some() => {
            let operation = Operation {
                state: State::Examining,
                ..operation
            };
            (operation, Next::Look)
        }
        Then::Mint if operation.key_is_old => seek(operation),
        Then::Mint => mint(operation),
    }
}

pub(super) fn send_first(
    mut operation: Operation,
    targets: Vec<CheckoutReference>,
    queue: Vec<Write>,
    then: Then,
) -> (Operation, Next) {
    let next = match queue.first() {
        Some(write) => Next::Send {
            write: write.clone(),
            round: operation.rounds,
        },
        None => Next::Look,
    };
    operation.watched.extend(targets.iter().cloned());
    operation.has_written |= !queue.is_empty();
    operation.state = State::Retiring {
        targets,
        queue,
        then,
    };
    (operation, next)
}

pub(super) fn advance(
    mut operation: Operation,
    targets: Vec<CheckoutReference>,
    mut queue: Vec<Write>,
    then: Then,
    done: bool,
) -> (Operation, Next) {
    if !queue.is_empty() {
        let write = queue.remove(0);
        if done {
            operation.retired.push(write.target());
        }
    }
    send_first(operation, targets, queue, then)
}

/// An order that only loses objects: nothing is minted, so nothing but the row itself says that it moved.
fn is_overtaken(operation: &Operation, look: &Look, then: &Then) -> bool {
    let closes_what_was_approved =
        matches!(then, Then::End(Ending::Retired | Ending::Refused { .. }));
    matches!(operation.task, Task::Retire | Task::Withdraw)
        && closes_what_was_approved
        && look.row().is_some()
        && operation.expected.reference.as_ref() != look.held()
}

pub(super) fn give_up_own_link(operation: Operation, ending: Ending) -> (Operation, Next) {
    let Some(minted) = &operation.minted else {
        return end(operation, ending);
    };
    let targets = vec![own_link(minted)];
    let queue = vec![Write::Deactivate(minted.id.clone())];
    send_first(operation, targets, queue, Then::End(ending))
}

pub(super) fn live_besides_minted(operation: &Operation, look: &Look) -> Vec<CheckoutReference> {
    let live = live(&look.objects);
    match &operation.minted {
        Some(minted) => without(live, &own_link(minted), look),
        None => live,
    }
}

pub(super) fn own_link(minted: &Minted) -> CheckoutReference {
    CheckoutReference::Link(minted.id.clone())
}

fn extend(targets: &mut Vec<CheckoutReference>, more: Vec<CheckoutReference>) {
    for reference in more {
        if !targets.contains(&reference) {
            targets.push(reference);
        }
    }
}
