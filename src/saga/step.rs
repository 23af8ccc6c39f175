//! The transitions: which observation, in which state, leads where. Retire before mint; prove before minting; look
//! before publishing; look once more after.
//!
//! It does nothing by itself: `retire.rs` closes and proves, `mint.rs` mints and examines. What does not belong to the
//! state ends the operation as unknown, never as done.

use super::look::{Look, row_moved};
use super::mint::{
    confirm, examine, give_up_key, hold_minted, mint_next, replaced, settle_doubt, take_over,
};
use super::operation::{Ending, Minted, Operation, State, Task, Then, Write};
use super::retire::{advance, give_up_own_link, prove, send_first};
use crate::domain::{CheckoutReference, StripeObject};
use crate::plan::{Action, Decision, Verdict};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The order is ours; nothing has been done.
    Claimed,
    /// The order is ours; an earlier holder left the operation as it stands. `mint_age` is how long ago the key of
    /// its mint was intended for the first time, in seconds of the database's clock.
    TakenOver {
        mint_age: Option<i64>,
    },
    Looked(Box<Look>),
    /// The look did not succeed.
    Unread(String),
    /// Stripe says that an object which the operation closed, or made, does not exist.
    Missing(CheckoutReference),
    /// The write's answer says it was done.
    Done,
    Minted(Minted),
    /// A definite no.
    Refused(String),
    /// Nothing happened: the request did not get through to Stripe, or not past its limits.
    Unavailable(String),
    /// No answer, or none that can be believed.
    Unknown(String),
    /// Stripe answers the mint's key with a failure that it saved, or says that the key was used otherwise:
    /// what happened then may have made a link.
    KeySpent(String),
    /// What the search for the mint's link found; `None` when it found none.
    Sought(Option<Minted>),
    /// The lease is another run's now.
    Fenced,
    /// Somebody asked the run to stop, before what was next was begun.
    Interrupted,
    Published,
    RowMoved,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the row and every object of the order anew.
    Look,
    /// `round` belongs into the idempotency key: a saved refusal must not be replayed in a later round.
    Send {
        write: Write,
        round: u32,
    },
    Mint {
        attempt: u32,
    },
    /// Look for the link of the intended mint: by the events since, then among the active links.
    Seek,
    Publish(Minted),
    End(Ending),
}

/// A protocol: `step`, or what the tests put in its place to see that a broken rule is found.
pub type Protocol<'a> = &'a (dyn Fn(Operation, Observed) -> (Operation, Next) + Send + Sync);

/// Total. An observation that does not belong to the state ends the operation as unknown.
#[must_use]
pub fn step(operation: Operation, observed: Observed) -> (Operation, Next) {
    match (operation.state.clone(), observed) {
        (_, Observed::Fenced) => end(operation, Ending::Fenced),
        (State::Ended(ending), _) => (operation, Next::End(ending)),
        (State::Confirming, Observed::Interrupted) => {
            let ending = replaced(&operation, Some("the run was asked to stop".to_owned()));
            end(operation, ending)
        }
        (state, Observed::Interrupted) => {
            let what = doing(&state).to_owned();
            end(operation, Ending::Interrupted { what })
        }
        (State::Claimed, Observed::Claimed) => (operation, Next::Look),
        (_, Observed::TakenOver { mint_age }) => take_over(operation, mint_age),
        (State::Claimed, Observed::Looked(look)) => claim(operation, &look),
        (
            State::Retiring {
                targets,
                queue,
                then,
            },
            Observed::Looked(look),
        ) if queue.is_empty() => prove(operation, &look, targets, then),
        (
            State::Retiring {
                targets,
                queue,
                then,
            },
            Observed::Done,
        ) => advance(operation, targets, queue, then, true),
        // Whatever the refusal says: the next look decides.
        (
            State::Retiring {
                targets,
                queue,
                then,
            },
            Observed::Refused(_) | Observed::Unavailable(_),
        ) => advance(operation, targets, queue, then, false),
        (State::Minting, Observed::Minted(link))
        | (State::Seeking, Observed::Sought(Some(link))) => {
            (hold_minted(operation, link), Next::Look)
        }
        (State::Minting, Observed::KeySpent(why)) => give_up_key(operation, why),
        // What the key was used for made no link: another key may.
        (State::Seeking, Observed::Sought(None)) => mint_next(operation),
        (State::Doubting, Observed::Looked(look)) => settle_doubt(operation, &look),
        (State::Minting, Observed::Refused(why)) => {
            let what = "minting a link".to_owned();
            end(operation, Ending::Refused { what, why })
        }
        (State::Minting, Observed::Unavailable(why)) => {
            let what = "minting a link".to_owned();
            end(operation, Ending::Unavailable { what, why })
        }
        (State::Examining, Observed::Looked(look)) => examine(operation, &look),
        (State::Publishing, Observed::Published) => {
            let operation = Operation {
                state: State::Confirming,
                ..operation
            };
            (operation, Next::Look)
        }
        (State::Publishing, Observed::RowMoved) => give_up_own_link(operation, Ending::LostRace),
        (_, Observed::Missing(object)) => without_object(operation, &object),
        (State::Confirming, Observed::Looked(look)) => confirm(operation, &look),
        (State::Confirming, Observed::Unread(why)) => {
            let ending = replaced(&operation, Some(why));
            end(operation, ending)
        }
        (state, Observed::Unread(why) | Observed::Unknown(why)) => end(
            operation,
            Ending::Unknown {
                what: doing(&state).to_owned(),
                why,
            },
        ),
        (state, observed) => {
            let why = format!("unexpected answer: {observed:?}");
            end(
                operation,
                Ending::Unknown {
                    what: doing(&state).to_owned(),
                    why,
                },
            )
        }
    }
}

/// No later look will show it either, so the operation ends: what the order holds then is for the next run to
/// judge, and for a person where that is `missing`. Our own unstored link and whatever else was to be closed go first;
/// what is not there is never called closed.
fn without_object(mut operation: Operation, object: &CheckoutReference) -> (Operation, Next) {
    let gone = Ending::Refused {
        what: doing(&operation.state).to_owned(),
        why: format!("Stripe says that {object} does not exist"),
    };
    match operation.state.clone() {
        State::Confirming => end(operation, gone),
        State::Retiring {
            mut targets,
            then: Then::End(wanted),
            ..
        } => {
            let ending = match wanted {
                Ending::Retired => gone,
                other => other,
            };
            if !operation.watched.remove(object) {
                return end(operation, ending);
            }
            targets.retain(|target| target != object);
            send_first(operation, targets, Vec::new(), Then::End(ending))
        }
        _ => give_up_own_link(operation, gone),
    }
}

/// The facts after the claim must still ask for what was approved, on the row that was approved.
fn claim(operation: Operation, look: &Look) -> (Operation, Next) {
    if let Task::RetireObjects(targets) = &operation.task {
        let targets = targets.clone();
        return prove(operation, look, targets, Then::End(Ending::Retired));
    }
    let Some(decision) = &look.decision else {
        let (what, why) = ("reading the order".to_owned(), "it is gone".to_owned());
        return end(operation, Ending::Unknown { what, why });
    };
    let moved = Ending::Moved {
        verdict: decision.verdict,
        reason: decision.reason.clone(),
    };
    if decision.verdict == Verdict::Unobserved {
        let what = "reading the order's objects".to_owned();
        let why = decision.reason.to_string();
        return end(operation, Ending::Unknown { what, why });
    }
    if row_moved(&operation, look) {
        let nameless = approved_without_a_name(&operation, look, decision);
        if nameless.is_empty() {
            return end(operation, moved);
        }
        return prove(operation, look, nameless, Then::End(moved));
    }
    match (&operation.task, &decision.action) {
        (Task::Replace, Action::Replace(targets)) => {
            let targets = targets.clone();
            prove(operation, look, targets, Then::Mint)
        }
        (Task::Mint, Action::Replace(targets)) if targets.is_empty() => {
            prove(operation, look, Vec::new(), Then::Mint)
        }
        (Task::Retire | Task::Withdraw, Action::Retire(targets)) => {
            let targets = targets.clone();
            prove(operation, look, targets, Then::End(Ending::Retired))
        }
        _ => end(operation, moved),
    }
}

/// What was approved to go, is not the row's any more, and names no order: nothing would ever lead to it again.
fn approved_without_a_name(
    operation: &Operation,
    look: &Look,
    decision: &Decision,
) -> Vec<CheckoutReference> {
    if decision.verdict == Verdict::OutOfScope {
        return Vec::new();
    }
    look.objects
        .iter()
        .filter(|object| object.owner().order().is_none())
        .map(StripeObject::reference)
        .filter(|reference| operation.watched.contains(reference))
        .filter(|reference| look.held() != Some(reference))
        .collect()
}

pub(super) fn end(operation: Operation, ending: Ending) -> (Operation, Next) {
    let operation = Operation {
        state: State::Ended(ending.clone()),
        ..operation
    };
    (operation, Next::End(ending))
}

fn doing(state: &State) -> &'static str {
    match state {
        State::Claimed => "reading the order",
        State::Retiring { .. } => "retiring the old object",
        State::Minting => "minting a link",
        State::Doubting => "looking for the link of an earlier run",
        State::Seeking => "looking for the link of the mint",
        State::Examining => "looking before publishing",
        State::Publishing => "storing the new link",
        State::Confirming => "confirming",
        State::Ended(_) => "nothing",
    }
}
