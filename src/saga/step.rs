//! The transitions. Retire before mint; prove before minting; look before publishing; look once more after.
//!
//! A refusal is never parsed and never believed: the object is read again, and only a complete reading that
//! shows nothing open, nothing active and nothing complete lets the operation go on to the mint.

use super::look::{
    Look, find_family, find_minted, live, money_taken, recoverable, row_moved, settled, shows_all,
    unread, without, writes_for,
};
use super::operation::{Ending, Minted, Operation, State, Task, Then, Write};
use crate::domain::CheckoutReference;
use crate::plan::{Action, Verdict, is_good_link};

/// Something live was found again and again: an application that keeps opening sessions, or a lying answer.
const MAX_ROUNDS: u32 = 8;
/// A minted link that is already inactive is the replay of an older mint: the next attempt has another key.
/// As many older ones as this are passed by one operation that knows nothing of them.
const MAX_ATTEMPTS: u32 = 100;
/// Characters that the row's column for the URL holds.
const LONGEST_URL: usize = 500;
/// Seconds. Stripe may forget a key once it is 24 hours old (docs.stripe.com/api/idempotent_requests); sent again
/// after that, it would mint again.
const OLDEST_KEY: i64 = 23 * 3600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The order is ours; nothing has been done.
    Claimed,
    /// The order is ours; an earlier holder left the operation as it stands. `mint_age` is how long ago the
    /// latest mint was intended, in seconds of the database's clock.
    TakenOver {
        mint_age: Option<i64>,
    },
    Looked(Box<Look>),
    /// The look did not succeed.
    Unread(String),
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

/// Total. An observation that does not belong to the state ends the operation as unknown.
#[must_use]
pub fn step(operation: Operation, observed: Observed) -> (Operation, Next) {
    match (operation.state.clone(), observed) {
        (State::Ended(ending), _) => (operation, Next::End(ending)),
        (_, Observed::Fenced) => end(operation, Ending::Fenced),
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
        (State::Minting, Observed::KeySpent(_)) => seek(operation),
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
        return end(operation, moved);
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

/// Reads the fence off a complete look: goes on only when every target is dead. What is still live is
/// closed, links before sessions: a link that is still active would open another session behind our back.
fn prove(
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
        if let Some(ending) = money_taken(look, None).or_else(|| settled(look)) {
            // Nothing may be minted any more, and nothing that is live may stay so.
            extend(&mut targets, live(&look.objects));
            then = Then::End(ending);
        } else if row_moved(&operation, look) {
            // What the row holds now is the order's link; ours is a secret and goes with the old ones.
            if let Some(held) = look.held() {
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

/// Another process began this. Everything is read anew before anything is sent: what it saw is history. Only
/// a publication needs no memory: had it happened, the same transaction would have moved the state on.
fn take_over(operation: Operation, mint_age: Option<i64>) -> (Operation, Next) {
    let state = match operation.state {
        State::Retiring { targets, then, .. } => State::Retiring {
            targets,
            queue: Vec::new(),
            then,
        },
        State::Minting | State::Doubting | State::Seeking => State::Doubting,
        State::Publishing => State::Examining,
        state @ (State::Claimed | State::Examining | State::Confirming | State::Ended(_)) => state,
    };
    let operation = Operation {
        state,
        key_is_old: mint_age.is_some_and(|seconds| seconds >= OLDEST_KEY),
        ..operation
    };
    match operation.state.clone() {
        State::Ended(ending) => (operation, Next::End(ending)),
        _ => (operation, Next::Look),
    }
}

/// A mint was intended, and whether it happened is not known. A link that carries its key answers that; else
/// the order must still be as it was before the same request may be sent again.
fn settle_doubt(operation: Operation, look: &Look) -> (Operation, Next) {
    if let Some(why) = unread(&operation, look) {
        let what = "looking for the link of an earlier run".to_owned();
        return end(operation, Ending::Unknown { what, why });
    }
    if let Some(link) = find_minted(look, operation.relink_key()) {
        let operation = hold_minted(operation, link);
        return examine(operation, look);
    }
    prove(operation, look, Vec::new(), Then::Mint)
}

fn hold_minted(mut operation: Operation, link: Minted) -> Operation {
    let reference = CheckoutReference::Link(link.id.clone());
    operation.watched.insert(reference);
    operation.minted = Some(link);
    operation.state = State::Examining;
    operation
}

fn mint(operation: Operation) -> (Operation, Next) {
    let attempt = operation.attempt;
    let operation = Operation {
        state: State::Minting,
        has_written: true,
        ..operation
    };
    (operation, Next::Mint { attempt })
}

fn seek(operation: Operation) -> (Operation, Next) {
    let operation = Operation {
        state: State::Seeking,
        ..operation
    };
    (operation, Next::Seek)
}

/// The next attempt has another key.
fn mint_next(operation: Operation) -> (Operation, Next) {
    if operation.attempt >= MAX_ATTEMPTS {
        let what = "minting a link".to_owned();
        let why = format!("none of {MAX_ATTEMPTS} attempts made a link that is active");
        return end(operation, Ending::Refused { what, why });
    }
    mint(Operation {
        attempt: operation.attempt.saturating_add(1),
        key_is_old: false,
        minted: None,
        ..operation
    })
}

fn send_first(
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

fn advance(
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
    matches!(operation.task, Task::Retire | Task::Withdraw)
        && *then == Then::End(Ending::Retired)
        && operation.expected.reference.as_ref() != look.held()
}

/// The mint's answer may be the replay of an older one: only a reading of the link is believed. Nothing is
/// published while anything else is payable, or over a row that moved.
fn examine(operation: Operation, look: &Look) -> (Operation, Next) {
    let Some(minted) = operation.minted.clone() else {
        let (what, why) = (
            "examining the new link".to_owned(),
            "there is none".to_owned(),
        );
        return end(operation, Ending::Unknown { what, why });
    };
    if let Some(why) = unread(&operation, look) {
        let what = "looking before publishing".to_owned();
        return end(operation, Ending::Unknown { what, why });
    }
    let Some(family) = find_family(look, &minted) else {
        let what = format!("reading the new link {}", minted.id);
        let why = "Stripe did not show it".to_owned();
        return end(operation, Ending::Unknown { what, why });
    };
    if let Some(ending) = money_taken(look, None).or_else(|| settled(look)) {
        let targets = live(&look.objects);
        return prove(operation, look, targets, Then::End(ending));
    }
    if minted.url.chars().count() > LONGEST_URL {
        let what = format!("storing {}", minted.id);
        let why = format!("its URL has more than the {LONGEST_URL} characters that the row holds");
        return give_up_own_link(operation, Ending::Refused { what, why });
    }
    if look.held() == Some(&own_link(&minted)) {
        // Stored after all, by whoever held the order before: never taken down for a race with ourselves.
        return confirm(operation, look);
    }
    if row_moved(&operation, look) {
        return give_up_own_link(operation, Ending::LostRace);
    }
    let others = live_besides_minted(&operation, look);
    if !others.is_empty() {
        return prove(operation, look, others, Then::Mint);
    }
    let order = operation.order.unwrap_or(crate::domain::OrderId(0));
    if !family.link.active {
        return mint_next(operation);
    }
    if !is_good_link(&family.link, order, operation.expected.amount) {
        let what = format!("minting {}", minted.id);
        let why = "Stripe's link has other terms than were asked for".to_owned();
        return give_up_own_link(operation, Ending::Refused { what, why });
    }
    let operation = Operation {
        state: State::Publishing,
        ..operation
    };
    (operation, Next::Publish(minted))
}

/// After the publication: an old object that turned out paid takes the new link down again.
fn confirm(operation: Operation, look: &Look) -> (Operation, Next) {
    if let Some(why) = unread(&operation, look) {
        let ending = replaced(&operation, Some(why));
        return end(operation, ending);
    }
    if let Some(ending) = money_taken(look, operation.minted.as_ref()) {
        return give_up_own_link(operation, ending);
    }
    // Live again, or new since: never called done, and the next run sorts it out.
    let others = live_besides_minted(&operation, look);
    if !others.is_empty() {
        return end(operation, Ending::StillLive(others));
    }
    let ending = replaced(&operation, None);
    end(operation, ending)
}

fn live_besides_minted(operation: &Operation, look: &Look) -> Vec<CheckoutReference> {
    let live = live(&look.objects);
    match &operation.minted {
        Some(minted) => {
            let own = CheckoutReference::Link(minted.id.clone());
            without(live, &own, look)
        }
        None => live,
    }
}

fn own_link(minted: &Minted) -> CheckoutReference {
    CheckoutReference::Link(minted.id.clone())
}

fn give_up_own_link(operation: Operation, ending: Ending) -> (Operation, Next) {
    let Some(minted) = &operation.minted else {
        return end(operation, ending);
    };
    let targets = vec![CheckoutReference::Link(minted.id.clone())];
    let queue = vec![Write::Deactivate(minted.id.clone())];
    send_first(operation, targets, queue, Then::End(ending))
}

fn end(operation: Operation, ending: Ending) -> (Operation, Next) {
    let operation = Operation {
        state: State::Ended(ending.clone()),
        ..operation
    };
    (operation, Next::End(ending))
}

fn replaced(operation: &Operation, unconfirmed: Option<String>) -> Ending {
    match &operation.minted {
        Some(link) => Ending::Replaced {
            link: link.clone(),
            unconfirmed,
        },
        None => Ending::LostRace,
    }
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

fn extend(targets: &mut Vec<CheckoutReference>, more: Vec<CheckoutReference>) {
    for reference in more {
        if !targets.contains(&reference) {
            targets.push(reference);
        }
    }
}
